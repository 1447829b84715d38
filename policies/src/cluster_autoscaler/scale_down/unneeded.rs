//! Nodes that nobody needs, since when, and how many of them are kept in mind.

use contract::{Instant, Micros};
use std::collections::BTreeMap;

/// The list after a look: nodes that were on it keep their time, new ones start now, others are forgotten.
pub fn unneeded_since<Node: Ord>(
    before: &BTreeMap<Node, Instant>,
    found: impl IntoIterator<Item = Node>,
    now: Instant,
) -> BTreeMap<Node, Instant> {
    let since = |node: &Node| before.get(node).copied().unwrap_or(now);
    found.into_iter().map(|node| (since(&node), node)).map(|(since, node)| (node, since)).collect()
}

/// For how long a node must be unneeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnneededTimes {
    /// A ready node (`scale-down-unneeded-time`).
    pub ready: Micros,
    /// One that is not (`scale-down-unready-time`).
    pub unready: Micros,
}

impl UnneededTimes {
    /// For such a node.
    pub fn threshold(&self, ready: bool) -> Micros {
        if ready { self.ready } else { self.unready }
    }
}

/// How many unneeded nodes one loop keeps: a few more than before, and no more than can be removed in the unneeded
/// time, with `interval` between two loops.
pub fn unneeded_limit(
    before: usize,
    max_parallelism: u32,
    unneeded_time: Micros,
    interval: Micros,
) -> usize {
    let parallelism = max_parallelism as usize;
    let loops = unneeded_time.0.max(interval.0) / interval.0.max(1);
    let loops = usize::try_from(loops).unwrap_or(usize::MAX);
    let in_time = parallelism.saturating_mul(loops).saturating_add(parallelism);
    (before + 2 * parallelism).min(in_time)
}
