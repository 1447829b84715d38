//! How a node's GPUs are divided among pods.

use super::{CounterSet, MigBoard, MigInstance};
use crate::Bytes;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::sync::Arc;

/// How every GPU of a node is divided among pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Sharing {
    /// Not at all: a pod holds whole GPUs (`nvidia.com/gpu`).
    #[default]
    Whole,
    /// So many pods a GPU, in turns; memory is shared and nothing protects one from another.
    TimeSliced {
        /// Pods a GPU.
        replicas: NonZeroU32,
    },
    /// So many pods a GPU at once, each with an equal part of memory and of threads (the MPS control daemon).
    Mps {
        /// Pods a GPU.
        replicas: NonZeroU32,
    },
    /// Cut into instances by MIG.
    #[serde(rename_all = "kebab-case")]
    Mig {
        /// What can be cut.
        board: Arc<MigBoard>,
        /// The instances that each GPU has when its node comes up.
        layout: Vec<MigInstance>,
        /// Whether an idle GPU may be cut anew.
        dynamic: bool,
    },
    /// Virtual GPUs of `HAMi`.
    #[serde(rename_all = "kebab-case")]
    Hami {
        /// Pods a GPU at most (`deviceSplitCount`).
        split: NonZeroU32,
        /// Memory that a GPU offers: its own, times `deviceMemoryScaling`.
        memory: Bytes,
    },
    /// Fractions in thousandths, whole GPUs beside them.
    Milli,
    /// Requests and limits in thousandths; whole GPUs beside them.
    Burst,
    /// Devices that draw on counters, allocated to claims.
    Counters(Arc<CounterSet>),
}

impl Sharing {
    /// Whether pods hold whole GPUs only, so that counting them says it all.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Whole)
    }
}
