//! Nodes that might go: what keeps them, what they cost, and how many of a pool may go.

use super::super::disruption::balanced::Totals;
use super::super::disruption::budgets::{Counted, DisruptionReason, room};
use super::super::disruption::candidate::{Class, NodeGuard, Occupant, PodGuard, check, is_empty};
use super::super::disruption::consolidation::Source;
use super::super::disruption::cost::{Version, eviction};
use super::super::disruption::methods::Room;
use super::super::instance_type::InstanceType;
use super::super::memory::Tracked;
use super::super::price;
use super::super::settings::NodePool;
use super::super::simulation::ExistingNode;
use super::Disruptor;
use contract::{Micros, NodeId, NodeStage, Observation, PlacedPod, PodId, ServiceSeen, UsdPerHour};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A node that might go.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Its place among the nodes of the model.
    pub(super) place: usize,
    pub(super) id: NodeId,
    pub(super) node_pool: Arc<str>,
    pub(super) source: Source,
    pub(super) cost: f64,
    pub(super) is_empty: bool,
}

/// Pods whose annotation `karpenter.sh/do-not-disrupt` keeps their node.
pub(in super::super) fn protected(seen: &Observation<'_>) -> BTreeSet<PodId> {
    let says = |pod: &&PlacedPod| {
        let mark = pod.spec.eviction.do_not_disrupt;
        mark.is_some_and(|mark| mark.holds(seen.now.since(pod.created)))
    };
    let pods = seen.nodes.iter().flat_map(|node| &node.pods);
    pods.filter(says).map(|pod| pod.id).collect()
}

impl Disruptor<'_, '_> {
    /// Nodes that may go for a saving, in the order in which they are looked at.
    pub(super) fn consolidatable(&self) -> Vec<Candidate> {
        let is_calm = |id: NodeId, pool: &NodePool| {
            pool.replicas.is_none()
                && self.memory.is_calm(id, pool.consolidate_after.0, self.seen.now)
        };
        let may = |node: &ExistingNode<'_>, _: &Tracked, pool: &NodePool| is_calm(node.id, pool);
        let mut found = self.candidates(Class::Graceful, may);
        let version = self.settings.version;
        found.sort_by(|a, b| version.order((a.source.price.0, a.cost), (b.source.price.0, b.cost)));
        found
    }

    /// Nodes that nothing keeps from going in such a way, among those that `may`.
    pub(super) fn candidates(
        &self,
        class: Class,
        may: impl Fn(&ExistingNode<'_>, &Tracked, &NodePool) -> bool,
    ) -> Vec<Candidate> {
        let candidate = |(place, node): (usize, &ExistingNode<'_>)| {
            let known = self.memory.nodes.get(&node.id)?;
            let pool = self.settings.node_pools.get(&*known.node_pool)?;
            may(node, known, pool).then(|| self.candidate(place, known, pool, class)).flatten()
        };
        self.model.nodes.iter().enumerate().filter_map(candidate).collect()
    }

    fn candidate(
        &self,
        place: usize,
        known: &Tracked,
        pool: &NodePool,
        class: Class,
    ) -> Option<Candidate> {
        let node = &self.model.nodes[place];
        let guard = NodeGuard {
            is_managed: true,
            is_initialized: known.initialized.is_some() && node.initialized,
            is_nominated: self.seen.now < known.nominated_until,
            is_going: known.going_since.is_some(),
            do_not_disrupt: false,
            has_grace_period: known.template.termination_grace_period.is_some(),
        };
        let guards: Vec<_> = node.pods.iter().map(|pod| self.guard(pod)).collect();
        check(&guard, &guards, class).ok()?;
        let occupants: Vec<_> = guards
            .iter()
            .map(|pod| if pod.is_leaving { Occupant::Terminating } else { Occupant::Movable })
            .collect();
        let cost = self.cost(node);
        let costs_nothing = self.settings.version >= Version::V1_14 && cost <= 1.0;
        let buffer = known.buffer_pods;
        Some(Candidate {
            place,
            id: node.id,
            node_pool: known.node_pool.clone(),
            source: Source {
                instance: self.instance(node).name.clone(),
                capacity_type: node.capacity_type,
                price: self.price(node),
            },
            cost,
            is_empty: is_empty(&occupants, buffer, pool.replicas.is_some())
                || costs_nothing && buffer == 0,
        })
    }

    fn guard(&self, pod: &PlacedPod) -> PodGuard {
        let service = pod.owner.service().and_then(|id| self.seen.services.get(id.index()));
        let allowed = service.and_then(ServiceSeen::disruptions_allowed);
        PodGuard {
            is_leaving: self.model.terminating.contains(&pod.id),
            do_not_disrupt: self.protected.contains(&pod.id),
            budget_exhausted: allowed == Some(0),
            ..PodGuard::default()
        }
    }

    /// Cost and disruption of all nodes of a pool.
    pub(super) fn totals(&self, node_pool: &str) -> Totals {
        let its = |node: &&ExistingNode<'_>| node.pool.as_deref() == Some(node_pool);
        Totals::of(
            self.model
                .nodes
                .iter()
                .filter(its)
                .map(|node| Totals { cost: self.price(node).0, disruption: self.cost(node) }),
        )
    }

    fn instance(&self, node: &ExistingNode<'_>) -> &InstanceType {
        &self.model.types[self.model.type_of[node.origin.index()]]
    }

    fn price(&self, node: &ExistingNode<'_>) -> UsdPerHour {
        price::of_node(self.instance(node), node.zone, node.capacity_type)
    }

    /// What it costs to disrupt a node.
    fn cost(&self, node: &ExistingNode<'_>) -> f64 {
        let pods = node.pods.iter().filter(|pod| !self.model.terminating.contains(&pod.id));
        let costs = pods.map(|pod| eviction(0, pod.spec.priority));
        self.settings.version.disruption(costs, self.lifetime_left(node.id))
    }

    /// The share of a node's life until it expires.
    fn lifetime_left(&self, id: NodeId) -> f64 {
        let known = self.memory.nodes.get(&id);
        let life = known.and_then(|known| known.template.expire_after.0);
        let node = self.seen.nodes.binary_search_by_key(&id, |node| node.id);
        let life = life.filter(|life| *life > Micros::ZERO);
        let Some((life, place)) = life.zip(node.ok()) else { return 1.0 };
        let age = self.seen.now.since(self.seen.nodes[place].created);
        (1.0 - age.as_secs_f64() / life.as_secs_f64()).clamp(0.0, 1.0)
    }

    /// How many nodes of each pool may go now.
    pub(super) fn room(&self, reason: DisruptionReason) -> Room {
        let mut counted: BTreeMap<&str, Counted> = BTreeMap::new();
        for (id, node) in &self.memory.nodes {
            if node.initialized.is_none() || node.stage == NodeStage::Terminating {
                continue;
            }
            let counted = counted.entry(&node.node_pool).or_default();
            counted.nodes += 1;
            let is_going = node.going_since.is_some()
                || node.stage == NodeStage::Draining
                || self.memory.is_commanded(*id);
            counted.going += u32::from(is_going);
        }
        let moment = self.settings.moment(self.seen.now);
        let of_pool = |(name, pool): (&String, &NodePool)| {
            let counted = counted.get(name.as_str()).copied().unwrap_or_default();
            (name.as_str().into(), room(&pool.budgets, counted, reason, moment))
        };
        self.settings.node_pools.iter().map(of_pool).collect()
    }
}
