//! The calibration of the serving model: one set of constants for all rows, nowhere else.
//!
//! Published step times are those of operators run alone. A serving engine reads sequences of mixed
//! lengths and spends host time between steps. Both constants were chosen over all measured runs together
//! (`docs/validation.md`): the mean error of the time per token of 99 closed-loop rows of dense models is
//! 8.1 %, and a run of vLLM 0.19 is met request by request within 2 %. More host time brings H100 closer and
//! B200 and mixtures of experts further away.

/// Factor on γ, the time to read a token of the KV cache: attention over sequences of mixed lengths is
/// slower than its sum.
pub const KV_READ_FACTOR: f64 = 1.25;

/// h: host time in every step (scheduling, sampling, detokenising), milliseconds.
pub const HOST_OVERHEAD_MS: f64 = 0.5;

/// Share of GPU memory that the engine takes (vLLM `gpu_memory_utilization`, default 0.9).
pub const MEMORY_UTILISATION: f64 = 0.9;

/// Memory per GPU that activations and graphs keep from the KV cache, GB: what the fits of the step-time
/// rows assumed. The capacity that follows is good to about ±10 %.
pub const ACTIVATION_RESERVE_GB: f64 = 2.0;

/// Tokens that the KV cache of a replica holds; negative room holds none.
///
/// `(tp × memory × utilisation − weights − tp × reserve) / bytes per token`
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
pub fn kv_capacity_tokens(
    tp: u32,
    memory_gb: f64,
    weights_gb: f64,
    kv_bytes_per_token: f64,
) -> u64 {
    let of_all_gpus = f64::from(tp) * (memory_gb * MEMORY_UTILISATION - ACTIVATION_RESERVE_GB);
    let room_gb = of_all_gpus - weights_gb;
    (room_gb * 1e9 / kv_bytes_per_token).max(0.0) as u64
}
