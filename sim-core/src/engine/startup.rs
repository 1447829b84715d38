//! A replica's start on its node: image, container, weights, engine, probe, ready.

use super::pods::PodRef;
use super::{Engine, Event, PipeKind};
use crate::fleet::{ImageId, Occupancy, WeightsId, scaled};
use crate::llm;
use crate::queue::Class;
use crate::server::{PlainServer, Server};
use crate::spec::ServiceKind;
use contract::{Instant, Micros, Owner, PodId, PodStage, PoolId, ServiceId};

impl Engine<'_> {
    /// A pod was bound: its node pulls the image unless it has it.
    pub(super) fn begin_start(&mut self, pod: PodRef) {
        if let Some(Owner::Job(job)) = self.pod(pod).map(|pod| pod.owner) {
            return self.begin_member(job, pod);
        }
        self.enter_pod_stage(pod, PodStage::Pulling);
        let Some(Replica { service, shape, place }) = self.replica(pod) else { return };
        let pool = self.fleet.seen[place].pool.index();
        let preloaded = self.fleet.specs[pool].data.image_preloaded;
        let size = self.services[service.index()].spec.shape(shape).startup.image;
        let image = self.image_of(service, shape);
        let state = &mut self.fleet.state[place];
        let known = state.images.iter().find(|(other, _)| *other == image).map(|&(_, here)| here);
        match known {
            _ if preloaded || size.0 == 0 => self.start_container(pod),
            Some(true) => self.start_container(pod),
            // Another pod's pull of the same image serves this one too.
            Some(false) => {}
            None => {
                let alone = scaled(state.luck.pull_per_gb, size.as_gb_f64());
                state.images.push((image, false));
                state.pulls.begin(self.now, pod.id, alone);
                self.watch_pipe(place, PipeKind::Pull);
            }
        }
    }

    /// The image is there for every pod on that node that runs it.
    pub(super) fn image_pulled(&mut self, node_place: usize, pod: PodId) {
        let placed = self.fleet.seen[node_place].pods.iter().find(|placed| placed.id == pod);
        let pod = placed.and_then(|placed| self.pod_ref(placed.owner, placed.id));
        let Some(Replica { service, shape, .. }) = pod.and_then(|pod| self.replica(pod)) else {
            return;
        };
        let image = self.image_of(service, shape);
        for (other, here) in &mut self.fleet.state[node_place].images {
            *here |= *other == image;
        }
        self.tell_images(node_place);
        for pod in self.waiting_for(node_place, &image) {
            self.start_container(pod);
        }
    }

    /// Pods on a node that wait for an image, oldest first.
    fn waiting_for(&self, node_place: usize, image: &ImageId) -> Vec<PodRef> {
        let placed = self.fleet.seen[node_place].pods.iter();
        let pods = placed.filter_map(|placed| self.pod_ref(placed.owner, placed.id));
        let waits = |pod: &PodRef| {
            let runs_it = self.replica(*pod).is_some_and(|Replica { service, shape, .. }| {
                self.image_of(service, shape) == *image
            });
            self.stage(*pod) == Some(PodStage::Pulling) && runs_it
        };
        let mut waiting: Vec<_> = pods.filter(waits).collect();
        waiting.sort_unstable();
        waiting
    }

    /// The image of a service's replicas of a shape: the first that their constraints name.
    pub(super) fn image_of(&self, service: ServiceId, shape: usize) -> ImageId {
        let pod = self.services[service.index()].spec.shape(shape).pod;
        let image = pod.constraints.as_ref().and_then(|own| own.images.first());
        image.map_or(ImageId::Of(service), |image| ImageId::Named(image.name.clone()))
    }

    /// Services, each with the place of a shape of its replicas that an empty node of a pool could hold.
    pub(super) fn shapes_for(&self, pool: PoolId) -> Vec<(ServiceId, usize)> {
        let mut shapes = Vec::new();
        for (service, runtime) in (0..).map(ServiceId).zip(&self.services) {
            let rooms = runtime.rooms.iter().enumerate();
            let fitting = rooms.filter(|(_, room)| room.pools[pool.index()]);
            shapes.extend(fitting.map(|(shape, _)| (service, shape)));
        }
        shapes
    }

    /// The scheduler learns by name which images a node has.
    pub(super) fn tell_images(&mut self, place: usize) {
        let node = &self.fleet.seen[place];
        let mut images: Vec<_> = self.fleet.state[place].images.clone();
        if self.fleet.specs[node.pool.index()].data.image_preloaded {
            let preloaded = self.shapes_for(node.pool).into_iter();
            images.extend(preloaded.map(|(service, shape)| (self.image_of(service, shape), true)));
        }
        if !self.scheduler.cluster.has_node(node.id) {
            return;
        }
        for (image, here) in images {
            if let (ImageId::Named(name), true) = (image, here) {
                self.scheduler.cluster.add_image(node.id, &name);
            }
        }
    }

    /// Whose replica a pod on a node is, and where it stands.
    fn replica(&self, pod: PodRef) -> Option<Replica> {
        let pod = self.pod(pod)?;
        let place = pod.node.and_then(|node| self.fleet.place(node))?;
        Some(Replica { service: pod.owner.service()?, shape: pod.shape, place })
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
        let Some(Replica { service, shape, place }) = self.replica(pod) else { return };
        let weights = self.services[service.index()].spec.shape(shape).startup.weights;
        let state = &mut self.fleet.state[place];
        let cached = state.weights.contains(&WeightsId(service, shape));
        let per_gib =
            if cached { state.luck.cached_weights_per_gib } else { state.luck.weights_per_gib };
        state.loads.begin(self.now, pod.id, scaled(per_gib, weights.as_gib_f64()));
        self.watch_pipe(place, PipeKind::Load);
    }

    /// A replica's weights are in its GPUs, and from now on in the node's page cache.
    pub(super) fn weights_loaded(&mut self, node_place: usize, id: PodId) {
        let placed = self.fleet.seen[node_place].pods.iter().find(|placed| placed.id == id);
        let Some(pod) = placed.and_then(|placed| self.pod_ref(placed.owner, id)) else { return };
        let Some(Replica { service, shape, .. }) = self.replica(pod) else { return };
        self.fleet.state[node_place].hold_weights(WeightsId(service, shape));
        self.enter_pod_stage(pod, PodStage::Initialising);
        let wait = self.pod(pod).map_or(Micros::ZERO, |pod| pod.engine);
        self.after(pod, PodStage::Initialising, wait);
    }

    /// The probe succeeds: the replica serves.
    pub(super) fn become_ready(&mut self, pod: PodRef) {
        let Some(Replica { service, shape, place }) = self.replica(pod) else { return };
        self.set_occupancy(pod, Occupancy::Serving);
        let server = self.make_server(service, shape, place);
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

    fn make_server(&self, service: ServiceId, shape: usize, node_place: usize) -> Server {
        let pool = self.fleet.seen[node_place].pool.index();
        let gpu = self.fleet.specs[pool].shape.gpu.as_ref();
        match self.services[service.index()].spec.shape(shape).kind {
            ServiceKind::Plain { concurrency, paces, .. } => {
                Server::Plain(PlainServer::new(*concurrency, paces.on(gpu)))
            }
            ServiceKind::Llm { variants } => {
                let variant = variants.iter().find(|variant| Some(&variant.gpu) == gpu);
                let variant = variant.expect("pods run only on GPUs that the service names");
                Server::Llm(Box::new(llm::Replica::new(variant.model.clone(), variant.engine)))
            }
        }
    }

    /// When the pod that pulled an image goes, a neighbour that waited for the same image pulls it anew.
    pub(super) fn restart_orphaned_pull(&mut self, place: usize, service: ServiceId, shape: usize) {
        let image = self.image_of(service, shape);
        let waiting = self.waiting_for(place, &image);
        let state = &mut self.fleet.state[place];
        if waiting.iter().any(|pod| state.pulls.carries(pod.id)) {
            return;
        }
        state.images.retain(|(other, here)| *other != image || *here);
        let has_image = state.images.iter().any(|(other, _)| *other == image);
        if let (false, Some(&next)) = (has_image, waiting.first()) {
            let Some(Replica { service, shape, .. }) = self.replica(next) else { return };
            let size = self.services[service.index()].spec.shape(shape).startup.image;
            let state = &mut self.fleet.state[place];
            let alone = scaled(state.luck.pull_per_gb, size.as_gb_f64());
            state.images.push((image, false));
            state.pulls.begin(self.now, next.id, alone);
        }
    }
}

/// A replica on a node: of which service and shape, and the place of its node.
struct Replica {
    service: ServiceId,
    shape: usize,
    place: usize,
}
