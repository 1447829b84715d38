//! Expanders: which of the pools that help gets the new nodes.

mod grpc;
mod price;
mod priority;
mod waste;

pub use grpc::{GrpcReply, kept_by_server};
pub use price::{PodPrices, preferred_cpu, price_score, unfitness};
pub use priority::{PriorityTier, highest_tier};
pub use waste::waste;

use contract::{MilliCpu, Resources};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rule that keeps the best options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expander {
    /// Any option, drawn: the default up to Cluster Autoscaler 1.32.
    Random,
    /// The least unrequested CPU and memory on the new nodes; blind to GPUs. The default from 1.33 on.
    LeastWaste,
    /// The most pods helped.
    MostPods,
    /// The fewest new nodes.
    LeastNodes,
    /// The lowest price for what the pods are worth, weighed by how well the node's size suits the cluster.
    Price,
    /// The highest of the `priorities` tiers.
    Priority,
    /// Those that a server of the user's own keeps (`grpc-reply`).
    Grpc,
}

/// New nodes of a pool, and what they would do, as expanders see it.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The pool's name.
    pub pool: &'a str,
    /// New nodes.
    pub nodes: u32,
    /// Pods that they would take.
    pub pods: u32,
    /// What those request.
    pub requests: Resources,
    /// Capacity of one node; `None` if nobody knows. Simulated nodes are all allocatable.
    pub capacity: Option<Resources>,
    /// Its nodes have GPUs.
    pub has_gpus: bool,
    /// It does not have to be made first.
    pub exists: bool,
    /// Dollars an hour for one node, if known.
    pub node_price: Option<f64>,
    /// Dollars an hour that the pods are worth, if known.
    pub pods_price: Option<f64>,
}

/// What rules look at beside the options.
#[derive(Clone, Debug)]
pub struct Preferences<'a> {
    /// Tiers of the priority expander.
    pub priorities: &'a [PriorityTier],
    /// What the server of the gRPC expander answers.
    pub grpc: &'a GrpcReply,
    /// What the stabilisation pod of the price expander is worth; `None` if no price is known.
    pub stabilisation: Option<f64>,
    /// CPU of the node that the price expander prefers.
    pub preferred_cpu: MilliCpu,
}

/// The options that rules leave, by place. After each rule it stops if one option is left; what a rule drops never
/// comes back, even if that was all.
pub fn chain<Rule>(
    rules: impl IntoIterator<Item = Rule>,
    options: Vec<usize>,
    mut keep: impl FnMut(Rule, Vec<usize>) -> Vec<usize>,
) -> Vec<usize> {
    let mut left = options;
    for rule in rules {
        left = keep(rule, left);
        if left.len() == 1 {
            break;
        }
    }
    left
}

