//! A divided GPU as the controller knows it.

use super::{GpuMilli, MigInstance};
use crate::{Bytes, PodId};
use serde::{Deserialize, Serialize};

/// One GPU of a node whose GPUs are divided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GpuSeen {
    /// The MIG instances that it is cut into, by start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition: Vec<MigInstance>,
    /// It is being cut anew and takes no pods.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repartitioning: bool,
    /// The instances that it is to be cut into once its last pod has left; until then it takes no pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ordered: Vec<MigInstance>,
    /// Who holds what of it, oldest first.
    pub holds: Vec<Hold>,
}

impl GpuSeen {
    /// Whether nobody holds any of it.
    pub fn is_idle(&self) -> bool {
        self.holds.is_empty()
    }

    /// Whether it takes pods: it is neither being cut anew nor emptied for that.
    pub fn takes_pods(&self) -> bool {
        !self.repartitioning && self.ordered.is_empty()
    }
}

/// A part of a GPU in a pod's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hold {
    /// Whose.
    pub pod: PodId,
    /// What.
    pub held: Held,
}

/// What a pod can hold of one GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Held {
    /// All of it.
    Whole,
    /// A fraction.
    Milli(GpuMilli),
    /// So many of its replicas.
    Shares(u32),
    /// A virtual GPU.
    Hami {
        /// Memory.
        memory: Bytes,
        /// Per cent of the cores.
        cores: u8,
    },
    /// A MIG instance.
    Mig(MigInstance),
    /// A request, and a limit for what others leave idle.
    Burst {
        /// Guaranteed.
        request: GpuMilli,
        /// At most.
        limit: GpuMilli,
    },
    /// A device of its counter set, by place.
    Device(u16),
}
