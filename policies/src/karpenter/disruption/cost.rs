//! What it costs to disrupt a node, and the order in which nodes are looked at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Deletion costs are counted in units of this (`2^27`).
const DELETION_COST_UNIT: f64 = 134_217_728.0;

/// Priorities are counted in units of this (`2^25`).
const PRIORITY_UNIT: f64 = 33_554_432.0;

/// The bounds of what one pod may cost.
const EVICTION_COSTS: (f64, f64) = (-10.0, 10.0);

/// What it costs to evict a pod: 1, more with its deletion cost and its priority.
pub fn eviction(deletion_cost: i64, priority: i32) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a Kubernetes deletion cost is a 32-bit number")]
    let deletion_cost = deletion_cost as f64;
    let cost = 1.0 + deletion_cost / DELETION_COST_UNIT + f64::from(priority) / PRIORITY_UNIT;
    cost.clamp(EVICTION_COSTS.0, EVICTION_COSTS.1)
}

/// Which Karpenter: its order of candidates changed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Version {
    /// 1.13: a node costs the sum of its pods, times the share of its life that is left; the cheapest to disrupt
    /// goes first. Empty is a node without pods that would have to move.
    #[serde(rename = "1.13")]
    V1_13,
    /// 1.14: a node costs one more, and pods that cost less than nothing count as nothing; the highest price for
    /// the disruption goes first. Empty is a node that costs at most one.
    #[default]
    #[serde(rename = "1.14")]
    V1_14,
}

impl Version {
    /// What it costs to disrupt a node with pods that cost so much; `lifetime_left` is the share of its life
    /// until it expires, 1 if it never does.
    pub fn disruption(self, pod_costs: impl Iterator<Item = f64>, lifetime_left: f64) -> f64 {
        match self {
            Self::V1_13 => pod_costs.sum::<f64>() * lifetime_left,
            Self::V1_14 => 1.0 + pod_costs.map(|cost| cost.max(0.0)).sum::<f64>(),
        }
    }

    /// Which of two nodes, each with price and disruption cost, is looked at first.
    pub fn order(self, a: (f64, f64), b: (f64, f64)) -> Ordering {
        match self {
            Self::V1_13 => a.1.total_cmp(&b.1),
            Self::V1_14 => (b.0 / b.1).total_cmp(&(a.0 / a.1)),
        }
    }
}
