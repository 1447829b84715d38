//! Which nodes are not needed, and which of them may go now.

use super::snapshot::Snapshot;
use super::utilization::utilization;
use super::{Memory, Settings};
use contract::{
    Action, Instant, Micros, NodeId, NodeSeen, NodeStage, Observation, Plan, PoolSeen, Reason,
    Subject,
};
use std::collections::BTreeMap;

/// A node that nobody needs.
#[derive(Clone, Copy, Debug)]
struct Unneeded<'a> {
    node: &'a NodeSeen,
    utilization: f64,
    since: Instant,
}

/// Brings the list of unneeded nodes up to date, and removes those that have been on it for long enough,
/// unless a cool-down is on.
pub(super) fn scale_down(
    seen: &Observation<'_>,
    snapshot: &mut Snapshot<'_>,
    settings: &Settings,
    memory: &mut Memory,
    plan: &mut Plan,
) {
    let unneeded = find_unneeded(seen, snapshot, settings, memory, plan);
    memory.unneeded = unneeded.iter().map(|found| (found.node.id, found.since)).collect();
    if unneeded.is_empty() {
        return;
    }
    if let Some((words, left)) = cooling_down(seen.now, settings, memory) {
        plan.hold(Subject::Cluster, Reason::new(words).with("left-s", left.as_secs_f64()));
        return;
    }
    remove(seen, &unneeded, settings, memory, plan);
}

/// Underused nodes whose pods all fit on other nodes that are ready, each found with the earlier ones gone.
fn find_unneeded<'a>(
    seen: &Observation<'a>,
    snapshot: &mut Snapshot<'_>,
    settings: &Settings,
    memory: &mut Memory,
    plan: &mut Plan,
) -> Vec<Unneeded<'a>> {
    memory.unremovable.retain(|_, until| seen.now < *until);
    let limit = unneeded_limit(memory.unneeded.len(), settings);
    let mut unneeded = Vec::new();
    for node in candidates(seen, snapshot, &memory.unneeded) {
        let utilization = utilization(&node.used, &seen.pools[node.pool.index()].shape);
        let threshold = threshold(&seen.pools[node.pool.index()], settings);
        if utilization > threshold || memory.unremovable.contains_key(&node.id) {
            continue;
        }
        if unneeded.len() >= limit {
            break;
        }
        if !pods_fit_elsewhere(snapshot, node) {
            memory
                .unremovable
                .insert(node.id, seen.now + settings.unremovable_node_recheck_timeout);
            let reason = Reason::new("underused, but its pods fit nowhere else");
            plan.hold(Subject::Node(node.id), reason.with("utilization", utilization));
            continue;
        }
        let since = memory.unneeded.get(&node.id).copied().unwrap_or(seen.now);
        if since == seen.now {
            let reason = Reason::new("unneeded from now on").with("utilization", utilization);
            plan.hold(Subject::Node(node.id), reason);
        }
        unneeded.push(Unneeded { node, utilization, since });
    }
    unneeded
}

/// Ready nodes of pools above their minimum that no pending pod is about to take: those already unneeded
/// first, then empty ones.
fn candidates<'a>(
    seen: &Observation<'a>,
    snapshot: &Snapshot<'_>,
    unneeded: &BTreeMap<NodeId, Instant>,
) -> Vec<&'a NodeSeen> {
    let awaited = |id| snapshot.find(id).is_some_and(|place| snapshot.nodes[place].awaited);
    let may_go = |node: &&NodeSeen| {
        let pool = &seen.pools[node.pool.index()];
        node.stage == NodeStage::Ready && pool.target > pool.min && !awaited(node.id)
    };
    let mut found: Vec<_> = seen.nodes.iter().filter(may_go).collect();
    found.sort_by_key(|node| (!unneeded.contains_key(&node.id), !node.pods.is_empty()));
    found
}

fn threshold(pool: &PoolSeen, settings: &Settings) -> f64 {
    match pool.shape.gpu {
        Some(_) => settings.scale_down_gpu_utilization_threshold,
        None => settings.scale_down_utilization_threshold,
    }
}

/// How many unneeded nodes one loop keeps: a few more than before, and no more than can be removed in the
/// unneeded time.
pub fn unneeded_limit(before: usize, settings: &Settings) -> usize {
    let parallelism = settings.max_scale_down_parallelism as usize;
    let loops = settings.scale_down_unneeded_time.0 / settings.scan_interval.0.max(1);
    let loops = usize::try_from(loops).unwrap_or(usize::MAX);
    (before + 2 * parallelism).min(parallelism.saturating_mul(loops).saturating_add(parallelism))
}

