//! Where a pod fits, and which place is best: kube-scheduler's rules as pure functions.
//!
//! Filters say whether a pod may run on a node ([`fits`]); scores say how good a place it is; [`best`] does
//! both for a whole cluster and [`Unschedulable`] words why no node would do. The scheduler of the simulator
//! and the simulations inside node autoscalers call the same functions.
//!
//! Semantics of kube-scheduler 1.36. Not modelled: preferred affinity, topology spread, image locality and
//! the sampling of nodes in clusters of more than 100 nodes.

mod best;
mod filter;
mod node;
mod profile;
mod unschedulable;

pub mod device;
pub mod score;

pub use best::best;
pub use filter::{Misfit, Shortage, fits, fits_fresh};
pub use node::Candidate;
pub use profile::{Allocation, Balance, Profile};
pub use unschedulable::Unschedulable;

#[cfg(test)]
mod samples;
