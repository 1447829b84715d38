//! The bin-packing estimator: how many new nodes of a shape, and for how many pods.

mod fastpath;
mod ground;
mod limiter;
mod order;

pub use fastpath::fastpath_group;
pub use ground::Surroundings;
pub use limiter::{Limiter, Threshold, cluster_limit, similar_pools_limit, stricter};
pub use order::{decreasing_order, size};

use super::pending::PodGroup;
use contract::{Bytes, Micros, MilliCpu, NodeShape, PodSpec, Resources};
use fastpath::allows_fastpath;
use ground::Ground;
use std::sync::Arc;

/// What new nodes of one shape would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Nodes that hold at least one pod.
    pub nodes: u32,
    /// Pods on them, by group.
    pub placed: Vec<u32>,
    /// What those pods request.
    pub requests: Resources,
}

impl Estimate {
    /// Pods on the new nodes.
    pub fn pods(&self) -> u32 {
        self.placed.iter().sum()
    }
}

/// First fit over new nodes, biggest pods first, as far as the limiter allows. With `fastpath` the group that
/// saves the most goes last, and is divided rather than packed. Pods that look at others need `around`.
pub fn estimate(
    shape: &Arc<NodeShape>,
    groups: &[PodGroup<'_>],
    limiter: Limiter,
    fastpath: bool,
    around: Option<&Surroundings>,
) -> Estimate {
    let mut order = decreasing_order(groups, &shape.allocatable);
    let divided = if fastpath { move_to_end(&mut order, groups, shape) } else { None };
    let mut packing = Packing::new(shape, groups, limiter, around);
    for group in order {
        packing.place_on_open(group);
        if divided == Some(group) && allows_fastpath(groups[group].spec) {
            packing.divide(group);
        } else {
            packing.open_for(group);
        }
    }
    packing.finish()
}

/// Puts the group of the fast path last; says which it is.
fn move_to_end(
    order: &mut Vec<usize>,
    groups: &[PodGroup<'_>],
    shape: &NodeShape,
) -> Option<usize> {
    let ordered: Vec<_> = order.iter().map(|&group| groups[group]).collect();
    let place = fastpath_group(&ordered, &shape.allocatable)?;
    let group = order.remove(place);
    order.push(group);
    Some(group)
}

struct Packing<'a> {
    groups: &'a [PodGroup<'a>],
    /// By group: what its pods ask for.
    specs: Vec<Arc<PodSpec>>,
    ground: Ground<'a>,
    /// Nodes that were counted without being packed.
    counted: u32,
    /// Where the last pod was placed: the next search starts there.
    last: usize,
    limiter: Limiter,
    /// By group.
    placed: Vec<u32>,
}

impl<'a> Packing<'a> {
    fn new(
        shape: &'a Arc<NodeShape>,
        groups: &'a [PodGroup<'a>],
        limiter: Limiter,
        around: Option<&Surroundings>,
    ) -> Self {
        let looks_around = groups.iter().any(|group| group.spec.constraints.is_some());
        Self {
            groups,
            specs: groups.iter().map(|group| Arc::new(group.spec.clone())).collect(),
            ground: Ground::new(shape, around.filter(|_| looks_around)),
            counted: 0,
            last: 0,
            limiter,
            placed: vec![0; groups.len()],
        }
    }

    fn left(&self, group: usize) -> u32 {
        self.groups[group].count - self.placed[group]
    }

    /// On nodes that are open already, round from the last place, up to the first pod that fits on none.
    fn place_on_open(&mut self, group: usize) {
        while self.left(group) > 0 {
            let count = self.ground.len();
            let mut places = (self.last..count).chain(0..self.last.min(count));
            let Some(place) = places.find(|&place| self.takes(place, group)) else { return };
            self.last = place;
            self.put(place, group);
        }
    }

    /// Opens node after node for the pods that are left.
    fn open_for(&mut self, group: usize) {
        while self.left(group) > 0 {
            match self.ground.len().checked_sub(1) {
                Some(newest) if self.takes(newest, group) => self.put(newest, group),
                Some(_) if self.ground.put_elsewhere(&self.specs[group]) => self.placed[group] += 1,
                // The newest is still empty: another would not take the pod either.
                Some(newest) if self.ground.pods_on(newest) == 0 => return,
                _ if !self.open() => return,
                _ => {}
            }
        }
    }

    /// Fills one node, and counts as many more as the pods that are left need.
    fn divide(&mut self, group: usize) {
        let newest = self.ground.len().checked_sub(1);
        let reusable = newest.is_some_and(|newest| self.ground.pods_on(newest) == 0);
        if self.left(group) == 0 || (!reusable && !self.open()) {
            return;
        }
        let newest = self.ground.len() - 1;
        while self.left(group) > 0 && self.takes(newest, group) {
            self.put(newest, group);
        }
        let of_one = self.ground.pods_on(newest);
        while of_one > 0 && self.left(group) > 0 && self.limiter.grant(Micros::ZERO) {
            self.counted += 1;
            self.placed[group] += self.left(group).min(of_one);
        }
    }

    fn open(&mut self) -> bool {
        let granted = self.limiter.grant(Micros::ZERO);
        if granted {
            self.ground.open();
        }
        granted
    }

    fn takes(&mut self, place: usize, group: usize) -> bool {
        self.ground.takes(place, self.groups[group].spec)
    }

    fn put(&mut self, place: usize, group: usize) {
        self.ground.put(place, &self.specs[group]);
        self.placed[group] += 1;
    }

    fn finish(self) -> Estimate {
        let filled = u32::try_from(self.ground.filled()).expect("fewer than 2^32 nodes");
        let requests = self.groups.iter().zip(&self.placed);
        let requests = requests.map(|(group, &placed)| times(&group.spec.requests, placed));
        let requests = requests.fold(Resources::default(), |sum, next| sum + next);
        Estimate { nodes: filled + self.counted, placed: self.placed, requests }
    }
}

/// So many times that.
fn times(one: &Resources, count: u32) -> Resources {
    Resources {
        cpu: MilliCpu(one.cpu.0 * u64::from(count)),
        memory: Bytes(one.memory.0 * u64::from(count)),
        gpus: one.gpus * count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{pool, resources};
    use contract::PodSpec;

    /// Nodes of 8 cores, 32 GiB and 2 GPUs; groups of `(count, millicores, GiB, GPUs)`.
    #[track_caller]
    fn check(groups: &[(u32, u64, u64, u32)], limit: i64, nodes: u32, pods: u32) {
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
        let limiter = Limiter::of(&[Threshold::nodes(limit)]);
        let found = estimate(&shape, &groups, limiter, false, None);
        assert_eq!((found.nodes, found.pods()), (nodes, pods));
        // With several groups the fast path packs in another order.
        if groups.len() == 1 {
            assert_eq!(estimate(&shape, &groups, limiter, true, None), found);
        }
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
        check(&[(8, 4_000, 1, 0)], -1, 0, 0);
    }
}
