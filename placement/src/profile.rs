//! What a scheduler prefers among the nodes that fit.

use crate::packing::Strategy;
use crate::score::ShapePoint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Scores and their versions. The default is kube-scheduler's default profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Profile {
    /// How full a node should be: `NodeResourcesFit`.
    pub allocation: Allocation,
    /// How even its use of CPU and memory should be: `NodeResourcesBalancedAllocation`.
    pub balance: Balance,
    /// Share of the nodes that must fit before a search in a large cluster stops; 0 adapts to the cluster's size
    /// (kube-scheduler's default), 100 looks at every node.
    pub percentage_of_nodes_to_score: u32,
    /// A packing strategy, whose score goes before all others and takes the place of the two above. It also picks the GPU
    /// that a part in thousandths is taken from. What `fgd` measures fragments against are the requests of the pods that
    /// are there, and of the one that looks for a place. `random` leaves nothing to the order of the nodes.
    /// Gangs that are placed all or nothing go by `NodeResourcesFit` all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packing: Option<Strategy>,
}

/// The scoring strategy of `NodeResourcesFit`, over CPU and memory with equal weight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Allocation {
    /// Prefer empty nodes: spread. The default of kube-scheduler.
    #[default]
    LeastAllocated,
    /// Prefer full nodes: pack.
    MostAllocated,
    /// Prefer nodes by a curve from utilisation to score, points in ascending order of utilisation.
    RequestedToCapacityRatio(Vec<ShapePoint>),
}

/// The version of `NodeResourcesBalancedAllocation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// How even the node's use is with the pod on it (up to Kubernetes 1.34).
    Classic,
    /// How much more even the pod makes it (from about 1.35).
    #[default]
    Change,
}
