//! Step-time rows: how long an engine's steps take, model by model and GPU by GPU.

use super::Precision;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// Step times of one model on one kind of GPU, as a row of `llm.toml` holds them: before calibration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StepRow {
    /// The model, by its name in `models.toml`.
    pub model: String,
    /// The GPU, by its name in `gpus.toml`.
    pub gpu: String,
    /// GPUs that share the model.
    pub tp: u32,
    /// Format of the weights.
    pub precision: Precision,
    /// Engine and version.
    pub engine: String,
    /// How well the row fits its own source.
    pub quality: Quality,
    /// G: (sequences in the batch, milliseconds).
    pub decode_ms: Vec<(u32, f64)>,
    /// P: (tokens in the step, milliseconds); empty where none were published and an estimate is taken.
    #[serde(default)]
    pub prefill_ms: Vec<(u32, f64)>,
    /// γ: milliseconds per token in the KV cache; `None` where an estimate is taken.
    pub kv_ms_per_token: Option<f64>,
    /// c: milliseconds per (chunk token × token already in the cache); `None` where an estimate is taken.
    pub chunk_context_ms: Option<f64>,
    /// Capacity of the KV cache in tokens, where a source publishes it.
    pub kv_capacity_tokens: Option<u64>,
    /// How far the row is from its own source.
    pub fit_error: Option<String>,
    /// Key in the file's list of sources.
    pub source: String,
    /// What a reader should know.
    pub note: Option<String>,
}

/// How well a row fits its own source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Quality {
    /// Within 2 % for decode steps and 4 % for mixed ones.
    A,
    /// Usable.
    B,
}

/// What step times rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// A measured row.
    Measured(Quality),
    /// The data sheet: expect ±25 %, prefill up to 50 % too slow.
    Estimate,
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measured(quality) => write!(f, "measured, quality {quality:?}"),
            Self::Estimate => f.write_str("estimate from the data sheet"),
        }
    }
}

/// `llm.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepFile {
    pub(super) source: BTreeMap<String, String>,
    pub(super) row: Vec<StepRow>,
}
