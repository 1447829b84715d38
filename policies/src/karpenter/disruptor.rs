//! The disruption loop: which nodes go now, checked twice, replaced before they go.

use super::Settings;
use super::disruption::balanced::{self, PoolShare, Totals};
use super::disruption::budgets::{Counted, DisruptionReason, room};
use super::disruption::candidate::{
    Class, NodeGuard, Occupant, PodGuard, check, do_not_disrupt, is_empty, may_receive,
};
use super::disruption::consolidation::{Rules, Source, Verdict, Without, decide};
use super::disruption::cost::{Version, eviction};
use super::disruption::methods::{Room, interleaved, largest_prefix, within};
use super::instance_type::InstanceType;
use super::memory::{Command, Memory};
use super::min_values::minimums;
use super::price;
use super::provisioner::{Launcher, Wanted, count};
use super::requirements::Requirements;
use super::settings::ConsolidationPolicy;
use super::simulation::{Ask, AskKind, ExistingNode, Place, simulate};
use super::world::Model;
use contract::{
    Action, Instant, Micros, NodeId, NodeStage, Observation, Plan, PodId, Reason, Subject,
    UsdPerHour,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was found to change nothing is not looked at again for this long, unless the cluster changes
/// (`ClusterStateTimeout`).
const QUIET: Micros = Micros::from_mins(5);

/// Nodes that are to go if nothing changes until they have been checked once more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Proposal {
    nodes: Vec<NodeId>,
    reason: DisruptionReason,
    /// Instance types that may take their place; none if nothing needs to.
    types: Vec<Arc<str>>,
    /// When they are checked once more.
    due: Instant,
}

impl Proposal {
    /// When the check is due.
    pub(super) fn due(&self) -> Instant {
        self.due
    }
}

/// A node that might go.
#[derive(Clone, Debug)]
struct Candidate {
    /// Its place among the nodes of the model.
    place: usize,
    id: NodeId,
    node_pool: Arc<str>,
    source: Source,
    cost: f64,
    is_empty: bool,
}

/// A look at the cluster for the sake of disruption.
pub(super) struct Disruptor<'a, 'b> {
    seen: &'a Observation<'b>,
    settings: &'a Settings,
    memory: &'a mut Memory,
    model: Model<'b>,
    protected: BTreeSet<PodId>,
}

impl<'a, 'b> Disruptor<'a, 'b> {
    pub(super) fn new(
        seen: &'a Observation<'b>,
        settings: &'a Settings,
        memory: &'a mut Memory,
    ) -> Self {
        let model = Model::of(seen, settings, memory);
        Self { protected: protected(seen, settings), model, seen, settings, memory }
    }

    /// Looks for something to propose: the first method that finds something has its turn.
    pub(super) fn propose(&mut self) -> Option<Proposal> {
        let candidates = self.candidates();
        let stamp = self.stamp(&candidates);
        let is_known =
            |&(known, at): &(u64, Instant)| known == stamp && self.seen.now.since(at) < QUIET;
        if self.memory.quiet.as_ref().is_some_and(is_known) {
            return None;
        }
        let found = self
            .emptiness(&candidates)
            .or_else(|| self.multi_node(&candidates))
            .or_else(|| self.single_node(&candidates));
        self.memory.quiet = found.is_none().then_some((stamp, self.seen.now));
        found
    }

    fn emptiness(&self, candidates: &[Candidate]) -> Option<Proposal> {
        let empty = candidates.iter().filter(|candidate| candidate.is_empty);
        let room = self.room(DisruptionReason::Empty);
        let chosen = within(empty, room, |candidate| candidate.node_pool.clone());
        (!chosen.is_empty()).then(|| self.proposal(&chosen, DisruptionReason::Empty, Vec::new()))
    }

