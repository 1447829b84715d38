//! What a pod asks for.

use super::MilliGpu;
use contract::{Bytes, GpuModel, MilliCpu};

/// What a pod asks for. Pods that ask for the same are of one class.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pod {
    /// CPU.
    pub cpu: MilliCpu,
    /// Memory.
    pub memory: Bytes,
    /// GPUs, if any.
    pub gpu: Option<GpuRequest>,
}

impl Pod {
    /// How much GPU it asks for in all.
    pub fn gpu_sum(&self) -> MilliGpu {
        let sum = |gpu: &GpuRequest| MilliGpu(gpu.count * gpu.each.0);
        self.gpu.as_ref().map_or(MilliGpu::ZERO, sum)
    }
}

/// A request for GPUs: so many shares, each of one device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GpuRequest {
    count: u32,
    each: MilliGpu,
    models: Vec<GpuModel>,
}

impl GpuRequest {
    /// `count` shares of `each`, which is at most a whole device, on one of these models; no model means any.
    /// `None` if that is no GPU at all, or more than can be counted.
    pub fn new(count: u32, each: MilliGpu, models: Vec<GpuModel>) -> Option<Self> {
        let each = each.min(MilliGpu::WHOLE);
        let sum = count.checked_mul(each.0)?;
        (sum > 0).then_some(Self { count, each, models })
    }

    /// How many shares.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// How much of a device each share is.
    pub fn each(&self) -> MilliGpu {
        self.each
    }

    /// Whether this model will do.
    pub fn allows(&self, model: Option<&GpuModel>) -> bool {
        self.models.is_empty() || model.is_some_and(|model| self.models.contains(model))
    }

    /// The models as the trace writes them: `V100M16|V100M32`.
    pub(super) fn models_text(&self) -> String {
        self.models.iter().map(|model| &*model.0).collect::<Vec<_>>().join("|")
    }
}

/// What pods that share a node have in common, as the clustering strategy sees it: shares of a device are of
/// one kind, and whole devices of a kind by their count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GpuKind {
    /// Less than a device.
    Share,
    /// This many whole devices.
    Whole(u32),
}

/// A pod as the search sees it: numbers, and the models by their place among those of the cluster.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    pub(super) cpu: MilliCpu,
    pub(super) memory: Bytes,
    /// How many shares of GPUs.
    pub(super) count: u32,
    /// How much of a device each is.
    pub(super) each: MilliGpu,
    /// By model: whether it will do.
    pub(super) allowed: Vec<bool>,
}

impl Demand {
    /// A pod among nodes of these models.
    pub(super) fn of(pod: &Pod, models: &[Option<GpuModel>]) -> Self {
        let gpu = pod.gpu.as_ref();
        let allows = |model: &Option<GpuModel>| gpu.is_none_or(|gpu| gpu.allows(model.as_ref()));
        Self {
            cpu: pod.cpu,
            memory: pod.memory,
            count: gpu.map_or(0, GpuRequest::count),
            each: gpu.map_or(MilliGpu::ZERO, GpuRequest::each),
            allowed: models.iter().map(allows).collect(),
        }
    }

    /// Whether it asks for a GPU.
    pub(super) fn wants_gpu(&self) -> bool {
        self.count > 0
    }

    /// Whether it asks for a part of one device.
    pub(super) fn is_share(&self) -> bool {
        self.count == 1 && self.each < MilliGpu::WHOLE
    }

    /// How much GPU it asks for in all.
    pub(super) fn gpu_sum(&self) -> MilliGpu {
        MilliGpu(self.count * self.each.0)
    }

    /// Its kind, if it asks for a GPU.
    pub(super) fn kind(&self) -> Option<GpuKind> {
        if !self.wants_gpu() {
            return None;
        }
        let is_whole = self.each == MilliGpu::WHOLE;
        Some(if is_whole { GpuKind::Whole(self.count) } else { GpuKind::Share })
    }
}
