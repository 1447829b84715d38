//! The best node for a pod.

use crate::score::{TAINT_WEIGHT, intolerable, normalised, resources};
use crate::{Candidate, Profile, fits};
use contract::PodSpec;

/// The node with the highest score among those that fit; the first of equals, where kube-scheduler draws one
/// at random. `None` if none fits. Allocates nothing.
pub fn best<'a, Id: Copy>(
    spec: &PodSpec,
    candidates: impl Iterator<Item = (Id, Candidate<'a>)> + Clone,
    profile: &Profile,
) -> Option<Id> {
    let mut best = None;
    let mut most_taints = 0;
    for (id, node) in fitting(spec, candidates.clone()) {
        most_taints = most_taints.max(intolerable(spec, &node.shape.taints));
        keep_better(&mut best, id, resources(spec, &node, profile));
    }
    // The taint score is relative to the worst node that fits. Soft taints are rare: a second pass is only
    // made where there are any.
    if most_taints > 0 {
        best = None;
        for (id, node) in fitting(spec, candidates) {
            let taints = normalised(intolerable(spec, &node.shape.taints), most_taints);
            keep_better(&mut best, id, resources(spec, &node, profile) + TAINT_WEIGHT * taints);
        }
    }
    best.map(|(id, _)| id)
}

fn fitting<'a, Id>(
    spec: &PodSpec,
    candidates: impl Iterator<Item = (Id, Candidate<'a>)>,
) -> impl Iterator<Item = (Id, Candidate<'a>)> {
    candidates.filter(|(_, node)| fits(spec, node).is_ok())
}

fn keep_better<Id>(best: &mut Option<(Id, u64)>, id: Id, score: u64) {
    if best.as_ref().is_none_or(|&(_, top)| score > top) {
        *best = Some((id, score));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Allocation;
    use crate::samples::{cpu_node, pod};
    use contract::{NodeShape, Taint, TaintEffect};
    use proptest::prelude::*;

    /// Nodes with this many cores (of 8) in use; which gets a pod of one core?
    #[track_caller]
    fn check(
        allocation: Allocation,
        used: &[&str],
        soft_taint_on: &[usize],
        expected: Option<usize>,
    ) {
        let tainted = NodeShape { taints: vec![soft_taint()], ..cpu_node() };
        let clean = cpu_node();
        let nodes: Vec<_> = used
            .iter()
            .enumerate()
            .map(|(place, cpu)| {
                let shape = if soft_taint_on.contains(&place) { &tainted } else { &clean };
                let mut node = Candidate::fresh(shape);
                node.add(&pod(cpu, "0B", 0));
                (place, node)
            })
            .collect();
        let profile = Profile { allocation, ..Profile::default() };
        assert_eq!(best(&pod("1", "4GiB", 0), nodes.iter().copied(), &profile), expected);
    }

    fn soft_taint() -> Taint {
        let effect = TaintEffect::PreferNoSchedule;
        Taint { key: "DeletionCandidate".into(), value: String::new(), effect }
    }

    #[test]
    fn the_emptiest_node_wins_by_default() {
        check(Allocation::LeastAllocated, &["4", "2", "3"], &[], Some(1));
    }

    #[test]
    fn the_fullest_that_fits_wins_with_most_allocated() {
        check(Allocation::MostAllocated, &["4", "7", "7001m"], &[], Some(1));
    }

    #[test]
    fn the_first_of_equals_wins() {
        check(Allocation::LeastAllocated, &["4", "2", "2"], &[], Some(1));
    }

    #[test]
    fn no_node_is_better_than_a_node_that_does_not_fit() {
        check(Allocation::LeastAllocated, &["8", "7500m"], &[], None);
        check(Allocation::LeastAllocated, &[], &[], None);
    }

    #[test]
    fn a_soft_taint_outweighs_an_empty_node() {
        check(Allocation::LeastAllocated, &["0", "7"], &[0], Some(1));
        check(Allocation::LeastAllocated, &["0", "7"], &[0, 1], Some(0));
    }

    proptest! {
        #[test]
        fn the_winner_fits_and_nothing_that_fits_scores_higher(
            used in prop::collection::vec((0_u64..9_000, 0_u64..33, any::<bool>()), 0..12),
            cpu in 0_u64..4_000,
        ) {
            let tainted = NodeShape { taints: vec![soft_taint()], ..cpu_node() };
            let clean = cpu_node();
            let nodes: Vec<_> = used.iter().enumerate().map(|(place, (cpu, gib, soft))| {
                let mut node = Candidate::fresh(if *soft { &tainted } else { &clean });
                node.add(&pod(&format!("{cpu}m"), &format!("{gib}GiB"), 0));
                (place, node)
            }).collect();
            let spec = pod(&format!("{cpu}m"), "1GiB", 0);
            let profile = Profile::default();
            let fitting: Vec<_> = nodes.iter().filter(|(_, node)| fits(&spec, node).is_ok()).collect();
            let most = fitting.iter().map(|(_, node)| intolerable(&spec, &node.shape.taints)).max();
            let score = |node: &Candidate<'_>| {
                let taints = intolerable(&spec, &node.shape.taints);
                resources(&spec, node, &profile) + TAINT_WEIGHT * normalised(taints, most.unwrap_or(0))
            };
            let top = fitting.iter().map(|(_, node)| score(node)).max();
            let found = best(&spec, nodes.iter().copied(), &profile);
            prop_assert_eq!(found.map(|place| score(&nodes[place].1)), top);
        }
    }
}
