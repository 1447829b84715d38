//! A replica's life: created, pending, bound, image, container, weights, engine, probe, ready, draining.

use super::{CHECKED, Engine, Event, PipeKind, Tally, id, pod_place, tag};
use crate::fleet::scaled;
use crate::llm::Replica;
use crate::metrics::Scrapes;
use crate::outcome::Cause;
use crate::queue::Class;
use crate::server::{PlainServer, Server};
use crate::spec::ServiceKind;
use contract::{
    Counts, Instant, Micros, NodeId, NodeStage, PendingPod, PodId, PodSeen, PodStage, ServiceId,
};

/// A pod by slot, and by id in case the slot has passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PodRef {
    pub(super) slot: u32,
    pub(super) id: PodId,
}

/// The private side of a pod.
#[derive(Debug)]
pub(super) struct Pod {
    pub(super) id: PodId,
    pub(super) service: ServiceId,
    pub(super) created: Instant,
    /// Durations of its own start, drawn when it was made.
    container: Micros,
    engine: Micros,
    probe: Micros,
    pub(super) node: Option<NodeId>,
    /// Next back-off of the scheduler.
    pub(super) backoff: Micros,
    /// Not looked at again before this.
    pub(super) retry_at: Instant,
    /// When it was last found to fit nowhere.
    pub(super) tried_at: Instant,
    /// Waits for an event or the flush; not in the scheduler's queue.
    pub(super) parked: bool,
    pub(super) scrapes: Scrapes,
    /// Its place among the gateway's ready replicas when it joined.
    pub(super) gateway_place: u32,
}