/// The options that the expanders leave, by place; one of several is to be drawn.
pub fn best(
    expanders: &[Expander],
    offers: &[Offer<'_>],
    preferences: &Preferences<'_>,
) -> Vec<usize> {
    let keep = |expander: &Expander, left| expander.keep(offers, left, preferences);
    chain(expanders, (0..offers.len()).collect(), keep)
}

impl Expander {
    /// The options among `left` that this rule keeps, in their order.
    pub fn keep(
        self,
        offers: &[Offer<'_>],
        left: Vec<usize>,
        preferences: &Preferences<'_>,
    ) -> Vec<usize> {
        let lowest = |score: &dyn Fn(&Offer<'_>) -> Option<f64>| keep_lowest(offers, &left, score);
        match self {
            Self::Random => left,
            Self::LeastWaste => lowest(&waste),
            Self::MostPods => lowest(&|offer| Some(-f64::from(offer.pods))),
            Self::LeastNodes => {
                lowest(&|offer| Some(f64::from(offer.nodes)).filter(|nodes| *nodes > 0.0))
            }
            Self::Price => lowest(&|offer| {
                price_score(offer, preferences.stabilisation?, preferences.preferred_cpu)
            }),
            Self::Priority => highest_tier(offers, left, preferences.priorities),
            Self::Grpc => kept_by_server(offers, left, preferences.grpc),
        }
    }
}

/// Keeps the options with the lowest score, ties included; those without a score drop out.
fn keep_lowest(
    offers: &[Offer<'_>],
    left: &[usize],
    score: &dyn Fn(&Offer<'_>) -> Option<f64>,
) -> Vec<usize> {
    let scores: Vec<_> = left.iter().map(|&place| score(&offers[place])).collect();
    let lowest = scores.iter().flatten().copied().fold(f64::INFINITY, f64::min);
    let keeps = |score: &Option<f64>| score.is_some_and(|score| score <= lowest);
    left.iter().zip(&scores).filter(|(_, score)| keeps(score)).map(|(&place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::resources;

    /// Options of `(name, cores, GPUs, price, nodes, pods of 2 cores and 4 GiB)`; which are left?
    #[track_caller]
    fn check(
        chain: &[Expander],
        options: &[(&'static str, u64, u32, f64, u32, u32)],
        tiers: &[(i32, &str)],
        expected: &[&str],
    ) {
        let prices = PodPrices::default();
        let offer = |&(pool, cores, gpus, price, nodes, pods): &(_, u64, u32, f64, u32, u32)| {
            let requests = resources(u64::from(pods) * 2_000, u64::from(pods) * 4, 0);
            Offer {
                pool,
                nodes,
                pods,
                requests,
                capacity: Some(resources(cores * 1000, cores * 4, gpus)),
                has_gpus: gpus > 0,
                exists: true,
                node_price: Some(price),
                pods_price: Some(prices.price(pods, &requests)),
            }
        };
        let offers: Vec<_> = options.iter().map(offer).collect();
        let priorities: Vec<_> = tiers
            .iter()
            .map(|&(priority, pattern)| PriorityTier { priority, pools: vec![pattern.into()] })
            .collect();
        let preferences = Preferences {
            priorities: &priorities,
            grpc: &GrpcReply::Error,
            stabilisation: Some(prices.stabilisation()),
            preferred_cpu: preferred_cpu(10),
        };
        let left = best(chain, &offers, &preferences);
        let names: Vec<_> = left.into_iter().map(|place| offers[place].pool).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn least_waste_takes_the_nodes_that_the_pods_fill() {
        let options =
            [("big", 16, 0, 1.0, 1, 4), ("small", 8, 0, 1.0, 1, 4), ("two", 4, 0, 1.0, 2, 4)];
        check(&[Expander::LeastWaste], &options, &[], &["small", "two"]);
        check(&[Expander::LeastWaste, Expander::LeastNodes], &options, &[], &["small"]);
    }

    #[test]
    fn most_pods_and_least_nodes_count() {
        let options = [("a", 8, 0, 1.0, 1, 3), ("b", 8, 0, 1.0, 2, 5), ("c", 8, 0, 1.0, 3, 5)];
        check(&[Expander::MostPods], &options, &[], &["b", "c"]);
        check(&[Expander::LeastNodes], &options, &[], &["a"]);
    }

    #[test]
    fn price_takes_the_cheapest_of_equal_size_and_a_gpu_only_alone() {
        check(
            &[Expander::Price],
            &[("dear", 4, 0, 0.4, 2, 4), ("cheap", 4, 0, 0.3, 2, 4)],
            &[],
            &["cheap"],
        );
        check(
            &[Expander::Price],
            &[("gpu", 4, 1, 0.1, 2, 4), ("cpu", 4, 0, 9.0, 2, 4)],
            &[],
            &["cpu"],
        );
        check(&[Expander::Price], &[("gpu", 4, 1, 0.1, 2, 4)], &[], &["gpu"]);
    }

    #[test]
    fn priority_takes_the_highest_tier_that_matches() {
        let options =
            [("spot-a", 8, 0, 1.0, 1, 3), ("spot-b", 8, 0, 1.0, 1, 3), ("demand", 8, 0, 1.0, 1, 3)];
        check(
            &[Expander::Priority],
            &options,
            &[(10, "demand"), (50, "^spot-")],
            &["spot-a", "spot-b"],
        );
        check(
            &[Expander::Priority],
            &options,
            &[(10, "reserved")],
            &["spot-a", "spot-b", "demand"],
        );
    }
}
