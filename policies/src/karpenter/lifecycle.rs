//! Nodes from launch to removal: time-outs, expiry, repair, static pools, and commands that wait.

use super::Settings;
use super::memory::{Memory, Tracked};
use super::provisioner::{Launcher, Wanted, count};
use super::repair;
use super::static_pool;
use super::world::Model;
use contract::{Action, Micros, NodeId, NodeSeen, NodeStage, Observation, Plan, Reason, Subject};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node whose accelerator is not ready after this long is unhealthy (AWS's provider).
const ACCELERATOR_PATIENCE: Micros = Micros::from_mins(10);

/// Gives up launches and nodes that do not come, lets go what is too old, and replaces what is broken.
pub(super) fn age(
    seen: &Observation<'_>,
    settings: &Settings,
    memory: &mut Memory,
    plan: &mut Plan,
) {
    for node in seen.nodes {
        let Some(known) = memory.nodes.get_mut(&node.id) else { continue };
        let Some(pool) = settings.node_pools.get(&*known.node_pool) else { continue };
        let age = seen.now.since(node.created);
        let late = match node.stage {
            NodeStage::Requested => age > settings.launch_timeout,
            NodeStage::Booting | NodeStage::Registering => age > settings.registration_timeout,
            _ => false,
        };
        let grace = pool.termination_grace_period;
        let waited = known.going_since.map(|since| seen.now.since(since));
        let is_overdue = waited.zip(grace).is_some_and(|(waited, grace)| waited >= grace);
        if late && known.going_since.is_none() {
            let reason = Reason::new("did not register in time");
            end(node.id, known, seen, plan, reason.with("waited-s", age.as_secs_f64()));
        } else if node.stage == NodeStage::Draining && is_overdue {
            let reason = Reason::new("its grace period is over");
            plan.act(
                Action::Delete { node: node.id },
                reason.with("grace-s", grace.unwrap_or_default().as_secs_f64()),
            );
        } else if known.going_since.is_none()
            && node.stage < NodeStage::Draining
            && pool.expire_after.0.is_some_and(|life| age >= life)
        {
            known.going_since = Some(seen.now);
            let reason = Reason::new("has expired").with("age-s", age.as_secs_f64());
            plan.act(Action::Drain { node: node.id }, reason);
        }
    }
    if settings.node_repair {
        replace_broken(seen, memory, plan);
    }
}

fn end(id: NodeId, known: &mut Tracked, seen: &Observation<'_>, plan: &mut Plan, reason: Reason) {
    known.going_since = Some(seen.now);
    plan.act(Action::Delete { node: id }, reason);
}

/// Replaces nodes whose GPUs do not appear, unless too many of their pool are like that.
fn replace_broken(seen: &Observation<'_>, memory: &mut Memory, plan: &mut Plan) {
    let is_broken = |node: &&NodeSeen| {
        node.stage == NodeStage::AcceleratorStarting
            && seen.now.since(node.since) > ACCELERATOR_PATIENCE
    };
    let broken: Vec<_> = seen.nodes.iter().filter(is_broken).collect();
    let mut by_pool: BTreeMap<Arc<str>, Vec<NodeId>> = BTreeMap::new();
    for node in broken {
        if let Some(known) = memory.nodes.get(&node.id).filter(|one| one.going_since.is_none()) {
            by_pool.entry(known.node_pool.clone()).or_default().push(node.id);
        }
    }
    for (node_pool, broken) in by_pool {
        let all = memory.nodes.values().filter(|node| node.node_pool == node_pool).count();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        if !repair::allowed(number(all), number(broken.len())) {
            continue;
        }
        for id in broken {
            let known = memory.nodes.get_mut(&id).expect("it was just listed");
            end(id, known, seen, plan, Reason::new("its accelerator does not come up"));
        }
    }
}

/// Goes on with commands whose replacements are there, and gives up those whose replacements failed.
pub(super) fn proceed(seen: &Observation<'_>, memory: &mut Memory, plan: &mut Plan) {
    let is_there = |id: &NodeId| seen.nodes.binary_search_by_key(id, |node| node.id).is_ok();
    for command in std::mem::take(&mut memory.commands) {
        let nodes = command.nodes.iter().copied().filter(is_there);
        if command.failed {
            for node in nodes {
                let reason = Reason::new("what was to take its place failed");
                plan.act(Action::Uncordon { node }, reason);
            }
        } else if command.awaited == 0 {
            for node in nodes {
                plan.act(Action::Drain { node }, Reason::new("what takes its place is ready"));
                if let Some(known) = memory.nodes.get_mut(&node) {
                    known.going_since = Some(seen.now);
                }
            }
        } else {
            memory.commands.push(command);
        }
    }
}

/// Keeps static pools at their number.
pub(super) fn keep_static_pools(
    seen: &Observation<'_>,
    settings: &Settings,
    memory: &mut Memory,
    plan: &mut Plan,
) {
    let statics = settings.node_pools.iter().filter(|(_, pool)| pool.replicas.is_some());
    for (name, pool) in statics {
        let its: Vec<_> = seen
            .nodes
            .iter()
            .filter(|node| {
                memory.nodes.get(&node.id).is_some_and(|known| *known.node_pool == **name)
            })
            .collect();
        let is_going = |node: &NodeSeen| {
            node.stage >= NodeStage::Draining || memory.nodes[&node.id].going_since.is_some()
        };
        let (going, mut staying): (Vec<_>, Vec<_>) =
            its.into_iter().partition(|node| is_going(node));
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (running, going) = (number(staying.len()), number(going.len()));
        let replicas = pool.replicas.unwrap_or(0);
        let change = static_pool::change(replicas, running, going, pool.limits.nodes);
        // What is not up yet goes first, then what has the fewest pods.
        staying.sort_by_key(|node| (node.stage == NodeStage::Ready, node.pods.len()));
        for node in staying.into_iter().take(change.delete as usize) {
            let reason = Reason::new("a static pool has too many nodes");
            plan.act(Action::Drain { node: node.id }, reason.with("replicas", f64::from(replicas)));
            let known = memory.nodes.get_mut(&node.id).expect("it is one of the pool's");
            known.going_since = Some(seen.now);
        }
        if change.create > 0 {
            create(name, change.create, seen, settings, memory, plan);
        }
    }
}

fn create(
    name: &str,
    nodes: u32,
    seen: &Observation<'_>,
    settings: &Settings,
    memory: &mut Memory,
    plan: &mut Plan,
) {
    let model = Model::of(seen, settings, memory);
    let Some(pool) = model.pools.iter().find(|pool| &*pool.name == name) else { return };
    let mut launcher = Launcher::new(seen, memory);
    for made in 0..nodes {
        let wanted = Wanted {
            node_pool: &pool.name,
            requirements: &pool.requirements,
            pods: 0,
            command: None,
        };
        let types = pool.types.iter().map(|&place| &model.types[place]);
        if !launcher.launch(types, &wanted, plan) {
            let reason = Reason::new("a static pool has too few nodes");
            plan.hold(Subject::Cluster, reason.with("nodes", count(nodes - made)));
            return;
        }
    }
}
