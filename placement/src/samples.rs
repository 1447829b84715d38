//! Pods and nodes for tests.

use crate::device::counters;
use contract::{
    Bytes, GpuMilli, GpuModel, MigBoard, MigProfile, NodeShape, PodSpec, Resources, Sharing,
};

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

/// How an A100 of 80 GB can be cut: the rows of NVIDIA's MIG User Guide, "Supported MIG Profiles".
pub(crate) fn a100() -> MigBoard {
    let profile = |name: &str, compute, slices, starts: &[u8]| MigProfile {
        name: name.into(),
        compute_slices: compute,
        memory_slices: slices,
        memory: Bytes::from_gib(10 * u64::from(slices)),
        media: name.ends_with("+me"),
        starts: starts.to_vec(),
        throughput: GpuMilli::try_from(u16::from(compute) * 140).expect("at most a GPU"),
    };
    let everywhere = [0, 1, 2, 3, 4, 5, 6];
    MigBoard {
        name: "A100-80GB".into(),
        compute_slices: 7,
        memory_slices: 8,
        profiles: vec![
            profile("1g.10gb", 1, 1, &everywhere),
            profile("1g.10gb+me", 1, 1, &everywhere),
            profile("1g.20gb", 1, 2, &[0, 2, 4, 6]),
            profile("2g.20gb", 2, 2, &[0, 2, 4]),
            profile("3g.40gb", 3, 4, &[0, 4]),
            profile("4g.40gb", 4, 4, &[0]),
            profile("7g.80gb", 7, 8, &[0]),
        ],
    }
}

/// The same board behind a driver for dynamic resource allocation.
pub(crate) fn sharing_by_counters() -> Sharing {
    Sharing::Counters(counters::of_board(&a100(), Bytes::from_gib(80)).into())
}
