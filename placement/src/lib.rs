//! Where a pod fits, and which place is best: kube-scheduler's rules as pure functions.
//!
//! Filters say whether a pod may run on a node ([`fits`]); scores say how good a place it is; [`Cluster`] does
//! both for many nodes and pods, fast, with the rules about other pods (affinity, spreading, ports) and preemption;
//! [`Unschedulable`] words why no node would do. The scheduler of the simulator and the simulations inside node
//! autoscalers call the same filters.
//!
//! [`device`] says what a pod gets of GPUs that a node divides among pods.
//!
//! Semantics of kube-scheduler 1.36. Not modelled: soft topology spread (`ScheduleAnyway`, the system defaults),
//! volumes, namespaces, the interleaving of zones in the list of nodes; pods that are nominated for a node take its
//! resources and ports, but do not count for the affinity and spreading of others.

mod cluster;
mod filter;
pub mod gang;
mod node;
mod profile;
mod queue;
mod refusal;
mod sampling;
mod unschedulable;

pub mod device;
pub mod packing;
pub mod quota;
pub mod score;

pub use cluster::{Asking, Cluster, Preemption, Resident, Unhelpful};
pub use filter::{Misfit, Shortage, fits, fits_fresh};
pub use node::Candidate;
pub use profile::{Allocation, Balance, Profile};
pub use queue::Queue;
pub use refusal::Refusal;
pub use sampling::enough;
pub use unschedulable::Unschedulable;

#[cfg(test)]
mod samples;
