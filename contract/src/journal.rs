//! What a policy saw and decided, as written to a journal: one JSON line a turn.

use crate::{
    Instant, NodeSeen, Observation, PendingPod, Plan, PoolSeen, ProvisioningRequest, ServiceSeen,
};
use serde::{Deserialize, Serialize};

/// An observation that owns its tables: what a journal holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservationRecord {
    /// The time.
    pub now: Instant,
    /// Services.
    pub services: Vec<ServiceSeen>,
    /// Pods without a node.
    pub pending: Vec<PendingPod>,
    /// Nodes.
    pub nodes: Vec<NodeSeen>,
    /// Pools.
    pub pools: Vec<PoolSeen>,
    /// Provisioning requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provisioning: Vec<ProvisioningRequest>,
}

impl ObservationRecord {
    /// The view that a policy gets.
    pub fn view(&self) -> Observation<'_> {
        Observation {
            now: self.now,
            services: &self.services,
            pending: &self.pending,
            nodes: &self.nodes,
            pools: &self.pools,
            provisioning: &self.provisioning,
        }
    }
}

/// One turn of one policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalEntry {
    /// Whose turn.
    pub policy: String,
    /// What it saw.
    pub seen: ObservationRecord,
    /// What it decided.
    pub plan: Plan,
}
