//! A stack: the policies that fly together, and the fleet they take over. `[[stack]]`.

use super::{Alternatives, Gangs, Sharing, StandbyPool};
use contract::GpuRequest;
use indexmap::IndexMap;
use placement::Profile;
use policies::{GpuPolicy, NodePolicy, ReplicaPolicy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A stack of policies. Stacks are compared in the order of the file; the first is what the others are
/// compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stack {
    /// Short name.
    pub name: String,
    /// What it is, in a sentence.
    pub about: String,
    /// Replicas at the start, by service, where this stack takes over a fleet of another size.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub initial_replicas: IndexMap<String, u32>,
    /// Nodes at the start, by pool, where this stack takes over a fleet of another size.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub initial_nodes: IndexMap<String, u32>,
    /// How the GPUs of a pool are divided, by pool, where this stack does it its own way.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub sharing: IndexMap<String, Sharing>,
    /// The part of a GPU that a replica asks for, by service, likewise. The KV cache is then what the part holds.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub gpu_part: IndexMap<String, GpuRequest>,
    /// Shapes that replicas may have, by service, likewise.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub alternatives: IndexMap<String, Alternatives>,
    /// Which of the nodes that fit is the best, where this stack's scheduler has its own mind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Profile>,
    /// Instances that stand by, by pool, where this stack keeps some of its own.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub standby: IndexMap<String, StandbyPool>,
    /// How the members of a job are scheduled.
    #[serde(default, skip_serializing_if = "Gangs::is_off")]
    pub gangs: Gangs,
    /// How many replicas each service gets that has no policy of its own below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<ReplicaPolicy>,
    /// Policies of single services: `[stack.service.NAME.hpa]`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub service: IndexMap<String, ReplicaPolicy>,
    /// How many nodes each pool gets.
    pub nodes: NodePolicy,
    /// How GPUs are divided while it runs; they stay as they are found unless the table is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus: Option<GpuPolicy>,
}
