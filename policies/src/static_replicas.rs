//! Keeps a fixed number of replicas.
//!
//! ## What it does
//! Writes `replicas` once, and again whenever something else has changed the count. This is a Deployment
//! without an autoscaler: sized for the mean it is lean, sized for the peak it is generous.
//!
//! ## What it looks at
//! The replica count that was last asked for. No metric.
//!
//! ## Settings
//! `replicas` is the count; none is a service that is switched off.
//!
//! ## Where it falls short
//! It pays for the peak all day, or fails at the peak.
//!
//! ## Source
//! `spec.replicas` of a Kubernetes Deployment.

use contract::{Action, Cadence, Micros, Observation, Plan, Policy, Reason, ServiceId, StateError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings, as they stand under `[stack.replicas.static-replicas]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// How many replicas each service has.
    pub replicas: u32,
}

/// The policy.
#[derive(Debug)]
pub(crate) struct StaticReplicas {
    settings: Settings,
    services: Vec<ServiceId>,
}

impl StaticReplicas {
    pub(crate) fn new(settings: Settings, services: Vec<ServiceId>) -> Self {
        Self { settings, services }
    }
}

impl Policy for StaticReplicas {
    fn name(&self) -> &'static str {
        "static-replicas"
    }

    fn cadence(&self) -> Cadence {
        // Nobody else writes the count in a simulation; a minute is soon enough to put it right in a cluster.
        Cadence::regular(Micros::from_mins(1), Micros::ZERO)
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        let replicas = self.settings.replicas;
        for &service in &self.services {
            let found = seen.services[service.index()].replicas_wanted;
            if found != replicas {
                let reason = Reason::new("fixed count").with("found", f64::from(found));
                plan.act(Action::SetReplicas { service, replicas }, reason);
            }
        }
    }

    /// It remembers nothing.
    fn save(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), StateError> {
        crate::state::restore(self.name(), state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Cluster, service};

    #[track_caller]
    fn check(found: u32, expected: &str) {
        let cluster = Cluster { services: vec![service(found, 0)], ..Cluster::default() };
        let mut policy = StaticReplicas::new(Settings { replicas: 3 }, vec![ServiceId(0)]);
        assert_eq!(cluster.plan_of(&mut policy), expected);
    }

    #[test]
    fn a_count_that_somebody_changed_is_put_right() {
        check(5, "set-replicas service=0 replicas=3 (fixed count: found=5)\n");
    }

    #[test]
    fn the_right_count_is_left_alone() {
        check(3, "");
    }
}
