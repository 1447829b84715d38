//! Commands: a proposal that still holds is carried out, and what takes the place of nodes is launched before they go.

use super::super::disruption::budgets::DisruptionReason;
use super::super::disruption::consolidation::Verdict;
use super::super::disruption::methods::within;
use super::super::instance_type::InstanceType;
use super::super::lifecycle;
use super::super::memory::{Command, Memory};
use super::super::provisioner::{Launcher, Wanted, count};
use super::super::requirements::Requirements;
use super::super::settings::Settings;
use super::candidates::Candidate;
use super::{Disruptor, Proposal};
use contract::{Action, NodeId, Observation, Plan, Reason, Subject};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One node that is to take the place of others: what it may be, and how many pods it is for.
pub(super) struct Replacement<'a> {
    pub(super) node_pool: &'a Arc<str>,
    pub(super) types: Vec<&'a InstanceType>,
    pub(super) requirements: &'a Requirements,
    pub(super) pods: usize,
    pub(super) why: &'static str,
}

impl Disruptor<'_, '_> {
    /// Checks a proposal once more and carries it out; true if it still holds.
    pub(in super::super) fn carry_out(&mut self, proposal: &Proposal, plan: &mut Plan) -> bool {
        let candidates = self.consolidatable();
        let find = |id: &NodeId| candidates.iter().find(|candidate| candidate.id == *id);
        let chosen: Vec<_> = proposal.nodes.iter().filter_map(find).collect();
        let is_empty = proposal.reason == DisruptionReason::Empty;
        let chosen: Vec<_> =
            chosen.into_iter().filter(|candidate| !is_empty || candidate.is_empty).collect();
        let room = self.room(proposal.reason);
        let allowed = within(chosen, room, |candidate| candidate.node_pool.clone());
        // Of empty nodes those that still are go; pods that were to move together move together or not at all.
        if allowed.is_empty() || !is_empty && allowed.len() < proposal.nodes.len() {
            return dropped(plan, proposal);
        }
        if is_empty {
            self.delete(&allowed, proposal.reason, plan);
            return true;
        }
        let replacement = self.weigh(&allowed, allowed.len() > 1, |verdict| match verdict {
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
                self.delete(&allowed, proposal.reason, plan);
                true
            }
            Some(Some((types, requirements))) if has_all(&types, proposal) => {
                let is_its = |instance: &&InstanceType| proposal.types.contains(&instance.name);
                let replacement = Replacement {
                    node_pool: &allowed[0].node_pool,
                    types: types.iter().filter(is_its).collect(),
                    requirements: &requirements,
                    pods: allowed.iter().map(|one| self.model.nodes[one.place].pods.len()).sum(),
                    why: "a cheaper node takes the place of others",
                };
                let words = "a cheaper node is to take its place";
                replace(
                    self.seen,
                    self.settings,
                    self.memory,
                    &allowed,
                    &[replacement],
                    words,
                    plan,
                )
            }
            _ => dropped(plan, proposal),
        }
    }

    /// Lets nodes go, for nothing needs to take their place.
    pub(super) fn delete(&mut self, chosen: &[&Candidate], why: DisruptionReason, plan: &mut Plan) {
        let words = match why {
            DisruptionReason::Empty => "nothing is on it",
            DisruptionReason::Underutilized => "its pods fit on other nodes",
            DisruptionReason::Drifted => "it has drifted",
        };
        for candidate in chosen {
            let reason = described(Reason::new(words), chosen, candidate);
            lifecycle::let_go(candidate.id, self.seen, &self.protected, self.memory, plan, reason);
        }
    }
}

/// Launches what takes the place of nodes, which go when all of it is ready; false, and nothing is done, if some of it
/// cannot be had.
pub(super) fn replace(
    seen: &Observation<'_>,
    settings: &Settings,
    memory: &mut Memory,
    chosen: &[&Candidate],
    replacements: &[Replacement<'_>],
    words: &'static str,
    plan: &mut Plan,
) -> bool {
    let number = memory.commands_made;
    let mut launcher = Launcher::new(seen, settings, memory);
    let mut launches = Vec::new();
    for replacement in replacements {
        let wanted = Wanted {
            node_pool: replacement.node_pool,
            pods: replacement.pods,
            command: Some(number),
            why: replacement.why,
        };
        let Some(choice) = launcher.choose(&replacement.types, replacement.requirements, plan)
        else {
            return false;
        };
        launches.push((choice, wanted));
    }
    let awaited = u32::try_from(launches.len()).unwrap_or(u32::MAX);
    for (choice, wanted) in launches {
        launcher.launch(choice, &wanted, plan);
    }
    for candidate in chosen {
        let reason = described(Reason::new(words), chosen, candidate);
        plan.act(Action::Cordon { node: candidate.id }, reason);
    }
    let nodes = chosen.iter().map(|candidate| candidate.id).collect();
    memory.commands_made += 1;
    memory.commands.push(Command { number, nodes, awaited, failed: false });
    true
}

/// The numbers that a decision about a node rests on.
fn described(reason: Reason, chosen: &[&Candidate], candidate: &Candidate) -> Reason {
    reason
        .with("nodes", count(chosen.len()))
        .with("cost", candidate.cost)
        .with("usd-per-hour", candidate.source.price.0)
}

/// Says that a proposal is not carried out.
fn dropped(plan: &mut Plan, proposal: &Proposal) -> bool {
    let reason = Reason::new("a consolidation does not hold any more");
    plan.hold(Subject::Cluster, reason.with("nodes", count(proposal.nodes.len())));
    false
}

/// Whether every type that was proposed would still do (`instanceTypesAreSubset`).
fn has_all(types: &[InstanceType], proposal: &Proposal) -> bool {
    let names: BTreeSet<_> = types.iter().map(|instance| &instance.name).collect();
    proposal.types.iter().all(|name| names.contains(name))
}
