//! Nodes that were told to go and are not gone yet, as far as the autoscaler has noticed.

use crate::cluster_autoscaler::Memory;
use contract::{
    Action, Instant, Micros, NodeId, NodeSeen, NodeStage, Observation, PlacedPod, Plan, PodStage,
    PoolId, Reason,
};
use serde::{Deserialize, Serialize};

/// How often a drain looks whether its pods have gone, before it has the instance deleted (upstream: the poll in
/// `core/scaledown/actuation/drain.go`).
const EVICTION_POLL: Micros = Micros::from_secs(5);

/// A node that was told to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Going {
    /// Its pool.
    pub(super) pool: PoolId,
    /// It has pods.
    pub(super) drains: bool,
    /// When its pods are evicted, or it is deleted if it has none.
    acts_at: Instant,
    /// When it was first seen without pods, or not at all.
    left_at: Option<Instant>,
}

impl Going {
    /// Whether the autoscaler still counts it: until its instance is deleted, for which a drain looks for its pods
    /// every so often.
    fn is_under_way(&self, now: Instant) -> bool {
        let Some(left) = self.left_at else { return true };
        let polls = left.since(self.acts_at).0.div_ceil(EVICTION_POLL.0).max(1);
        self.drains && now < self.acts_at + Micros(polls * EVICTION_POLL.0)
    }
}

impl Memory {
    /// Notes that a node goes, and which pods it loses.
    pub(super) fn goes(&mut self, node: &NodeSeen, drains: bool, now: Instant, acts_at: Instant) {
        self.going.insert(node.id, Going { pool: node.pool, drains, acts_at, left_at: None });
        self.removed_at.insert(node.pool, now);
        for service in node.pods.iter().filter_map(|pod| pod.owner.service()) {
            *self.evicted.entry(service).or_default() += 1;
        }
    }

    /// Forgets nodes that are gone, or that shut down with nothing left to wait for.
    pub(in super::super) fn forget_gone(&mut self, seen: &Observation<'_>) {
        let leaves = |id: &NodeId| {
            let place = seen.nodes.binary_search_by_key(id, |node| node.id);
            place.is_ok_and(|place| seen.nodes[place].stage < NodeStage::Terminating)
        };
        self.going.retain(|id, going| {
            if !leaves(id) {
                going.left_at.get_or_insert(seen.now);
            }
            going.is_under_way(seen.now)
        });
    }

    /// Gives up drains that disruption budgets have held up for too long: their nodes are let off.
    pub(in super::super) fn give_up_drains(
        &mut self,
        seen: &Observation<'_>,
        patience: Micros,
        plan: &mut Plan,
    ) {
        let stage_of = |pod: &PlacedPod| {
            let service = &seen.services[pod.owner.service()?.index()];
            let place = service.pods.binary_search_by_key(&pod.id, |pod| pod.id).ok()?;
            Some(service.pods[place].stage)
        };
        let stays = |pod: &PlacedPod| stage_of(pod).is_some_and(|at| at != PodStage::Draining);
        for node in seen.nodes.iter().filter(|node| node.stage == NodeStage::Draining) {
            let waited = seen.now.since(node.since);
            let is_held_up = waited >= patience && node.pods.iter().any(stays);
            if is_held_up && self.going.remove(&node.id).is_some() {
                let words = "disruption budgets held the drain up for too long";
                let reason = Reason::new(words).with("waited-s", waited.as_secs_f64());
                plan.act(Action::Uncordon { node: node.id }, reason);
            }
        }
    }
}
