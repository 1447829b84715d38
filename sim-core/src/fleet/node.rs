//! One node's private side: its luck, its caches and pipes, its GPUs by use.

use super::ledger::{GpuParts, Ledger};
use super::pipe::Pipe;
use crate::engine::PodRef;
use crate::random::Stream;
use crate::spec::PoolSpec;
use contract::{Instant, LaunchFailureKind, Micros, NodeShape, ServiceId};
use std::sync::Arc;

/// Everything that chance decides about a node, drawn when it is asked for.
#[derive(Clone, Debug)]
pub(crate) struct NodeLuck {
    pub(crate) launch: Micros,
    pub(crate) boot: Micros,
    pub(crate) register: Micros,
    pub(crate) accelerator: Micros,
    pub(crate) terminate: Micros,
    /// Time per gigabyte of image.
    pub(crate) pull_per_gb: Micros,
    /// Time per gibibyte of weights, first load and cached.
    pub(crate) weights_per_gib: Micros,
    pub(crate) cached_weights_per_gib: Micros,
    pub(crate) failure: Option<LaunchFailureKind>,
    /// From launch to the reclaim notice.
    pub(crate) spot_life: Option<Micros>,
    /// Whether the accelerator never comes up.
    pub(crate) accelerator_fails: bool,
    /// Operating system up from standby.
    pub(crate) resume: Micros,
    /// It comes from standby.
    pub(crate) resumes: bool,
}

impl NodeLuck {
    /// Always the same number of draws, in the same order.
    pub(crate) fn draw(spec: &PoolSpec, luck: &mut Stream) -> Self {
        let launch = spec.stages.launch.draw(luck);
        let boot = spec.stages.boot.draw(luck);
        let register = spec.stages.register.draw(luck);
        let accelerator = spec.stages.accelerator.draw(luck);
        let terminate = spec.stages.terminate.draw(luck);
        let pull_per_gb = spec.data.pull_per_gb.draw(luck);
        let weights_per_gib = spec.data.weights_per_gib.draw(luck);
        let cached_weights_per_gib = spec.data.cached_weights_per_gib.draw(luck);
        let failed = luck.unit() < spec.launch_failure;
        let life = luck.exponential();
        let spot_life = spec
            .spot
            .as_ref()
            .filter(|spot| spot.reclaims_per_hour > 0.0)
            .map(|spot| Micros::from_secs_f64(life * 3600.0 / spot.reclaims_per_hour));
        let accelerator_fails = spec.shape.gpu.is_some() && luck.unit() < spec.accelerator_failure;
        let standby = spec.standby.as_ref();
        let resume = standby.map_or(Micros::ZERO, |standby| standby.resume.draw(luck));
        Self {
            launch,
            boot,
            register,
            accelerator: if spec.shape.gpu.is_some() { accelerator } else { Micros::ZERO },
            terminate,
            pull_per_gb,
            weights_per_gib,
            cached_weights_per_gib,
            failure: failed.then_some(LaunchFailureKind::LaunchFailed),
            spot_life,
            accelerator_fails,
            resume,
            resumes: false,
        }
    }

    /// The node resumes from standby: nothing is launched, and nothing boots.
    pub(crate) fn resume_from_standby(&mut self) {
        self.launch = Micros::ZERO;
        self.boot = self.resume;
        self.failure = None;
        self.resumes = true;
    }
}

/// What a pod does with the GPUs that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occupancy {
    /// It starts, or waits for other members of its job to start.
    Loading,
    /// It serves, or works.
    Serving,
    /// It waits for other members of its job to get a node.
    PartialGang,
}

