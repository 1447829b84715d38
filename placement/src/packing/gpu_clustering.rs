//! The node that holds pods with GPU requests of the same kind: shares of a device, one device, two, ...; among
//! those, the fuller.
//!
//! Source: `GpuClusteringScore` of Weng et al. 2023 (hkust-adsl/kubernetes-scheduler-simulator at 8f3d6417); the
//! idea is Gandiva's affinity of jobs with equal requests (Xiao et al., OSDI 2018).

use super::node::Node;
use super::norm::MOST_GPU;
use super::pod::{Demand, GpuKind};

/// What a node gains for a kind that it holds alone, among others, or for holding none at all.
const ONLY_THIS_KIND: i32 = 75;
const THIS_KIND: i32 = 50;
const NO_KIND: i32 = 25;

/// What fullness adds at most.
const FULLNESS: i64 = 25;

/// 0 to 100; all nodes are alike to a pod without GPUs.
pub(super) fn score(node: &Node, demand: &Demand) -> i32 {
    demand.kind().map_or(0, |kind| affinity(node, kind) + fullness(node))
}

fn affinity(node: &Node, kind: GpuKind) -> i32 {
    match (node.gpu_pods.has(kind), node.gpu_pods.kinds()) {
        (true, 1) => ONLY_THIS_KIND,
        (true, _) => THIS_KIND,
        (false, 0) => NO_KIND,
        (false, _) => 0,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a quarter of a hundred, or little below zero")]
fn fullness(node: &Node) -> i32 {
    let most = i64::from(MOST_GPU.0);
    (FULLNESS * (most - i64::from(node.gpu_free.0)) / most) as i32
}

#[cfg(test)]
mod tests {
    use super::super::samples::{check_scores_on, pod, share};

    #[test]
    fn pods_of_a_kind_gather_and_fuller_nodes_go_first() {
        let score = super::score;
        check_scores_on(score, &[], &share(1, 500), "25");
        check_scores_on(score, &[share(1, 300)], &share(1, 500), "75");
        // 4 of 8 GPUs in use: half of 25, cut off.
        check_scores_on(score, &[pod(1, 4)], &pod(1, 4), "87");
        check_scores_on(score, &[pod(1, 4)], &pod(1, 2), "12");
        check_scores_on(score, &[pod(1, 4), pod(1, 2)], &pod(1, 2), "68");
    }

    #[test]
    fn all_nodes_are_alike_to_a_pod_without_gpus() {
        check_scores_on(super::score, &[pod(1, 4)], &pod(1, 0), "0");
    }
}
