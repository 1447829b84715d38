//! Fragmentation gradient descent: the node, and the device on it, that the pod leaves the least more
//! fragmented, or the most less.
//!
//! Source: Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient
//! Descent" (USENIX ATC 2023), algorithm 1; `FGDScore` with `-gpusel FGD -dimext share -norm max` of
//! hkust-adsl/kubernetes-scheduler-simulator at 8f3d6417.

use super::MilliGpu;
use super::devices::{Devices, Slots};
use super::norm::hundredths;
use super::pod::Demand;
use super::strategy::Site;
use contract::MilliCpu;

/// 0 to 100; 50 where fragments stay as they are.
pub(super) fn score(site: &Site<'_>, demand: &Demand) -> i32 {
    if demand.is_share() {
        return best_device(site, demand).map_or(0, |(_, score)| score);
    }
    let devices = &site.node.devices;
    let slots = devices.pick(demand.count, demand.each, devices.fullest_first());
    slots.map_or(0, |slots| score_with(site, demand, &slots))
}

/// A share goes to the device that scores best, the rest as usual.
pub(super) fn slots(site: &Site<'_>, demand: &Demand) -> Option<Slots> {
    if demand.is_share() {
        return best_device(site, demand).map(|(device, _)| Slots::one(device, demand.each));
    }
    site.node.usual_slots(demand)
}

/// The device that is best for a share, the first of equals, with its score.
fn best_device(site: &Site<'_>, demand: &Demand) -> Option<(usize, i32)> {
    let free = site.node.gpus_free();
    let mut best = None;
    for (device, amount) in free.iter().enumerate() {
        // Devices with as much free leave the node equally fragmented, and the first of them has been seen.
        if *amount < demand.each || free[..device].contains(amount) {
            continue;
        }
        let score = score_with(site, demand, &Slots::one(device, demand.each));
        if best.is_none_or(|(_, top)| score > top) {
            best = Some((device, score));
        }
    }
    best
}

fn score_with(site: &Site<'_>, demand: &Demand, slots: &Slots) -> i32 {
    let mut devices: Devices = site.node.devices;
    devices.take(slots);
    let cpu_free = MilliCpu(site.node.cpu_free.0 - demand.cpu.0);
    let after = site.fragmentation.of(site.node.model, cpu_free, &devices);
    hundredths(sigmoid((site.fragments - after) / f64::from(MilliGpu::WHOLE.0)))
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