    /// Those that may go for a saving although pods are on them, within budgets.
    fn underutilized<'c>(&self, candidates: &'c [Candidate]) -> Vec<&'c Candidate> {
        let may = |candidate: &&Candidate| {
            let pool = &self.settings.node_pools[&*candidate.node_pool];
            pool.consolidation_policy != ConsolidationPolicy::WhenEmpty
        };
        let room = self.room(DisruptionReason::Underutilized);
        within(candidates.iter().filter(may), room, |candidate| candidate.node_pool.clone())
    }

    fn multi_node(&self, candidates: &[Candidate]) -> Option<Proposal> {
        let chosen = self.underutilized(candidates);
        let (count, types) =
            largest_prefix(chosen.len(), |count| self.consider(&chosen[..count], true))?;
        Some(self.proposal(&chosen[..count], DisruptionReason::Underutilized, types))
    }

    fn single_node(&self, candidates: &[Candidate]) -> Option<Proposal> {
        let chosen = self.underutilized(candidates);
        interleaved(chosen, |candidate| candidate.node_pool.clone()).into_iter().find_map(|one| {
            let types = self.consider(&[one], false)?;
            Some(self.proposal(&[one], DisruptionReason::Underutilized, types))
        })
    }

    fn proposal(
        &self,
        chosen: &[&Candidate],
        reason: DisruptionReason,
        types: Vec<Arc<str>>,
    ) -> Proposal {
        let nodes = chosen.iter().map(|candidate| candidate.id).collect();
        Proposal { nodes, reason, types, due: self.seen.now + self.settings.validation_delay }
    }

    /// What may take the place of these nodes if they go together: no type if nothing needs to, `None` if they
    /// are to stay.
    fn consider(&self, chosen: &[&Candidate], multi_node: bool) -> Option<Vec<Arc<str>>> {
        self.weigh(chosen, multi_node, |verdict| match verdict {
            Verdict::Keep(_) => None,
            Verdict::Delete => Some(Vec::new()),
            Verdict::Replace(replacement) => {
                Some(replacement.types.iter().map(|instance| instance.name.clone()).collect())
            }
        })
    }

    /// Simulates without these nodes and hands on what is decided, unless a balanced pool objects.
    fn weigh<T>(
        &self,
        chosen: &[&Candidate],
        multi_node: bool,
        take: impl FnOnce(&Verdict<'_>) -> Option<T>,
    ) -> Option<T> {
        let nodes = self.nodes_without(chosen);
        let mut asks = self.leaving(chosen);
        let leaving = asks.len();
        asks.extend(self.model.waiting.iter().cloned());
        let outcome = simulate(&self.model.world(&nodes), &asks);
        let places = &outcome.places[..leaving];
        let homeless = places.iter().filter(|place| matches!(place, Place::Nowhere(_))).count();
        let is_late = |place: &&Place| matches!(place, Place::Node(at) if !nodes[*at].initialized);
        let claim = outcome.claims.first();
        let types: Vec<&InstanceType> = claim
            .map(|claim| claim.types.iter().map(|&place| &self.model.types[place]).collect())
            .unwrap_or_default();
        let nothing = Requirements::default();
        let requirements = claim.map_or(&nothing, |claim| &claim.requirements);
        let without = Without {
            homeless,
            on_uninitialized: places.iter().filter(is_late).count(),
            new_nodes: outcome.claims.len(),
            types: &types,
            requirements,
            minimums: &minimums(requirements),
        };
        let sources: Vec<_> = chosen.iter().map(|candidate| candidate.source.clone()).collect();
        let rules = Rules { spot_to_spot: self.settings.spot_to_spot_consolidation, multi_node };
        let verdict = decide(&sources, without, rules);
        if self.is_worth_it(chosen, &verdict) { take(&verdict) } else { None }
    }

    /// Nodes that pods may move to. From 1.14 on a node that waits for its own `consolidateAfter` takes none, for
    /// that would put its own consolidation off.
    fn nodes_without(&self, chosen: &[&Candidate]) -> Vec<ExistingNode<'b>> {
        let going: BTreeSet<_> = chosen.iter().map(|candidate| candidate.id).collect();
        let receives = |node: &&ExistingNode<'b>| {
            let known = self.memory.nodes.get(&node.id);
            let Some(known) = known.filter(|_| self.settings.version >= Version::V1_14) else {
                return true;
            };
            let after = self.settings.node_pools.get(&*known.node_pool);
            let after = after.and_then(|pool| pool.consolidate_after.0);
            known.initialized.is_none_or(|since| may_receive(after, self.seen.now.since(since)))
        };
        let stays = |node: &&ExistingNode<'b>| !going.contains(&node.id);
        self.model.nodes.iter().filter(stays).filter(receives).cloned().collect()
    }

    fn leaving(&self, chosen: &[&Candidate]) -> Vec<Ask> {
        let pods = chosen.iter().flat_map(|candidate| self.model.nodes[candidate.place].pods);
        let moving = pods.filter(|pod| !self.model.terminating.contains(&pod.id));
        moving
            .map(|pod| Ask {
                id: pod.id,
                spec: pod.spec.clone(),
                created: Instant::ZERO,
                kind: AskKind::Leaving,
            })
            .collect()
    }

    fn is_worth_it(&self, chosen: &[&Candidate], verdict: &Verdict<'_>) -> bool {
        let replacement = match verdict {
            Verdict::Keep(_) => return true,
            Verdict::Delete => UsdPerHour(0.0),
            Verdict::Replace(replacement) => {
                price::cheapest(replacement.types[0], &replacement.requirements).unwrap_or_default()
            }
        };
        let mut going: BTreeMap<Arc<str>, Vec<Totals>> = BTreeMap::new();
        for candidate in chosen {
            let totals = Totals { cost: candidate.source.price.0, disruption: candidate.cost };
            going.entry(candidate.node_pool.clone()).or_default().push(totals);
        }
        let share = |(name, going): (Arc<str>, Vec<Totals>)| PoolShare {
            is_balanced: self.settings.node_pools[&*name].consolidation_policy
                == ConsolidationPolicy::Balanced,
            all: self.totals(&name),
            going: Totals::of(going.into_iter()),
            name,
        };
        let shares: Vec<_> = going.into_iter().map(share).collect();
        balanced::evaluate(&shares, replacement, balanced::K).0
    }

    /// Cost and disruption of all nodes of a pool.
    fn totals(&self, node_pool: &str) -> Totals {
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
        let pool = known.and_then(|known| self.settings.node_pools.get(&*known.node_pool));
        let life = pool.and_then(|pool| pool.expire_after.0).filter(|life| *life > Micros::ZERO);
        let node = self.seen.nodes.binary_search_by_key(&id, |node| node.id);
        let Some((life, place)) = life.zip(node.ok()) else { return 1.0 };
        let age = self.seen.now.since(self.seen.nodes[place].created);
        (1.0 - age.as_secs_f64() / life.as_secs_f64()).clamp(0.0, 1.0)
    }

    /// Nodes that may go for a saving, in the order in which they are looked at.
    fn candidates(&self) -> Vec<Candidate> {
        let nodes = self.model.nodes.iter().enumerate();
        let mut found: Vec<_> =
            nodes.filter_map(|(place, node)| self.candidate(place, node)).collect();
        let version = self.settings.version;
        found.sort_by(|a, b| version.order((a.source.price.0, a.cost), (b.source.price.0, b.cost)));
        found
    }

    fn candidate(&self, place: usize, node: &ExistingNode<'_>) -> Option<Candidate> {
        let known = self.memory.nodes.get(&node.id)?;
        let pool = self.settings.node_pools.get(&*known.node_pool)?;
        let guard = NodeGuard {
            is_managed: true,
            is_initialized: known.initialized.is_some() && node.initialized,
            is_nominated: self.seen.now < known.nominated_until,
            is_going: known.going_since.is_some(),
            do_not_disrupt: false,
            has_grace_period: pool.termination_grace_period.is_some(),
        };
        let guards: Vec<_> = node
            .pods
            .iter()
            .map(|pod| PodGuard {
                is_leaving: self.model.terminating.contains(&pod.id),
                do_not_disrupt: self.protected.contains(&pod.id),
                ..PodGuard::default()
            })
            .collect();
        check(&guard, &guards, Class::Graceful).ok()?;
        let is_static = pool.replicas.is_some();
        if is_static || !self.memory.is_calm(node.id, pool.consolidate_after.0, self.seen.now) {
            return None;
        }
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
            is_empty: is_empty(&occupants, buffer, is_static) || costs_nothing && buffer == 0,
        })
    }

    /// How many nodes of each pool may go now.
    fn room(&self, reason: DisruptionReason) -> Room {
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
        let of_pool = |(name, pool): (&String, &super::settings::NodePool)| {
            let counted = counted.get(name.as_str()).copied().unwrap_or_default();
            (name.as_str().into(), room(&pool.budgets, counted, reason, moment))
        };
        self.settings.node_pools.iter().map(of_pool).collect()
    }

    /// The state that a decision rests on, in a number.
    fn stamp(&self, candidates: &[Candidate]) -> u64 {
        // FNV-1a.
        let mut stamp = 0xcbf2_9ce4_8422_2325_u64;
        let mut mix = |value: u64| stamp = (stamp ^ value).wrapping_mul(0x0100_0000_01b3);
        for candidate in candidates {
            mix(u64::from(candidate.id.0));
        }
        for node in &self.model.nodes {
            mix(u64::from(node.id.0));
            mix(node.candidate.used.cpu.0 ^ node.candidate.used.memory.0.rotate_left(17));
            mix(u64::from(node.candidate.pods) << 1 | u64::from(node.initialized));
        }
        mix(self.model.waiting.len() as u64);
        mix(self.memory.unavailable.len() as u64);
        stamp
    }

    /// Checks a proposal once more and carries it out; true if it still holds.
    pub(super) fn carry_out(&mut self, proposal: &Proposal, plan: &mut Plan) -> bool {
        let candidates = self.candidates();
        let find = |id: &NodeId| candidates.iter().find(|candidate| candidate.id == *id);
        let chosen: Option<Vec<_>> = proposal.nodes.iter().map(find).collect();
        let Some(chosen) = chosen else { return dropped(plan, proposal) };
        let room = self.room(proposal.reason);
        let allowed = within(chosen.iter().copied(), room, |candidate| candidate.node_pool.clone());
        if allowed.len() < chosen.len() {
            return dropped(plan, proposal);
        }
        let is_empty = proposal.reason == DisruptionReason::Empty;
        if is_empty {
            if chosen.iter().any(|candidate| !candidate.is_empty) {
                return dropped(plan, proposal);
            }
            self.delete(&chosen, proposal.reason, plan);
            return true;
        }
        let replacement = self.weigh(&chosen, chosen.len() > 1, |verdict| match verdict {
            Verdict::Keep(_) => None,
            Verdict::Delete => Some(None),
            Verdict::Replace(replacement) => {
                let types: Vec<_> =
                    replacement.types.iter().map(|&instance| instance.clone()).collect();
                Some(Some((types, replacement.requirements.clone())))
            }
        });
        match replacement {
            Some(None) if proposal.types.is_empty() => {
                self.delete(&chosen, proposal.reason, plan);
                true
            }
            Some(Some((types, requirements))) if is_subset(&types, &proposal.types) => {
                self.replace(&chosen, &types, &requirements, plan)
            }
            _ => dropped(plan, proposal),
        }
    }

    fn delete(&mut self, chosen: &[&Candidate], why: DisruptionReason, plan: &mut Plan) {
        let words = match why {
            DisruptionReason::Empty => "nothing is on it",
            DisruptionReason::Underutilized => "its pods fit on other nodes",
            DisruptionReason::Drifted => "it has drifted",
        };
        for candidate in chosen {
            let reason = Reason::new(words)
                .with("nodes", count(chosen.len()))
                .with("cost", candidate.cost)
                .with("usd-per-hour", candidate.source.price.0);
            plan.act(Action::Drain { node: candidate.id }, reason);
            if let Some(node) = self.memory.nodes.get_mut(&candidate.id) {
                node.going_since = Some(self.seen.now);
            }
        }
    }

    fn replace(
        &mut self,
        chosen: &[&Candidate],
        types: &[InstanceType],
        requirements: &Requirements,
        plan: &mut Plan,
    ) -> bool {
        let number = self.memory.commands_made;
        let pods = chosen.iter().map(|one| self.model.nodes[one.place].pods.len()).sum();
        let wanted =
            Wanted { node_pool: &chosen[0].node_pool, requirements, pods, command: Some(number) };
        if !Launcher::new(self.seen, self.memory).launch(types.iter(), &wanted, plan) {
            return false;
        }
        self.memory.commands_made += 1;
        for candidate in chosen {
            let reason = Reason::new("a cheaper node is to take its place")
                .with("nodes", count(chosen.len()))
                .with("cost", candidate.cost)
                .with("usd-per-hour", candidate.source.price.0);
            plan.act(Action::Cordon { node: candidate.id }, reason);
        }
        let nodes = chosen.iter().map(|candidate| candidate.id).collect();
        self.memory.commands.push(Command { number, nodes, awaited: 1, failed: false });
        true
    }
}

/// Says that a proposal is not carried out.
fn dropped(plan: &mut Plan, proposal: &Proposal) -> bool {
    let reason = Reason::new("a consolidation does not hold any more");
    plan.hold(Subject::Cluster, reason.with("nodes", count(proposal.nodes.len())));
    false
}

fn is_subset(types: &[InstanceType], of: &[Arc<str>]) -> bool {
    types.iter().all(|instance| of.contains(&instance.name))
}

/// Pods whose annotation keeps their node.
fn protected(seen: &Observation<'_>, settings: &Settings) -> BTreeSet<PodId> {
    let mut protected = BTreeSet::new();
    for service in seen.services {
        let Some(value) = settings.do_not_disrupt.get(&*service.name) else { continue };
        let holds = |created: Instant| do_not_disrupt(value, seen.now.since(created));
        let pods = service.pods.iter().filter(|pod| holds(pod.created));
        protected.extend(pods.map(|pod| pod.id));
    }
    protected
}
