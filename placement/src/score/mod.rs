//! Scores: how good a place a node that fits is, 0 to 100 by plugin, added up with kube-scheduler's default
//! weights.

mod allocation;
mod balance;
mod load;
pub(crate) mod preferences;
mod preferred_taints;
mod shape;

pub(crate) use allocation::piecewise_score;
pub use allocation::{least_allocated, most_allocated, requested_to_capacity_ratio};
pub use balance::{balance_change, evenness};
pub(crate) use balance::{change, evenness_of_two};
pub use load::Load;
pub(crate) use load::for_scoring;
pub use preferred_taints::{intolerable, normalised};
pub use shape::{ShapePoint, piecewise};

use crate::{Allocation, Balance, Candidate, Profile};
use contract::PodSpec;

/// The best score of one plugin (kube-scheduler: `MaxNodeScore`).
pub const MAX: u64 = 100;

/// Weight of a packing strategy's score. The scores that stay beside it add up to 800 at most, so they only choose among
/// nodes that the strategy finds equally good.
pub(crate) const PACKING_WEIGHT: u64 = 1000;

/// Weight of `TaintToleration` in kube-scheduler's default profile.
pub const TAINT_WEIGHT: u64 = 3;

/// Weight of `NodeResourcesFit`.
const ALLOCATION_WEIGHT: u64 = 1;

/// Weight of `NodeResourcesBalancedAllocation`.
const BALANCE_WEIGHT: u64 = 1;

/// The weighted score of a node's resources, taints apart. Higher is better.
pub fn resources(spec: &PodSpec, node: &Candidate<'_>, profile: &Profile) -> u64 {
    ALLOCATION_WEIGHT * allocation_score(spec, node, &profile.allocation)
        + BALANCE_WEIGHT * balance_score(spec, node, profile.balance)
}

fn allocation_score(spec: &PodSpec, node: &Candidate<'_>, strategy: &Allocation) -> u64 {
    let loads = load::cpu_and_memory(load::for_scoring(spec.requests), node);
    match strategy {
        Allocation::LeastAllocated => least_allocated(loads),
        Allocation::MostAllocated => most_allocated(loads),
        Allocation::RequestedToCapacityRatio(shape) => requested_to_capacity_ratio(loads, shape),
    }
}

/// Zero for a pod that requests nothing: the plugin skips it, on every node alike.
fn balance_score(spec: &PodSpec, node: &Candidate<'_>, version: Balance) -> u64 {
    if spec.requests == contract::Resources::default() {
        return 0;
    }
    let loads = load::cpu_and_memory(spec.requests, node);
    match version {
        Balance::Classic => evenness(loads.map(|load| load.fraction_with_pod())),
        Balance::Change => balance_change(loads),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{cpu_node, pod};

    #[track_caller]
    fn check(profile: &Profile, used: (&str, &str), expected: u64) {
        let shape = cpu_node();
        let mut node = Candidate::fresh(&shape);
        node.add(&pod(used.0, used.1, 0));
        assert_eq!(resources(&pod("2", "8GiB", 0), &node, profile), expected);
    }

    #[test]
    fn the_default_profile_prefers_empty_and_even_nodes() {
        let profile = Profile::default();
        check(&profile, ("0", "0B"), 75 + 75);
        check(&profile, ("4", "16GiB"), 25 + 75);
        // 6 of 8 cores and 8 of 32 GiB: 25 and 75 free; a quarter off the mean before and after.
        check(&profile, ("4", "0B"), 50 + 75);
    }

    #[test]
    fn most_allocated_prefers_full_nodes() {
        let profile = Profile { allocation: Allocation::MostAllocated, ..Profile::default() };
        check(&profile, ("0", "0B"), 25 + 75);
        check(&profile, ("4", "16GiB"), 75 + 75);
    }

    #[test]
    fn the_classic_balance_looks_at_the_node_with_the_pod_alone() {
        let profile = Profile { balance: Balance::Classic, ..Profile::default() };
        check(&profile, ("0", "0B"), 75 + 100);
        check(&profile, ("4", "0B"), 50 + 75);
    }
}
