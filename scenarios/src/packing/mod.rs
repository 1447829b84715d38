//! The packing study of Weng et al. (USENIX ATC 2023) as an experiment: pods arrive until the cluster's GPUs have
//! been asked for more than once over, nobody leaves, and each strategy shows what it allocates and what it
//! strands.
//!
//! [`Study`] holds a cluster and a list of pods; an [`Arrangement`] says in which order pods arrive and in which
//! order nodes are taken when equally good: the study's own, or one of ours, drawn by seed.

mod arrangement;
mod error;
mod study;

pub use arrangement::{Arrangement, Load};
pub use error::PackingError;
pub use study::Study;
