//! GPU models: what a data sheet says.

use contract::Bytes;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A GPU model, as a table of `gpus.toml` holds it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Gpu {
    /// Names that other sources use for it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Memory as sold.
    pub memory: Bytes,
    /// Peak memory bandwidth, GB/s.
    pub bandwidth_gb_s: f64,
    /// Dense FP16/BF16 peak, TFLOP/s.
    pub fp16_tflops: f64,
    /// Dense FP8 peak, TFLOP/s; `None` without FP8 units or without a figure.
    pub fp8_tflops: Option<f64>,
    /// Where the figures come from.
    pub source: String,
}

/// `gpus.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GpuFile {
    pub(super) gpu: BTreeMap<String, Gpu>,
}
