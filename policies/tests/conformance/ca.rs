//! Cluster Autoscaler: what its cases have in common.

use contract::{Bytes, MilliCpu, NodeShape, PodSpec, Resources};
use serde::Deserialize;

/// What a pod or a node of a case has of each resource.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Amounts {
    #[serde(default)]
    pub(crate) cpu_m: u64,
    #[serde(default)]
    pub(crate) memory: u64,
    #[serde(default)]
    pub(crate) gpu: u32,
}

impl Amounts {
    pub(crate) fn resources(self) -> Resources {
        Resources { cpu: MilliCpu(self.cpu_m), memory: Bytes(self.memory), gpus: self.gpu }
    }

    /// A pod that asks for this.
    pub(crate) fn spec(self) -> PodSpec {
        PodSpec { requests: self.resources(), ..PodSpec::default() }
    }

    /// A node that offers this, for as many pods as anyone likes.
    pub(crate) fn shape(self) -> NodeShape {
        NodeShape { allocatable: self.resources(), pod_limit: u32::MAX, ..NodeShape::default() }
    }
}

/// Names at places.
pub(crate) fn named<'a>(
    names: &[&'a str],
    places: impl IntoIterator<Item = usize>,
) -> Vec<&'a str> {
    places.into_iter().map(|place| names[place]).collect()
}