/// A node's private side.
#[derive(Debug)]
pub(crate) struct NodeState {
    pub(crate) luck: NodeLuck,
    /// The zone whose stock it takes from; `None` when the cloud had none to give.
    pub(crate) stock_of: Option<usize>,
    /// It was asked for while the cloud had none, and is asked for still.
    pub(crate) awaits_stock: bool,
    /// What it offers, and where it stands.
    pub(crate) shape: Arc<NodeShape>,
    /// Its place in the racks of its pool, if that has any.
    pub(crate) rack_place: Option<u32>,
    gpus: u32,
    /// Thousandths of GPUs under ready or draining replicas.
    pub(crate) gpus_serving: u32,
    /// Thousandths of GPUs under starting replicas.
    pub(crate) gpus_loading: u32,
    /// Thousandths of GPUs under jobs that cannot run for want of members.
    pub(crate) gpus_partial: u32,
    /// Thousandths that nobody holds of GPUs that somebody holds a part of.
    pub(crate) gpus_stranded: u32,
    /// Slots of the pods that hold parts of its GPUs.
    pub(crate) holders: Vec<PodRef>,
    /// How often one of its GPUs was cut anew.
    pub(crate) cuts: u64,
    /// Since when it is billed.
    pub(crate) alive_since: Option<Instant>,
    pub(crate) settled: Instant,
    pub(crate) given_back: bool,
    /// It was ready when it began to drain.
    pub(crate) ready_when_drained: bool,
    pub(crate) pulls: Pipe,
    pub(crate) loads: Pipe,
    /// Images that the node has, or is pulling.
    pub(crate) images: Vec<(ImageId, bool)>,
    /// Weights in the page cache.
    pub(crate) weights: Vec<WeightsId>,
}

/// An image of replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ImageId {
    /// Whichever service's replicas say that they run it.
    Named(String),
    /// That of a service which does not say its name.
    Of(ServiceId),
}

/// The weights that replicas of one shape load: the service, and the place of the shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WeightsId(pub(crate) ServiceId, pub(crate) usize);

impl NodeState {
    pub(crate) fn new(
        shape: Arc<NodeShape>,
        rack_place: Option<u32>,
        luck: NodeLuck,
        stock_of: Option<usize>,
    ) -> Self {
        Self {
            luck,
            stock_of,
            awaits_stock: false,
            gpus: shape.allocatable.gpus,
            shape,
            rack_place,
            gpus_serving: 0,
            gpus_loading: 0,
            gpus_partial: 0,
            gpus_stranded: 0,
            holders: Vec::new(),
            cuts: 0,
            alive_since: None,
            settled: Instant::ZERO,
            given_back: false,
            ready_when_drained: false,
            pulls: Pipe::default(),
            loads: Pipe::default(),
            images: Vec::new(),
            weights: Vec::new(),
        }
    }

    /// An image is on the disk without having been pulled.
    pub(crate) fn hold_image(&mut self, image: ImageId) {
        if !self.images.iter().any(|(held, _)| *held == image) {
            self.images.push((image, true));
        }
    }

    /// Weights are in the page cache.
    pub(crate) fn hold_weights(&mut self, weights: WeightsId) {
        if !self.weights.contains(&weights) {
            self.weights.push(weights);
        }
    }

    /// Whether nothing will come of the launch as things stand.
    pub(crate) fn is_doomed(&self) -> bool {
        self.luck.failure.is_some() || self.awaits_stock
    }

    /// Thousandths of GPUs that pods hold to do this.
    pub(crate) fn gpus_as(&mut self, occupancy: Occupancy) -> &mut u32 {
        match occupancy {
            Occupancy::Loading => &mut self.gpus_loading,
            Occupancy::Serving => &mut self.gpus_serving,
            Occupancy::PartialGang => &mut self.gpus_partial,
        }
    }

    /// Books the GPUs' time since the last booking.
    pub(crate) fn settle(&mut self, ready: bool, now: Instant, ledger: &mut Ledger) {
        if self.alive_since.is_none() {
            return;
        }
        let time = now.since(self.settled);
        self.settled = now;
        let all = 1000 * self.gpus;
        let parts = if ready {
            let (serving, loading) = (self.gpus_serving, self.gpus_loading);
            let (stranded, partial_gangs) = (self.gpus_stranded, self.gpus_partial);
            let free = all - serving - loading - stranded - partial_gangs;
            GpuParts { serving, loading, free, stranded, booting: 0, partial_gangs }
        } else {
            GpuParts { booting: all, ..GpuParts::default() }
        };
        ledger.gpus(time, parts);
    }
}
