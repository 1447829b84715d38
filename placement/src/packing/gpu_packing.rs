//! GPUs in use before idle GPUs, and nodes in use before idle nodes.
//!
//! Source: `GpuPackingScore` of Weng et al. 2023 (hkust-adsl/kubernetes-scheduler-simulator at 8f3d6417); the
//! idea is that of `AntMan` (Xiao et al., OSDI 2020).

use super::MilliGpu;
use super::node::Node;
use super::pod::Demand;

/// Idle nodes score below this, nodes in use with idle GPUs up to the next, GPUs in use up to the third.
const IDLE_NODE: u32 = 33;
const IDLE_GPUS: u32 = 50;
const USED_GPUS: u32 = 100;

/// 0 to 100; all nodes are alike to a pod without GPUs.
pub(super) fn score(node: &Node, demand: &Demand) -> i32 {
    if !demand.wants_gpu() {
        return 0;
    }
    let idle = node.devices.whole_count();
    let score = if idle == node.devices.count() {
        IDLE_NODE.saturating_sub(idle).max(idle)
    } else {
        on_used_node(node, demand)
    };
    score.cast_signed()
}

/// The fullest devices that have room take the pod: the fewer of them are idle, the better; if none is, the
/// fuller they are, the better.
fn on_used_node(node: &Node, demand: &Demand) -> u32 {
    let Some(slots) = node.devices.pick(demand.count, demand.each, node.devices.fullest_first())
    else {
        return 0;
    };
    let free = slots.iter().map(|(device, _)| node.gpus_free()[device]);
    let idle = free.clone().map(|free| u32::from(free == MilliGpu::WHOLE)).sum::<u32>();
    if idle > 0 {
        return IDLE_GPUS.saturating_sub(idle).max(IDLE_NODE);
    }
    let percent: u32 = free.map(|free| 100 * free.0 / MilliGpu::WHOLE.0).sum();
    USED_GPUS.saturating_sub(percent / 10).max(IDLE_GPUS)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{check_scores_on, pod, share};

    #[test]
    fn used_gpus_go_before_idle_gpus_and_used_nodes_before_idle_nodes() {
        let score = super::score;
        // 8 idle GPUs on an idle node; one of the idle on a node in use; a GPU with 400 free, 4 from 100.
        check_scores_on(score, &[], &share(1, 500), "25");
        check_scores_on(score, &[share(1, 600)], &share(1, 500), "49");
        check_scores_on(score, &[share(1, 600)], &share(1, 400), "96");
        check_scores_on(score, &[share(1, 600)], &pod(1, 4), "46");
    }

    #[test]
    fn all_nodes_are_alike_to_a_pod_without_gpus() {
        check_scores_on(super::score, &[pod(1, 4)], &pod(1, 0), "0");
    }
}
