//! Packing of GPU pods: strategies that choose a node and devices for pods that ask for fractions of a GPU, one
//! GPU or several, and how fragmented they leave a cluster.
//!
//! [`Packer`] is a cluster with a [`Strategy`]: it places pods one at a time and lets them go again. [`Meter`]
//! records allocation and fragmentation against the load that has arrived, as the study of Weng et al. (USENIX
//! ATC 2023) does, whose figures the strategies reproduce to the rounding digit. A new strategy is one file here
//! and its arms in `strategy.rs`.
//!
//! A node that fits has CPU, memory and devices left, and a GPU of a model that the pod allows. The kubelet's
//! pod limit is left out: the study's nodes accept 1,001 pods and never hold as many.
//!
//! The same strategies score nodes for the scheduler of a [`Cluster`](crate::Cluster), where its
//! [`Profile`](crate::Profile) names one.

mod changes;
mod cluster;
mod curve;
mod devices;
mod fragmentation;
mod index;
mod meter;
mod node;
mod norm;
mod packer;
mod pod;
mod scorer;
mod strategy;
mod typical;

mod best_fit;
mod dot_prod;
mod fgd;
mod gpu_clustering;
mod gpu_packing;
mod random;

#[cfg(test)]
mod judge;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod scorer_judge;

pub use curve::{Curve, Point, StrategyCurves};
pub use devices::{MOST_DEVICES, MilliGpu, Slots};
pub use meter::Meter;
pub use node::{Node, NodeSpec, TooManyGpus};
pub use packer::{ClassId, Packer, Placement};
pub use pod::{GpuRequest, Pod};
pub(crate) use scorer::{Ground, Scorer};
#[cfg(test)]
pub(crate) use scorer_judge::Judge;
pub use strategy::Strategy;
pub use typical::{TypicalPod, typical_pods};
