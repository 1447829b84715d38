//! A pool of equal nodes: `[pool.NAME]`.

use super::{DelaySetting, Share, Sharing};
use contract::{Micros, Taint, UsdPerHour};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// A pool of equal nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pool {
    /// Instance type, by its provider's name.
    pub instance: String,
    /// Never fewer nodes.
    #[serde(default)]
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// Ready at the start; `min` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<u32>,
    /// Zones; nodes go to them in turn.
    #[serde(default = "one_zone")]
    pub zones: Vec<String>,
    /// Nodes that the cloud can give at most, by zone; no limit where none is given.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub stock: IndexMap<String, u32>,
    /// What becomes of a launch when the cloud has none left.
    #[serde(default)]
    pub stock_out: StockOut,
    /// Price of a node; the catalogue's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<UsdPerHour>,
    /// What is billed at least; then by the second.
    #[serde(default = "minute")]
    pub billing_minimum: Micros,
    /// Share of launches that come to nothing.
    #[serde(default)]
    pub launch_failure: Share,
    /// Share of nodes whose accelerator never comes up.
    #[serde(default)]
    pub accelerator_failure: Share,
    /// How nodes start; by the instance's provider unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Request to instance; the platform's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<DelaySetting>,
    /// Instance to operating system up; the platform's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<DelaySetting>,
    /// Operating system up to node Ready; the platform's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<DelaySetting>,
    /// Node Ready to GPUs allocatable; the platform's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accelerator: Option<DelaySetting>,
    /// Delete call to instance gone; the platform's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminate: Option<DelaySetting>,
    /// A gigabyte of image, downloaded and unpacked.
    #[serde(default = "pull")]
    pub pull: DelaySetting,
    /// A gibibyte of weights, first load on a node.
    #[serde(default = "weights")]
    pub weights: DelaySetting,
    /// A gibibyte of weights that the node's page cache holds.
    #[serde(default = "cached_weights")]
    pub cached_weights: DelaySetting,
    /// The image is in the machine image: nothing to pull.
    #[serde(default)]
    pub image_preloaded: bool,
    /// Node labels beside those that every node has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Marks that keep pods off unless they tolerate them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<Taint>,
    /// How its GPUs are divided among pods; held whole unless the table is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<Sharing>,
    /// Reclaimable capacity at the spot price; on demand unless the table is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<Spot>,
    /// Instances that stand by, switched off; none unless the table is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby: Option<StandbyPool>,
    /// How its nodes stand in racks and blocks; nowhere in particular unless the table is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub racks: Option<Racks>,
}

/// How the nodes of a pool stand together: `[pool.NAME.racks]`. A new node takes the lowest place that is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Racks {
    /// Nodes in a rack.
    pub nodes_per_rack: NonZeroU32,
    /// Racks in a block.
    pub racks_per_block: NonZeroU32,
}

/// What becomes of a launch when the cloud has none left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StockOut {
    /// It is refused after the time of a launch, as an API for instances does.
    #[default]
    Refused,
    /// It stands until there is one again or until it is given up, and nobody is told: a group whose target is
    /// never met.
    Waits,
}

/// Instances that stand by, switched off: `[pool.NAME.standby]`. A new node resumes one of them while there is one,
/// whoever asks for it; another is prepared in its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StandbyPool {
    /// How many are kept.
    pub nodes: u32,
    /// What survives while they are off.
    pub state: StandbyState,
    /// What one costs while it is off: its disks, its addresses, a memory image.
    pub holding: UsdPerHour,
    /// Resume call to operating system up; by `state` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<DelaySetting>,
    /// From a booted instance to one that is prepared and off: images, drivers, for all services that fit it.
    #[serde(default = "prepare")]
    pub prepare: DelaySetting,
    /// Says that this is a question and no offer of the cloud: needed to hibernate GPU instances.
    #[serde(default)]
    pub what_if: bool,
}

/// What survives on an instance that stands by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StandbyState {
    /// Disks: images.
    Stopped,
    /// Disks and memory: images, and weights in the page cache.
    Hibernated,
}

impl StandbyState {
    /// The delay of the catalogue that a resume takes unless told otherwise.
    pub(crate) fn resume(self) -> &'static str {
        match self {
            Self::Stopped => "resume-stopped",
            Self::Hibernated => "resume-hibernated",
        }
    }
}

/// Reclaimable capacity: `[pool.NAME.spot]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spot {
    /// Reclaims per node and hour; the catalogue's unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reclaims_per_hour: Option<f64>,
    /// Warning before the node goes; the platform's unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<Micros>,
}

fn one_zone() -> Vec<String> {
    vec!["a".to_owned()]
}

fn minute() -> Micros {
    Micros::from_mins(1)
}

fn prepare() -> DelaySetting {
    DelaySetting::named("standby-prepare")
}

fn pull() -> DelaySetting {
    DelaySetting::named("pull-network-disk")
}

fn weights() -> DelaySetting {
    DelaySetting::named("weights-network-disk")
}

fn cached_weights() -> DelaySetting {
    DelaySetting::named("weights-page-cache")
}
