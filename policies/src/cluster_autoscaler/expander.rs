//! Expanders: which of the pools that help gets the new nodes.

use super::estimator::Estimate;
use contract::{Bytes, MilliCpu, PoolSeen, Resources, UsdPerHour};
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rule that keeps the best options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expander {
    /// The least unrequested CPU and memory on the new nodes; blind to GPUs.
    LeastWaste,
    /// The most pods helped.
    MostPods,
    /// The fewest new nodes.
    LeastNodes,
    /// The lowest price for what the pods are worth, weighed by how well the node's size suits the cluster.
    Price,
    /// The highest of the `priorities` tiers.
    Priority,
}

/// Pools that are preferred to those of lower tiers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PriorityTier {
    /// Higher goes first.
    pub priority: i32,
    /// Regular expressions over pool names.
    pub pools: Vec<String>,
}

/// What one hour of requested resources is worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PodPrices {
    /// One core.
    pub cpu: UsdPerHour,
    /// One GiB of memory.
    pub memory_gib: UsdPerHour,
    /// One GPU.
    pub gpu: UsdPerHour,
}

impl Default for PodPrices {
    /// The price model of Cluster Autoscaler's GCE provider (`cloudprovider/gce/gce_price.go`).
    fn default() -> Self {
        Self { cpu: UsdPerHour(0.033_174), memory_gib: UsdPerHour(0.004_446), gpu: UsdPerHour(0.7) }
    }
}

impl PodPrices {
    /// What an hour of these requests is worth, in dollars.
    #[expect(clippy::cast_precision_loss, reason = "millicores stay below 2^53")]
    pub fn price(&self, requests: &Resources) -> f64 {
        self.cpu.0 * (requests.cpu.0 as f64 / 1000.0)
            + self.memory_gib.0 * requests.memory.as_gib_f64()
            + self.gpu.0 * f64::from(requests.gpus)
    }
}

/// New nodes of a pool, and what they would do.
#[derive(Clone, Copy, Debug)]
pub struct ScaleUpOption<'a> {
    /// The pool.
    pub pool: &'a PoolSeen,
    /// Nodes and pods.
    pub estimate: Estimate,
}

/// What rules look at beside the options.
#[derive(Clone, Debug)]
pub struct Preferences<'a> {
    /// Tiers of the priority expander.
    pub priorities: &'a [PriorityTier],
    /// What pods are worth.
    pub pod_prices: PodPrices,
    /// Nodes in the cluster.
    pub cluster_nodes: u32,
}

/// The options that a chain of rules leaves, in their order; it stops at one. Upstream draws among several, we
/// take the first.
pub fn filter<'a>(
    chain: &[Expander],
    options: Vec<ScaleUpOption<'a>>,
    preferences: &Preferences<'_>,
) -> Vec<ScaleUpOption<'a>> {
    chain.iter().fold(options, |options, expander| {
        if options.len() < 2 { options } else { expander.keep_best(options, preferences) }
    })
}

impl Expander {
    fn keep_best<'a>(
        self,
        options: Vec<ScaleUpOption<'a>>,
        preferences: &Preferences<'_>,
    ) -> Vec<ScaleUpOption<'a>> {
        match self {
            Self::LeastWaste => keep_lowest(options, waste),
            Self::MostPods => keep_lowest(options, |option| -f64::from(option.estimate.pods)),
            Self::LeastNodes => keep_lowest(options, |option| f64::from(option.estimate.nodes)),
            Self::Price => keep_lowest(options, |option| price_score(option, preferences)),
            Self::Priority => keep_highest_tier(options, preferences.priorities),
        }
    }
}

/// Keeps the options with the lowest score, ties included.
fn keep_lowest<'a>(
    options: Vec<ScaleUpOption<'a>>,
    score: impl Fn(&ScaleUpOption<'a>) -> f64,
) -> Vec<ScaleUpOption<'a>> {
    let lowest = options.iter().map(&score).fold(f64::INFINITY, f64::min);
    options.into_iter().filter(|option| score(option) <= lowest).collect()
}

/// Share of the new nodes' CPU that nobody requests, plus the same of their memory. Upstream takes a node's
/// capacity; here it is what pods may use of it.
#[expect(clippy::cast_precision_loss, reason = "amounts stay below 2^53")]
pub fn waste(option: &ScaleUpOption<'_>) -> f64 {
    let share = |requested: u64, of_one: u64| {
        let available = of_one as f64 * f64::from(option.estimate.nodes);
        if available > 0.0 { (available - requested as f64) / available } else { 0.0 }
    };
    let (requests, all) = (&option.estimate.requests, &option.pool.shape.allocatable);
    share(requests.cpu.0, all.cpu.0) + share(requests.memory.0, all.memory.0)
}