/// Moves a node's pods to other ready nodes in thought. What worked stays so for the nodes that follow; what
/// did not is taken back.
fn pods_fit_elsewhere(snapshot: &mut Snapshot<'_>, node: &NodeSeen) -> bool {
    let Some(place) = snapshot.find(node.id) else { return false };
    snapshot.nodes[place].removed = true;
    let mut moved = Vec::new();
    for pod in &node.pods {
        let Some(to) = snapshot.place(&pod.spec, |other| other.ready) else {
            snapshot.nodes[place].removed = false;
            for (to, spec) in moved {
                snapshot.take_back(to, spec);
            }
            return false;
        };
        moved.push((to, &*pod.spec));
    }
    true
}

/// The cool-down that is on, and how long it will still be.
fn cooling_down(
    now: Instant,
    settings: &Settings,
    memory: &Memory,
) -> Option<(&'static str, Micros)> {
    let cooldowns = [
        ("cooling down after adding nodes", memory.added_at, settings.scale_down_delay_after_add),
        (
            "cooling down after removing nodes",
            memory.removed_at,
            settings.scale_down_delay_after_delete,
        ),
        (
            "cooling down after a failed launch",
            memory.failed_at,
            settings.scale_down_delay_after_failure,
        ),
    ];
    cooldowns.into_iter().find_map(|(words, at, delay)| {
        let until = at? + delay;
        (now < until).then(|| (words, until.since(now)))
    })
}

/// Removes what has been unneeded for long enough: empty nodes first and many at a time, nodes with pods as far
/// as the budget of drains goes.
fn remove(
    seen: &Observation<'_>,
    unneeded: &[Unneeded<'_>],
    settings: &Settings,
    memory: &mut Memory,
    plan: &mut Plan,
) {
    let mut budget = Budget::of(seen, settings);
    let ripe =
        |found: &&Unneeded<'_>| seen.now.since(found.since) > settings.scale_down_unneeded_time;
    let mut ripe: Vec<_> = unneeded.iter().filter(ripe).collect();
    ripe.sort_by_key(|found| !found.node.pods.is_empty());
    for found in ripe {
        if !budget.take(found.node) {
            continue;
        }
        let unneeded_for = seen.now.since(found.since).as_secs_f64();
        let node = found.node.id;
        let reason = |words| Reason::new(words).with("unneeded-s", unneeded_for);
        if found.node.pods.is_empty() {
            plan.act(Action::Delete { node }, reason("empty for the unneeded time"));
        } else {
            let reason = reason("underused for the unneeded time")
                .with("utilization", found.utilization)
                .with("pods", f64::from(u32::try_from(found.node.pods.len()).unwrap_or(u32::MAX)));
            plan.act(Action::Drain { node }, reason);
        }
        memory.unneeded.remove(&node);
        memory.removed_at = Some(seen.now);
    }
}

/// What may still be removed in this loop.
struct Budget {
    nodes: u32,
    drains: u32,
    /// By pool: nodes above the minimum.
    spare: Vec<u32>,
}

impl Budget {
    fn of(seen: &Observation<'_>, settings: &Settings) -> Self {
        let draining = seen.nodes.iter().filter(|node| node.stage == NodeStage::Draining);
        let draining = u32::try_from(draining.count()).unwrap_or(u32::MAX);
        Self {
            nodes: settings.max_scale_down_parallelism.saturating_sub(draining),
            drains: settings.max_drain_parallelism.saturating_sub(draining),
            spare: seen.pools.iter().map(|pool| pool.target.saturating_sub(pool.min)).collect(),
        }
    }

    /// Takes a node's share, if there is enough of everything.
    fn take(&mut self, node: &NodeSeen) -> bool {
        let drains = u32::from(!node.pods.is_empty());
        let spare = &mut self.spare[node.pool.index()];
        if self.nodes == 0 || self.drains < drains || *spare == 0 {
            return false;
        }
        self.nodes -= 1;
        self.drains -= drains;
        *spare -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: usize, expected: usize) {
        let settings =
            Settings { scale_down_unneeded_time: Micros::from_secs(30), ..Settings::default() };
        assert_eq!(unneeded_limit(before, &settings), expected);
    }

    #[test]
    fn the_list_of_unneeded_nodes_grows_by_twenty_up_to_what_can_be_removed_in_time() {
        check(0, 20);
        check(15, 35);
        check(30, 40);
    }
}
