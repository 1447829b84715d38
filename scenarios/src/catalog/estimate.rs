//! Step times for a GPU without a measured row, from its data sheet. Expect ±25 % for decode steps; prefill
//! comes out up to 50 % too slow.
//!
//! The efficiencies are a middle of what the measured rows of dense models show against data-sheet peaks:
//! weight reads 0.44 to 0.89, KV reads 0.72 to 0.93, prefill 0.34 to 0.71. Rounded; a guess.

use super::{Gpu, Precision};
use sim_core::llm::StepTables;

/// Share of peak bandwidth that reading weights reaches on one GPU.
const WEIGHT_READ_EFFICIENCY: f64 = 0.7;
/// What each doubling of the tensor-parallel degree adds to the weight read, as a share.
const LOSS_PER_DOUBLING: f64 = 0.25;
/// Share of peak bandwidth that reading the KV cache reaches.
const KV_READ_EFFICIENCY: f64 = 0.85;
/// Share of peak arithmetic that prefill reaches.
const PREFILL_EFFICIENCY: f64 = 0.55;

/// The points at which the estimated tables are given, as in the measured ones.
const BATCHES: [u32; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const TOKENS: [u32; 10] = [16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384];

/// A dense model in numbers.
pub(super) struct Dense {
    pub(super) parameters: f64,
    pub(super) layers: u32,
    pub(super) attention_width: u32,
    pub(super) weights_bytes: f64,
    pub(super) kv_bytes_per_token: f64,
}

/// Uncalibrated step times of `model` on `tp` GPUs; host time is zero.
pub(super) fn step_tables(model: &Dense, gpu: &Gpu, tp: u32, precision: Precision) -> StepTables {
    let bandwidth = f64::from(tp) * gpu.bandwidth_gb_s * 1e9;
    let flops_per_s = f64::from(tp) * peak_tflops(gpu, precision) * 1e12 * PREFILL_EFFICIENCY;
    let weight_read = model.weights_bytes / (bandwidth * WEIGHT_READ_EFFICIENCY) * 1e3;
    let weights_ms = weight_read * (1.0 + LOSS_PER_DOUBLING * f64::from(tp).log2());
    let at = |&tokens: &u32| {
        let compute_ms = 2.0 * model.parameters * f64::from(tokens) / flops_per_s * 1e3;
        (tokens, weights_ms.max(compute_ms))
    };
    // Scores and weighted sum: two multiply-adds for each layer and unit of width.
    let flops_per_pair = 4.0 * f64::from(model.layers) * f64::from(model.attention_width);
    StepTables {
        decode_ms: BATCHES.iter().map(at).collect(),
        prefill_ms: TOKENS.iter().map(at).collect(),
        kv_ms_per_token: model.kv_bytes_per_token / (bandwidth * KV_READ_EFFICIENCY) * 1e3,
        chunk_context_ms: flops_per_pair / flops_per_s * 1e3,
        host_ms: 0.0,
    }
}

fn peak_tflops(gpu: &Gpu, precision: Precision) -> f64 {
    match precision {
        Precision::Bf16 | Precision::Fp16 => gpu.fp16_tflops,
        // 4-bit weights are multiplied in FP8 at best; without such units, weights are widened first.
        Precision::Fp8 | Precision::Fp4 => gpu.fp8_tflops.unwrap_or(gpu.fp16_tflops),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Catalogue;
    use super::*;

    /// How far the estimate is from a measured row, as a share of it: decode at batch 1, prefill of 4096
    /// tokens, cache read.
    fn errors(model: &str, gpu: &str, tp: u32) -> [f64; 3] {
        let catalogue = Catalogue::embedded();
        let (name, model) = catalogue.model(model).expect("in the catalogue");
        let (gpu_name, gpu) = catalogue.gpu(gpu).expect("in the catalogue");
        let row = catalogue.best_row(name, gpu_name, tp, Precision::Bf16).expect("measured");
        let dense = model.dense(Precision::Bf16).expect("known in bf16");
        let steps = step_tables(&dense, gpu, tp, Precision::Bf16);
        let at =
            |table: &[(u32, f64)], x| table.iter().find(|point| point.0 == x).expect("there").1;
        [
            at(&steps.decode_ms, 1) / at(&row.decode_ms, 1) - 1.0,
            at(&steps.prefill_ms, 4096) / at(&row.prefill_ms, 4096) - 1.0,
            steps.kv_ms_per_token / row.kv_ms_per_token.expect("measured") - 1.0,
        ]
    }

    #[test]
    fn an_estimate_is_near_what_was_measured_on_large_gpus() {
        for gpu in ["H100-80GB-SXM", "A100-80GB-SXM", "H200-141GB-SXM", "L40S"] {
            let [decode, prefill, cache] = errors("Llama-3.1-8B", gpu, 1);
            assert!(decode.abs() < 0.25 && cache.abs() < 0.25, "{gpu}: {decode:.2} {cache:.2}");
            assert!((0.0..0.5).contains(&prefill), "{gpu}: {prefill:.2}");
        }
    }
}
