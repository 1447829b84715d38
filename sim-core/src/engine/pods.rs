//! A pod's life outside its node: made, pending, told to go, gone. Its start is in `startup`.

use super::scheduler::Rank;
use super::{CHECKED, Engine, Event, PipeKind, pod_place, tag};
use crate::fleet::Occupancy;
use crate::metrics::Scrapes;
use crate::queue::Class;
use crate::server::GpuUse;
use crate::spec::Shape;
use contract::{
    Counts, Instant, Micros, NodeId, Owner, PendingPod, PodId, PodSeen, PodSpec, PodStage,
    ServiceId,
};
use std::cmp::Reverse;
use std::sync::Arc;

/// A pod by slot, and by id in case the slot has passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PodRef {
    pub(crate) id: PodId,
    pub(crate) slot: u32,
}

/// The private side of a pod.
#[derive(Debug)]
pub(super) struct Pod {
    pub(super) id: PodId,
    pub(super) owner: Owner,
    pub(super) spec: Arc<PodSpec>,
    /// Which of the shapes of its service it has; members of jobs have one only.
    pub(super) shape: usize,
    pub(super) stage: PodStage,
    /// What it does with its GPUs, once it has a node.
    pub(super) occupancy: Occupancy,
    pub(super) created: Instant,
    /// Durations of its own start, drawn when it was made.
    pub(super) container: Micros,
    pub(super) engine: Micros,
    pub(super) probe: Micros,
    /// How long the scheduler takes over each attempt to place it.
    pub(super) attempt: Micros,
    /// Where in the scrape interval its exporter is read, 0 to 1.
    pub(super) scrape_phase: f64,
    /// A random name, which breaks ties where Kubernetes lets the UID do so.
    pub(super) uid: u64,
    pub(super) node: Option<NodeId>,
    pub(super) scheduling: Scheduling,
    /// By path; empty until it is ready.
    pub(super) scrapes: Vec<Scrapes>,
}

/// Where a pod stands with the scheduler.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scheduling {
    /// How often it was found to fit nowhere.
    pub(super) failures: u32,
    /// Not tried again before this.
    pub(super) retry_at: Instant,
    /// When it was last found to fit nowhere.
    pub(super) tried_at: Instant,
    /// When its booked attempt takes place; `None` when it waits for an event, or is bound.
    pub(super) due: Option<Instant>,
}

impl Scheduling {
    /// Of a new pod.
    pub(super) fn new(now: Instant) -> Self {
        Self { failures: 0, retry_at: now, tried_at: now, due: None }
    }
}

