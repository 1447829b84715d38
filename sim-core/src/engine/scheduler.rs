//! kube-scheduler's queue: attempts, back-off, retry on events, flush. Where a pod fits is `placement`'s
//! business.

use super::pods::PodRef;
use super::{CHECKED, Engine, Event, id, pod_place};
use crate::queue::Class;
use contract::{Instant, Micros, NodeId, NodeStage, PlacedPod};
use placement::{Candidate, Profile};

impl Engine<'_> {
    /// Puts a pod into the active queue; its attempt comes when the scheduler has got to it.
    pub(super) fn enqueue(&mut self, pod: PodRef, not_before: Instant) {
        let place = pod.slot as usize;
        if let Some(found) = self.pods[place].as_mut() {
            found.parked = false;
        }
        let mut luck = self.spec.seed.stream("scheduling", u64::from(pod.id.0));
        let attempt = self.spec.control.scheduling.draw(&mut luck);
        self.queue.push(not_before.max(self.now) + attempt, Class::Stage, Event::Schedule(pod));
    }

    /// One attempt to place a pod.
    pub(super) fn schedule(&mut self, pod: PodRef) {
        let Some(found) = self.pod(pod) else { return };
        if found.node.is_some() || found.parked {
            return;
        }
        match self.best_node(pod) {
            Some(node) => self.bind(pod, node),
            None => self.park(pod),
        }
    }

    fn best_node(&self, pod: PodRef) -> Option<NodeId> {
        let spec = &self.services[self.pod(pod)?.service.index()].spec.pod;
        let ready = self.fleet.seen.iter().filter(|node| node.stage == NodeStage::Ready);
        let candidates = ready.map(|node| {
            let shape = &self.fleet.specs[node.pool.index()].shape;
            let candidate = Candidate {
                shape,
                used: node.used,
                pods: id(node.pods.len()),
                cordoned: node.cordoned,
            };
            (node.id, candidate)
        });
        placement::best(spec, candidates, &Profile::default())
    }

    /// Binds a pod to a node, which begins to start it.
    fn bind(&mut self, pod: PodRef, node: NodeId) {
        self.assign(pod, node);
        self.begin_start(pod);
    }

    /// Writes a pod's place into every table.
    fn assign(&mut self, pod: PodRef, node: NodeId) {
        let place = self.fleet.place(node).expect("the scheduler chose a live node");
        self.fleet.settle(place, self.now);
        let found = self.pods[pod.slot as usize].as_mut().expect("the pod to bind");
        found.node = Some(node);
        let service = found.service;
        let requests = self.services[service.index()].spec.pod.requests;
        self.pending.retain(|pending| pending.id != pod.id);
        self.fleet.state[place].gpus_loading += requests.gpus;
        let seen = &mut self.fleet.seen[place];
        assert!(!seen.cordoned, "a cordoned or draining node gets no pods");
        seen.used += requests;
        seen.pods.push(PlacedPod { id: pod.id, service, requests });
        if CHECKED {
            self.fleet.check();
        }
        let service_seen = &mut self.services_seen[service.index()];
        if let Some(place) = pod_place(service_seen, pod.id) {
            service_seen.pods[place].node = Some(node);
        }
    }

    /// A replica that served before the run began: on a node already, image and weights there. False if no
    /// node has room.
    pub(super) fn place_initial(&mut self, pod: PodRef) -> bool {
        let Some(node) = self.best_node(pod) else { return false };
        self.assign(pod, node);
        let service = self.pod(pod).expect("just made").service;
        let place = self.fleet.place(node).expect("just chosen");
        let state = &mut self.fleet.state[place];
        if !state.weights.contains(&service) {
            state.weights.push(service);
            state.images.push((service, true));
        }
        self.become_ready(pod);
        true
    }

    /// No node fits: the pod is unschedulable, which is what node autoscalers look for.
    fn park(&mut self, pod: PodRef) {
        let now = self.now;
        let max = self.spec.control.backoff_max;
        let Some(found) = self.pods[pod.slot as usize].as_mut() else { return };
        found.parked = true;
        found.tried_at = now;
        found.retry_at = now + found.backoff;
        found.backoff = Micros(found.backoff.0.saturating_mul(2)).min(max);
        let service = found.service;
        let pending = self.pending.iter_mut().find(|pending| pending.id == pod.id);
        let news = pending.is_some_and(|pending| {
            let first = pending.unschedulable_since.is_none();
            pending.unschedulable_since.get_or_insert(now);
            first
        });
        self.update_cause(service);
        if news {
            self.wake_controllers();
        }
    }

    /// Something happened that may help: unschedulable pods are tried again, each after its back-off, by
    /// priority, then age.
    pub(super) fn wake_unschedulable(&mut self) {
        let mut parked: Vec<_> = self
            .pods
            .iter()
            .enumerate()
            .filter_map(|(slot, pod)| pod.as_ref().map(|pod| (slot, pod)))
            .filter(|(_, pod)| pod.parked)
            .map(|(slot, pod)| {
                let priority = self.services[pod.service.index()].spec.pod.priority;
                (std::cmp::Reverse(priority), pod.id, id(slot), pod.retry_at)
            })
            .collect();
        parked.sort_unstable();
        for (_, pod, slot, retry_at) in parked {
            self.enqueue(PodRef { slot, id: pod }, retry_at);
        }
    }

    /// Pods that no event has helped for long are tried again all the same.
    pub(super) fn flush_unschedulable(&mut self) {
        let limit = self.spec.control.unschedulable_flush;
        let now = self.now;
        let stale: Vec<_> = self
            .pods
            .iter()
            .enumerate()
            .filter_map(|(slot, pod)| pod.as_ref().map(|pod| (id(slot), pod)))
            // Strictly more than the limit since it was last tried.
            .filter(|(_, pod)| pod.parked && now.since(pod.tried_at) > limit)
            .map(|(slot, pod)| PodRef { slot, id: pod.id })
            .collect();
        for pod in stale {
            self.enqueue(pod, now);
        }
        self.queue.push(now + self.spec.control.flush_interval, Class::Stage, Event::Flush);
    }
}
