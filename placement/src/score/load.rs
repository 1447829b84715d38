//! One resource of a node, as the resource scores see it.

use crate::Candidate;
use contract::{Bytes, MilliCpu, Resources};

/// CPU that a pod without a CPU request counts as when nodes are scored (kube-scheduler:
/// `DefaultMilliCPURequest`).
const DEFAULT_CPU: MilliCpu = MilliCpu(100);

/// Memory that a pod without a memory request counts as (kube-scheduler: `DefaultMemoryRequest`).
const DEFAULT_MEMORY: Bytes = Bytes(200 << 20);

/// How much of one resource is asked for and there, in any one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Requested by the pods on the node.
    pub used: u64,
    /// Requested by the pod that looks for a place.
    pub request: u64,
    /// What the node offers.
    pub allocatable: u64,
    /// Weight of the resource among the others.
    pub weight: u64,
}

impl Load {
    /// Requested with the pod on the node; may exceed what is there.
    pub fn with_pod(&self) -> u64 {
        self.used + self.request
    }

    /// Share of the node in use with the pod on it, at most 1.
    pub fn fraction_with_pod(&self) -> f64 {
        share(self.with_pod(), self.allocatable)
    }

    /// Share of the node in use without it, at most 1.
    pub fn fraction_without_pod(&self) -> f64 {
        share(self.used, self.allocatable)
    }
}

#[expect(clippy::cast_precision_loss, reason = "amounts stay below 2^53")]
fn share(amount: u64, of: u64) -> f64 {
    (amount as f64 / of as f64).min(1.0)
}

/// The request that `NodeResourcesFit` scores with: what is left out counts as a small default.
pub(crate) fn for_scoring(requests: Resources) -> Resources {
    let cpu = if requests.cpu.0 == 0 { DEFAULT_CPU } else { requests.cpu };
    let memory = if requests.memory.0 == 0 { DEFAULT_MEMORY } else { requests.memory };
    Resources { cpu, memory, gpus: requests.gpus }
}

/// CPU and memory, each with weight 1, as in the default profile; what the node does not have is left out.
pub(super) fn cpu_and_memory(
    requests: Resources,
    node: &Candidate<'_>,
) -> impl Iterator<Item = Load> + Clone {
    let (used, allocatable) = (&node.used, &node.shape.allocatable);
    let load = |used, request, allocatable| Load { used, request, allocatable, weight: 1 };
    [
        load(used.cpu.0, requests.cpu.0, allocatable.cpu.0),
        load(used.memory.0, requests.memory.0, allocatable.memory.0),
    ]
    .into_iter()
    .filter(|load| load.allocatable > 0)
}
