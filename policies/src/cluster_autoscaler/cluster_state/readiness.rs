//! How many of a pool's nodes are how far, and whether that is in order.

use contract::{Instant, Micros, NodeSeen, NodeStage};
use std::ops::RangeInclusive;

/// Nodes of a pool (or of the cluster) by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Registered with the cluster, in whatever state.
    pub registered: u32,
    /// Ready, their GPUs allocatable.
    pub ready: u32,
    /// Registered for longer than a start may take, and not ready.
    pub unready: u32,
    /// Registered, not ready, and still within the time that a start may take.
    pub not_started: u32,
    /// Registered, but on their way out: no longer part of the pool's target.
    pub deleted: u32,
    /// Not registered, and still within the time for that.
    pub unregistered: u32,
    /// Not registered for longer than that.
    pub long_unregistered: u32,
    /// Standing by, asleep.
    pub suspended: u32,
}

/// How long starts may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartTimes {
    /// From request to registration (`max-node-provision-time`).
    pub provision: Micros,
    /// From registration to ready (`max-node-startup-time`).
    pub startup: Micros,
}

impl Readiness {
    /// Adds a node. Whatever is not ready, or not all there, such as a node whose GPUs cannot be given out yet,
    /// counts as not started at first and as unready later.
    pub fn count(&mut self, node: &NodeSeen, now: Instant, times: StartTimes) {
        // No instance yet: the target alone speaks of it.
        if node.stage == NodeStage::Requested {
            return;
        }
        if node.stage < NodeStage::AcceleratorStarting {
            let waited = now.since(node.created);
            let late = waited > times.provision;
            *(if late { &mut self.long_unregistered } else { &mut self.unregistered }) += 1;
            return;
        }
        self.registered += 1;
        *match node.stage {
            NodeStage::Ready => &mut self.ready,
            NodeStage::AcceleratorStarting if now.since(node.since) < times.startup => {
                &mut self.not_started
            }
            NodeStage::AcceleratorStarting => &mut self.unready,
            _ => &mut self.deleted,
        } += 1;
    }

    /// Nodes that will be there soon: those of the target that are neither ready nor given up.
    pub fn upcoming(&self, target: u32) -> u32 {
        let accounted = self.ready + self.unready + self.suspended + self.long_unregistered;
        target.saturating_sub(accounted)
    }
}

/// How many unready nodes are no cause for alarm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthLimits {
    /// So many always (`ok-total-unready-count`).
    pub count: u32,
    /// This share in per cent (`max-total-unready-percentage`).
    pub percentage: f64,
}

impl HealthLimits {
    /// Whether so many of so many are still in order: alarm needs both limits exceeded.
    pub fn allow(&self, unready: u32, of: u32) -> bool {
        unready <= self.count || f64::from(unready) <= self.percentage / 100.0 * f64::from(of)
    }
}

/// Between which numbers a pool's nodes may be, given its target: nodes on their way may be missing, nodes on
/// their way out may still be there. The lower end may be negative.
pub fn acceptable_range(
    target: u32,
    long_unregistered: u32,
    increase_under_way: u32,
    being_deleted: u32,
) -> RangeInclusive<i64> {
    let target = i64::from(target);
    let low = target - i64::from(long_unregistered) - i64::from(increase_under_way);
    low..=target + i64::from(being_deleted)
}

/// Whether a pool has about the nodes that it should have.
pub fn is_healthy(
    readiness: &Readiness,
    acceptable: &RangeInclusive<i64>,
    target: u32,
    limits: HealthLimits,
) -> bool {
    let there = i64::from(readiness.ready + readiness.suspended);
    let missing = (acceptable.start() - there).max(0);
    limits.allow(u32::try_from(missing).unwrap_or(u32::MAX), target)
}
