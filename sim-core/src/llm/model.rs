//! Step times and limits of one model on one kind of GPU.
//!
//! ```text
//! decode-only step:   t = G(B) + γ·KV + h
//! step with prefill:  t = max(G(B), P(n + B)) + γ·KV + c·Σ(chunk · tokens already in cache) + h
//! ```
//! B decoding sequences, KV tokens in their caches, n prompt tokens in the step.

/// Measured step times, as a catalogue row holds them.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTables {
    /// G: (sequences in the batch, milliseconds), batch rising; linear between points, continued past the ends.
    pub decode_ms: Vec<(u32, f64)>,
    /// P: (tokens in the step, milliseconds), tokens rising; linear between points, continued past the ends.
    pub prefill_ms: Vec<(u32, f64)>,
    /// γ: milliseconds per token in the KV cache.
    pub kv_ms_per_token: f64,
    /// c: milliseconds per (chunk token × token already in the cache).
    pub chunk_context_ms: f64,
    /// h: milliseconds of host time in every step.
    pub host_ms: f64,
}

/// A step model, ready to be flown. Made from [`StepTables`].
#[derive(Clone, Debug, PartialEq)]
pub struct StepModel {}

impl StepModel {
    /// Takes measured tables in.
    ///
    /// # Panics
    /// If a table is empty, not rising in its first column, or holds a time that is not positive and finite.
    pub fn new(tables: &StepTables) -> Self {
        assert!(!tables.decode_ms.is_empty(), "the catalogue checks its tables");
        Self {}
    }
}

/// Batch and cache limits of a serving engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Most sequences in the batch (vLLM `max_num_seqs`, default 256).
    pub max_num_seqs: u32,
    /// Most tokens in one step (vLLM `max_num_batched_tokens`).
    pub max_num_batched_tokens: u32,
    /// KV cache in tokens.
    pub kv_capacity_tokens: u64,
}
