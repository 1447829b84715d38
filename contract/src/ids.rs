//! Names of things, as small numbers that index the engine's tables.

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// The number as an index.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    )*};
}

ids! {
    /// A service: a Deployment behind a gateway. Numbered in the order of the scenario.
    ServiceId;
    /// A job: pods that work on one thing until it is done. Numbered in the order of arrival.
    JobId;
    /// A node pool (node group, `NodePool`). Numbered in the order of the scenario.
    PoolId;
    /// A node, never reused within a run.
    NodeId;
    /// A pod, never reused within a run.
    PodId;
}
