//! A strategy as the score of a scheduler: the nodes of a cluster as the strategies see them.
//!
//! Whole GPUs are as many devices, free or taken; of a GPU that is divided in whatever way, a holder has the part that
//! [`own`] says, and a pod asks for what it would have on an empty node of the kind.

use super::MilliGpu;
use super::devices::{Devices, Slots};
use super::fragmentation::Fragmentation;
use super::node::{GpuPods, Node};
use super::pod::{Demand, GpuRequest, Pod};
use super::strategy::{Site, Strategy};
use super::typical::typical_of_counted;
use crate::Candidate;
use crate::device::{grants_fresh, own};
use contract::{GpuMilli, GpuModel, NodeShape, PodSpec};

/// A node to be scored.
pub(crate) struct Ground<'a, P> {
    /// The place of its kind among those that the scorer was made for.
    pub(crate) kind: usize,
    /// What it has, and what is used of it.
    pub(crate) node: Candidate<'a>,
    /// What is used of each of its GPUs where they are divided; none if nobody holds any of them.
    pub(crate) gpus_used: &'a [GpuMilli],
    /// Its pods.
    pub(crate) pods: P,
}

/// Scores nodes for one pod.
pub(crate) struct Scorer<'a> {
    strategy: Strategy,
    shapes: Vec<&'a NodeShape>,
    /// What the pod asks for, by kind of node.
    demands: Vec<Demand>,
    fragmentation: Fragmentation,
}

impl<'a> Scorer<'a> {
    /// For a pod among nodes of these kinds; fragments are measured against the pods of `workload`, each with its count.
    pub(crate) fn new<'w>(
        strategy: Strategy,
        spec: &PodSpec,
        shapes: Vec<&'a NodeShape>,
        workload: impl Iterator<Item = (&'w PodSpec, u32)>,
    ) -> Self {
        let models: Vec<_> = shapes.iter().map(|shape| shape.gpu.clone()).collect();
        let demands = shapes.iter().map(|shape| demand(spec, shape, &models)).collect();
        let pods: Vec<_> =
            workload.map(|(spec, count)| (somewhere(spec, &shapes), count)).collect();
        let typical = typical_of_counted(pods.iter().map(|(pod, count)| (pod, *count)));
        let fragmentation = Fragmentation::new(&typical, &models);
        Self { strategy, shapes, demands, fragmentation }
    }

    /// How good a node on which the pod fits is: the higher, the better.
    pub(crate) fn score<'p>(&self, ground: Ground<'_, impl Iterator<Item = &'p PodSpec>>) -> u32 {
        let demand = &self.demands[ground.kind];
        let node = self.node(ground);
        // What is used of divided GPUs is rounded, and a strategy counts on room.
        let score = node.fits(demand).then(|| self.strategy.score(&self.site(&node), demand));
        score.unwrap_or(i32::MIN).abs_diff(i32::MIN)
    }

    /// The GPU of a node from which the strategy takes a part; `luck` is 32 random bits.
    pub(crate) fn gpu<'p>(
        &self,
        ground: Ground<'_, impl Iterator<Item = &'p PodSpec>>,
        luck: u32,
    ) -> Option<usize> {
        let demand = &self.demands[ground.kind];
        let node = self.node(ground);
        self.strategy.slots(&self.site(&node), demand, luck).as_ref().and_then(Slots::first)
    }

    fn site<'s>(&'s self, node: &'s Node) -> Site<'s> {
        let fragmentation = &self.fragmentation;
        Site { node, fragments: fragmentation.of_node(node), fragmentation }
    }

    fn node<'p>(&self, ground: Ground<'_, impl Iterator<Item = &'p PodSpec>>) -> Node {
        let shape = self.shapes[ground.kind];
        let free = ground.node.free();
        let devices = devices(&ground.node, ground.gpus_used);
        let mut gpu_pods = GpuPods::default();
        if self.strategy == Strategy::GpuClustering {
            ground.pods.for_each(|pod| gpu_pods.add(demand(pod, shape, &[]).kind()));
        }
        Node {
            model: ground.kind,
            cpu_free: free.cpu,
            memory_free: free.memory,
            gpu_free: devices.free_sum(),
            devices,
            gpu_pods,
        }
    }
}

fn devices(node: &Candidate<'_>, gpus_used: &[GpuMilli]) -> Devices {
    let all = node.shape.allocatable.gpus;
    let taken = if node.shape.sharing.is_whole() { node.used.gpus } else { 0 };
    let free = |gpu: usize| {
        let used = gpus_used.get(gpu).copied().unwrap_or_default();
        let is_taken = gpu < taken as usize;
        if is_taken { MilliGpu::ZERO } else { MilliGpu::WHOLE - MilliGpu(used.get().into()) }
    };
    let devices = Devices::with_free((0..all as usize).map(free));
    devices.expect("no instance type has more GPUs than the model of one holds")
}

fn demand(spec: &PodSpec, shape: &NodeShape, models: &[Option<GpuModel>]) -> Demand {
    Demand::of(&on(spec, shape).unwrap_or_else(|| without_gpus(spec)), models)
}

/// What a pod asks for, as the first kind of node gives it that can.
fn somewhere(spec: &PodSpec, shapes: &[&NodeShape]) -> Pod {
    shapes.iter().find_map(|shape| on(spec, shape)).unwrap_or_else(|| without_gpus(spec))
}

/// What a pod asks for on nodes of a shape; `None` if an empty one has no such GPUs, or parts of them.
fn on(spec: &PodSpec, shape: &NodeShape) -> Option<Pod> {
    let gpu = |count: u32, each| GpuRequest::new(count, each, spec.gpu_models.clone());
    let gpu = if spec.gpu_parts.is_none() {
        gpu(spec.requests.gpus, MilliGpu::WHOLE)
    } else {
        let grants = grants_fresh(spec, shape).ok()?;
        let each = own(&shape.sharing, grants.first()?.held);
        gpu(u32::try_from(grants.len()).ok()?, MilliGpu(each.get().into()))
    };
    Some(Pod { gpu, ..without_gpus(spec) })
}

fn without_gpus(spec: &PodSpec) -> Pod {
    Pod { cpu: spec.requests.cpu, memory: spec.requests.memory, gpu: None }
}
