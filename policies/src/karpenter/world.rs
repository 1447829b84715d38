//! The cluster as the simulation starts from it.

use super::Settings;
use super::catalog::{capacity, capacity_type, instance_types};
use super::instance_type::InstanceType;
use super::memory::{Memory, Tracked};
use super::requirements::{Allowed, NODE_POOL_KEY, Requirements};
use super::simulation::{Ask, AskKind, ExistingNode, NodePool, Rules, World, in_order};
use contract::{
    Instant, NodeId, NodeSeen, NodeStage, Observation, PlacedPod, PodId, PodStage, Resources,
};
use placement::Candidate;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a look at the cluster gives, ready for any number of simulations.
pub(super) struct Model<'a> {
    pub(super) types: Vec<InstanceType>,
    /// The instance type of each pool of the scenario, by its place.
    pub(super) type_of: Vec<usize>,
    pub(super) pools: Vec<NodePool>,
    pub(super) nodes: Vec<ExistingNode<'a>>,
    rules: Rules,
    /// Pods that wait for a place, room for pods that are not there yet, and pods of nodes that are on their way out.
    pub(super) waiting: Vec<Ask>,
    /// Pods that are going already.
    pub(super) terminating: BTreeSet<PodId>,
}

impl<'a> Model<'a> {
    pub(super) fn of(seen: &Observation<'a>, settings: &Settings, memory: &Memory) -> Self {
        let types = instance_types(seen, settings, |pool, zone| memory.is_out(pool, zone));
        let mut type_of = vec![0; seen.pools.len()];
        for (place, instance) in types.iter().enumerate() {
            for offering in &instance.offerings {
                type_of[offering.pool.index()] = place;
            }
        }
        let pools = node_pools(seen, settings, memory, &types);
        let rules = Rules {
            min_values: settings.min_values_policy,
            preferences: settings.preference_policy,
        };
        let nodes = existing(seen, settings, memory);
        let mut waiting = pending(seen);
        waiting.extend(buffers(seen, settings));
        let terminating = terminating(seen);
        waiting.extend(deleting(seen, memory, &terminating));
        Self { types, type_of, pools, nodes, rules, waiting, terminating }
    }

    /// The world with these nodes.
    pub(super) fn world<'b>(&'b self, nodes: &'b [&'b ExistingNode<'a>]) -> World<'b> {
        World { types: &self.types, pools: &self.pools, nodes, rules: self.rules }
    }
}

/// The `NodePool` of a scenario's node that nobody asked for: the first that would have it.
pub(super) fn adopter(
    seen: &Observation<'_>,
    settings: &Settings,
    node: &NodeSeen,
) -> Option<Arc<str>> {
    let mut names: Vec<_> = settings.node_pools.iter().collect();
    names.sort_by(|a, b| b.1.weight.cmp(&a.1.weight).then_with(|| b.0.cmp(a.0)));
    let existing = described(seen, settings, node);
    let would = |requirements: &Requirements| requirements.hold_for(|key| existing.label(key));
    let found = names.into_iter().find(|(_, one)| would(&Requirements::of_pool(&one.requirements)));
    found.map(|(name, _)| name.as_str().into())
}

/// A node by its labels, without its `NodePool` and its pods.
pub(super) fn described<'a>(
    seen: &Observation<'a>,
    settings: &Settings,
    node: &'a NodeSeen,
) -> ExistingNode<'a> {
    let pool = &seen.pools[node.pool.index()];
    ExistingNode {
        id: node.id,
        name: "".into(),
        origin: node.pool,
        initialized: false,
        candidate: Candidate::fresh(&pool.shape),
        zone: &node.zone,
        capacity_type: capacity_type(pool, settings),
        pool: None,
        pods: &[],
    }
}

fn node_pools(
    seen: &Observation<'_>,
    settings: &Settings,
    memory: &Memory,
    types: &[InstanceType],
) -> Vec<NodePool> {
    let usage = usage(seen, memory);
    let pool = |(name, own): (&String, &super::settings::NodePool)| {
        let mut requirements = Requirements::of_pool(&own.requirements);
        requirements.narrow(NODE_POOL_KEY, &Allowed::one_of([name.as_str()]));
        let mut remaining = own.limits;
        let (used, nodes) = usage.get(name.as_str()).copied().unwrap_or_default();
        remaining.charge(used);
        remaining.nodes = own.limits.nodes.map(|limit| limit.saturating_sub(nodes));
        let suits = |&place: &usize| {
            let instance: &InstanceType = &types[place];
            instance.offerings.iter().any(|offering| offering.suits(&requirements))
        };
        NodePool {
            name: name.as_str().into(),
            weight: own.weight,
            types: (0..types.len()).filter(suits).collect(),
            requirements,
            remaining,
            daemons: (Resources::default(), 0),
            is_static: own.replicas.is_some(),
        }
    };
    in_order(settings.node_pools.iter().map(pool).collect())
}

