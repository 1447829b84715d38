//! A replica's start on its node: image, container, weights, engine, probe, ready.

use super::pods::PodRef;
use super::{Engine, Event, PipeKind};
use crate::fleet::{Occupancy, scaled};
use crate::llm::Replica;
use crate::queue::Class;
use crate::server::{PlainServer, Server};
use crate::spec::ServiceKind;
use contract::{Instant, Micros, NodeId, Owner, PodId, PodSeen, PodStage, ServiceId};

impl Engine<'_> {
    /// A pod was bound: its node pulls the image unless it has it.
    pub(super) fn begin_start(&mut self, pod: PodRef) {
        if let Some(Owner::Job(job)) = self.pod(pod).map(|pod| pod.owner) {
            return self.begin_member(job, pod);
        }
        self.enter_pod_stage(pod, PodStage::Pulling);
        let Some((service, node)) = self.replica(pod) else { return };
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
        let Some(service) = self.service_on(node_place, pod) else { return };
        let node = self.fleet.seen[node_place].id;
        for (other, here) in &mut self.fleet.state[node_place].images {
            *here |= *other == service;
        }
        let waits = |pod: &&PodSeen| pod.node == Some(node) && pod.stage == PodStage::Pulling;
        let pods = &self.services_seen[service.index()].pods;
        let waiting: Vec<_> = pods.iter().filter(waits).map(|pod| pod.id).collect();
        for pod in waiting {
            if let Some(pod) = self.pod_ref(Owner::Service(service), pod) {
                self.start_container(pod);
            }
        }
    }

    /// Whose replica it is, among those on a node.
    fn service_on(&self, node_place: usize, pod: PodId) -> Option<ServiceId> {
        let pods = &self.fleet.seen[node_place].pods;
        pods.iter().find(|placed| placed.id == pod)?.owner.service()
    }

    /// Whose replica a pod is, and where it stands.
    fn replica(&self, pod: PodRef) -> Option<(ServiceId, Option<NodeId>)> {
        let pod = self.pod(pod)?;
        Some((pod.owner.service()?, pod.node))
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
            PodStage::Starting => match self.pod(pod).map(|pod| pod.owner) {
                Some(Owner::Job(job)) => self.member_runs(job, pod),
                _ => self.load_weights(pod),
            },
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
        let Some((service, node)) = self.replica(pod) else { return };
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
        let Some(service) = self.service_on(node_place, id) else { return };
        let cache = &mut self.fleet.state[node_place].weights;
        if !cache.contains(&service) {
            cache.push(service);
        }
        let Some(pod) = self.pod_ref(Owner::Service(service), id) else { return };
        self.enter_pod_stage(pod, PodStage::Initialising);
        let wait = self.pod(pod).map_or(Micros::ZERO, |pod| pod.engine);
        self.after(pod, PodStage::Initialising, wait);
    }

    /// The probe succeeds: the replica serves.
    pub(super) fn become_ready(&mut self, pod: PodRef) {
        let Some((service, node)) = self.replica(pod) else { return };
        let Some(place) = node.and_then(|node| self.fleet.place(node)) else { return };
        self.set_occupancy(pod, Occupancy::Serving);
        let server = self.make_server(service, place);
        self.servers[pod.slot as usize] = Some(self.on_its_parts(server, place, pod.id));
        self.enter_pod_stage(pod, PodStage::Ready);
        self.services[service.index()].gateway.add(pod.slot);
        let created = self.pod(pod).expect("the pod that became ready").created;
        if self.now > Instant::ZERO {
            self.tallies[service.index()].started(self.now.since(created));
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

    /// When the pod that pulled an image goes, a neighbour that waited for the same image pulls it anew.
    pub(super) fn restart_orphaned_pull(&mut self, place: usize, service: ServiceId) {
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
}