impl Engine<'_> {
    /// Makes a pending replica, of one of the shapes of its service.
    pub(super) fn make_replica(&mut self, service: ServiceId, shape: usize) -> PodRef {
        let place = service.index();
        let id = self.next_pod_id();
        let pod = self.draw_replica(service, shape, id);
        let PodRef { slot, .. } = self.insert_pending(pod);
        self.services[place].slots.push(slot);
        self.services[place].stages.add(PodStage::Pending);
        self.services_seen[place].replicas.pending += 1;
        self.services_seen[place].pods.push(PodSeen {
            id,
            stage: PodStage::Pending,
            since: self.now,
            created: self.now,
            node: None,
            samples: Vec::new(),
        });
        self.tallies[place].created();
        self.fingerprint.event(self.now, tag::POD, u64::from(id.0) << 8);
        PodRef { id, slot }
    }

    /// The number of the next pod.
    pub(super) fn next_pod_id(&mut self) -> PodId {
        let id = PodId(self.made_pods);
        self.made_pods += 1;
        id
    }

    /// Gives a new pod a slot, and a place among those without a node.
    pub(super) fn insert_pending(&mut self, pod: Pod) -> PodRef {
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.pods.push(None);
            self.servers.push(None);
            super::id(self.pods.len() - 1)
        });
        let id = pod.id;
        self.pending.push(PendingPod {
            id,
            owner: pod.owner,
            spec: pod.spec.clone(),
            created: self.now,
            unschedulable_since: None,
            nominated: None,
        });
        self.pods[slot as usize] = Some(pod);
        PodRef { id, slot }
    }

    /// The luck of a service's next pod: by how many it had before, so that two policies meet the same.
    fn draw_replica(&mut self, service: ServiceId, shape: usize, id: PodId) -> Pod {
        let runtime = &mut self.services[service.index()];
        let entity = u64::from(service.0) << 40 | runtime.pods_made;
        runtime.pods_made += 1;
        let Shape { pod, startup, .. } = runtime.spec.shape(shape);
        let mut luck = self.spec.seed.stream("pod", entity);
        Pod {
            id,
            owner: Owner::Service(service),
            spec: pod.clone(),
            shape,
            stage: PodStage::Pending,
            occupancy: Occupancy::Loading,
            created: self.now,
            container: startup.container.draw(&mut luck),
            engine: startup.engine.draw(&mut luck),
            probe: startup.probe.draw(&mut luck),
            attempt: self.spec.control.scheduling.draw(&mut luck),
            scrape_phase: luck.unit(),
            uid: luck.bits(),
            node: None,
            scheduling: Scheduling::new(self.now),
            scrapes: Vec::new(),
        }
    }

    /// The pod in a slot, if it is still the one that is meant.
    pub(super) fn pod(&self, pod: PodRef) -> Option<&Pod> {
        self.pods[pod.slot as usize].as_ref().filter(|found| found.id == pod.id)
    }

    /// The same, to change it.
    pub(super) fn pod_mut(&mut self, pod: PodRef) -> Option<&mut Pod> {
        self.pods[pod.slot as usize].as_mut().filter(|found| found.id == pod.id)
    }

    /// A pod that policies and nodes know by owner and id.
    pub(super) fn pod_ref(&self, owner: Owner, id: PodId) -> Option<PodRef> {
        let service = match owner {
            Owner::Service(service) => service,
            Owner::Job(job) => return self.member_ref(job, id),
        };
        let place = pod_place(&self.services_seen[service.index()], id)?;
        Some(PodRef { id, slot: self.services[service.index()].slots[place] })
    }

    /// A pod's stage.
    pub(super) fn stage(&self, pod: PodRef) -> Option<PodStage> {
        self.pod(pod).map(|pod| pod.stage)
    }

    /// The service that a pod is a replica of.
    pub(super) fn service_of(&self, pod: PodRef) -> Option<ServiceId> {
        self.pod(pod)?.owner.service()
    }

    /// Where a pod stands in the scheduler's order.
    pub(super) fn rank(&self, pod: PodRef) -> Option<Rank> {
        Some((Reverse(self.pod(pod)?.spec.priority), pod))
    }

    /// Changes a pod's stage in every table.
    pub(super) fn enter_pod_stage(&mut self, pod: PodRef, stage: PodStage) {
        let now = self.now;
        let Some(found) = self.pod_mut(pod) else { return };
        let was = std::mem::replace(&mut found.stage, stage);
        let Owner::Service(service) = found.owner else {
            self.fingerprint.event(now, tag::POD, u64::from(pod.id.0) << 8 | stage as u64);
            return;
        };
        let seen = &mut self.services_seen[service.index()];
        let Some(place) = pod_place(seen, pod.id) else { return };
        seen.pods.edit(place, |pod| (pod.stage, pod.since) = (stage, now));
        *bucket(&mut seen.replicas, was) -= 1;
        *bucket(&mut seen.replicas, stage) += 1;
        self.services[service.index()].stages.remove(was);
        self.services[service.index()].stages.add(stage);
        self.tallies[service.index()].ready(self.now, seen.replicas.ready);
        self.fingerprint.event(self.now, tag::POD, u64::from(pod.id.0) << 8 | stage as u64);
        self.update_cause(service);
    }

    /// A pod is told to go: a replica that serves goes after its work (or its grace), any other pod at once.
    pub(super) fn terminate_pod(&mut self, pod: PodRef) {
        match self.stage(pod) {
            None | Some(PodStage::Draining) => {}
            Some(PodStage::Ready) => {
                let Some(service) = self.service_of(pod) else { return self.remove_pod(pod) };
                self.leave_gateway(pod);
                self.enter_pod_stage(pod, PodStage::Draining);
                if let Some(node) = self.pod(pod).and_then(|pod| pod.node) {
                    self.scheduler.cluster.terminate_pod(node, pod.id);
                }
                let grace = self.services[service.index()].spec.grace;
                self.queue.push(self.now + grace, Class::Stage, Event::GraceOver(pod));
                self.remove_if_drained(pod.slot);
            }
            Some(_) => self.remove_pod(pod),
        }
    }

    /// A pod takes no more requests.
    pub(super) fn leave_gateway(&mut self, pod: PodRef) {
        if let Some(service) = self.service_of(pod) {
            self.services[service.index()].gateway.remove(pod.slot);
        }
    }

    /// Removes a draining pod that has nothing left to do.
    pub(super) fn remove_if_drained(&mut self, slot: u32) {
        let Some(pod) = self.pods[slot as usize].as_ref() else { return };
        if pod.stage != PodStage::Draining {
            return;
        }
        let server = self.servers[slot as usize].as_ref();
        let idle = server.is_some_and(|server| server.running() + server.waiting() == 0);
        let reference = PodRef { id: pod.id, slot };
        if idle {
            self.remove_pod(reference);
        }
    }

    /// A draining pod's time is up: what it still had goes back to the gateway.
    pub(super) fn grace_over(&mut self, pod: PodRef) {
        if self.stage(pod) == Some(PodStage::Draining) {
            self.remove_pod(pod);
        }
    }

    /// A pod is gone, with everything inside it.
    pub(super) fn remove_pod(&mut self, pod: PodRef) {
        match self.pod(pod).map(|pod| pod.owner) {
            Some(Owner::Service(service)) => self.remove_replica(service, pod),
            Some(Owner::Job(job)) => self.lose_member(job, pod),
            None => {}
        }
    }

    fn remove_replica(&mut self, service: ServiceId, pod: PodRef) {
        self.leave_scheduler(pod);
        let place = service.index();
        let (used, lost) = self.stop_server(place, pod);
        let Some(gone) = self.take_pod(pod) else { return };
        self.forget_seen(service, pod.id, gone.stage);
        self.give_up_nomination(pod.id);
        self.unbind(&gone, used);
        self.fingerprint.event(self.now, tag::POD, u64::from(pod.id.0) << 8 | 0xff);
        for key in lost {
            self.lose(place, key);
        }
        self.update_cause(service);
    }

    /// Takes a pod out of its slot, and from those that wait for a node.
    pub(super) fn take_pod(&mut self, pod: PodRef) -> Option<Pod> {
        self.pod(pod)?;
        self.free_slots.push(pod.slot);
        self.forget_pending(pod.id);
        self.pods[pod.slot as usize].take()
    }

    /// Ends a replica's work: the GPU time that it computed for, and what it had not finished.
    fn stop_server(&mut self, place: usize, pod: PodRef) -> (GpuUse, Vec<u32>) {
        self.catch_up(place, pod.slot);
        let Some(server) = self.servers[pod.slot as usize].take() else {
            return (GpuUse::default(), Vec::new());
        };
        self.tallies[place].preemptions += server.preemptions();
        self.services[place].gateway.remove(pod.slot);
        self.wakes.set(pod.slot, Instant::FAR);
        let gpus = self.pod(pod).map_or(0, |pod| pod.spec.requests.gpus);
        (server.used(self.now, gpus), server.into_keys())
    }

    /// A pod waits no longer for a node.
    pub(super) fn forget_pending(&mut self, pod: PodId) {
        if let Ok(place) = self.pending.binary_search_by_key(&pod, |pending| pending.id) {
            self.pending.remove(place);
        }
    }

    fn forget_seen(&mut self, service: ServiceId, pod: PodId, stage: PodStage) {
        let seen = &mut self.services_seen[service.index()];
        let place = pod_place(seen, pod).expect("a pod with a stage");
        *bucket(&mut seen.replicas, stage) -= 1;
        seen.pods.remove(place);
        self.services[service.index()].slots.remove(place);
        self.services[service.index()].stages.remove(stage);
        self.tallies[service.index()].ready(self.now, seen.replicas.ready);
    }

    /// Gives a pod's place on its node back.
    pub(super) fn unbind(&mut self, gone: &Pod, used: GpuUse) {
        let now = self.now;
        let Some(node) = gone.node else { return };
        let Some(place) = self.fleet.place(node) else { return };
        self.fleet.settle(place, now);
        let gpus = self.milli_of(place, gone.id, &gone.spec);
        *self.fleet.state[place].gpus_as(gone.occupancy) -= gpus;
        self.fleet.ledger.useful(used);
        let seen = &mut self.fleet.seen[place];
        seen.pods.retain(|placed| placed.id != gone.id);
        seen.used -= gone.spec.requests;
        self.give_devices_back(place, gone.id);
        self.scheduler.cluster.remove_pod(node, gone.id);
        if CHECKED {
            self.fleet.check();
        }
        if let Owner::Service(service) = gone.owner {
            self.stop_transfers(place, gone, service);
        }
        self.node_lost_a_pod(place);
        self.wake_unschedulable(node);
    }

    /// Notes what a pod does with its GPUs from now on.
    pub(super) fn set_occupancy(&mut self, pod: PodRef, occupancy: Occupancy) {
        let now = self.now;
        let Some(found) = self.pod_mut(pod) else { return };
        let was = std::mem::replace(&mut found.occupancy, occupancy);
        let (node, spec) = (found.node, found.spec.clone());
        let Some(place) = node.and_then(|node| self.fleet.place(node)) else { return };
        if was != occupancy {
            self.fleet.settle(place, now);
            let gpus = self.milli_of(place, pod.id, &spec);
            *self.fleet.state[place].gpus_as(was) -= gpus;
            *self.fleet.state[place].gpus_as(occupancy) += gpus;
        }
    }

    fn stop_transfers(&mut self, place: usize, gone: &Pod, service: ServiceId) {
        let pod = gone.id;
        let state = &mut self.fleet.state[place];
        if !state.pulls.carries(pod) && !state.loads.carries(pod) {
            return;
        }
        state.pulls.cancel(self.now, pod);
        state.loads.cancel(self.now, pod);
        self.restart_orphaned_pull(place, service, gone.shape);
        self.watch_pipe(place, PipeKind::Pull);
        self.watch_pipe(place, PipeKind::Load);
    }
}

/// The count that a stage belongs to.
fn bucket(counts: &mut Counts, stage: PodStage) -> &mut u32 {
    match stage {
        PodStage::Pending => &mut counts.pending,
        PodStage::Ready => &mut counts.ready,
        PodStage::Draining => &mut counts.draining,
        _ => &mut counts.starting,
    }
}