/// Price of an hour of the new nodes over the worth of an hour of the pods, both stabilised by a small pod, and
/// weighed by how far the node's size is from what suits the cluster.
fn price_score(option: &ScaleUpOption<'_>, preferences: &Preferences<'_>) -> f64 {
    // Upstream's stabilisation pod: 500 mCPU and 500 MiB.
    let small = Resources { cpu: MilliCpu(500), memory: Bytes(500 << 20), gpus: 0 };
    let stabilisation = preferences.pod_prices.price(&small);
    let nodes = f64::from(option.estimate.nodes);
    let worth = preferences.pod_prices.price(&option.estimate.requests);
    let ratio = (option.pool.price.0 * nodes + stabilisation) / (worth + stabilisation);
    ratio * suppressed_unfitness(option, preferences.cluster_nodes)
}

/// Unfitness of a node with GPUs (upstream: `gpuUnfitnessOverride`): chosen only if nothing else is left.
const GPU_UNFITNESS: f64 = 1000.0;

/// How ill the node's size suits the cluster, 1 and above; the more nodes at a time, the less it matters.
fn suppressed_unfitness(option: &ScaleUpOption<'_>, cluster_nodes: u32) -> f64 {
    if option.pool.shape.gpu.is_some() {
        return GPU_UNFITNESS;
    }
    let preferred = preferred_cpu(cluster_nodes);
    let unfitness = unfitness(preferred, option.pool.shape.allocatable.cpu);
    // The count at which size hardly matters (upstream: 15).
    let suppression = 1.0 - ((f64::from(option.estimate.nodes) - 1.0) / 15.0).tanh();
    (unfitness - 1.0) * suppression + 1.0
}

/// The larger of the two over the smaller.
#[expect(clippy::cast_precision_loss, reason = "millicores stay below 2^53")]
pub fn unfitness(preferred: MilliCpu, cpu: MilliCpu) -> f64 {
    let ratio = preferred.0 as f64 / cpu.0 as f64;
    ratio.max(1.0 / ratio)
}

/// CPU of the node that suits a cluster of this size (upstream: `SimplePreferredNodeProvider`).
pub fn preferred_cpu(cluster_nodes: u32) -> MilliCpu {
    let cores = match cluster_nodes {
        0..=2 => 1,
        3..=6 => 2,
        7..=20 => 4,
        21..=60 => 8,
        61..=200 => 16,
        _ => 32,
    };
    MilliCpu(cores * 1000)
}

/// Options in the highest tier that any of them is in; all of them if none is in any.
fn keep_highest_tier<'a>(
    options: Vec<ScaleUpOption<'a>>,
    tiers: &[PriorityTier],
) -> Vec<ScaleUpOption<'a>> {
    let tier_of = |option: &ScaleUpOption<'_>| {
        let matching = tiers.iter().filter(|tier| matches(tier, &option.pool.name));
        matching.map(|tier| tier.priority).max()
    };
    let Some(highest) = options.iter().filter_map(tier_of).max() else { return options };
    options.into_iter().filter(|option| tier_of(option) == Some(highest)).collect()
}

/// Whether a tier names a pool; the patterns were checked with the settings.
fn matches(tier: &PriorityTier, pool: &str) -> bool {
    tier.pools.iter().any(|pattern| Regex::new(pattern).is_ok_and(|regex| regex.is_match(pool)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{pool, resources};
    use std::sync::Arc;

    /// Options of `(name, cores, GPUs, price, nodes, pods of 2 cores and 4 GiB)`; which are left?
    #[track_caller]
    fn check(
        chain: &[Expander],
        options: &[(&str, u64, u32, f64, u32, u32)],
        tiers: &[(i32, &str)],
        expected: &[&str],
    ) {
        let make = |&(name, cores, gpus, price, _, _): &(&str, u64, u32, f64, u32, u32)| {
            let mut pool = pool(0, name, gpus, (0, 0, 10));
            Arc::make_mut(&mut pool.shape).allocatable = resources(cores * 1000, cores * 4, gpus);
            pool.price = UsdPerHour(price);
            pool
        };
        let pools: Vec<_> = options.iter().map(make).collect();
        let options = pools.iter().zip(options).map(|(pool, option)| {
            let pods = option.5;
            let requests = resources(u64::from(pods) * 2_000, u64::from(pods) * 4, 0);
            ScaleUpOption { pool, estimate: Estimate { nodes: option.4, pods, requests } }
        });
        let priorities: Vec<_> = tiers
            .iter()
            .map(|&(priority, pattern)| PriorityTier { priority, pools: vec![pattern.into()] })
            .collect();
        let preferences = Preferences {
            priorities: &priorities,
            pod_prices: PodPrices::default(),
            cluster_nodes: 10,
        };
        let left = filter(chain, options.collect(), &preferences);
        let names: Vec<_> = left.iter().map(|option| &*option.pool.name).collect();
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
