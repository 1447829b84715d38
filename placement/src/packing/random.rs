//! Any node on which the pod fits, and any device with room: the baseline of the baselines.
//!
//! Source: `RandomScore` of Weng et al. 2023 (hkust-adsl/kubernetes-scheduler-simulator at 8f3d6417), which draws
//! a node among the feasible ones before scoring.

use super::devices::Slots;
use super::node::Node;
use super::pod::Demand;

/// All nodes are equally good.
pub(super) const SCORE: i32 = 0;

/// A share goes to any device with room, whole devices are the first free ones.
pub(super) fn slots(node: &Node, demand: &Demand, luck: u32) -> Option<Slots> {
    if !demand.is_share() {
        return node.usual_slots(demand);
    }
    let with_room = node.devices.with_room(demand.each);
    let roomy = node.gpus_free().iter().enumerate().filter(|(_, free)| **free >= demand.each);
    let (device, _) = roomy.into_iter().nth(pick(with_room, luck) as usize)?;
    Some(Slots::one(device, demand.each))
}

/// One of 0..`below`, by 32 random bits.
pub(super) fn pick(below: u32, luck: u32) -> u32 {
    ((u64::from(below) * u64::from(luck)) >> 32) as u32
}
