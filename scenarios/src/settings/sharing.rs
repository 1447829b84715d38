//! How a pool's GPUs are divided among pods: `[pool.NAME.sharing]`.

use super::{DelaySetting, Share};
use placement::device::DeviceOrder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// How every GPU of a pool is divided among pods: one of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Sharing {
    /// In turns, memory shared: NVIDIA's device plugin with `timeSlicing`.
    TimeSliced(Replicas),
    /// At once, memory and threads in equal parts: the MPS control daemon.
    Mps(Replicas),
    /// In instances that the hardware keeps apart.
    Mig(Mig),
    /// In virtual GPUs.
    Hami(Hami),
    /// In thousandths, held to nothing.
    Milli(Loose),
    /// By request and limit, as CPU is.
    Burst(Loose),
    /// In MIG devices that NVIDIA's driver for dynamic resource allocation makes as claims ask for them.
    Dra(Dra),
}

/// Replicas of a GPU: `[pool.NAME.sharing.time-sliced]`, `[pool.NAME.sharing.mps]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Replicas {
    /// Pods a GPU.
    pub replicas: NonZeroU32,
    /// Part of its throughput that a busy holder loses to each busy neighbour.
    #[serde(default = "interference")]
    pub interference: Share,
    /// Which GPU of a node a pod goes to.
    #[serde(default)]
    pub order: DeviceOrder,
}

/// MIG: `[pool.NAME.sharing.mig]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mig {
    /// Profiles of the instances that each GPU has when its node comes up.
    pub layout: Vec<String>,
    /// From an order to cut an idle GPU anew to its instances; never done unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repartition: Option<DelaySetting>,
    /// Which GPU of a node a pod goes to.
    pub order: DeviceOrder,
}

/// `HAMi`: `[pool.NAME.sharing.hami]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hami {
    /// Pods a GPU at most.
    pub split: NonZeroU32,
    /// Memory that a GPU offers, as a multiple of what it has.
    pub memory_scaling: f64,
    /// Part of its throughput that a busy holder loses to each busy neighbour.
    pub interference: Share,
    /// Which GPU of a node a pod goes to.
    pub order: DeviceOrder,
}

impl Default for Hami {
    /// `deviceSplitCount` 10, `deviceMemoryScaling` 1, spread: `HAMi`'s own.
    fn default() -> Self {
        Self {
            split: const { NonZeroU32::new(10).unwrap() },
            memory_scaling: 1.0,
            interference: interference(),
            order: DeviceOrder::Spread,
        }
    }
}

/// Parts that nothing keeps apart: `[pool.NAME.sharing.milli]`, `[pool.NAME.sharing.burst]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Loose {
    /// Part of its throughput that a busy holder loses to each busy neighbour.
    pub interference: Share,
    /// Which GPU of a node a pod goes to.
    pub order: DeviceOrder,
}

impl Default for Loose {
    fn default() -> Self {
        Self { interference: interference(), order: DeviceOrder::default() }
    }
}

/// Dynamic resource allocation: `[pool.NAME.sharing.dra]`. Its allocator takes the first device that fits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dra {}

/// An assumption: no measured figure was found. Caches and memory bandwidth are shared, so it is not zero.
fn interference() -> Share {
    Share::try_from(0.05).expect("a share")
}
