//! Language models: shapes, weights, KV cache.

use super::estimate::Dense;
use contract::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Number format of a model's weights.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// bfloat16.
    Bf16,
    /// IEEE half precision: the same size and speed as bfloat16.
    Fp16,
    /// 8-bit floats.
    Fp8,
    /// 4-bit floats: MXFP4, NVFP4.
    #[serde(alias = "mxfp4", alias = "nvfp4")]
    Fp4,
}

impl Precision {
    /// This format, then the one that costs the same, if there is one.
    pub fn equivalents(self) -> &'static [Self] {
        match self {
            Self::Bf16 => &[Self::Bf16, Self::Fp16],
            Self::Fp16 => &[Self::Fp16, Self::Bf16],
            Self::Fp8 => &[Self::Fp8],
            Self::Fp4 => &[Self::Fp4],
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bf16 => "bf16",
            Self::Fp16 => "fp16",
            Self::Fp8 => "fp8",
            Self::Fp4 => "fp4",
        })
    }
}

impl FromStr for Precision {
    type Err = UnknownPrecision;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "bf16" => Ok(Self::Bf16),
            "fp16" => Ok(Self::Fp16),
            "fp8" => Ok(Self::Fp8),
            "fp4" | "mxfp4" | "nvfp4" => Ok(Self::Fp4),
            _ => Err(UnknownPrecision { found: text.to_owned() }),
        }
    }
}

/// A precision by a name that is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found `{found}`, expected one of `bf16`, `fp16`, `fp8`, `fp4`")]
pub struct UnknownPrecision {
    found: String,
}

/// A language model, as a table of `models.toml` holds it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Model {
    /// Names that other sources use for it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Parameters of the whole model.
    pub parameters: f64,
    /// Parameters that one token uses; `None` for dense models, where it is all of them.
    pub active_parameters: Option<f64>,
    /// Transformer blocks.
    pub layers: u32,
    /// Query heads times head size.
    pub attention_width: u32,
    /// Weights of one replica, all its GPUs together, by precision.
    pub weights: BTreeMap<Precision, Bytes>,
    /// Bytes in the KV cache per token, all GPUs together, by precision of the weights.
    pub kv_bytes_per_token: BTreeMap<Precision, u64>,
    /// Where the figures come from.
    pub source: String,
}

impl Model {
    /// Size of the weights in `precision`, if the catalogue knows the model in it.
    pub fn weights(&self, precision: Precision) -> Option<Bytes> {
        precision.equivalents().iter().find_map(|format| self.weights.get(format)).copied()
    }

    /// The figures from which step times are estimated, if the catalogue knows the model in `precision`.
    pub(super) fn dense(&self, precision: Precision) -> Option<Dense> {
        Some(Dense {
            parameters: self.parameters,
            layers: self.layers,
            attention_width: self.attention_width,
            weights_bytes: as_float(self.weights(precision)?.0),
            kv_bytes_per_token: as_float(self.kv_bytes(precision)?),
        })
    }

    /// Bytes a token takes in the KV cache, if the catalogue knows the model in `precision`.
    pub fn kv_bytes(&self, precision: Precision) -> Option<u64> {
        precision
            .equivalents()
            .iter()
            .find_map(|format| self.kv_bytes_per_token.get(format))
            .copied()
    }
}

/// `models.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelFile {
    pub(super) model: BTreeMap<String, Model>,
}

#[expect(clippy::cast_precision_loss, reason = "2^53 bytes are 8 PiB")]
fn as_float(bytes: u64) -> f64 {
    bytes as f64
}
