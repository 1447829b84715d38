//! What stands in for a trigger that cannot be read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// After more failures in a row than the threshold, the trigger reads as if this many replicas were needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fallback {
    /// Failures in a row that are only passed on.
    pub failure_threshold: u32,
    /// Replicas to ask for.
    pub replicas: u32,
    /// Whether the current count matters.
    #[serde(default)]
    pub behavior: FallbackBehavior,
}

/// How a fallback looks at the current count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FallbackBehavior {
    /// Not at all.
    #[default]
    Static,
    /// Keeps it.
    CurrentReplicas,
    /// Keeps it if it is higher than `replicas`.
    CurrentReplicasIfHigher,
    /// Keeps it if it is lower than `replicas`.
    CurrentReplicasIfLower,
    /// Leaves the trigger out of the formula; `replicas` if all of its triggers have failed.
    ScalingModifiers,
}

impl Fallback {
    /// The replicas to ask for after `failures` in a row, if that is more than the threshold.
    pub fn replicas_after(&self, failures: u32, current: u32) -> Option<u32> {
        (failures > self.failure_threshold).then(|| self.replicas_beside(current))
    }

    fn replicas_beside(&self, current: u32) -> u32 {
        match self.behavior {
            FallbackBehavior::Static | FallbackBehavior::ScalingModifiers => self.replicas,
            FallbackBehavior::CurrentReplicas => current,
            FallbackBehavior::CurrentReplicasIfHigher => self.replicas.max(current),
            FallbackBehavior::CurrentReplicasIfLower => self.replicas.min(current),
        }
    }
}

/// What a trigger reads for the HPA.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// What was measured.
    Live(f64),
    /// The fallback's replicas, as a metric.
    Fallback(f64),
    /// It failed, and no fallback stands in yet.
    Failed,
}

/// Reads a trigger: what was measured (`None` if that failed), or what stands in. Counts failures in a row.
pub fn read(
    measured: Option<f64>,
    fallback: Option<&Fallback>,
    failures: &mut u32,
    target: f64,
    current: u32,
) -> Reading {
    if let Some(value) = measured {
        *failures = 0;
        return Reading::Live(value);
    }
    *failures += 1;
    let replicas = fallback.and_then(|fallback| fallback.replicas_after(*failures, current));
    replicas.map_or(Reading::Failed, |replicas| Reading::Fallback(f64::from(replicas) * target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(behavior: FallbackBehavior, failures: u32, current: u32, expected: Option<u32>) {
        let fallback = Fallback { failure_threshold: 3, replicas: 10, behavior };
        assert_eq!(fallback.replicas_after(failures, current), expected);
    }

    #[test]
    fn failures_up_to_the_threshold_are_passed_on() {
        check(FallbackBehavior::Static, 3, 5, None);
        check(FallbackBehavior::Static, 4, 5, Some(10));
    }

    #[test]
    fn the_current_count_matters_as_told() {
        check(FallbackBehavior::CurrentReplicas, 4, 5, Some(5));
        check(FallbackBehavior::CurrentReplicasIfHigher, 4, 12, Some(12));
        check(FallbackBehavior::CurrentReplicasIfHigher, 4, 5, Some(10));
        check(FallbackBehavior::CurrentReplicasIfLower, 4, 5, Some(5));
    }
}
