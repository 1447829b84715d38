//! Keeps every pool at a fixed number of nodes.
//!
//! ## What it does
//! Asks for nodes where a pool has fewer than its number (after a failed launch or a reclaim) and drains the
//! newest where it has more. This is a cluster without a node autoscaler.
//!
//! ## What it looks at
//! How many nodes each pool has asked for. Not at pods.
//!
//! ## Settings
//! `nodes` names pools with their numbers; a pool that is not named stays as it was found. `check-interval` is
//! how soon a missing node is asked for again.
//!
//! ## Where it falls short
//! It pays for the peak all day, or leaves pods pending at the peak.
//!
//! ## Source
//! A node group with its autoscaler off: the group's controller replaces what is lost.

use crate::Invalid;
use crate::invalid::ensure;
use contract::{
    Action, Cadence, Micros, NodeStage, Observation, Plan, Policy, PoolSeen, Reason, StateError,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Settings, as they stand under `[stack.nodes.fixed-nodes]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// How many nodes each pool has, by name; others stay as they are found.
    pub nodes: BTreeMap<String, u32>,
    /// Time between two looks at the pools.
    pub check_interval: Micros,
}

impl Default for Settings {
    fn default() -> Self {
        Self { nodes: BTreeMap::new(), check_interval: Micros::from_mins(1) }
    }
}

impl Settings {
    /// Checks what types cannot; `pools` are the names of the cluster's pools.
    pub fn validate(&self, pools: &[&str]) -> Result<(), Invalid> {
        let interval = self.check_interval;
        ensure(interval > Micros::ZERO, "check-interval", interval, "more than no time")?;
        for name in self.nodes.keys() {
            let expected = format!("a pool of the scenario: `{}`", pools.join("`, `"));
            ensure(pools.contains(&name.as_str()), "nodes", name, expected)?;
        }
        Ok(())
    }
}

/// The policy.
#[derive(Debug)]
pub(crate) struct FixedNodes {
    settings: Settings,
    /// By pool, from the first turn on.
    sizes: Vec<u32>,
}

impl FixedNodes {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, sizes: Vec::new() }
    }

    fn size_of(&self, pool: &PoolSeen) -> u32 {
        self.settings.nodes.get(&*pool.name).copied().unwrap_or(pool.target)
    }
}

impl Policy for FixedNodes {
    fn name(&self) -> &'static str {
        "fixed-nodes"
    }

    fn cadence(&self) -> Cadence {
        let every = self.settings.check_interval;
        Cadence::regular(every, Micros::ZERO)
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        if self.sizes.is_empty() {
            self.sizes = seen.pools.iter().map(|pool| self.size_of(pool)).collect();
        }
        for (pool, &size) in seen.pools.iter().zip(&self.sizes) {
            let reason = Reason::new("fixed size").with("nodes", f64::from(pool.target));
            let missing = size.saturating_sub(pool.target);
            if missing > 0 {
                plan.act(Action::AddNodes { pool: pool.id, count: missing }, reason.clone());
            }
            let surplus = pool.target.saturating_sub(size) as usize;
            let newest = seen.nodes.iter().rev().filter(|node| node.pool == pool.id);
            let alive = newest
                .filter(|node| !matches!(node.stage, NodeStage::Draining | NodeStage::Terminating));
            for node in alive.take(surplus) {
                plan.act(Action::Drain { node: node.id }, reason.clone());
            }
        }
    }

    fn save(&self) -> serde_json::Value {
        crate::state::save(&self.sizes)
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), StateError> {
        self.sizes = crate::state::restore(self.name(), state)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Cluster, node, pool};

    fn cluster(nodes: u32) -> Cluster {
        Cluster {
            pools: vec![pool(0, "l40s", 1, (0, nodes, 10))],
            nodes: (0..nodes).map(|id| node(id, NodeStage::Ready, &[])).collect(),
            ..Cluster::default()
        }
    }

    #[track_caller]
    fn check(size: Option<u32>, found: &[u32], expected: &[&str]) {
        let nodes = size.map(|size| ("l40s".to_owned(), size)).into_iter().collect();
        let mut policy = FixedNodes::new(Settings { nodes, ..Settings::default() });
        let plans: Vec<_> =
            found.iter().map(|&nodes| cluster(nodes).plan_of(&mut policy)).collect();
        assert_eq!(plans, expected);
    }

    #[test]
    fn a_pool_is_brought_to_its_size() {
        check(Some(3), &[1], &["add-nodes pool=0 count=2 (fixed size: nodes=1)\n"]);
        check(
            Some(1),
            &[3],
            &["drain node=2 (fixed size: nodes=3)\ndrain node=1 (fixed size: nodes=3)\n"],
        );
        check(Some(2), &[2], &[""]);
    }

    #[test]
    fn a_pool_without_a_number_stays_as_it_was_found() {
        check(None, &[2, 1], &["", "add-nodes pool=0 count=1 (fixed size: nodes=1)\n"]);
    }

    #[test]
    fn a_pool_that_does_not_exist_is_named() {
        let nodes = BTreeMap::from([("h100".to_owned(), 1)]);
        let settings = Settings { nodes, ..Settings::default() };
        assert_eq!(
            settings.validate(&["l40s", "l4"]).unwrap_err().to_string(),
            "`nodes`: found `h100`, expected a pool of the scenario: `l40s`, `l4`"
        );
    }
}
