//! Pods and nodes for tests.

use contract::{GpuModel, NodeShape, PodSpec, Resources};

/// A pod that asks for this.
pub(crate) fn pod(cpu: &str, memory: &str, gpus: u32) -> PodSpec {
    PodSpec { requests: resources(cpu, memory, gpus), ..PodSpec::default() }
}

/// An amount.
pub(crate) fn resources(cpu: &str, memory: &str, gpus: u32) -> Resources {
    let cpu = cpu.parse().expect("an amount of CPU");
    Resources { cpu, memory: memory.parse().expect("a size"), gpus }
}

/// A node of 8 cores and 32 GiB with GPUs.
pub(crate) fn gpu_node(model: &str, gpus: u32) -> NodeShape {
    NodeShape {
        allocatable: resources("8", "32GiB", gpus),
        gpu: Some(GpuModel(model.into())),
        pod_limit: 110,
        ..NodeShape::default()
    }
}

/// A node of 8 cores and 32 GiB.
pub(crate) fn cpu_node() -> NodeShape {
    NodeShape { allocatable: resources("8", "32GiB", 0), pod_limit: 110, ..NodeShape::default() }
}
