//! kube-scheduler's queues: attempts, back-off, retry on events, flush. Where a pod fits is `placement`'s
//! business.

use super::pods::PodRef;
use super::{CHECKED, Engine, Event, id, pod_place};
use crate::queue::Class;
use contract::{
    Instant, Micros, NodeId, NodeSeen, NodeStage, Owner, PlacedPod, PodSpec, ServiceId,
};
use placement::{Candidate, Profile};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Order among pods that the scheduler could try: priority, then age.
pub(super) type Rank = (Reverse<i32>, PodRef);

/// Pods without a node.
#[derive(Debug, Default)]
pub(super) struct Scheduler {
    /// Pods whose attempt is booked, by when it takes place; the event for it says only that one is due.
    booked: BTreeSet<(Instant, Rank)>,
    /// Pods that fitted nowhere, until an event or the flush.
    parked: BTreeSet<Rank>,
    /// Where in the list of nodes the next search begins.
    start: usize,
}

impl Scheduler {
    fn parked(&self) -> Vec<PodRef> {
        self.parked.iter().map(|&(_, pod)| pod).collect()
    }
}

impl Engine<'_> {
    /// Books an attempt for a pod: after its back-off, when the scheduler has got to it.
    pub(super) fn enqueue(&mut self, pod: PodRef) {
        let Some(rank) = self.rank(pod) else { return };
        let now = self.now;
        let found = self.pod_mut(pod).expect("a pod with a rank");
        let due = found.scheduling.retry_at.max(now) + found.attempt;
        found.scheduling.due = Some(due);
        self.scheduler.parked.remove(&rank);
        self.scheduler.booked.insert((due, rank));
        self.queue.push(due, Class::Stage, Event::Schedule);
    }

    /// A pod is bound or gone: the scheduler forgets it.
    pub(super) fn leave_scheduler(&mut self, pod: PodRef) {
        let Some(rank) = self.rank(pod) else { return };
        let due = self.pod_mut(pod).and_then(|pod| pod.scheduling.due.take());
        match due {
            Some(due) => self.scheduler.booked.remove(&(due, rank)),
            None => self.scheduler.parked.remove(&rank),
        };
    }

    /// One attempt: of the pods that are due, the one with the highest priority, then the oldest.
    pub(super) fn schedule(&mut self) {
        let is_due = |&&(due, _): &&(Instant, Rank)| due <= self.now;
        let Some(&(due, (priority, pod))) = self.scheduler.booked.first().filter(is_due) else {
            return;
        };
        self.scheduler.booked.remove(&(due, (priority, pod)));
        self.pod_mut(pod).expect("booked pods live").scheduling.due = None;
        match self.best_node(pod) {
            Some(node) => {
                self.assign(pod, node);
                self.begin_start(pod);
            }
            None => self.park(pod),
        }
    }

    fn best_node(&mut self, pod: PodRef) -> Option<NodeId> {
        let found = self.pod(pod)?;
        let spec = found.spec.clone();
        let service = found.owner.service();
        let has_room = service.is_none_or(|service| self.services[service.index()].has_room);
        // A replica of the service fitted nowhere, and nothing has made room since: all are alike.
        if !has_room && !CHECKED {
            return None;
        }
        let best = self.search_nodes(&spec);
        assert!(has_room || best.is_none(), "whoever makes room says so");
        best
    }

    /// The best of the nodes that fit. In a large fleet the search ends when enough have been found, and the
    /// next one goes on from there.
    fn search_nodes(&mut self, spec: &PodSpec) -> Option<NodeId> {
        let nodes = &self.fleet.seen;
        let (wanted, start) = (enough(nodes.len()), self.scheduler.start.min(nodes.len()));
        let mut fitting = Vec::new();
        let mut examined = 0;
        for node in nodes[start..].iter().chain(&nodes[..start]) {
            if fitting.len() == wanted {
                break;
            }
            examined += 1;
            let candidate = self.candidate(node);
            let fits = accepts(node, spec) && placement::fits(spec, &candidate).is_ok();
            if fits && self.has_devices(node, spec) {
                fitting.push((node.id, candidate));
            }
        }
        let best = placement::best(spec, fitting.iter().copied(), &Profile::default());
        self.scheduler.start = (start + examined) % nodes.len().max(1);
        best
    }

    fn candidate<'a>(&'a self, node: &'a NodeSeen) -> Candidate<'a> {
        Candidate {
            shape: &self.fleet.specs[node.pool.index()].shape,
            used: node.used,
            pods: id(node.pods.len()),
            cordoned: node.cordoned,
        }
    }

    /// Writes a pod's place into every table.
    fn assign(&mut self, pod: PodRef, node: NodeId) {
        let place = self.fleet.place(node).expect("the scheduler chose a live node");
        self.fleet.settle(place, self.now);
        self.leave_scheduler(pod);
        self.forget_pending(pod.id);
        let found = self.pod_mut(pod).expect("the pod to bind");
        found.node = Some(node);
        let (owner, spec) = (found.owner, found.spec.clone());
        self.take_devices(place, pod, &spec);
        self.fleet.state[place].gpus_loading += self.milli_of(place, pod.id, &spec);
        let seen = &mut self.fleet.seen[place];
        assert!(!seen.cordoned, "a cordoned or draining node gets no pods");
        seen.used += spec.requests;
        seen.pods.push(PlacedPod { id: pod.id, owner, spec });
        if CHECKED {
            self.fleet.check();
        }
        let Owner::Service(service) = owner else { return };
        let service_seen = &mut self.services_seen[service.index()];
        let place = pod_place(service_seen, pod.id).expect("policies see every pod");
        service_seen.pods.edit(place, |pod| pod.node = Some(node));
    }

    /// A replica that served before the run began: on a node already, image and weights there. False if no
    /// node has room.
    pub(super) fn place_initial(&mut self, pod: PodRef) -> bool {
        let Some(node) = self.best_node(pod) else { return false };
        self.assign(pod, node);
        let service = self.service_of(pod).expect("replicas are there from the start");
        let place = self.fleet.place(node).expect("just chosen");
        self.fleet.state[place].hold_from_the_start(service);
        self.become_ready(pod);
        true
    }

    /// No node fits: the pod is unschedulable, which is what node autoscalers look for.
    fn park(&mut self, pod: PodRef) {
        let (now, max) = (self.now, self.spec.control.backoff_max);
        let Some(rank) = self.rank(pod) else { return };
        let found = self.pod_mut(pod).expect("a pod with a rank");
        let scheduling = &mut found.scheduling;
        scheduling.tried_at = now;
        scheduling.retry_at = now + scheduling.backoff;
        scheduling.backoff = Micros(scheduling.backoff.0.saturating_mul(2)).min(max);
        self.scheduler.parked.insert(rank);
        let place = self.pending.binary_search_by_key(&pod.id, |pending| pending.id);
        let pending = &mut self.pending[place.expect("a pod without a node is pending")];
        let is_news = pending.unschedulable_since.is_none();
        pending.unschedulable_since.get_or_insert(now);
        if let Some(service) = self.service_of(pod) {
            self.services[service.index()].has_room = false;
            self.update_cause(service);
        }
        if is_news {
            self.wake_controllers();
        }
    }

    /// A node came up or was let on again: pods that it could hold when empty are tried again, each after its
    /// back-off (kube-scheduler's queueing hint of `NodeResourcesFit`).
    pub(super) fn wake_unschedulable_for_node(&mut self, node: NodeId) {
        let Some(place) = self.fleet.place(node) else { return };
        self.note_room(node);
        let pool = self.fleet.seen[place].pool.index();
        for pod in self.scheduler.parked() {
            let service = self.service_of(pod);
            if service.is_none_or(|service| self.services[service.index()].pools[pool]) {
                self.enqueue(pod);
            }
        }
    }

    /// A pod left a node: every unschedulable pod is tried again, each after its back-off.
    pub(super) fn wake_unschedulable(&mut self, node: NodeId) {
        self.note_room(node);
        for pod in self.scheduler.parked() {
            self.enqueue(pod);
        }
    }

    /// Notes for whose pods there is room now on a node that changed.
    fn note_room(&mut self, node: NodeId) {
        let Some(place) = self.fleet.place(node) else { return };
        for service in 0..self.services.len() {
            let runtime = &self.services[service];
            let (node, pod) = (&self.fleet.seen[place], &runtime.spec.pod);
            let is_open = !runtime.has_room && accepts(node, pod);
            let fits = is_open && placement::fits(pod, &self.candidate(node)).is_ok();
            if fits && self.has_devices(node, pod) {
                self.services[service].has_room = true;
                self.update_cause(ServiceId(id(service)));
            }
        }
    }

    /// Pods that no event has helped for long are tried again all the same.
    pub(super) fn flush_unschedulable(&mut self) {
        let limit = self.spec.control.unschedulable_flush;
        for pod in self.scheduler.parked() {
            let tried_at = self.pod(pod).expect("parked pods live").scheduling.tried_at;
            // Strictly more than the limit, as in kube-scheduler.
            if self.now.since(tried_at) > limit {
                self.enqueue(pod);
            }
        }
        self.queue.push(self.now + self.spec.control.flush_interval, Class::Stage, Event::Flush);
    }
}

/// How many nodes that fit a search looks for: all in a small fleet, else a share that falls from half to a
/// twentieth as the fleet grows (kube-scheduler's `numFeasibleNodesToFind`).
fn enough(nodes: usize) -> usize {
    const ALWAYS: usize = 100;
    const LEAST_PERCENT: usize = 5;
    let percent = 50_usize.saturating_sub(nodes / 125).max(LEAST_PERCENT);
    if nodes < ALWAYS { nodes } else { (nodes * percent / 100).max(ALWAYS) }
}

/// Whether a node is up far enough for a pod: without its accelerator it takes pods that need none.
fn accepts(node: &NodeSeen, pod: &PodSpec) -> bool {
    match node.stage {
        NodeStage::Ready => true,
        NodeStage::AcceleratorStarting => !pod.needs_gpus(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_fleet_is_searched_in_part() {
        let found: Vec<_> = [0, 99, 100, 201, 1_000, 5_000, 10_000].map(enough).to_vec();
        assert_eq!(found, [0, 99, 100, 100, 420, 500, 500]);
    }
}
