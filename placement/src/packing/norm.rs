//! Amounts as shares of a large node, so that CPU and GPU can be added up.
//!
//! Source: `-norm max` of the simulator of Weng et al. 2023 (hkust-adsl/kubernetes-scheduler-simulator at
//! 8f3d6417): the largest node of their cluster has 128 cores and 8 GPUs. On larger nodes, shares exceed one.

use super::MilliGpu;
use contract::MilliCpu;

/// CPU of the largest node, in thousandths of a core.
const MOST_CPU: f64 = 128_000.0;
/// GPU of the largest node, in thousandths of a device.
pub(super) const MOST_GPU: MilliGpu = MilliGpu(8000);

/// CPU as a share of the largest node's.
#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 thousandths of a core are more than there are"
)]
pub(super) fn cpu_share(cpu: MilliCpu) -> f64 {
    cpu.0 as f64 / MOST_CPU
}

/// GPU as a share of the largest node's.
pub(super) fn gpu_share(gpu: MilliGpu) -> f64 {
    f64::from(gpu.0) / f64::from(MOST_GPU.0)
}

/// A share as a score: whole hundredths, cut off towards zero.
#[expect(clippy::cast_possible_truncation, reason = "kube-scheduler's scores are whole numbers")]
pub(super) fn hundredths(share: f64) -> i32 {
    (100.0 * share) as i32
}
