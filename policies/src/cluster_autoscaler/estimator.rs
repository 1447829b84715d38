//! The bin-packing estimator: how many new nodes of a shape, and for how many pods.

use super::pending::PodGroup;
use contract::{NodeShape, Resources};
use placement::{Candidate, fits};

/// What new nodes of one shape would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Nodes that hold at least one pod.
    pub nodes: u32,
    /// Pods on them.
    pub pods: u32,
    /// What those pods request.
    pub requests: Resources,
}

/// First fit over new nodes, at most `limit` of them. Groups go by CPU and memory, biggest first; GPUs do not
/// enter the order, as upstream.
pub fn estimate(shape: &NodeShape, groups: &[PodGroup<'_>], limit: u32) -> Estimate {
    let mut order: Vec<_> = groups.iter().collect();
    order.sort_by(|a, b| size(b, shape).total_cmp(&size(a, shape)));
    let mut packing =
        Packing { shape, nodes: Vec::new(), last: 0, limit, estimate: Estimate::default() };
    for group in order {
        packing.pack(group);
    }
    let filled = packing.nodes.iter().filter(|node| node.pods > 0).map(|_| 1);
    Estimate { nodes: filled.sum(), ..packing.estimate }
}

/// Share of a node that one pod takes: CPU plus memory.
#[expect(clippy::cast_precision_loss, reason = "amounts stay below 2^53")]
pub fn size(group: &PodGroup<'_>, shape: &NodeShape) -> f64 {
    let share = |request: u64, of: u64| if of == 0 { 0.0 } else { request as f64 / of as f64 };
    let (requests, all) = (&group.spec.requests, &shape.allocatable);
    share(requests.cpu.0, all.cpu.0) + share(requests.memory.0, all.memory.0)
}

struct Packing<'a> {
    shape: &'a NodeShape,
    nodes: Vec<Candidate<'a>>,
    /// Where the last pod was placed.
    last: usize,
    limit: u32,
    estimate: Estimate,
}

impl Packing<'_> {
    fn pack(&mut self, group: &PodGroup<'_>) {
        let mut left = group.count;
        while left > 0 && self.place_on_open(group) {
            left -= 1;
        }
        while left > 0 {
            if self.place_on_newest(group) {
                left -= 1;
            } else if !self.open_another() {
                return;
            }
        }
    }

    /// On a node that is open already, round from the last place.
    fn place_on_open(&mut self, group: &PodGroup<'_>) -> bool {
        let count = self.nodes.len();
        let places = (self.last..count).chain(0..self.last);
        let takes = |place: &usize| fits(group.spec, &self.nodes[*place]).is_ok();
        let Some(place) = places.into_iter().find(takes) else { return false };
        self.last = place;
        self.put(place, group);
        true
    }

    fn place_on_newest(&mut self, group: &PodGroup<'_>) -> bool {
        let Some(place) = self.nodes.len().checked_sub(1) else { return false };
        let takes = fits(group.spec, &self.nodes[place]).is_ok();
        if takes {
            self.put(place, group);
        }
        takes
    }

    /// False if there may be no more, or if the newest is still empty: another would not take the pod either.
    fn open_another(&mut self) -> bool {
        let newest_is_empty = self.nodes.last().is_some_and(|node| node.pods == 0);
        if newest_is_empty || self.nodes.len() >= self.limit as usize {
            return false;
        }
        self.nodes.push(Candidate::fresh(self.shape));
        true
    }

    fn put(&mut self, place: usize, group: &PodGroup<'_>) {
        self.nodes[place].add(group.spec);
        self.estimate.pods += 1;
        self.estimate.requests += group.spec.requests;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{pool, resources};
    use contract::PodSpec;

    /// Nodes of 8 cores, 32 GiB and 2 GPUs; groups of `(count, millicores, GiB, GPUs)`.
    #[track_caller]
    fn check(groups: &[(u32, u64, u64, u32)], limit: u32, nodes: u32, pods: u32) {
        let spec = |&(_, millis, gib, gpus): &(u32, u64, u64, u32)| PodSpec {
            requests: resources(millis, gib, gpus),
            ..PodSpec::default()
        };
        let specs: Vec<_> = groups.iter().map(spec).collect();
        let groups: Vec<_> = groups
            .iter()
            .zip(&specs)
            .map(|(group, spec)| PodGroup { spec, count: group.0 })
            .collect();
        let shape = pool(0, "l40s", 2, (0, 0, 10)).shape;
        let found = estimate(&shape, &groups, limit);
        assert_eq!((found.nodes, found.pods), (nodes, pods));
    }

    #[test]
    fn pods_fill_a_node_before_the_next_is_opened() {
        check(&[(5, 2_000, 1, 1)], 10, 3, 5);
        check(&[(8, 4_000, 1, 0)], 10, 4, 8);
    }

    #[test]
    fn the_biggest_pods_go_first_and_small_ones_fill_the_gaps() {
        check(&[(4, 1_000, 1, 0), (2, 6_000, 1, 0)], 10, 2, 6);
    }

    #[test]
    fn a_pod_that_fits_no_empty_node_opens_none() {
        check(&[(3, 9_000, 1, 0)], 10, 0, 0);
        check(&[(3, 9_000, 1, 0), (2, 4_000, 1, 0)], 10, 1, 2);
    }

    #[test]
    fn the_limit_holds() {
        check(&[(8, 4_000, 1, 0)], 3, 3, 6);
        check(&[(8, 4_000, 1, 0)], 0, 0, 0);
    }
}
