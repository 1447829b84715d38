//! kube-scheduler's queues: attempts, back-off, retry on events, flush. Where a pod fits is `placement`'s
//! business.

use super::pods::{Pod, PodRef};
use super::{CHECKED, Engine, Event, id, pod_place};
use crate::fleet::WeightsId;
use crate::queue::Class;
use crate::service::Room;
use crate::spec::Ties;
use contract::{Instant, NodeId, Owner, PlacedPod, PodId, ServiceId};
use placement::packing::Strategy;
use placement::{Asking, Cluster, Resident};
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
    /// The nodes that are registered, and the pods on them, as far as placing pods is concerned.
    pub(super) cluster: Cluster,
}

impl Scheduler {
    fn parked(&self) -> Vec<PodRef> {
        self.parked.iter().map(|&(_, pod)| pod).collect()
    }

    /// A parked pod by its id.
    pub(super) fn parked_pod(&self, id: PodId) -> Option<PodRef> {
        self.parked.iter().map(|&(_, pod)| pod).find(|pod| pod.id == id)
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
        if let Some(job) = self.gang_of(pod) {
            return self.schedule_gang(job);
        }
        if let Some(node) = self.best_node(pod) {
            self.assign(pod, node);
            self.begin_start(pod);
        } else {
            self.park(pod);
            self.preempt(pod);
        }
    }

    fn best_node(&mut self, pod: PodRef) -> Option<NodeId> {
        let found = self.pod(pod)?;
        let (spec, draw) = (found.spec.clone(), self.tie_breaker(pod));
        let has_room = self.may_have_room(pod);
        // A replica of the service fitted nowhere, and nothing has made room since: all are alike.
        if !has_room && !CHECKED {
            return None;
        }
        let asking = Asking { id: Some(pod.id), spec: &spec };
        let fleet = &self.fleet;
        let is_member = found.owner.job().is_some();
        let has_devices = |node| {
            let node = fleet.node(node);
            let counts = !is_member || fleet.counts_whole_gpus(node, &spec);
            counts && fleet.has_devices(node, &spec)
        };
        let profile = &self.spec.control.profile;
        let best = self.scheduler.cluster.find(&asking, profile, has_devices, draw);
        assert!(has_room || best.is_none(), "whoever makes room says so");
        best
    }

    /// Which of equally good ones: by the luck of this pod's attempt.
    fn tie_breaker(&self, pod: PodRef) -> impl FnOnce(usize) -> usize + use<> {
        let failures = self.pod(pod).map_or(0, |pod| pod.scheduling.failures);
        let entity = u64::from(pod.id.0) << 32 | u64::from(failures);
        let (seed, control) = (self.spec.seed, &self.spec.control);
        let is_drawn =
            control.ties == Ties::Random || control.profile.packing == Some(Strategy::Random);
        move |equals| {
            if is_drawn {
                seed.stream("scheduler-tie", entity).below(id(equals)) as usize
            } else {
                0
            }
        }
    }

    /// False if a replica of the pod's service fitted nowhere, and nothing has changed for it since.
    fn may_have_room(&self, pod: PodRef) -> bool {
        let cluster = &self.scheduler.cluster;
        // A node may be held for one of them, and what rules about other pods allow changes with every pod.
        if cluster.has_rules() || cluster.nominated(pod.id).is_some() {
            return true;
        }
        self.pod(pod).and_then(|pod| self.room_of(pod)).is_none_or(|room| room.may_be)
    }

    /// Where pods like this one have room, if it is a service's.
    fn room_of(&self, pod: &Pod) -> Option<&Room> {
        let service = pod.owner.service()?;
        Some(&self.services[service.index()].rooms[pod.shape])
    }

    /// Writes a pod's place into every table.
    pub(super) fn assign(&mut self, pod: PodRef, node: NodeId) {
        let place = self.fleet.place(node).expect("the scheduler chose a live node");
        self.fleet.settle(place, self.now);
        self.leave_scheduler(pod);
        self.forget_pending(pod.id);
        let found = self.pod_mut(pod).expect("the pod to bind");
        found.node = Some(node);
        let (owner, spec, created) = (found.owner, found.spec.clone(), found.created);
        self.take_devices(place, pod, &spec);
        self.fleet.state[place].gpus_loading += self.milli_of(place, pod.id, &spec);
        let seen = &mut self.fleet.seen[place];
        assert!(!seen.cordoned, "a cordoned or draining node gets no pods");
        seen.used += spec.requests;
        seen.pods.push(PlacedPod { id: pod.id, owner, spec: spec.clone(), created });
        let budget = owner.service().filter(|&service| self.budget(service).is_some());
        let budget = budget.map(|service| service.0);
        let started = self.now;
        let resident = Resident { id: pod.id, spec, started, budget, terminating: false };
        let held = self.scheduler.cluster.nominated(pod.id);
        self.scheduler.cluster.add_pod(node, resident);
        if CHECKED {
            self.fleet.check();
        }
        if let Owner::Service(service) = owner {
            let service_seen = &mut self.services_seen[service.index()];
            let place = pod_place(service_seen, pod.id).expect("policies see every pod");
            service_seen.pods.edit(place, |pod| pod.node = Some(node));
        }
        if let Some(held) = held.filter(|&held| held != node) {
            self.wake_unschedulable(held);
        }
        self.wake_constrained();
    }

