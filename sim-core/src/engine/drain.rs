//! A node that is emptied: cordoned, its pods evicted as far as disruption budgets allow, then shut down.

use super::pods::PodRef;
use super::{Engine, Event, tag};
use crate::queue::Class;
use contract::{Micros, NodeId, NodeStage, PodStage};

/// A refused eviction is tried again this much later (Cluster Autoscaler: `EvictionRetryTime` in
/// `core/scaledown/actuation/drain.go`; the same is the longest wait of Karpenter's eviction queue).
const EVICTION_RETRY: Micros = Micros::from_secs(10);

impl Engine<'_> {
    /// Cordons a node and asks its pods to go; when the last has gone, the node goes.
    pub(super) fn drain(&mut self, node: NodeId) {
        let Some(place) = self.fleet.place(node) else { return };
        if self.fleet.seen[place].stage >= NodeStage::Draining {
            return;
        }
        self.set_cordoned(place, true);
        self.fleet.give_back(place);
        if self.fleet.seen[place].pods.is_empty() {
            self.terminate_node(place);
            return;
        }
        let was_ready = self.fleet.seen[place].stage == NodeStage::Ready;
        self.fleet.state[place].ready_when_drained = was_ready;
        self.fleet.enter(place, self.now, NodeStage::Draining);
        self.fingerprint.event(self.now, tag::NODE, u64::from(node.0) << 8 | 0xfd);
        self.evict_pods_of(place);
    }

    /// Cordons a node, which drains a while later.
    pub(super) fn retire(&mut self, node: NodeId, after: Micros) {
        self.cordon(node, true);
        self.queue.push(self.now + after, Class::Stage, Event::RetireOver(node));
    }

    /// A retired node drains now, if it is still cordoned.
    pub(super) fn retire_over(&mut self, node: NodeId) {
        let Some(place) = self.fleet.place(node) else { return };
        if self.fleet.seen[place].cordoned {
            self.drain(node);
        }
    }

    /// Lets new pods on a node again. A drain that still waits for pods is given up, if the node was ready when it
    /// began and its pool has no other node in its place.
    pub(super) fn let_pods_on(&mut self, node: NodeId) {
        let Some(place) = self.fleet.place(node) else { return };
        let is_draining = self.fleet.seen[place].stage == NodeStage::Draining;
        if is_draining && self.fleet.state[place].ready_when_drained && self.fleet.take_back(place)
        {
            self.fleet.enter(place, self.now, NodeStage::Ready);
            self.fingerprint.event(self.now, tag::NODE, u64::from(node.0) << 8 | 0xfb);
        }
        self.cordon(node, false);
    }

    /// Refused evictions are tried again.
    pub(super) fn evict_again(&mut self, node: NodeId) {
        if let Some(place) = self.fleet.place(node) {
            self.evict_pods_of(place);
        }
    }

    /// Asks pods of a node to go: all if it drains, otherwise those on GPUs that are to be cut anew. Those whose eviction
    /// breaks a budget stay for now.
    pub(super) fn evict_pods_of(&mut self, place: usize) {
        let node = self.fleet.seen[place].id;
        let mut refused = false;
        for pod in self.pods_to_evict(place) {
            if self.grants_eviction(pod) {
                self.terminate_pod(pod);
            } else {
                refused = true;
            }
        }
        if refused {
            self.queue.push(self.now + EVICTION_RETRY, Class::Stage, Event::EvictAgain(node));
        }
        self.reconcile_all();
    }

    fn pods_to_evict(&self, place: usize) -> Vec<PodRef> {
        let node = &self.fleet.seen[place];
        let emptied = node.gpus.iter().filter(|gpu| !gpu.ordered.is_empty());
        let holders: Vec<_> = emptied.flat_map(|gpu| &gpu.holds).map(|hold| hold.pod).collect();
        let mut pods = self.pods_on(place);
        pods.retain(|pod| node.stage == NodeStage::Draining || holders.contains(&pod.id));
        pods
    }

    /// Whether the eviction of a pod keeps the budget of its service.
    fn grants_eviction(&self, pod: PodRef) -> bool {
        let stage = self.stage(pod).unwrap_or(PodStage::Draining);
        let service = self.service_of(pod).map(|service| &self.services_seen[service.index()]);
        service.is_none_or(|service| service.grants_eviction(stage))
    }

    /// A draining node without pods has nothing to wait for.
    pub(super) fn node_lost_a_pod(&mut self, place: usize) {
        let node = &self.fleet.seen[place];
        if node.stage == NodeStage::Draining && node.pods.is_empty() {
            self.terminate_node(place);
        }
    }
}
