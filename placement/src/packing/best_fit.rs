//! The node with the least CPU and GPU left once the pod is on it.
//!
//! Source: `BestFitScore` of Weng et al. 2023 (hkust-adsl/kubernetes-scheduler-simulator at 8f3d6417). There,
//! scores are stretched to 0..100 over the nodes that fit (`stretched`, in tests only), in whole numbers. That never changes
//! who wins: only the highest score becomes 100, and if all are equal they stay equal. So the search goes by
//! plain scores, which depend on one node alone.

use super::node::Node;
use super::norm::{cpu_share, gpu_share, hundredths};
use super::pod::Demand;
use contract::MilliCpu;

/// 0 to 100 on nodes up to the size that amounts are normalised by.
pub(super) fn score(node: &Node, demand: &Demand) -> i32 {
    let cpu = cpu_share(MilliCpu(node.cpu_free.0 - demand.cpu.0));
    let gpu = gpu_share(node.gpu_free - demand.gpu_sum());
    hundredths(1.0 - (0.5 * cpu + 0.5 * gpu))
}

/// Scores of nodes that fit, stretched to 0..100 in whole numbers, as published.
#[cfg(test)]
pub(super) fn stretched(scores: &mut [i32]) {
    let (Some(low), Some(high)) = (scores.iter().copied().min(), scores.iter().copied().max())
    else {
        return;
    };
    for score in scores {
        *score = ((*score - low) * 100).checked_div(high - low).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{check_scores, pod, share};

    #[test]
    fn the_less_is_left_the_better() {
        // A share of half a GPU and 8 cores. Left: 56 of 128 cores and 7.5 of 8 GPUs; 0.5 * 0.4375 + 0.5 * 0.9375.
        check_scores(super::score, &share(8, 500), "31");
        // Nothing of 8 GPUs and no core of 64 is left: nothing but what a larger node would have.
        check_scores(super::score, &pod(64, 8), "100");
        check_scores(super::score, &pod(0, 0), "25");
    }
}
