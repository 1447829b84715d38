//! A node with what is free on it.

use super::MilliGpu;
use super::devices::{Devices, MOST_DEVICES, Slots};
use super::pod::{Demand, GpuKind};
use contract::{Bytes, GpuModel, MilliCpu};
use std::fmt;

/// What a node has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeSpec {
    /// Its GPUs' model; `None` if it has no GPU.
    pub model: Option<GpuModel>,
    /// CPU.
    pub cpu: MilliCpu,
    /// Memory.
    pub memory: Bytes,
    /// How many GPUs.
    pub gpus: u32,
}

/// A node has more GPUs than the model of one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyGpus {
    /// How many it has.
    pub found: u32,
}

impl fmt::Display for TooManyGpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "found a node with {} GPUs, expected at most {MOST_DEVICES}", self.found)
    }
}

impl std::error::Error for TooManyGpus {}

/// A node with what its pods leave free. Nodes in equal states score equally.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// The place of its model among those of the cluster.
    pub(super) model: usize,
    pub(super) cpu_free: MilliCpu,
    pub(super) memory_free: Bytes,
    pub(super) devices: Devices,
    pub(super) gpu_free: MilliGpu,
    pub(super) gpu_pods: GpuPods,
}

impl Node {
    /// An empty node.
    pub(super) fn empty(spec: &NodeSpec, model: usize) -> Result<Self, TooManyGpus> {
        let devices = Devices::whole(spec.gpus).ok_or(TooManyGpus { found: spec.gpus })?;
        Ok(Self {
            model,
            cpu_free: spec.cpu,
            memory_free: spec.memory,
            devices,
            gpu_free: devices.free_sum(),
            gpu_pods: GpuPods::default(),
        })
    }

    /// What is free on each GPU.
    pub fn gpus_free(&self) -> &[MilliGpu] {
        self.devices.free()
    }

    /// What is free of the CPU.
    pub fn cpu_free(&self) -> MilliCpu {
        self.cpu_free
    }

    /// What is free of the memory.
    pub fn memory_free(&self) -> Bytes {
        self.memory_free
    }

    /// Whether the pod may run here.
    pub(super) fn fits(&self, demand: &Demand) -> bool {
        demand.cpu <= self.cpu_free
            && demand.memory <= self.memory_free
            && (!demand.wants_gpu()
                || demand.gpu_sum() <= self.gpu_free
                    && demand.allowed[self.model]
                    && self.devices.hold(demand.count, demand.each))
    }

    /// The devices that a pod gets where the strategy has no say: a share goes to the fullest device that has
    /// room, whole devices are the first free ones.
    pub(super) fn usual_slots(&self, demand: &Demand) -> Option<Slots> {
        if demand.is_share() {
            return self.devices.pick(1, demand.each, self.devices.fullest_first());
        }
        self.devices.pick(demand.count, demand.each, self.devices.in_order())
    }

    /// Puts a pod on it.
    pub(super) fn add(&mut self, demand: &Demand, slots: &Slots) {
        self.cpu_free.0 -= demand.cpu.0;
        self.memory_free.0 -= demand.memory.0;
        self.devices.take(slots);
        self.gpu_free = self.gpu_free - demand.gpu_sum();
        self.gpu_pods.add(demand.kind());
    }

    /// Takes a pod off it.
    pub(super) fn remove(&mut self, demand: &Demand, slots: &Slots) {
        self.cpu_free.0 += demand.cpu.0;
        self.memory_free.0 += demand.memory.0;
        self.devices.give_back(slots);
        self.gpu_free = self.gpu_free + demand.gpu_sum();
        self.gpu_pods.remove(demand.kind());
    }
}

/// How many pods of each kind hold GPUs of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GpuPods {
    /// Pods with shares first, then pods with one whole device, with two, ...
    by_kind: [u16; 1 + MOST_DEVICES],
}

impl GpuPods {
    /// Whether there are any of this kind.
    pub(super) fn has(&self, kind: GpuKind) -> bool {
        self.by_kind.get(place(kind)).is_some_and(|pods| *pods > 0)
    }

    /// How many kinds there are any of.
    pub(super) fn kinds(&self) -> usize {
        self.by_kind.iter().filter(|pods| **pods > 0).count()
    }

    pub(super) fn add(&mut self, kind: Option<GpuKind>) {
        if let Some(kind) = kind {
            self.by_kind[place(kind)] += 1;
        }
    }

    fn remove(&mut self, kind: Option<GpuKind>) {
        if let Some(kind) = kind {
            self.by_kind[place(kind)] -= 1;
        }
    }
}

fn place(kind: GpuKind) -> usize {
    match kind {
        GpuKind::Share => 0,
        GpuKind::Whole(count) => count as usize,
    }
}
