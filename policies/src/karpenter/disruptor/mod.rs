//! The disruption loop: which nodes go now, checked twice, replaced before they go.

mod candidates;
mod commands;
mod drift;

pub(super) use candidates::protected;

use super::Settings;
use super::disruption::balanced::{self, PoolShare, Totals};
use super::disruption::budgets::DisruptionReason;
use super::disruption::candidate::may_receive;
use super::disruption::consolidation::{Rules, Verdict, Without, decide};
use super::disruption::cost::Version;
use super::disruption::methods::{Room, interleaved, largest_prefix, within};
use super::instance_type::InstanceType;
use super::memory::Memory;
use super::min_values::minimums;
use super::price;
use super::requirements::Requirements;
use super::settings::ConsolidationPolicy;
use super::simulation::{Ask, AskKind, ExistingNode, Outcome, Place, simulate};
use super::world::Model;
use candidates::Candidate;
use contract::{Instant, Micros, NodeId, Observation, PodId, UsdPerHour};
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

/// A look at the cluster for the sake of disruption.
pub(super) struct Disruptor<'a, 'b> {
    seen: &'a Observation<'b>,
    settings: &'a Settings,
    memory: &'a mut Memory,
    model: Model<'b>,
    protected: BTreeSet<PodId>,
}

/// What a simulation without some nodes came to.
struct Trial<'m> {
    /// Nodes that pods could move to.
    nodes: Vec<&'m ExistingNode<'m>>,
    outcome: Outcome,
    /// The first so many places are those of pods that leave.
    leaving: usize,
}

impl Trial<'_> {
    /// Pods that leave and find no place.
    fn homeless(&self) -> usize {
        self.of_leaving().filter(|place| matches!(place, Place::Nowhere(_))).count()
    }

    /// Pods that leave and would wait for a node that is not initialised.
    fn on_uninitialized(&self) -> usize {
        let is_late = |place: &&Place| match place {
            Place::Node(at) => !self.nodes[*at].initialized,
            Place::Claim(_) | Place::Nowhere(_) => false,
        };
        self.of_leaving().filter(is_late).count()
    }

    fn of_leaving(&self) -> impl Iterator<Item = &Place> {
        self.outcome.places[..self.leaving].iter()
    }
}

impl<'a, 'b> Disruptor<'a, 'b> {
    pub(super) fn new(
        seen: &'a Observation<'b>,
        settings: &'a Settings,
        memory: &'a mut Memory,
    ) -> Self {
        let model = Model::of(seen, settings, memory);
        Self { protected: protected(seen), model, seen, settings, memory }
    }

    /// Empty nodes, if any may go.
    pub(super) fn propose_empty(&self) -> Option<Proposal> {
        self.emptiness(&self.consolidatable())
    }

    /// Nodes whose pods could be elsewhere for less: as many as can go together, else one.
    pub(super) fn propose_saving(&mut self) -> Option<Proposal> {
        let candidates = self.consolidatable();
        let stamp = self.stamp(&candidates);
        let is_known =
            |&(known, at): &(u64, Instant)| known == stamp && self.seen.now.since(at) < QUIET;
        if self.memory.quiet.as_ref().is_some_and(is_known) {
            return None;
        }
        let room = self.room(DisruptionReason::Underutilized);
        let candidates = self.underutilized(&candidates);
        let found = self
            .multi_node(&candidates, room.clone())
            .or_else(|| self.single_node(&candidates, &room));
        // What budgets held back is looked at again as soon as they allow it.
        let held_back =
            within(candidates.iter(), room, |one| one.node_pool.clone()).len() < candidates.len();
        self.memory.quiet = (found.is_none() && !held_back).then_some((stamp, self.seen.now));
        found
    }

    fn emptiness(&self, candidates: &[Candidate]) -> Option<Proposal> {
        let empty = candidates.iter().filter(|candidate| candidate.is_empty);
        let room = self.room(DisruptionReason::Empty);
        let chosen = within(empty, room, |candidate| candidate.node_pool.clone());
        (!chosen.is_empty()).then(|| self.proposal(&chosen, DisruptionReason::Empty, Vec::new()))
    }

    /// Those that may go for a saving although pods are on them. Empty nodes that are still there were held back by
    /// budgets for empty nodes, and do not go by another name.
    fn underutilized<'c>(&self, candidates: &'c [Candidate]) -> Vec<&'c Candidate> {
        let may = |candidate: &&Candidate| {
            let pool = &self.settings.node_pools[&*candidate.node_pool];
            pool.consolidation_policy != ConsolidationPolicy::WhenEmpty && !candidate.is_empty
        };
        candidates.iter().filter(may).collect()
    }

    fn multi_node(&self, candidates: &[&Candidate], room: Room) -> Option<Proposal> {
        let chosen = within(candidates.iter().copied(), room, |one| one.node_pool.clone());
        let (count, types) =
            largest_prefix(chosen.len(), |count| self.consider(&chosen[..count], true))?;
        Some(self.proposal(&chosen[..count], DisruptionReason::Underutilized, types))
    }

    /// One node goes, so any room at all in the budgets of its pool is enough for every node of it.
    fn single_node(&self, candidates: &[&Candidate], room: &Room) -> Option<Proposal> {
        let has_room = |one: &&Candidate| room.get(&one.node_pool).is_some_and(|&left| left > 0);
        let chosen: Vec<_> = candidates.iter().copied().filter(has_room).collect();
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
        let trial = self.trial(chosen);
        let claim = trial.outcome.claims.first();
        let types: Vec<&InstanceType> = claim
            .map(|claim| claim.types.iter().map(|&place| &self.model.types[place]).collect())
            .unwrap_or_default();
        let nothing = Requirements::default();
        let requirements = claim.map_or(&nothing, |claim| &claim.requirements);
        let without = Without {
            homeless: trial.homeless(),
            on_uninitialized: trial.on_uninitialized(),
            new_nodes: trial.outcome.claims.len(),
            types: &types,
            requirements,
            minimums: &minimums(requirements),
        };
        let sources: Vec<_> = chosen.iter().map(|candidate| candidate.source.clone()).collect();
        let rules = Rules { spot_to_spot: self.settings.spot_to_spot_consolidation, multi_node };
        let verdict = decide(&sources, without, rules);
        if self.is_worth_it(chosen, &verdict) { take(&verdict) } else { None }
    }

    /// Where pods would go without these nodes.
    fn trial(&self, chosen: &[&Candidate]) -> Trial<'_> {
        let nodes = self.nodes_without(chosen);
        let mut asks = self.leaving(chosen);
        let leaving = asks.len();
        asks.extend(self.model.waiting.iter().cloned());
        let outcome = simulate(&self.model.world(&nodes), &asks);
        Trial { nodes, outcome, leaving }
    }

    /// Nodes that pods may move to. From 1.14 on a node that waits for its own `consolidateAfter` takes none, for
    /// that would put its own consolidation off.
    fn nodes_without(&self, chosen: &[&Candidate]) -> Vec<&ExistingNode<'b>> {
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
        self.model.nodes.iter().filter(stays).filter(receives).collect()
    }

    fn leaving(&self, chosen: &[&Candidate]) -> Vec<Ask> {
        let pods = chosen.iter().flat_map(|candidate| self.model.nodes[candidate.place].pods);
        let moving = pods.filter(|pod| !self.model.terminating.contains(&pod.id));
        moving
            .map(|pod| Ask {
                id: pod.id,
                spec: pod.spec.clone(),
                created: pod.created,
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
}