impl Engine<'_> {
    /// Makes the pods of a service match `spec.replicas`.
    pub(super) fn reconcile(&mut self, service: ServiceId) {
        let seen = &self.services_seen[service.index()];
        let alive = seen.replicas.pending + seen.replicas.starting + seen.replicas.ready;
        let wanted = seen.replicas_wanted;
        for _ in alive..wanted {
            let pod = self.make_pod(service);
            self.enqueue(pod, self.now);
        }
        for _ in wanted..alive {
            let Some(victim) = self.scale_down_victim(service) else { break };
            self.terminate_pod(victim);
        }
        self.update_cause(service);
    }

    /// Makes a pending pod.
    pub(super) fn make_pod(&mut self, service: ServiceId) -> PodRef {
        let place = service.index();
        let id = PodId(self.made_pods);
        self.made_pods += 1;
        let ordinal = self.services[place].pods_made;
        self.services[place].pods_made += 1;
        self.tallies[place].created += 1;
        let spec = &self.services[place].spec;
        let mut luck = self.spec.seed.stream("pod", u64::from(service.0) << 40 | ordinal);
        let pod = Pod {
            id,
            service,
            created: self.now,
            container: spec.startup.container.draw(&mut luck),
            engine: spec.startup.engine.draw(&mut luck),
            probe: spec.startup.probe.draw(&mut luck),
            node: None,
            backoff: self.spec.control.backoff_initial,
            retry_at: self.now,
            tried_at: self.now,
            parked: false,
            scrapes: Scrapes::default(),
            gateway_place: 0,
        };
        self.pending.push(PendingPod {
            id,
            service,
            spec: spec.pod.clone(),
            created: self.now,
            unschedulable_since: None,
        });
        self.services_seen[place].replicas.pending += 1;
        self.services_seen[place].pods.push(PodSeen {
            id,
            stage: PodStage::Pending,
            since: self.now,
            created: self.now,
            node: None,
            samples: Vec::new(),
        });
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.pods.push(None);
            self.servers.push(None);
            super::id(self.pods.len() - 1)
        });
        self.pods[slot as usize] = Some(pod);
        self.fingerprint.event(self.now, tag::POD, u64::from(id.0) << 8);
        PodRef { slot, id }
    }

    /// The pod in a slot, if it is still the one that is meant.
    pub(super) fn pod(&self, pod: PodRef) -> Option<&Pod> {
        self.pods[pod.slot as usize].as_ref().filter(|found| found.id == pod.id)
    }

    /// The slot of a pod that policies and nodes know by id.
    pub(super) fn slot_of(&self, id: PodId) -> Option<PodRef> {
        let holds = |pod: &Option<Pod>| pod.as_ref().is_some_and(|pod| pod.id == id);
        let slot = self.pods.iter().position(holds)?;
        Some(PodRef { slot: super::id(slot), id })
    }

    /// A pod's stage as policies see it.
    pub(super) fn stage(&self, pod: PodRef) -> Option<PodStage> {
        let service = self.pod(pod)?.service;
        let seen = &self.services_seen[service.index()];
        Some(seen.pods[pod_place(seen, pod.id)?].stage)
    }

    /// Which pod a scale-down removes: the ReplicaSet controller's order as far as it matters here: pods
    /// without a node first, then those not ready, then the newest.
    fn scale_down_victim(&self, service: ServiceId) -> Option<PodRef> {
        let rank = |pod: &&PodSeen| {
            let maturity = match pod.stage {
                PodStage::Pending => 0,
                PodStage::Ready => 2,
                _ => 1,
            };
            (maturity, std::cmp::Reverse(pod.created), std::cmp::Reverse(pod.id))
        };
        let seen = &self.services_seen[service.index()];
        let alive = seen.pods.iter().filter(|pod| pod.stage != PodStage::Draining);
        alive.min_by_key(rank).and_then(|pod| self.slot_of(pod.id))
    }

    /// Changes a pod's stage in every table.
    pub(super) fn enter_pod_stage(&mut self, pod: PodRef, stage: PodStage) {
        let Some(service) = self.pod(pod).map(|pod| pod.service) else { return };
        let now = self.now;
        let seen = &mut self.services_seen[service.index()];
        let Some(place) = pod_place(seen, pod.id) else { return };
        let was = seen.pods[place].stage;
        *bucket(&mut seen.replicas, was) -= 1;
        *bucket(&mut seen.replicas, stage) += 1;
        seen.pods[place].stage = stage;
        seen.pods[place].since = now;
        if was == PodStage::Ready || stage == PodStage::Ready {
            let before = seen.replicas.ready + u32::from(was == PodStage::Ready)
                - u32::from(stage == PodStage::Ready);
            self.tallies[service.index()].ready_changed(now, before, seen.replicas.ready);
        }
        self.fingerprint.event(now, tag::POD, u64::from(pod.id.0) << 8 | stage as u64);
        self.update_cause(service);
    }

    /// A pod was bound: its node pulls the image unless it has it.
    pub(super) fn begin_start(&mut self, pod: PodRef) {
        self.enter_pod_stage(pod, PodStage::Pulling);
        let Some((service, node)) = self.pod(pod).map(|pod| (pod.service, pod.node)) else {
            return;
        };
        let Some(place) = node.and_then(|node| self.fleet.place(node)) else { return };
        let pool = self.fleet.seen[place].pool.index();
        let preloaded = self.fleet.specs[pool].data.image_preloaded;
        let image = self.services[service.index()].spec.startup.image;
        let state = &mut self.fleet.state[place];
        let known = state.images.iter().find(|(other, _)| *other == service).map(|&(_, here)| here);
        match known {
            _ if preloaded || image.0 == 0 => self.start_container(pod),
            Some(true) => self.start_container(pod),
            // Another pod's pull of the same image serves this one too.
            Some(false) => {}
            None => {
                let alone = scaled(state.luck.pull_per_gb, image.as_gb_f64());
                state.images.push((service, false));
                state.pulls.begin(self.now, pod.id, alone);
                self.watch_pipe(place, PipeKind::Pull);
            }
        }
    }

    /// The image is there for every pod of the service on that node.
    pub(super) fn image_pulled(&mut self, node_place: usize, pod: PodId) {
        let Some(service) = self.service_of(pod) else { return };
        let node = self.fleet.seen[node_place].id;
        for (other, here) in &mut self.fleet.state[node_place].images {
            *here |= *other == service;
        }
        let waits = |pod: &&PodSeen| pod.node == Some(node) && pod.stage == PodStage::Pulling;
        let pods = &self.services_seen[service.index()].pods;
        let waiting: Vec<_> = pods.iter().filter(waits).map(|pod| pod.id).collect();
        for id in waiting {
            if let Some(pod) = self.slot_of(id) {
                self.start_container(pod);
            }
        }
    }

    fn service_of(&self, pod: PodId) -> Option<ServiceId> {
        let slot = self.slot_of(pod)?;
        self.pod(slot).map(|pod| pod.service)
    }

    fn start_container(&mut self, pod: PodRef) {
        self.enter_pod_stage(pod, PodStage::Starting);
        let wait = self.pod(pod).map_or(Micros::ZERO, |pod| pod.container);
        self.after(pod, PodStage::Starting, wait);
    }

    fn after(&mut self, pod: PodRef, stage: PodStage, wait: Micros) {
        self.queue.push(self.now + wait, Class::Stage, Event::PodStageOver(pod, stage));
    }

    /// A timed stage is over; the next begins.
    pub(super) fn pod_stage_over(&mut self, pod: PodRef, stage: PodStage) {
        if self.stage(pod) != Some(stage) {
            return;
        }
        match stage {
            PodStage::Starting => self.load_weights(pod),
            PodStage::Initialising => {
                self.enter_pod_stage(pod, PodStage::Probing);
                let wait = self.pod(pod).map_or(Micros::ZERO, |pod| pod.probe);
                self.after(pod, PodStage::Probing, wait);
            }
            PodStage::Probing => self.become_ready(pod),
            _ => {}
        }
    }

    fn load_weights(&mut self, pod: PodRef) {
        self.enter_pod_stage(pod, PodStage::Loading);
        let Some((service, node)) = self.pod(pod).map(|pod| (pod.service, pod.node)) else {
            return;
        };
        let Some(place) = node.and_then(|node| self.fleet.place(node)) else { return };
        let weights = self.services[service.index()].spec.startup.weights;
        let state = &mut self.fleet.state[place];
        let cached = state.weights.contains(&service);
        let per_gib =
            if cached { state.luck.cached_weights_per_gib } else { state.luck.weights_per_gib };
        state.loads.begin(self.now, pod.id, scaled(per_gib, weights.as_gib_f64()));
        self.watch_pipe(place, PipeKind::Load);
    }

    /// A replica's weights are in its GPUs, and from now on in the node's page cache.
    pub(super) fn weights_loaded(&mut self, node_place: usize, id: PodId) {
        let Some(service) = self.service_of(id) else { return };
        let cache = &mut self.fleet.state[node_place].weights;
        if !cache.contains(&service) {
            cache.push(service);
        }
        let Some(pod) = self.slot_of(id) else { return };
        self.enter_pod_stage(pod, PodStage::Initialising);
        let wait = self.pod(pod).map_or(Micros::ZERO, |pod| pod.engine);
        self.after(pod, PodStage::Initialising, wait);
    }

    /// The probe succeeds: the replica serves.
    pub(super) fn become_ready(&mut self, pod: PodRef) {
        let Some((service, node)) = self.pod(pod).map(|pod| (pod.service, pod.node)) else {
            return;
        };
        let Some(place) = node.and_then(|node| self.fleet.place(node)) else { return };
        self.fleet.settle(place, self.now);
        let gpus = self.gpus_of(service);
        let state = &mut self.fleet.state[place];
        state.gpus_loading -= gpus;
        state.gpus_serving += gpus;
        self.servers[pod.slot as usize] = Some(self.make_server(service, place));
        self.enter_pod_stage(pod, PodStage::Ready);
        let gateway = &mut self.services[service.index()].gateway;
        gateway.add(pod.slot);
        let gateway_place = gateway.place(pod.slot);
        let made = self.pods[pod.slot as usize].as_mut().expect("the pod that became ready");
        made.gateway_place = gateway_place;
        let start = self.now.since(made.created);
        if self.now > Instant::ZERO {
            self.tallies[service.index()].started(start);
        }
        self.first_scrape(pod);
        self.release_held(service.index());
    }

    fn make_server(&self, service: ServiceId, node_place: usize) -> Server {
        let pool = self.fleet.seen[node_place].pool.index();
        match &self.services[service.index()].spec.kind {
            ServiceKind::Plain { concurrency, .. } => Server::Plain(PlainServer::new(*concurrency)),
            ServiceKind::Llm { variants } => {
                let gpu = self.fleet.specs[pool].shape.gpu.as_ref();
                let variant = variants.iter().find(|variant| Some(&variant.gpu) == gpu);
                let variant = variant.expect("pods run only on GPUs that the service names");
                Server::Llm(Box::new(Replica::new(variant.model.clone(), variant.engine)))
            }
        }
    }

    pub(super) fn gpus_of(&self, service: ServiceId) -> u32 {
        self.services[service.index()].spec.pod.requests.gpus
    }

    /// A pod is told to go: at once if it does nothing yet, after its work (or its grace) otherwise.
    pub(super) fn terminate_pod(&mut self, pod: PodRef) {
        match self.stage(pod) {
            None | Some(PodStage::Draining) => {}
            Some(PodStage::Ready) => {
                let service = self.pod(pod).expect("a ready pod").service;
                self.services[service.index()].gateway.remove(pod.slot);
                self.enter_pod_stage(pod, PodStage::Draining);
                let grace = self.services[service.index()].spec.grace;
                self.queue.push(self.now + grace, Class::Stage, Event::GraceOver(pod));
                self.remove_if_drained(pod.slot);
            }
            Some(_) => self.remove_pod(pod),
        }
    }

    /// Removes a draining pod that has nothing left to do.
    pub(super) fn remove_if_drained(&mut self, slot: u32) {
        let Some(pod) = self.pods[slot as usize].as_ref() else { return };
        let server = self.servers[slot as usize].as_ref();
        if server.is_none_or(|server| server.running() + server.waiting() > 0) {
            return;
        }
        let reference = PodRef { slot, id: pod.id };
        if self.services_seen[pod.service.index()].replicas.draining > 0
            && self.stage(reference) == Some(PodStage::Draining)
        {
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
        let Some(stage) = self.stage(pod) else { return };
        let gone = self.pods[pod.slot as usize].take().expect("a pod with a stage");
        let place = gone.service.index();
        let mut lost = Vec::new();
        let mut busy = Micros::ZERO;
        if let Some(server) = self.servers[pod.slot as usize].take() {
            busy = server.busy(self.now);
            self.tallies[place].preemptions += server.preemptions();
            lost = server.into_keys();
            self.services[place].gateway.remove(pod.slot);
            self.wakes.set(pod.slot, Instant::FAR);
        }
        self.free_slots.push(pod.slot);
        self.pending.retain(|pending| pending.id != pod.id);
        self.forget_seen(gone.service, pod.id, stage);
        if let Some(node) = gone.node {
            self.unbind(node, pod.id, gone.service, stage, busy);
        }
        self.fingerprint.event(self.now, tag::POD, u64::from(pod.id.0) << 8 | 0xff);
        for key in lost {
            self.lose(place, key);
        }
        self.update_cause(gone.service);
    }

    fn forget_seen(&mut self, service: ServiceId, pod: PodId, stage: PodStage) {
        let seen = &mut self.services_seen[service.index()];
        if let Some(place) = pod_place(seen, pod) {
            let before = seen.replicas.ready;
            *bucket(&mut seen.replicas, stage) -= 1;
            seen.pods.remove(place);
            let after = seen.replicas.ready;
            if before != after {
                self.tallies[service.index()].ready_changed(self.now, before, after);
            }
        }
    }

    /// Gives a pod's place on its node back.
    fn unbind(
        &mut self,
        node: NodeId,
        pod: PodId,
        service: ServiceId,
        stage: PodStage,
        busy: Micros,
    ) {
        let now = self.now;
        let Some(place) = self.fleet.place(node) else { return };
        self.fleet.settle(place, now);
        let gpus = self.gpus_of(service);
        let state = &mut self.fleet.state[place];
        if matches!(stage, PodStage::Ready | PodStage::Draining) {
            state.gpus_serving -= gpus;
            self.fleet.ledger.useful(busy, gpus);
        } else {
            state.gpus_loading -= gpus;
        }
        let state = &mut self.fleet.state[place];
        state.pulls.cancel(now, pod);
        state.loads.cancel(now, pod);
        self.restart_orphaned_pull(place, service);
        self.watch_pipe(place, PipeKind::Pull);
        self.watch_pipe(place, PipeKind::Load);
        let seen = &mut self.fleet.seen[place];
        seen.pods.retain(|placed| placed.id != pod);
        seen.used -= self.services[service.index()].spec.pod.requests;
        if CHECKED {
            self.fleet.check();
        }
        self.node_lost_a_pod(place);
        self.wake_unschedulable();
    }

    /// When the pod that pulled an image goes, a neighbour that waited for the same image pulls it anew.
    fn restart_orphaned_pull(&mut self, place: usize, service: ServiceId) {
        let node = self.fleet.seen[place].id;
        let waits = |pod: &&PodSeen| pod.node == Some(node) && pod.stage == PodStage::Pulling;
        let pods = &self.services_seen[service.index()].pods;
        let waiting: Vec<_> = pods.iter().filter(waits).map(|pod| pod.id).collect();
        let state = &mut self.fleet.state[place];
        if waiting.iter().any(|pod| state.pulls.carries(*pod)) {
            return;
        }
        state.images.retain(|&(other, here)| other != service || here);
        let has_image = state.images.iter().any(|&(other, _)| other == service);
        if let (false, Some(&next)) = (has_image, waiting.first()) {
            let image = self.services[service.index()].spec.startup.image;
            let alone = scaled(state.luck.pull_per_gb, image.as_gb_f64());
            state.images.push((service, false));
            state.pulls.begin(self.now, next, alone);
        }
    }

    /// What stands between the waiting requests of a service and more capacity, now.
    pub(super) fn update_cause(&mut self, service: ServiceId) {
        let cause = self.cause(service);
        self.services[service.index()].causes.set(self.now, cause);
    }

    fn cause(&self, service: ServiceId) -> Cause {
        let seen = &self.services_seen[service.index()];
        let starting =
            |pod: &&PodSeen| pod.stage > PodStage::Pending && pod.stage < PodStage::Ready;
        let counts = seen.replicas;
        if counts.starting > 0 {
            let furthest = seen.pods.iter().filter(starting).map(|pod| pod.stage).max();
            return match furthest {
                Some(PodStage::Pulling) => Cause::ImagePull,
                Some(PodStage::Starting) => Cause::ContainerStart,
                Some(PodStage::Loading) => Cause::WeightsLoad,
                _ => Cause::EngineInit,
            };
        }
        let oldest = self.pending.iter().find(|pod| pod.service == service);
        match oldest {
            Some(pod) => match (pod.unschedulable_since, self.fleet.most_advanced_start()) {
                (None, _) => Cause::Scheduling,
                (Some(_), Some(NodeStage::AcceleratorStarting)) => Cause::Accelerator,
                (Some(_), Some(_)) => Cause::NodeBoot,
                (Some(since), None) if self.fleet.failed_since(since) => Cause::StockOut,
                (Some(_), None) => Cause::NoNode,
            },
            None if seen.replicas_wanted > counts.ready + counts.draining => Cause::Scheduling,
            None => Cause::Decision,
        }
    }

    /// Causes of all services: nodes concern every one.
    pub(super) fn update_causes(&mut self) {
        for place in 0..self.services.len() {
            self.update_cause(ServiceId(id(place)));
        }
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

impl Tally {
    fn ready_changed(&mut self, now: Instant, before: u32, after: u32) {
        self.ready_integral += u128::from(now.since(self.ready_since).0) * u128::from(before);
        self.ready_since = now;
        self.ready_peak = self.ready_peak.max(after);
    }

    fn started(&mut self, start: Micros) {
        self.starts += 1;
        self.start_sum += u128::from(start.0);
        self.start_max = self.start_max.max(start.0);
    }
}