/// What the nodes of each `NodePool` have together, and how many they are.
fn usage(seen: &Observation<'_>, memory: &Memory) -> BTreeMap<Arc<str>, (Resources, u32)> {
    let mut usage: BTreeMap<Arc<str>, (Resources, u32)> = BTreeMap::new();
    for node in seen.nodes {
        if let Some(known) = memory.nodes.get(&node.id) {
            let (used, count) = usage.entry(known.node_pool.clone()).or_default();
            *used += capacity(&seen.pools[node.pool.index()].shape);
            *count += 1;
        }
    }
    usage
}

/// Nodes that pods may go to: initialised ones first, then by name. Those that are to go are left out.
fn existing<'a>(
    seen: &Observation<'a>,
    settings: &Settings,
    memory: &Memory,
) -> Vec<ExistingNode<'a>> {
    // What was let go in this very look still seems to stay.
    let was_let_go = |id| memory.nodes.get(&id).is_some_and(|known| known.going_since.is_some());
    let stays = |node: &&NodeSeen| {
        node.stage < NodeStage::Draining
            && !node.cordoned
            && !memory.is_commanded(node.id)
            && !was_let_go(node.id)
    };
    let describe = |node: &'a NodeSeen| {
        let pool = &seen.pools[node.pool.index()];
        ExistingNode {
            id: node.id,
            name: node_name(node.id),
            origin: node.pool,
            initialized: node.stage == NodeStage::Ready,
            candidate: Candidate {
                shape: &pool.shape,
                used: node.used,
                pods: u32::try_from(node.pods.len()).unwrap_or(u32::MAX),
                cordoned: false,
            },
            zone: &node.zone,
            capacity_type: capacity_type(pool, settings),
            pool: memory.nodes.get(&node.id).map(|known| known.node_pool.clone()),
            pods: &node.pods,
        }
    };
    let mut nodes: Vec<_> = seen.nodes.iter().filter(stays).map(describe).collect();
    nodes.sort_by_key(|node| !node.initialized);
    nodes
}

/// The host name of a node.
fn node_name(id: NodeId) -> Arc<str> {
    format!("node-{id}").into()
}

/// Pods that the scheduler found no place for.
fn pending(seen: &Observation<'_>) -> Vec<Ask> {
    let asks = seen.pending.iter().filter(|pod| pod.unschedulable_since.is_some());
    asks.map(|pod| Ask {
        id: pod.id,
        spec: pod.spec.clone(),
        created: pod.created,
        kind: AskKind::Pending,
    })
    .collect()
}

/// Pods that are not there yet and for which room is kept. Of pods of a size those that are there go first.
fn buffers(seen: &Observation<'_>, settings: &Settings) -> Vec<Ask> {
    let mut asks = Vec::new();
    for service in seen.services {
        let Some(buffer) = settings.buffers.get(&*service.name) else { continue };
        let chunk = &service.spec.requests;
        let karpenter = super::buffer::Implementation::Karpenter;
        let chunks = buffer.chunks(karpenter, service.replicas_wanted, chunk).unwrap_or(0);
        asks.extend((0..chunks).map(|number| Ask {
            id: PodId(u32::MAX - number),
            spec: service.spec.clone(),
            created: Instant(u64::MAX),
            kind: AskKind::Buffer,
        }));
    }
    asks
}

/// Pods that finish their work and go.
fn terminating(seen: &Observation<'_>) -> BTreeSet<PodId> {
    let pods = seen.services.iter().flat_map(|service| service.pods.iter());
    pods.filter(|pod| pod.stage == PodStage::Draining).map(|pod| pod.id).collect()
}

/// Pods of nodes that are on their way out, or that commands are about, and that have not been asked to go yet.
fn deleting(seen: &Observation<'_>, memory: &Memory, terminating: &BTreeSet<PodId>) -> Vec<Ask> {
    let goes = |node: &&NodeSeen| {
        memory.is_commanded(node.id) || memory.nodes.get(&node.id).is_some_and(Tracked::is_going)
    };
    // Of the pods of jobs on a node that drains nobody says which have been asked already: all have, but for budgets.
    let is_asked = |node: &NodeSeen, pod: &PlacedPod| {
        let of_job = pod.owner.job().is_some();
        terminating.contains(&pod.id) || of_job && node.stage >= NodeStage::Draining
    };
    let pods = seen
        .nodes
        .iter()
        .filter(goes)
        .flat_map(|node| node.pods.iter().filter(move |pod| !is_asked(node, pod)));
    pods.map(|pod| Ask {
        id: pod.id,
        spec: pod.spec.clone(),
        created: pod.created,
        kind: AskKind::Leaving,
    })
    .collect()
}