    /// A pod was bound: those with rules about other pods are tried again (kube-scheduler's queueing hints of
    /// `InterPodAffinity` and `PodTopologySpread`).
    fn wake_constrained(&mut self) {
        if !self.scheduler.cluster.has_rules() {
            return;
        }
        for pod in self.scheduler.parked() {
            if self.pod(pod).expect("parked pods live").spec.constraints.is_some() {
                self.enqueue(pod);
            }
        }
    }

    /// A replica that served before the run began: on a node already, image and weights there. False if no
    /// node has room.
    pub(super) fn place_initial(&mut self, pod: PodRef) -> bool {
        let Some(node) = self.best_node(pod) else { return false };
        self.assign(pod, node);
        let place = self.fleet.place(node).expect("just chosen");
        let service = self.service_of(pod).expect("replicas are there from the start");
        let shape = self.pod(pod).expect("just placed").shape;
        let image = self.image_of(service, shape);
        self.fleet.state[place].hold_image(image);
        self.fleet.state[place].hold_weights(WeightsId(service, shape));
        self.tell_images(place);
        self.become_ready(pod);
        true
    }

    /// No node fits: the pod is unschedulable, which is what node autoscalers look for.
    pub(super) fn park(&mut self, pod: PodRef) {
        let (now, queue) = (self.now, self.spec.control.queue);
        let Some(rank) = self.rank(pod) else { return };
        let found = self.pod_mut(pod).expect("a pod with a rank");
        let scheduling = &mut found.scheduling;
        scheduling.tried_at = now;
        scheduling.failures += 1;
        scheduling.retry_at = now + queue.backoff(scheduling.failures);
        let shape = found.shape;
        self.scheduler.parked.insert(rank);
        let is_news = self.mark_unschedulable(pod);
        if let Some(service) = self.service_of(pod) {
            self.services[service.index()].rooms[shape].may_be = false;
            self.update_cause(service);
            if is_news {
                self.book_fallback(service, pod);
            }
        }
        if is_news {
            self.wake_controllers();
        }
    }

    /// Says of a pod without a node that it fits nowhere; true if that is news.
    pub(super) fn mark_unschedulable(&mut self, pod: PodRef) -> bool {
        let place = self.pending.binary_search_by_key(&pod.id, |pending| pending.id);
        let pending = &mut self.pending[place.expect("a pod without a node is pending")];
        let is_news = pending.unschedulable_since.is_none();
        pending.unschedulable_since.get_or_insert(self.now);
        is_news
    }

    /// A node came up or was let on again: pods that it could hold when empty are tried again, each after its
    /// back-off (kube-scheduler's queueing hint of `NodeResourcesFit`).
    pub(super) fn wake_unschedulable_for_node(&mut self, node: NodeId) {
        let Some(place) = self.fleet.place(node) else { return };
        self.note_room(node);
        self.let_jobs_in();
        let pool = self.fleet.seen[place].pool.index();
        for pod in self.scheduler.parked() {
            let room = self.pod(pod).and_then(|pod| self.room_of(pod));
            if room.is_none_or(|room| room.pools[pool]) {
                self.enqueue(pod);
            }
        }
    }

    /// A pod left a node: every unschedulable pod is tried again, each after its back-off.
    pub(super) fn wake_unschedulable(&mut self, node: NodeId) {
        self.note_room(node);
        self.let_jobs_in();
        for pod in self.scheduler.parked() {
            self.enqueue(pod);
        }
    }

    /// Notes for whose pods there is room now on a node that changed.
    fn note_room(&mut self, node: NodeId) {
        if !self.scheduler.cluster.has_node(node) {
            return;
        }
        for service in 0..self.services.len() {
            for shape in 0..self.services[service].rooms.len() {
                let runtime = &self.services[service];
                let spec = runtime.spec.shape(shape).pod;
                let asking = Asking { id: None, spec };
                let is_news = !runtime.rooms[shape].may_be;
                let fits = is_news && self.scheduler.cluster.fits(&asking, node);
                if fits && self.fleet.has_devices(self.fleet.node(node), spec) {
                    self.services[service].rooms[shape].may_be = true;
                    self.update_cause(ServiceId(id(service)));
                }
            }
        }
    }

    /// Pods that no event has helped for long are tried again all the same.
    pub(super) fn flush_unschedulable(&mut self) {
        let queue = self.spec.control.queue;
        for pod in self.scheduler.parked() {
            let tried_at = self.pod(pod).expect("parked pods live").scheduling.tried_at;
            if queue.is_flushed(tried_at, self.now) {
                self.enqueue(pod);
            }
        }
        self.queue.push(self.now + queue.flush_interval, Class::Stage, Event::Flush);
    }
}
