//! How long stages take: named distributions, and the platforms that are made of them.

use super::{Instance, Model};
use contract::Micros;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::delay::Delay;
use std::collections::BTreeMap;

/// A distribution of durations, as files write it: `{ lognormal = { median = "40s", sigma = 0.35 } }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Distribution {
    /// Always the same.
    Fixed(Micros),
    /// Uniform between two durations.
    Uniform {
        /// Shortest.
        low: Micros,
        /// Longest.
        high: Micros,
    },
    /// Exponential.
    Exponential {
        /// Mean.
        mean: Micros,
    },
    /// Lognormal.
    Lognormal {
        /// Median.
        median: Micros,
        /// Standard deviation of the logarithm, not negative.
        sigma: f64,
    },
    /// Gamma.
    Gamma {
        /// Shape, positive.
        shape: f64,
        /// Mean.
        mean: Micros,
    },
    /// Lognormal with a median that depends on the model that is served.
    PerModel {
        /// Part of the median that every model has.
        base: Micros,
        /// Part of the median for each transformer block.
        per_layer: Micros,
        /// Part of the median for each 10^9 parameters.
        per_billion_parameters: Micros,
        /// Standard deviation of the logarithm, not negative.
        sigma: f64,
    },
}

/// A distribution that cannot be drawn from.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DistributionError {
    /// `low` above `high`.
    #[error("found `low` {low} above `high` {high}, expected `low` at most `high`")]
    Reversed {
        /// What stood there.
        low: Micros,
        /// What stood there.
        high: Micros,
    },
    /// A parameter outside its range.
    #[error("found `{name}` {value}, expected {expected}")]
    Parameter {
        /// Which parameter.
        name: &'static str,
        /// What stood there.
        value: f64,
        /// The range.
        expected: &'static str,
    },
    /// A model's figures are needed, and nothing here serves a model.
    #[error("found a `per-model` distribution, expected one that needs no model")]
    NoModel,
}

impl Distribution {
    /// The engine's form. `model` is what the replica serves, if it serves one.
    pub fn resolve(&self, model: Option<&Model>) -> Result<Delay, DistributionError> {
        match *self {
            Self::Fixed(length) => Ok(Delay::Fixed(length)),
            Self::Uniform { low, high } if low > high => {
                Err(DistributionError::Reversed { low, high })
            }
            Self::Uniform { low, high } => Ok(Delay::Uniform { low, high }),
            Self::Exponential { mean } => Ok(Delay::Exponential { mean }),
            Self::Lognormal { median, sigma } => lognormal(median, sigma),
            Self::Gamma { shape, .. } if !(shape > 0.0 && shape.is_finite()) => {
                Err(DistributionError::Parameter {
                    name: "shape",
                    value: shape,
                    expected: "more than 0",
                })
            }
            Self::Gamma { shape, mean } => Ok(Delay::Gamma { shape, mean }),
            Self::PerModel { base, per_layer, per_billion_parameters, sigma } => {
                let model = model.ok_or(DistributionError::NoModel)?;
                let median = base.as_secs_f64()
                    + per_layer.as_secs_f64() * f64::from(model.layers)
                    + per_billion_parameters.as_secs_f64() * model.parameters / 1e9;
                lognormal(Micros::from_secs_f64(median), sigma)
            }
        }
    }
}

fn lognormal(median: Micros, sigma: f64) -> Result<Delay, DistributionError> {
    if !(0.0..=10.0).contains(&sigma) {
        let expected = "0 to 10";
        return Err(DistributionError::Parameter { name: "sigma", value: sigma, expected });
    }
    Ok(Delay::Lognormal { median, sigma })
}

/// A stage of a node's or a replica's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Request to instance.
    Launch,
    /// Instance to operating system up.
    Boot,
    /// Operating system up to node Ready.
    Register,
    /// Node Ready to GPUs allocatable.
    Accelerator,
    /// Delete call to instance gone.
    Terminate,
    /// Resume call to operating system up.
    Resume,
    /// Booted to prepared and switched off.
    Prepare,
    /// A gigabyte of image.
    Pull,
    /// A gibibyte of weights.
    Weights,
    /// Container start to engine.
    Container,
    /// Engine initialisation.
    Engine,
    /// Up to seen ready.
    Probe,
}

/// How far a delay is to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DelayConfidence {
    /// Measured, with a spread.
    Measured,
    /// Three measurements or fewer.
    Few,
    /// Follows from other rows.
    Derived,
    /// The vendor's claim.
    Vendor,
    /// True by definition.
    Definition,
    /// A guess.
    Guess,
}

/// A named delay, as a table of `delays.toml` holds it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelayRow {
    /// What it is a delay of.
    pub stage: Stage,
    /// The distribution.
    pub takes: Distribution,
    /// How far it is to be trusted.
    pub confidence: DelayConfidence,
    /// Where it comes from.
    pub source: String,
}

/// The stages of a node's life on one cloud, by delay names.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Platform {
    /// Whose instances start so unless a scenario says otherwise.
    pub providers: Vec<String>,
    /// Whether it holds for instances with GPUs or for those without.
    pub gpus: bool,
    /// Request to instance.
    pub launch: String,
    /// Instance to operating system up.
    pub boot: String,
    /// Operating system up to node Ready.
    pub register: String,
    /// Node Ready to GPUs allocatable.
    pub accelerator: String,
    /// Delete call to instance gone.
    pub terminate: String,
    /// Warning before a spot node goes.
    pub spot_notice: Micros,
    /// Spot reclaims per node and hour, where an instance type has no band of its own.
    pub reclaims_per_hour: Option<f64>,
    /// Where the spot figures come from.
    pub source: String,
}

impl Platform {
    /// Whether an instance type starts so unless a scenario says otherwise.
    pub fn is_default_for(&self, instance: &Instance) -> bool {
        self.gpus == (instance.gpus > 0) && self.providers.contains(&instance.provider)
    }
}

/// `delays.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DelayFile {
    pub(super) delay: BTreeMap<String, DelayRow>,
    pub(super) platform: BTreeMap<String, Platform>,
}
