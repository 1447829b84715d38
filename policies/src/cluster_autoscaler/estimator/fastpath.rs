//! The fast path: many equal pods are packed onto one node, and the rest is division.

use crate::cluster_autoscaler::pending::PodGroup;
use contract::{HOSTNAME_KEY, PodSpec, Resources};

/// The group that saves the most steps when it is packed last and by division; the last of equals. `None` if no
/// group may be packed so.
pub fn fastpath_group(groups: &[PodGroup<'_>], capacity: &Resources) -> Option<usize> {
    let places = (0..groups.len()).filter(|&place| allows_fastpath(groups[place].spec));
    places.max_by_key(|&place| steps_saved(&groups[place], capacity))
}

/// Division is right only if every new node takes as many pods as the first: not where pods spread, nor where
/// they keep apart over more than one node.
pub(super) fn allows_fastpath(spec: &PodSpec) -> bool {
    spec.constraints.as_ref().is_none_or(|own| {
        let wide = own.pod_anti_affinity.iter().any(|term| term.topology_key != HOSTNAME_KEY);
        own.topology_spread.is_empty() && !wide
    })
}

/// Of `pods` on `nodes`, all but those of the first node.
fn steps_saved(group: &PodGroup<'_>, capacity: &Resources) -> u64 {
    let pods = u64::from(group.count);
    pods - nodes_for(group, capacity).map_or(pods, |nodes| pods / nodes)
}

/// A lower bound on nodes; `None` if the pods ask for nothing.
fn nodes_for(group: &PodGroup<'_>, capacity: &Resources) -> Option<u64> {
    let pods = u64::from(group.count);
    let nodes = |request: u64, of: u64| if of == 0 { 0 } else { (pods * request).div_ceil(of) };
    let requests = &group.spec.requests;
    let by_resources =
        nodes(requests.cpu.0, capacity.cpu.0).max(nodes(requests.memory.0, capacity.memory.0));
    let by_anti_affinity = if keeps_apart(group.spec) { pods } else { 0 };
    Some(by_resources.max(by_anti_affinity)).filter(|&nodes| nodes > 0)
}

/// Whether no two of the pods may share a node.
fn keeps_apart(spec: &PodSpec) -> bool {
    let Some(own) = &spec.constraints else { return false };
    let label = |key: &str| own.labels.get(key).map(String::as_str);
    let mut terms = own.pod_anti_affinity.iter();
    terms.any(|term| term.topology_key == HOSTNAME_KEY && term.selector.matches(label))
}
