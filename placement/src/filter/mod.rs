//! Filters: whether a pod may run on a node at all, in the order of kube-scheduler's default profile.

mod cordon;
mod gpu_model;
pub(crate) mod node_affinity;
pub(crate) mod resources;
pub(crate) mod taints;

pub use resources::Shortage;

use crate::Candidate;
use contract::{NodeShape, PodSpec};

/// The first filter that keeps a pod off a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misfit {
    /// The node is cordoned (`NodeUnschedulable`).
    Cordoned,
    /// The node has a taint that the pod does not tolerate (`TaintToleration`).
    Taint,
    /// The node lacks a label that the pod selects (`NodeAffinity`).
    Selector,
    /// The pod cannot run on the node's GPU model (in a cluster: a node affinity on the GPU product label).
    GpuModel,
    /// The node has not enough left (`NodeResourcesFit`).
    Resources(Shortage),
}

/// Whether a pod may run on a node, or the first reason why not. Rules about the other pods of a cluster are
/// [`Cluster`](crate::Cluster)'s business.
///
/// # Errors
/// The filter that said no.
pub fn fits(spec: &PodSpec, node: &Candidate<'_>) -> Result<(), Misfit> {
    cordon::check(node)?;
    of_shape(spec, node.shape, None)?;
    resources::check(&spec.requests, node)
}

/// The filters that only look at what all nodes of a shape (in a zone) have in common.
pub(crate) fn of_shape(
    spec: &PodSpec,
    shape: &NodeShape,
    zone: Option<&str>,
) -> Result<(), Misfit> {
    taints::check(&spec.tolerations, &shape.taints)?;
    node_affinity::check(spec, shape, zone)?;
    gpu_model::check(spec, shape)
}

/// Whether a pod may run on an empty node of this shape.
///
/// # Errors
/// The filter that said no.
pub fn fits_fresh(spec: &PodSpec, shape: &NodeShape) -> Result<(), Misfit> {
    fits(spec, &Candidate::fresh(shape))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{gpu_node, pod};

    #[test]
    fn the_first_filter_in_order_gives_the_reason() {
        let shape = gpu_node("L40S", 1);
        let mut node = Candidate { cordoned: true, ..Candidate::fresh(&shape) };
        let mut spec = pod("1", "1GiB", 2);
        spec.node_selector.insert("zone".into(), "a".into());
        assert_eq!(fits(&spec, &node), Err(Misfit::Cordoned));
        node.cordoned = false;
        assert_eq!(fits(&spec, &node), Err(Misfit::Selector));
        spec.node_selector.clear();
        let short = Shortage { gpus: true, ..Shortage::default() };
        assert_eq!(fits(&spec, &node), Err(Misfit::Resources(short)));
    }
}
