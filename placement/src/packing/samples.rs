//! Pods and nodes for tests.

use super::node::Node;
use super::pod::Demand;
use super::{GpuRequest, MilliGpu, NodeSpec, Pod};
use contract::{Bytes, GpuModel, MilliCpu};

/// A pod that asks for cores and whole GPUs of any model.
pub(super) fn pod(cores: u64, gpus: u32) -> Pod {
    let gpu = GpuRequest::new(gpus, MilliGpu::WHOLE, Vec::new());
    Pod { cpu: MilliCpu(1000 * cores), memory: Bytes(0), gpu }
}

/// A pod that asks for cores and a part of a GPU.
pub(super) fn share(cores: u64, milli: u32) -> Pod {
    Pod { gpu: GpuRequest::new(1, MilliGpu(milli), Vec::new()), ..pod(cores, 0) }
}

/// The same for these models only.
pub(super) fn with_models(pod: Pod, models: &[&str]) -> Pod {
    let models: Vec<_> = models.iter().map(|name| GpuModel((*name).into())).collect();
    let gpu = pod.gpu.and_then(|gpu| GpuRequest::new(gpu.count(), gpu.each(), models));
    Pod { gpu, ..pod }
}

/// The score of a node with 64 cores and 8 GPUs.
#[track_caller]
pub(super) fn check_scores(score: fn(&Node, &Demand) -> i32, pod: &Pod, expected: &str) {
    check_scores_on(score, &[], pod, expected);
}

/// The score of a node with 64 cores and 8 GPUs that holds these pods.
#[track_caller]
pub(super) fn check_scores_on(
    score: fn(&Node, &Demand) -> i32,
    on: &[Pod],
    pod: &Pod,
    expected: &str,
) {
    let spec = NodeSpec { model: None, cpu: MilliCpu(64_000), memory: Bytes(0), gpus: 8 };
    let mut node = Node::empty(&spec, 0).expect("a node of 8 GPUs");
    for pod in on {
        let demand = Demand::of(pod, &[None]);
        let slots = node.usual_slots(&demand).expect("the pods fit");
        node.add(&demand, &slots);
    }
    assert_eq!(score(&node, &Demand::of(pod, &[None])).to_string(), expected);
}
