//! The policy `Balanced`: a saving must be worth its disruption.

use contract::UsdPerHour;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A saving's share of the pool's cost must be at least one `K`-th of its share of the pool's disruption.
pub const K: f64 = 2.0;

/// Price and disruption cost: of a node, or added up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// US dollars per hour.
    pub cost: f64,
    /// Disruption cost.
    pub disruption: f64,
}

impl Totals {
    /// Adds up nodes.
    pub fn of(nodes: impl Iterator<Item = Self>) -> Self {
        nodes.fold(Self::default(), |sum, node| Self {
            cost: sum.cost + node.cost,
            disruption: sum.disruption + node.disruption,
        })
    }
}

/// Share of the cost that is saved over share of the disruption that it takes. Without a saving it is nothing;
/// without disruption there is no bound; without anything to compare with it is nothing.
pub fn score(savings: f64, disruption: f64, pool: Totals) -> f64 {
    if savings <= 0.0 || pool.cost <= 0.0 || pool.disruption <= 0.0 {
        return 0.0;
    }
    if disruption <= 0.0 {
        return f64::INFINITY;
    }
    (savings / pool.cost) / (disruption / pool.disruption)
}

/// Whether a score is enough.
pub fn approves(score: f64, k: f64) -> bool {
    score >= 1.0 / k
}

/// A pool that a move concerns.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolShare {
    /// Its name.
    pub name: Arc<str>,
    /// Its policy is `Balanced`: it must approve.
    pub is_balanced: bool,
    /// All its nodes.
    pub all: Totals,
    /// Those of its nodes that go.
    pub going: Totals,
}

/// Scores of the balanced pools that a move concerns, and whether all of them approve. What replacements cost is
/// split by what the nodes that go cost. A move that concerns no pool is not approved.
pub fn evaluate(
    pools: &[PoolShare],
    replacements: UsdPerHour,
    k: f64,
) -> (bool, BTreeMap<Arc<str>, f64>) {
    let sources: f64 = pools.iter().map(|pool| pool.going.cost).sum();
    let net = sources - replacements.0;
    let of_pool = |pool: &PoolShare| {
        let share = if sources > 0.0 { pool.going.cost / sources } else { 0.0 };
        (pool.name.clone(), score(net * share, pool.going.disruption, pool.all))
    };
    let scores: BTreeMap<_, _> =
        pools.iter().filter(|pool| pool.is_balanced).map(of_pool).collect();
    let approved = !pools.is_empty() && scores.values().all(|&score| approves(score, k));
    (approved, scores)
}
