//! Gangs: pods of which a minimum must run, or none should hold a place.

mod topology;

pub use topology::{Reach, Share, Topology, room, roomiest, spread};

use crate::score::preferences::{NODE_AFFINITY_WEIGHT, of_most, preferred};
use crate::score::{TAINT_WEIGHT, intolerable, normalised, resources};
use crate::{Candidate, Profile, fits};
use contract::PodSpec;
use std::cmp::Reverse;

/// Places equal pods in thought, each on the best node for it, and keeps the result only if at least `min_count` of
/// them have a place: the group cycle of kube-scheduler's `PodGroup`, and Volcano's allocate.
///
/// Gives the node of each pod that has one, in order, and leaves the pods on `nodes`. `None` puts `nodes` back as they
/// were.
pub fn allocate<Id: Copy>(
    spec: &PodSpec,
    wanted: u32,
    min_count: u32,
    nodes: &mut [(Id, Candidate<'_>)],
    profile: &Profile,
) -> Option<Vec<Id>> {
    let mut placed = Vec::new();
    let mut before = Vec::new();
    for _ in 0..wanted {
        // Equal pods: where one fits nowhere, neither does the next.
        let Some(place) = best(spec, nodes, profile) else { break };
        before.push((place, nodes[place].1));
        nodes[place].1.add(spec);
        placed.push(nodes[place].0);
    }
    if placed.len() >= min_count as usize {
        return Some(placed);
    }
    for (place, candidate) in before.into_iter().rev() {
        nodes[place].1 = candidate;
    }
    None
}

/// The place of the node with the highest score among those that fit; the first of equals.
fn best<Id>(spec: &PodSpec, nodes: &[(Id, Candidate<'_>)], profile: &Profile) -> Option<usize> {
    let fitting = || nodes.iter().enumerate().filter(|(_, (_, node))| fits(spec, node).is_ok());
    let taints = |node: &Candidate<'_>| intolerable(spec, &node.shape.taints);
    let most = fitting().map(|(_, (_, node))| taints(node)).max()?;
    let liked = |node: &Candidate<'_>| preferred(spec, node.shape, None);
    let most_liked = fitting().map(|(_, (_, node))| liked(node)).max()?;
    let score = |node: &Candidate<'_>| {
        resources(spec, node, profile)
            + TAINT_WEIGHT * normalised(taints(node), most)
            + NODE_AFFINITY_WEIGHT * of_most(liked(node), most_liked)
    };
    let ranked = fitting().map(|(place, (_, node))| (score(node), Reverse(place)));
    ranked.max().map(|(_, Reverse(place))| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{gpu_node, pod};
    use proptest::prelude::*;

    /// Nodes with this many of 8 GPUs free, a gang of `wanted` pods with `gpus` each. Which nodes does it get, and
    /// how many GPUs are free after?
    #[track_caller]
    fn check(free: &[u32], (wanted, min_count, gpus): (u32, u32, u32), expected: Option<&[usize]>) {
        let shape = gpu_node("H100", 8);
        let mut nodes = cluster(&shape, free);
        let spec = pod("0", "0B", gpus);
        let found = allocate(&spec, wanted, min_count, &mut nodes, &Profile::default());
        assert_eq!(found.as_deref(), expected);
        let taken = found.map_or(0, |placed| placed.len());
        let left: u32 = nodes.iter().map(|(_, node)| node.free().gpus).sum();
        assert_eq!(left + gpus * u32::try_from(taken).unwrap(), free.iter().sum::<u32>());
    }

    fn cluster<'a>(shape: &'a contract::NodeShape, free: &[u32]) -> Vec<(usize, Candidate<'a>)> {
        let node = |(place, free): (usize, &u32)| {
            let mut node = Candidate::fresh(shape);
            node.add(&pod("0", "0B", 8 - free));
            (place, node)
        };
        free.iter().enumerate().map(node).collect()
    }

    #[test]
    fn a_gang_that_fits_gets_all_of_its_places() {
        check(&[8, 4], (3, 3, 4), Some(&[0, 0, 1]));
    }

    #[test]
    fn a_gang_that_does_not_fit_leaves_the_cluster_as_it_was() {
        check(&[8, 3], (3, 3, 4), None);
        check(&[], (1, 1, 1), None);
    }

    #[test]
    fn members_beyond_the_minimum_are_placed_as_far_as_they_fit() {
        check(&[8, 3], (3, 2, 4), Some(&[0, 0]));
    }

    #[test]
    fn members_go_to_the_nodes_that_they_prefer_as_far_as_those_hold_them() {
        let shapes = ["dear", "cheap"].map(|pool| {
            let labels = [("pool".to_owned(), pool.to_owned())].into();
            contract::NodeShape { labels, ..gpu_node("H100", 8) }
        });
        let mut nodes: Vec<_> = (0..).zip(shapes.iter().map(Candidate::fresh)).collect();
        let term = contract::Selector::of_labels([("pool", "cheap")]);
        let preferred_nodes = vec![contract::Preference { weight: 100, term }];
        let own = contract::Constraints { preferred_nodes, ..contract::Constraints::default() };
        let spec = PodSpec { constraints: Some(std::sync::Arc::new(own)), ..pod("0", "0B", 4) };
        let found = allocate(&spec, 3, 3, &mut nodes, &Profile::default());
        assert_eq!(found, Some(vec![1, 1, 0]));
    }

    proptest! {
        #[test]
        fn a_gang_has_places_exactly_when_so_many_pods_fit(
            free in prop::collection::vec(0_u32..=8, 0..6),
            wanted in 1_u32..8,
            gpus in 1_u32..=8,
        ) {
            let shape = gpu_node("H100", 8);
            let mut nodes = cluster(&shape, &free);
            let spec = pod("0", "0B", gpus);
            let before: Vec<_> = nodes.iter().map(|(_, node)| node.used).collect();
            let found = allocate(&spec, wanted, wanted, &mut nodes, &Profile::default());
            let room: u32 = free.iter().map(|free| free / gpus).sum();
            prop_assert_eq!(found.is_some(), room >= wanted);
            let after: Vec<_> = nodes.iter().map(|(_, node)| node.used).collect();
            prop_assert_eq!(found.is_some(), before != after);
        }
    }
}
