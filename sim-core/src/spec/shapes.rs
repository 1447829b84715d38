//! Services whose replicas may have one of several shapes.

use super::{ServiceKind, ServiceSpec, StartupSpec};
use contract::{Micros, PodSpec};
use std::sync::Arc;

/// Shapes that a replica may have beside the first, which is the service's own `pod`, `kind` and `startup`.
#[derive(Clone, Debug, Default)]
pub struct Alternatives {
    /// In the order in which they are tried.
    pub shapes: Vec<ReplicaShape>,
    /// How long a pod that fits nowhere keeps its shape; then one of the next shape is made in its place, after the
    /// last shape one of the first.
    pub fallback_after: Micros,
}

/// Everything about a replica that may differ from one to the next.
#[derive(Clone, Debug)]
pub struct ReplicaShape {
    /// What it asks of a node.
    pub pod: Arc<PodSpec>,
    /// What it does with a request.
    pub kind: ServiceKind,
    /// Its start on a node.
    pub startup: StartupSpec,
}

/// A shape, the service's own or an alternative.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape<'a> {
    pub(crate) pod: &'a Arc<PodSpec>,
    pub(crate) kind: &'a ServiceKind,
    pub(crate) startup: &'a StartupSpec,
}

impl ServiceSpec {
    /// How many shapes a replica may have.
    pub(crate) fn shape_count(&self) -> usize {
        1 + self.alternatives.shapes.len()
    }

    /// A shape by its place in the order in which they are tried.
    pub(crate) fn shape(&self, place: usize) -> Shape<'_> {
        match place.checked_sub(1) {
            None => Shape { pod: &self.pod, kind: &self.kind, startup: &self.startup },
            Some(place) => {
                let ReplicaShape { pod, kind, startup } = &self.alternatives.shapes[place];
                Shape { pod, kind, startup }
            }
        }
    }

    /// All of them, in that order.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = Shape<'_>> {
        (0..self.shape_count()).map(|place| self.shape(place))
    }
}
