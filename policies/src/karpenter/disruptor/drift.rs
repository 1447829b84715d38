//! Drift: nodes that their pool would make otherwise by now are replaced, one for one in static pools, else by
//! whatever their pods need. Nothing has to be saved, so nothing is checked twice.

use super::super::disruption::budgets::DisruptionReason;
use super::super::disruption::candidate::Class;
use super::super::memory::Tracked;
use super::super::settings::NodePool;
use super::super::simulation::ExistingNode;
use super::super::static_pool::drift_commands;
use super::Disruptor;
use super::candidates::Candidate;
use super::commands::{Replacement, replace};
use contract::Plan;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a drifted node is cordoned.
const DRIFTED: &str = "it has drifted, and another is to take its place";

/// Why a node is launched.
const REPLACEMENT: &str = "a node takes the place of one that has drifted";

impl Disruptor<'_, '_> {
    /// Replaces drifted nodes of static pools, else one drifted node; true if any were found to replace.
    pub(in super::super) fn replace_drifted(&mut self, plan: &mut Plan) -> bool {
        self.static_drift(plan) || self.drift(plan)
    }

    fn drifted(&self, of_static_pools: bool) -> Vec<Candidate> {
        self.candidates(
            Class::Eventual,
            |node: &ExistingNode<'_>, known: &Tracked, pool: &NodePool| {
                known.drifted.is_some()
                    && pool.replicas.is_some() == of_static_pools
                    && !self.memory.is_commanded(node.id)
            },
        )
    }

    fn static_drift(&mut self, plan: &mut Plan) -> bool {
        let mut by_pool: BTreeMap<Arc<str>, Vec<Candidate>> = BTreeMap::new();
        for candidate in self.drifted(true) {
            by_pool.entry(candidate.node_pool.clone()).or_default().push(candidate);
        }
        let room = self.room(DisruptionReason::Drifted);
        let mut found = false;
        for (name, drifted) in by_pool {
            let pool = &self.settings.node_pools[&*name];
            let (staying, going) = self.memory.counted(&name);
            let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            let commands = drift_commands(
                pool.replicas.unwrap_or(0),
                staying + self.memory.commanded_of(&name),
                number(drifted.len()),
                pool.limits.nodes.map(|limit| limit.saturating_sub(going)),
                room.get(&name).copied().unwrap_or(0),
            );
            for candidate in drifted.iter().take(commands as usize) {
                found |= self.replace_one_for_one(candidate, plan);
            }
        }
        found
    }

    fn replace_one_for_one(&mut self, candidate: &Candidate, plan: &mut Plan) -> bool {
        let model = &self.model;
        let Some(pool) = model.pools.iter().find(|pool| pool.name == candidate.node_pool) else {
            return false;
        };
        let replacement = Replacement {
            node_pool: &pool.name,
            types: pool.types.iter().map(|&place| &model.types[place]).collect(),
            requirements: &pool.requirements,
            pods: 0,
            why: REPLACEMENT,
        };
        replace(self.seen, self.settings, self.memory, &[candidate], &[replacement], DRIFTED, plan)
    }

    /// Empty nodes first, for pods of others might move to them and have to move again; then in the order in which
    /// they drifted.
    fn drift(&mut self, plan: &mut Plan) -> bool {
        let mut drifted = self.drifted(false);
        drifted.sort_by_key(|one| (!one.is_empty, self.memory.nodes[&one.id].drifted, one.id));
        let room = self.room(DisruptionReason::Drifted);
        for candidate in &drifted {
            if room.get(&candidate.node_pool).is_none_or(|&left| left == 0) {
                continue;
            }
            let trial = self.trial(&[candidate]);
            if trial.homeless() > 0 || trial.on_uninitialized() > 0 {
                continue;
            }
            if trial.outcome.claims.is_empty() {
                self.delete(&[candidate], DisruptionReason::Drifted, plan);
                return true;
            }
            let model = &self.model;
            let claims = trial.outcome.claims.iter();
            let replacements: Vec<_> = claims
                .map(|claim| Replacement {
                    node_pool: &model.pools[claim.pool].name,
                    types: claim.types.iter().map(|&place| &model.types[place]).collect(),
                    requirements: &claim.requirements,
                    pods: claim.pods.len(),
                    why: REPLACEMENT,
                })
                .collect();
            if replace(
                self.seen,
                self.settings,
                self.memory,
                &[candidate],
                &replacements,
                DRIFTED,
                plan,
            ) {
                return true;
            }
        }
        false
    }
}
