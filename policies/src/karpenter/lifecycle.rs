//! Nodes from launch to removal: time-outs, expiry, repair, static pools, and commands that wait.

use super::Settings;
use super::disruptor::protected;
use super::memory::{Memory, Tracked};
use super::provisioner::{Launcher, Wanted, count};
use super::repair;
use super::static_pool;
use super::world::Model;
use contract::{
    Action, Micros, NodeId, NodeSeen, NodeStage, Observation, Plan, PodId, Reason, Subject,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A node whose accelerator is not ready after this long is unhealthy (AWS's provider).
const ACCELERATOR_PATIENCE: Micros = Micros::from_mins(10);

/// Gives up launches and nodes that do not come, lets go what is too old, ends what was let go long enough ago, and
/// replaces what is broken.
pub(super) fn age(
    seen: &Observation<'_>,
    settings: &Settings,
    memory: &mut Memory,
    plan: &mut Plan,
) {
    let protected = protected(seen);
    for node in seen.nodes {
        let Some(known) = memory.nodes.get_mut(&node.id) else { continue };
        let age = seen.now.since(node.created);
        let is_late = match node.stage {
            NodeStage::Requested => age > settings.launch_timeout,
            NodeStage::Booting | NodeStage::Registering => age > settings.registration_timeout,
            _ => false,
        };
        let Some(since) = known.going_since else {
            let life = known.template.expire_after.0;
            if is_late {
                let reason = Reason::new("did not register in time");
                end(node.id, known, seen, plan, reason.with("waited-s", age.as_secs_f64()));
            } else if node.stage < NodeStage::Draining && life.is_some_and(|life| age >= life) {
                let reason = Reason::new("has expired").with("age-s", age.as_secs_f64());
                let_go(node.id, seen, &protected, memory, plan, reason);
            }
            continue;
        };
        let grace = known.template.termination_grace_period;
        if grace.is_some_and(|grace| seen.now.since(since) >= grace)
            && node.stage <= NodeStage::Draining
        {
            let reason = Reason::new("its grace period is over");
            let grace = grace.unwrap_or_default().as_secs_f64();
            plan.act(Action::Delete { node: node.id }, reason.with("grace-s", grace));
        } else if known.waits && !is_protected(node, &protected) {
            known.waits = false;
            plan.act(Action::Drain { node: node.id }, Reason::new("nothing protects its pods now"));
        }
    }
    if settings.node_repair {
        replace_broken(seen, memory, plan);
    }
}

/// Lets a node go: its pods are asked to, unless something protects one of them. Then nothing new comes on, and it
/// waits for as long as that lasts, or until its grace period is over. (Upstream the other pods go before that.)
pub(super) fn let_go(
    id: NodeId,
    seen: &Observation<'_>,
    protected: &BTreeSet<PodId>,
    memory: &mut Memory,
    plan: &mut Plan,
    reason: Reason,
) {
    let place = seen.nodes.binary_search_by_key(&id, |node| node.id);
    let waits = place.is_ok_and(|place| is_protected(&seen.nodes[place], protected));
    let action = if waits { Action::Cordon { node: id } } else { Action::Drain { node: id } };
    plan.act(action, reason);
    if let Some(known) = memory.nodes.get_mut(&id) {
        known.going_since = Some(seen.now);
        known.waits = waits;
    }
}

fn is_protected(node: &NodeSeen, protected: &BTreeSet<PodId>) -> bool {
    node.pods.iter().any(|pod| protected.contains(&pod.id))
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
    let protected = protected(seen);
    for command in std::mem::take(&mut memory.commands) {
        let nodes = command.nodes.iter().copied().filter(is_there);
        if command.failed {
            for node in nodes {
                let reason = Reason::new("what was to take its place failed");
                plan.act(Action::Uncordon { node }, reason);
            }
        } else if command.awaited == 0 {
            for node in nodes {
                let reason = Reason::new("what takes its place is ready");
                let_go(node, seen, &protected, memory, plan, reason);
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
        let replicas = pool.replicas.unwrap_or(0);
        let (staying, going) = memory.counted(name);
        // A node whose replacement is on its way goes by itself, and counts towards the limit until then.
        let going = going + memory.commanded_of(name);
        let change = static_pool::change(replicas, staying, going, pool.limits.nodes);
        if change.delete > 0 {
            remove(name, replicas, change.delete, seen, memory, plan);
        }
        if change.create > 0 {
            create(name, change.create, seen, settings, memory, plan);
        }
    }
}

/// What is not up yet goes first, then what has the fewest pods.
fn remove(
    name: &str,
    replicas: u32,
    nodes: u32,
    seen: &Observation<'_>,
    memory: &mut Memory,
    plan: &mut Plan,
) {
    let stays = |node: &&NodeSeen| {
        let known = memory.nodes.get(&node.id);
        known.is_some_and(|known| &*known.node_pool == name && !known.is_going())
            && !memory.is_commanded(node.id)
    };
    let mut staying: Vec<_> = seen.nodes.iter().filter(stays).collect();
    staying.sort_by_key(|node| (node.stage == NodeStage::Ready, node.pods.len()));
    let protected = protected(seen);
    for node in staying.into_iter().take(nodes as usize) {
        let reason = Reason::new("a static pool has too many nodes");
        let reason = reason.with("replicas", f64::from(replicas));
        let_go(node.id, seen, &protected, memory, plan, reason);
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
    let types: Vec<_> = pool.types.iter().map(|&place| &model.types[place]).collect();
    let why = "a static pool has too few nodes";
    let wanted = Wanted { node_pool: &pool.name, pods: 0, command: None, why };
    let mut launcher = Launcher::new(seen, settings, memory);
    for made in 0..nodes {
        let Some(choice) = launcher.choose(&types, &pool.requirements, plan) else {
            let left = count(nodes - made);
            plan.hold(Subject::Cluster, Reason::new(why).with("nodes", left));
            return;
        };
        launcher.launch(choice, &wanted, plan);
    }
}
