//! What a packing study finds: allocation and fragmentation by arrived load.

use super::Strategy;

/// Means over the pods that arrived while the load was about so many percent of all GPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// GPU in use, in percent of all GPUs.
    pub allocated: f64,
    /// Fragments, in percent of all GPUs.
    pub fragments: f64,
    /// Fragments, in percent of the idle GPUs.
    pub fragments_of_idle: f64,
}

/// A run's points: the place in the vector is the arrived load in percent of all GPUs.
pub type Curve = Vec<Point>;

/// The curves of a strategy over the runs of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct StrategyCurves {
    /// The strategy.
    pub strategy: Strategy,
    /// Seed and curve of each run.
    pub runs: Vec<(u64, Curve)>,
}
