//! The formula that many write first: metric over target times the replicas that were asked for.
//!
//! ## What it does
//! Every `interval` it multiplies the replicas that were asked for by the ratio of the pods' mean to the target,
//! no faster than `max-growth` a step upwards, and as fast as it likes downwards. A ratio within the tolerance
//! changes nothing.
//!
//! ## What it looks at
//! A metric of each pod, averaged over the pods that have a sample, and the replica count that was last asked
//! for. Not at how many of those replicas serve.
//!
//! ## Settings
//! `metric` and `target` of a pod, `min-replicas`, `max-replicas`, `interval`, `phase`, `tolerance`, `max-growth`.
//!
//! ## Where it falls short
//! It is here as a warning. Pods that load have no sample, so the mean is that of the overloaded few, and the
//! count that it is multiplied by already holds the pods of the last step: 2, 4, 8, 16 while the first new model
//! still loads. When they are all up the mean falls, and everything goes again at once.
//!
//! ## Source
//! vllm-project/aibrix issue 2670, which reports the cascade; the interval is that of a Horizontal Pod Autoscaler.

use crate::Invalid;
use crate::hpa::tolerance::Tolerances;
use crate::invalid::{ensure, ensure_not_negative, ensure_positive};
use crate::readings::{read, replicas};
use contract::{
    Action, Cadence, Metric, Micros, Observation, Plan, Policy, Reason, ServiceId, ServiceSeen,
    StateError, Subject,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings, as they stand under `[stack.replicas.naive-ratio]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// What is measured of each pod.
    pub metric: Metric,
    /// What a pod should have of it on average.
    pub target: f64,
    /// Never fewer replicas than this.
    #[serde(default = "one")]
    pub min_replicas: u32,
    /// Never more replicas than this.
    pub max_replicas: u32,
    /// Time between two looks.
    #[serde(default = "quarter_of_a_minute")]
    pub interval: Micros,
    /// From one interval after the start to the first look.
    #[serde(default)]
    pub phase: Micros,
    /// How far from 1 the ratio may be before anything is done.
    #[serde(default = "tenth")]
    pub tolerance: f64,
    /// One step multiplies the count by this at most.
    #[serde(default = "double")]
    pub max_growth: f64,
}

fn one() -> u32 {
    1
}

fn quarter_of_a_minute() -> Micros {
    Micros::from_secs(15)
}

fn tenth() -> f64 {
    0.1
}

fn double() -> f64 {
    2.0
}

impl Settings {
    /// Checks what types cannot.
    pub fn validate(&self) -> Result<(), Invalid> {
        let expected = "a metric of pods, such as `concurrency`";
        ensure(self.metric.is_of_pods(), "metric", self.metric.name(), expected)?;
        ensure_positive("target", self.target)?;
        let (min, max) = (self.min_replicas, self.max_replicas);
        ensure(min > 0, "min-replicas", min, "at least 1")?;
        ensure(min <= max, "min-replicas", min, format!("at most `max-replicas` ({max})"))?;
        ensure(self.interval > Micros::ZERO, "interval", self.interval, "more than no time")?;
        ensure_not_negative("tolerance", self.tolerance)?;
        let growth = self.max_growth;
        ensure(growth.is_finite() && growth > 1.0, "max-growth", growth, "a number above 1")
    }

    /// The count to be, and why.
    fn propose(&self, current: u32, ratio: f64) -> (u32, &'static str) {
        let band = Tolerances::both(self.tolerance);
        if band.cover(ratio) {
            return (current, "on target");
        }
        let most = replicas(f64::from(current) * self.max_growth);
        let proposed = replicas(f64::from(current) * ratio);
        let allowed = proposed.min(most).clamp(self.min_replicas, self.max_replicas);
        let words = match (ratio > 1.0, allowed == current) {
            (true, true) => "above target, at the maximum",
            (true, false) if proposed > most => "above target, as fast as allowed",
            (true, false) => "above target",
            (false, true) => "below target, at the minimum",
            (false, false) => "below target",
        };
        (allowed, words)
    }
}

/// The policy.
#[derive(Debug)]
pub(crate) struct NaiveRatio {
    settings: Settings,
    services: Vec<ServiceId>,
}

impl NaiveRatio {
    pub(crate) fn new(settings: Settings, services: Vec<ServiceId>) -> Self {
        Self { settings, services }
    }

    fn look(&self, service: &ServiceSeen, plan: &mut Plan) {
        let current = service.replicas_wanted;
        let count = |reason: Reason| {
            reason
                .with("replicas", f64::from(current))
                .with("ready", f64::from(service.replicas.ready))
        };
        let Some(value) = read(service, self.settings.metric) else {
            let reason = count(Reason::new("no pod has a sample"));
            return plan.hold(Subject::Service(service.id), reason);
        };
        let (replicas, words) = self.settings.propose(current, value / self.settings.target);
        let reason = count(
            Reason::new(words)
                .with(self.settings.metric.name(), value)
                .with("target", self.settings.target),
        );
        if replicas == current {
            plan.hold(Subject::Service(service.id), reason);
        } else {
            plan.act(Action::SetReplicas { service: service.id, replicas }, reason);
        }
    }
}

impl Policy for NaiveRatio {
    fn name(&self) -> &'static str {
        "naive-ratio"
    }

    fn cadence(&self) -> Cadence {
        let every = self.settings.interval;
        Cadence::regular(every, every + self.settings.phase)
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        for service in &self.services {
            self.look(&seen.services[service.index()], plan);
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
    use crate::samples::{Cluster, sample, service};

    fn settings() -> Settings {
        let text = r#"{ "metric": "concurrency", "target": 10, "max-replicas": 20 }"#;
        let settings: Settings = serde_json::from_str(text).expect("settings");
        settings.validate().expect("settings that work");
        settings
    }

    /// What is decided of a service that asks for `wanted` replicas, of which those with a concurrency serve.
    #[track_caller]
    fn check(wanted: u32, concurrency: &[f64], expected: &str) {
        let mut seen = service(wanted, u32::try_from(concurrency.len()).expect("few"));
        for (place, &value) in concurrency.iter().enumerate() {
            seen.pods.edit(place, |pod| pod.samples.push(sample(Metric::Concurrency, value)));
        }
        let cluster = Cluster { services: vec![seen], ..Cluster::default() };
        let mut policy = NaiveRatio::new(settings(), vec![ServiceId(0)]);
        assert_eq!(cluster.plan_of(&mut policy), expected);
    }

    /// vllm-project/aibrix issue 2670.
    #[test]
    fn two_overloaded_pods_double_the_count_at_every_look_while_the_others_load() {
        let overload = [40.0, 40.0];
        let line = |before: u32, after: u32, words: &str| {
            format!(
                "set-replicas service=0 replicas={after} ({words}: concurrency=40, target=10, replicas={before}, ready=2)\n"
            )
        };
        check(2, &overload, &line(2, 4, "above target, as fast as allowed"));
        check(4, &overload, &line(4, 8, "above target, as fast as allowed"));
        check(8, &overload, &line(8, 16, "above target, as fast as allowed"));
        check(16, &overload, &line(16, 20, "above target, as fast as allowed"));
    }

    #[test]
    fn a_ratio_at_the_edge_of_the_tolerance_changes_nothing() {
        check(
            2,
            &[11.0, 11.0],
            "hold Service(ServiceId(0)) (on target: concurrency=11, target=10, replicas=2, ready=2)\n",
        );
        check(
            2,
            &[11.1, 11.1],
            "set-replicas service=0 replicas=3 (above target: concurrency=11.1, target=10, replicas=2, ready=2)\n",
        );
    }

    #[test]
    fn a_low_ratio_takes_everything_away_at_once() {
        check(
            16,
            &[1.0],
            "set-replicas service=0 replicas=2 (below target: concurrency=1, target=10, replicas=16, ready=1)\n",
        );
    }

    #[test]
    fn without_a_sample_nothing_happens() {
        check(2, &[], "hold Service(ServiceId(0)) (no pod has a sample: replicas=2, ready=0)\n");
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        let broken = |change: fn(&mut Settings)| {
            let mut settings = settings();
            change(&mut settings);
            settings.validate().expect_err("cannot work").to_string()
        };
        assert_eq!(
            broken(|settings| settings.metric = Metric::QueueLength),
            "`metric`: found `queue-length`, expected a metric of pods, such as `concurrency`"
        );
        assert_eq!(
            broken(|settings| settings.max_growth = 1.0),
            "`max-growth`: found `1`, expected a number above 1"
        );
    }
}
