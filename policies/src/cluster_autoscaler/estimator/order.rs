//! In which order pod groups are packed.

use crate::cluster_autoscaler::pending::PodGroup;
use contract::{PodSpec, Resources};

/// Places of the groups, biggest pods first, equal ones as they came. GPUs do not enter the order, as upstream.
pub fn decreasing_order(groups: &[PodGroup<'_>], allocatable: &Resources) -> Vec<usize> {
    let mut order: Vec<_> = (0..groups.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (size(groups[a].spec, allocatable), size(groups[b].spec, allocatable));
        b.total_cmp(&a)
    });
    order
}

/// Share of a node that one pod takes: CPU plus memory.
#[expect(clippy::cast_precision_loss, reason = "amounts stay below 2^53")]
pub fn size(spec: &PodSpec, allocatable: &Resources) -> f64 {
    let share = |request: u64, of: u64| if of == 0 { 0.0 } else { request as f64 / of as f64 };
    let requests = &spec.requests;
    share(requests.cpu.0, allocatable.cpu.0) + share(requests.memory.0, allocatable.memory.0)
}
