//! Instance types: shape, price, spot price.

use super::allocatable;
use contract::{Bytes, GpuModel, MilliCpu, Resources, UsdPerHour};
use serde::Deserialize;
use std::collections::BTreeMap;

/// An instance type, as a table of `nodes.toml` holds it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Instance {
    /// Who rents it out.
    pub provider: String,
    /// Where the price holds.
    pub region: String,
    /// Processor architecture, as Kubernetes names it.
    #[serde(default)]
    pub arch: Arch,
    /// Virtual CPUs.
    pub vcpu: u32,
    /// Memory.
    pub memory: Bytes,
    /// CPU that pods may use, where the provider's figure is known.
    pub allocatable_cpu: Option<MilliCpu>,
    /// Memory that pods may use, where the provider's figure is known.
    pub allocatable_memory: Option<Bytes>,
    /// Its GPUs, if any.
    pub gpu: Option<String>,
    /// How many of them.
    #[serde(default)]
    pub gpus: u32,
    /// On demand, one instance.
    pub price: UsdPerHour,
    /// Date of the price.
    pub priced: String,
    /// As spot capacity, where a price was found.
    pub spot_price: Option<UsdPerHour>,
    /// What the spot price rests on.
    pub spot_basis: Option<String>,
    /// Share of spot instances that are reclaimed within a month.
    pub spot_interrupted_monthly: Option<InterruptionBand>,
    /// How far the price is to be trusted.
    pub confidence: PriceConfidence,
    /// Key in the file's list of sources.
    pub source: String,
    /// What a reader should know.
    pub note: Option<String>,
}

impl Instance {
    /// What pods may use in all.
    pub fn allocatable(&self) -> Resources {
        Resources {
            cpu: self.allocatable_cpu.unwrap_or_else(|| allocatable::cpu(self.vcpu)),
            memory: self.allocatable_memory.unwrap_or_else(|| allocatable::memory(self.memory)),
            gpus: self.gpus,
        }
    }

    /// Its GPU model, if it has GPUs.
    pub fn gpu_model(&self) -> Option<GpuModel> {
        self.gpu.as_deref().map(|name| GpuModel(name.into()))
    }
}

/// Processor architecture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arch {
    /// 64-bit x86.
    #[default]
    Amd64,
    /// 64-bit Arm.
    Arm64,
}

impl Arch {
    /// The value of the node label `kubernetes.io/arch`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// AWS Spot Advisor's bands of monthly interruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum InterruptionBand {
    /// Fewer than 5 %.
    #[serde(rename = "<5%")]
    Below5,
    /// 5 to 10 %.
    #[serde(rename = "5-10%")]
    From5To10,
    /// 10 to 15 %.
    #[serde(rename = "10-15%")]
    From10To15,
    /// 15 to 20 %.
    #[serde(rename = "15-20%")]
    From15To20,
    /// More than 20 %.
    #[serde(rename = ">20%")]
    Above20,
}

impl InterruptionBand {
    /// Reclaims per node and hour that leave the middle of the band interrupted after a month of 730 h.
    /// The open band is taken to end at 30 % (a guess).
    pub fn reclaims_per_hour(self) -> f64 {
        let interrupted: f64 = match self {
            Self::Below5 => 0.025,
            Self::From5To10 => 0.075,
            Self::From10To15 => 0.125,
            Self::From15To20 => 0.175,
            Self::Above20 => 0.25,
        };
        -(1.0 - interrupted).ln() / 730.0
    }
}

/// How far a price is to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PriceConfidence {
    /// A price list.
    Published,
    /// A price list of 2023-24.
    Stale,
    /// Host and GPU rows of a price list, added up.
    Summed,
    /// One answer of a provider's API.
    Sampled,
    /// The list is ambiguous: see the note.
    Doubtful,
}

/// `nodes.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NodeFile {
    pub(super) source: BTreeMap<String, String>,
    pub(super) instance: BTreeMap<String, Instance>,
}
