//! Why a packing study cannot be made.

use std::path::PathBuf;
use traces::{Problem, TraceError};

/// Why a packing study cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackingError {
    /// A list cannot be read.
    #[error(transparent)]
    List(#[from] TraceError),
    /// There is nothing to pack into.
    #[error("`{}`: found no node with a GPU, expected at least one", path.display())]
    NoGpus {
        /// The list of nodes.
        path: PathBuf,
    },
    /// There is nothing to pack.
    #[error("`{}`: found no pod that asks for a GPU, expected at least one", path.display())]
    NoGpuPods {
        /// The list of pods.
        path: PathBuf,
    },
    /// A node has more GPUs than can be modelled.
    #[error("`{}`: node `{node}` has {found} GPUs, expected at most {most}", path.display())]
    TooManyGpus {
        /// The list of nodes.
        path: PathBuf,
        /// The node.
        node: String,
        /// How many it has.
        found: u32,
        /// How many it may have.
        most: usize,
    },
    /// The order names what the lists do not.
    #[error("`{}`, seed {seed}: found {kind} `{name}`, expected one of the list of {kind}s", path.display())]
    Unknown {
        /// The order.
        path: PathBuf,
        /// The seed.
        seed: u64,
        /// `pod` or `node`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// The order does not name every node once.
    #[error("`{}`, seed {seed}: found node `{node}` {times} times, expected each node once", path.display())]
    NotOnce {
        /// The order.
        path: PathBuf,
        /// The seed.
        seed: u64,
        /// The node.
        node: String,
        /// How often it is named.
        times: usize,
    },
    /// The order has fewer seeds than were asked for.
    #[error("`{}`: found {found} seeds, expected at least {expected}", path.display())]
    TooFewSeeds {
        /// The order.
        path: PathBuf,
        /// How many it has.
        found: usize,
        /// How many were asked for.
        expected: usize,
    },
    /// No thread could be started.
    #[error("cannot start {threads} threads: {cause}")]
    Threads {
        /// How many.
        threads: usize,
        /// What the system said.
        cause: rayon::ThreadPoolBuildError,
    },
}

impl PackingError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::List(TraceError { problem: Problem::Absent, .. }) => {
                "a relative path starts at the current folder"
            }
            Self::List(error) => error.hint(),
            Self::NoGpus { .. } => {
                "the columns of a node list are `sn,cpu_milli,memory_mib,gpu,model`"
            }
            Self::NoGpuPods { .. } => {
                "the columns of a pod list are `name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec`"
            }
            Self::TooManyGpus { .. } => "split the node, or take it out",
            Self::Unknown { .. } => {
                "the order belongs to one pair of lists; a clone is a pod's name, `-tuned-` and a number"
            }
            Self::NotOnce { .. } => "the order ranks all nodes of the list, for each seed",
            Self::TooFewSeeds { .. } => "ask for fewer seeds, or none to take all",
            Self::Threads { .. } => "ask for fewer threads",
        }
    }
}
