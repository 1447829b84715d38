//! Step times and limits of one model on one kind of GPU.

/// Step times, see the module documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct StepModel {}

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
