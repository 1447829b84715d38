//! The node whose free CPU and GPU have the smallest dot product with the request.
//!
//! Source: `DotProductScore` with `-gpusel best -dimext merge -norm max` of Weng et al. 2023
//! (hkust-adsl/kubernetes-scheduler-simulator at 8f3d6417); the idea is Grandl et al., "Multi-resource packing
//! for cluster schedulers" (SIGCOMM 2014).

use super::node::Node;
use super::norm::{cpu_share, gpu_share, hundredths};
use super::pod::Demand;

/// 0 to 100 on nodes up to the size that amounts are normalised by.
pub(super) fn score(node: &Node, demand: &Demand) -> i32 {
    let cpu = cpu_share(node.cpu_free) * cpu_share(demand.cpu);
    let gpu = gpu_share(node.gpu_free) * gpu_share(demand.gpu_sum());
    hundredths(1.0 - f64::midpoint(cpu, gpu))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{check_scores, pod};

    #[test]
    fn the_less_the_free_amounts_point_along_the_request_the_better() {
        // 64 of 128 cores and 8 of 8 GPUs are free.
        check_scores(super::score, &pod(64, 0), "87");
        check_scores(super::score, &pod(0, 8), "50");
        check_scores(super::score, &pod(64, 8), "37");
    }
}
