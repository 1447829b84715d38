//! What holds for every HPA of a cluster: the flags of kube-controller-manager.

use crate::Invalid;
use crate::invalid::{ensure, ensure_not_negative};
use contract::Micros;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Flags of the controller, by their names without `horizontal-pod-autoscaler-`; defaults of Kubernetes 1.36.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Controller {
    /// Time between two looks at the metrics.
    pub sync_period: Micros,
    /// How far from its target a metric may be before anything is done, as a share.
    pub tolerance: f64,
    /// Without `behavior`: a scale-down goes no lower than the highest proposal of this long. With `behavior`:
    /// the same, unless its own window is set.
    pub downscale_stabilization: Micros,
    /// For CPU: how long a pod counts as young, whose samples only count from when it was ready.
    pub cpu_initialization_period: Micros,
    /// For CPU: how soon after its start an unready pod must have changed to count as having been ready once.
    pub initial_readiness_delay: Micros,
    /// Without `behavior`: one sync may multiply the count by this (a constant upstream).
    pub scale_up_limit_factor: f64,
    /// Without `behavior`: up to this count one sync may go from anywhere (a constant upstream).
    pub scale_up_limit_minimum: u32,
    /// Allows `min-replicas = 0` (feature gate `HPAScaleToZero`, off in 1.36).
    pub scale_to_zero: bool,
}

impl Default for Controller {
    fn default() -> Self {
        Self {
            sync_period: Micros::from_secs(15),
            tolerance: 0.1,
            downscale_stabilization: Micros::from_mins(5),
            cpu_initialization_period: Micros::from_mins(5),
            initial_readiness_delay: Micros::from_secs(30),
            scale_up_limit_factor: 2.0,
            scale_up_limit_minimum: 4,
            scale_to_zero: false,
        }
    }
}

impl Controller {
    /// Checks what types cannot.
    pub fn validate(&self) -> Result<(), Invalid> {
        let period = self.sync_period;
        ensure(period > Micros::ZERO, "sync-period", period, "more than no time")?;
        ensure_not_negative("tolerance", self.tolerance)?;
        let factor = self.scale_up_limit_factor;
        ensure(factor > 1.0, "scale-up-limit-factor", factor, "a number above 1")
    }
}
