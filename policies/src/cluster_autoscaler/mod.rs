//! Cluster Autoscaler: adds nodes for pods that fit nowhere, removes nodes that nobody needs.
//!
//! ## What it does
//! Every 10 s, and as soon as a pod turns out unschedulable, it places pending pods in thought on nodes that
//! are there or on their way. For those left it packs new nodes of each pool, lets the expander choose one
//! pool, and asks for its nodes. Otherwise it looks for nodes at or below half use whose pods all fit on other
//! nodes; those that stay so for 10 minutes go: empty ones up to ten at a time, others drained one by one.
//!
//! ## What it looks at
//! Unschedulable pods and what they request; nodes with the requests of their pods, never with their real use;
//! pools with limits, prices and failed launches.
//!
//! ## Settings
//! The flags of the real one that change decisions, by name, and two of its constants: `new-pods-wait` (2 s)
//! and `new-gpu-pods-wait` (30 s), during which it waits for a burst to be complete.
//!
//! ## Where it falls short
//! It acts when pods are already pending, so every scale-up waits for a whole node. A fresh pod that asks for a
//! GPU waits another 30 s. Choosing among pools it does not see GPUs: least-waste and the packing order look at
//! CPU and memory alone. An empty GPU node is paid for at least 10 minutes, 20 after a scale-up. Not modelled:
//! similar groups and their balancing, quotas, daemon sets, disruption budgets, soft taints.
//!
//! ## Source
//! kubernetes/autoscaler `cluster-autoscaler` 1.37: `core/static_autoscaler.go`, `core/scaleup`,
//! `core/scaledown`, `estimator`, `expander`, `utils/backoff`; flags and defaults from `config/flags`.

pub mod backoff;
pub mod estimator;
pub mod expander;
mod pending;
mod scale_down;
mod scale_up;
mod settings;
mod snapshot;
pub mod utilization;

pub use pending::PodGroup;
pub use scale_down::unneeded_limit;
pub use settings::Settings;

use backoff::{Backoff, BackoffRules};
use contract::{
    Action, Cadence, Instant, Micros, NodeId, NodeSeen, NodeStage, Observation, Plan, Policy,
    PoolId, Reason, StateError, Subject,
};
use pending::Pending;
use serde::{Deserialize, Serialize};
use snapshot::Snapshot;
use std::collections::BTreeMap;

/// What the autoscaler remembers between two loops.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    /// Pools that are left alone, or were.
    backoffs: BTreeMap<PoolId, Backoff>,
    /// Failed launches by pool that have been dealt with.
    failures: BTreeMap<PoolId, u32>,
    /// Nodes that nobody needs, and since when.
    unneeded: BTreeMap<NodeId, Instant>,
    /// Nodes whose pods fit nowhere else, and until when that is believed.
    unremovable: BTreeMap<NodeId, Instant>,
    /// When nodes were last asked for.
    added_at: Option<Instant>,
    /// When nodes were last removed.
    removed_at: Option<Instant>,
    /// When a launch last failed.
    failed_at: Option<Instant>,
}

/// The policy.
#[derive(Debug)]
pub(crate) struct ClusterAutoscaler {
    settings: Settings,
    memory: Memory,
}

impl ClusterAutoscaler {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, memory: Memory::default() }
    }

    /// Backs off pools whose launches failed since the last loop.
    fn note_failures(&mut self, seen: &Observation<'_>) {
        for pool in seen.pools {
            let Some(failure) = pool.failure else { continue };
            let known = self.memory.failures.insert(pool.id, failure.count);
            if known != Some(failure.count) {
                self.back_off(pool.id, seen.now);
            }
        }
    }

    fn back_off(&mut self, pool: PoolId, now: Instant) {
        let rules = BackoffRules::from(&self.settings);
        let previous = self.memory.backoffs.get(&pool).copied();
        self.memory.backoffs.insert(pool, Backoff::after_failure(previous, now, rules));
        self.memory.failed_at = Some(now);
    }

    /// Gives up nodes that have not registered in time, as far as the pool's minimum allows.
    fn give_up_late_nodes(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        let mut sizes: Vec<_> = seen.pools.iter().map(|pool| pool.target).collect();
        let is_late = |node: &&NodeSeen| {
            node.stage <= NodeStage::Registering
                && seen.now.since(node.created) > self.settings.max_node_provision_time
        };
        let late: Vec<_> = seen.nodes.iter().filter(is_late).collect();
        for node in late {
            let size = &mut sizes[node.pool.index()];
            if *size <= seen.pools[node.pool.index()].min {
                continue;
            }
            *size -= 1;
            let waited = seen.now.since(node.created).as_secs_f64();
            let reason = Reason::new("did not register in time").with("waited-s", waited);
            plan.act(Action::Delete { node: node.id }, reason);
            self.back_off(node.pool, seen.now);
        }
    }

    /// Asks for nodes if pods need them; true if nothing else should be done in this loop.
    fn scale_up(&mut self, seen: &Observation<'_>, pending: &Pending<'_>, plan: &mut Plan) -> bool {
        let pods = |reason: Reason| reason.with("pods", f64::from(pending.count()));
        if pending.count() == 0 {
            if pending.helped > 0 {
                let reason =
                    Reason::new("pending pods fit on nodes that are there or on their way");
                plan.hold(Subject::Cluster, reason.with("pods", f64::from(pending.helped)));
            }
            return false;
        }
        if pending.is_new(seen.now, &self.settings) {
            let reason = Reason::new("pending pods are new, more may follow");
            plan.hold(Subject::Cluster, pods(reason));
            return true;
        }
        let added = scale_up::scale_up(seen, pending, &self.settings, &self.memory, plan);
        if added {
            self.memory.added_at = Some(seen.now);
        }
        added
    }
}

impl Policy for ClusterAutoscaler {
    fn name(&self) -> &'static str {
        "cluster-autoscaler"
    }

    fn cadence(&self) -> Cadence {
        let on_unschedulable = self.settings.frequent_loops_enabled;
        let regular = Cadence::regular(self.settings.scan_interval, Micros::ZERO);
        Cadence { on_unschedulable, ..regular }
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        self.note_failures(seen);
        self.give_up_late_nodes(seen, plan);
        let mut snapshot = Snapshot::of(seen, &self.settings);
        let pending = Pending::of(seen, &mut snapshot, &self.settings);
        if self.scale_up(seen, &pending, plan) || !self.settings.scale_down_enabled {
            return;
        }
        scale_down::scale_down(seen, &mut snapshot, &self.settings, &mut self.memory, plan);
    }

    fn save(&self) -> serde_json::Value {
        crate::state::save(&self.memory)
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), StateError> {
        self.memory = crate::state::restore(self.name(), state)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
