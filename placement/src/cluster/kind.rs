//! Nodes that filters cannot tell apart by what they are: one shape, one zone.

use crate::filter::node_affinity;
use contract::NodeShape;
use std::sync::Arc;

/// A shape in a zone.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) shape: Arc<NodeShape>,
    pub(super) zone: Option<Arc<str>>,
    /// How many nodes are of it.
    pub(super) nodes: u32,
}

impl Kind {
    /// A label that its nodes have in common.
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        node_affinity::label(&self.shape, self.zone.as_deref(), key)
    }

    pub(super) fn is(&self, shape: &Arc<NodeShape>, zone: Option<&Arc<str>>) -> bool {
        let same_shape = Arc::ptr_eq(&self.shape, shape) || self.shape == *shape;
        same_shape && self.zone.as_ref() == zone
    }
}
