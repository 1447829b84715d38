//! A policy: looks, then asks.

use crate::{Micros, Observation, Plan};

/// A saved state that does not fit the policy.
#[derive(Debug, thiserror::Error)]
#[error("state of policy `{policy}` cannot be restored: {cause}")]
pub struct StateError {
    /// Whose state it was to be.
    pub policy: String,
    /// What the reader said.
    pub cause: serde_json::Error,
}

/// When a policy wants to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// Time between two turns.
    pub every: Micros,
    /// Time from the start of the run to the first turn.
    pub first: Micros,
    /// The time that one of its loops takes at least: so long after the last turn an extra one can come.
    pub gap: Micros,
    /// Also ask as soon as the scheduler finds a pod unschedulable, and twice right after a turn that acted.
    pub on_unschedulable: bool,
    /// Also ask as soon as it can be known that a gateway holds the first request of a service that is to have no
    /// replicas (Knative: the activator's poke).
    pub on_held_at_zero: bool,
}

impl Cadence {
    /// Every so often, the first time so long after the start, and at no other time. A loop takes a second at least,
    /// as logs of Cluster Autoscaler show it.
    pub const fn regular(every: Micros, first: Micros) -> Self {
        let gap = Micros::from_secs(1);
        Self { every, first, gap, on_unschedulable: false, on_held_at_zero: false }
    }
}

/// A scaling policy. Deterministic: the same observations give the same plans.
pub trait Policy: Send {
    /// Its name, as in the scenario.
    fn name(&self) -> &str;

    /// When it wants to be asked.
    fn cadence(&self) -> Cadence;

    /// Looks at what is known and adds to the plan.
    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan);

    /// Its memory as JSON, so that a controller can be restarted.
    fn save(&self) -> serde_json::Value;

    /// Takes back what [`Policy::save`] gave.
    fn restore(&mut self, state: serde_json::Value) -> Result<(), StateError>;
}
