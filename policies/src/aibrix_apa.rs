//! AIBrix' APA: metric over target times current replicas, within a band and within rates.
//!
//! ## What it does
//! Every 10 s it takes the mean of the last 3 minutes. Outside ±10 % of the target it asks for the current count
//! times the ratio, at most double, at least half. Pods that still load count as idle on the way up and as on
//! target on the way down (`pending-replica-guard`). A scale-down takes the lowest recommendation of the last
//! 5 minutes, a scale-up is not delayed.
//!
//! ## What it looks at
//! A metric of each pod, averaged over the pods that have a sample, or one of the whole service (which reads as if
//! one pod had it), and the count that was last asked for. Upstream asks each pod when it looks; here it gets what
//! the metrics pipeline has.
//!
//! ## Settings
//! `metric` and `target-value`, `min-replicas`, `max-replicas`, the annotations `max-scale-up-rate`,
//! `max-scale-down-rate`, `up-fluctuation-tolerance`, `down-fluctuation-tolerance`, `scale-up-cooldown-window`,
//! `scale-down-cooldown-window`, the length of the `window`, `resync-interval`, `phase`, and
//! `pending-replica-guard`, which releases without pull request 2671 lack.
//!
//! ## Where it falls short
//! Without the guard it doubles at every look while models load. The window of 3 minutes still holds the overload
//! when the new pods are up, so it overshoots with it as well. Its cool-down does not cool: it repeats the lowest
//! recommendation of 5 minutes, so one quiet look takes away what a later surge brought. Scale to zero, several
//! metrics and schedules are not modelled.
//!
//! ## Source
//! vllm-project/aibrix main of 2026-08: `pkg/controller/podautoscaler/algorithm/apa.go`, `autoscaler.go`,
//! `podautoscaler_controller.go`; defaults from `context/context.go` and `metrics/client.go`.

use crate::Invalid;
use crate::aibrix::defaults::{five_minutes, one, ten_seconds, tenth, three_minutes, two, yes};
use crate::aibrix::pending_guard::Strategy;
use crate::aibrix::stabiliser::{Cooldowns, Stabiliser};
use crate::aibrix::window::Window;
use crate::aibrix::{Limits, Recommendation, Rules, say_unread};
use crate::readings::{read, replicas};
use contract::{
    Cadence, Instant, Metric, Micros, Observation, Plan, Policy, ServiceId, ServiceSeen, StateError,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings, as they stand under `[stack.replicas.aibrix-apa]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// What is measured.
    pub metric: Metric,
    /// What a pod should have of it.
    pub target_value: f64,
    /// Never fewer replicas than this.
    #[serde(default = "one")]
    pub min_replicas: u32,
    /// Never more replicas than this.
    pub max_replicas: u32,
    /// One look multiplies the count by this at most.
    #[serde(default = "two")]
    pub max_scale_up_rate: f64,
    /// One look leaves one part in so many at least.
    #[serde(default = "two")]
    pub max_scale_down_rate: f64,
    /// How far above the target is close enough, as a share.
    #[serde(default = "tenth")]
    pub up_fluctuation_tolerance: f64,
    /// How far below the target is close enough, as a share.
    #[serde(default = "tenth")]
    pub down_fluctuation_tolerance: f64,
    /// A scale-up takes the highest recommendation of this long.
    #[serde(default)]
    pub scale_up_cooldown_window: Micros,
    /// A scale-down takes the lowest recommendation of this long.
    #[serde(default = "five_minutes")]
    pub scale_down_cooldown_window: Micros,
    /// How far back the mean goes.
    #[serde(default = "three_minutes")]
    pub window: Micros,
    /// Pods that load count as idle on the way up and as on target on the way down.
    #[serde(default = "yes")]
    pub pending_replica_guard: bool,
    /// Time between two looks.
    #[serde(default = "ten_seconds")]
    pub resync_interval: Micros,
    /// From one resync after the start to the first look.
    #[serde(default)]
    pub phase: Micros,
}

impl Settings {
    /// Checks what types cannot.
    pub fn validate(&self) -> Result<(), Invalid> {
        self.rules().validate(self.window, self.resync_interval)
    }

    fn rules(&self) -> Rules {
        Rules {
            metric: self.metric,
            target: self.target_value,
            limits: Limits {
                min: self.min_replicas,
                max: self.max_replicas,
                up_rate: self.max_scale_up_rate,
                down_rate: self.max_scale_down_rate,
                up_tolerance: self.up_fluctuation_tolerance,
                down_tolerance: self.down_fluctuation_tolerance,
            },
            cooldowns: Cooldowns {
                up: self.scale_up_cooldown_window,
                down: self.scale_down_cooldown_window,
            },
            guards_pending: self.pending_replica_guard,
        }
    }
}

/// The replicas for a value of the metric, within rates and bounds, and why.
pub fn recommend(limits: &Limits, current: u32, value: f64, target: f64) -> (u32, &'static str) {
    let (ratio, now) = (value / target, f64::from(current));
    let (proposed, words) = if ratio > 1.0 + limits.up_tolerance {
        let most = replicas(limits.up_rate * now);
        let proposed = replicas(now * ratio);
        (
            proposed.min(most),
            if proposed > most { "above target, as fast as allowed" } else { "above target" },
        )
    } else if ratio < 1.0 - limits.down_tolerance {
        let least = replicas((now / limits.down_rate).floor());
        let proposed = replicas(now * ratio);
        (
            proposed.max(least),
            if proposed < least { "below target, as fast as allowed" } else { "below target" },
        )
    } else {
        (current, "on target")
    };
    (limits.clamp(proposed), words)
}

/// What the autoscaler of one service remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Memory {
    window: Window,
    stabiliser: Stabiliser,
}

/// The policy: an autoscaler for each service.
#[derive(Debug)]
pub(crate) struct Apa {
    settings: Settings,
    memory: Vec<(ServiceId, Memory)>,
}

impl Apa {
    pub(crate) fn new(settings: Settings, services: Vec<ServiceId>) -> Self {
        let memory = services.into_iter().map(|service| (service, Memory::default())).collect();
        Self { settings, memory }
    }
}

fn look(
    settings: &Settings,
    memory: &mut Memory,
    now: Instant,
    service: &ServiceSeen,
    plan: &mut Plan,
) {
    let Some(value) = read(service, settings.metric) else { return say_unread(service, plan) };
    memory.window.record(settings.window, now, value);
    let (rules, value) = (settings.rules(), memory.window.mean());
    let (replicas, words) =
        recommend(&rules.limits, service.replicas_wanted, value, settings.target_value);
    let recommended = Recommendation { replicas, value, words };
    rules.settle(Strategy::Apa, &recommended, &mut memory.stabiliser, (now, service), plan);
}

impl Policy for Apa {
    fn name(&self) -> &'static str {
        "aibrix-apa"
    }

    fn cadence(&self) -> Cadence {
        let every = self.settings.resync_interval;
        Cadence::regular(every, every + self.settings.phase)
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        for (service, memory) in &mut self.memory {
            look(&self.settings, memory, seen.now, &seen.services[service.index()], plan);
        }
    }

    fn save(&self) -> serde_json::Value {
        crate::state::save(&self.memory)
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), StateError> {
        self.memory = crate::state::restore(self.name(), state)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Cluster, at, sample, service};

    fn settings(more: &str) -> Settings {
        let text = format!(
            r#"{{ "metric": "concurrency", "target-value": 50, "max-replicas": 40 {more} }}"#
        );
        let settings: Settings = serde_json::from_str(&text).expect("settings");
        settings.validate().expect("settings that work");
        settings
    }

    /// The count that APA's own formula recommends.
    #[track_caller]
    fn check_formula(current: u32, value: f64, expected: u32) {
        assert_eq!(recommend(&settings("").rules().limits, current, value, 50.0).0, expected);
    }

    /// Looks at `(second, wanted, values of the pods that serve)`; the plans, one line each.
    #[track_caller]
    fn check(more: &str, looks: &[(u64, u32, &[f64])], expected: &str) {
        let mut policy = Apa::new(settings(more), vec![ServiceId(0)]);
        let plans = looks.iter().map(|&(second, wanted, values)| {
            let mut seen = service(wanted, u32::try_from(values.len()).expect("few"));
            for (place, &value) in values.iter().enumerate() {
                seen.pods.edit(place, |pod| pod.samples.push(sample(Metric::Concurrency, value)));
            }
            let cluster = Cluster { now: at(second), services: vec![seen], ..Cluster::default() };
            cluster.plan_of(&mut policy)
        });
        assert_eq!(plans.collect::<String>(), expected);
    }

    #[test]
    fn the_count_follows_the_ratio_within_the_rates() {
        check_formula(4, 80.0, 7);
        check_formula(4, 500.0, 8);
        check_formula(9, 10.0, 4);
        check_formula(9, 40.0, 8);
    }

    #[test]
    fn the_band_is_closed() {
        check_formula(4, 55.0, 4);
        check_formula(4, 45.0, 4);
        check_formula(4, 55.1, 5);
        check_formula(10, 44.9, 9);
    }

    /// vllm-project/aibrix issue 2670.
    #[test]
    fn without_the_guard_the_count_doubles_while_pods_load() {
        let overload: &[f64] = &[200.0, 200.0];
        check(
            r#", "pending-replica-guard": false"#,
            &[(10, 2, overload), (20, 4, overload), (30, 8, overload)],
            "set-replicas service=0 replicas=4 (above target, as fast as allowed: concurrency=200, target=50, replicas=2, ready=2, recommended=4)
set-replicas service=0 replicas=8 (above target, as fast as allowed: concurrency=200, target=50, replicas=4, ready=2, recommended=8)
set-replicas service=0 replicas=16 (above target, as fast as allowed: concurrency=200, target=50, replicas=8, ready=2, recommended=16)
",
        );
    }

    #[test]
    fn with_the_guard_it_stops_at_what_the_overload_needs() {
        let overload: &[f64] = &[200.0, 200.0];
        check(
            "",
            &[(10, 4, overload), (20, 8, overload)],
            "set-replicas service=0 replicas=8 (above target, as fast as allowed: concurrency=200, target=50, replicas=4, ready=2, recommended=8)
hold Service(ServiceId(0)) (held back for pods that load: concurrency=200, target=50, replicas=8, ready=2, recommended=16)
",
        );
    }

    #[test]
    fn a_scale_down_repeats_the_lowest_recommendation_of_five_minutes() {
        check(
            r#", "window": "1s""#,
            &[(10, 4, &[30.0; 4]), (20, 8, &[40.0; 8])],
            "set-replicas service=0 replicas=3 (below target: concurrency=30, target=50, replicas=4, ready=4, recommended=3)
set-replicas service=0 replicas=3 (an earlier recommendation in the cool-down window: concurrency=40, target=50, replicas=8, ready=8, recommended=7)
",
        );
    }

    #[test]
    fn without_a_sample_nothing_happens() {
        check("", &[(10, 2, &[])], "hold Service(ServiceId(0)) (no sample: replicas=2)\n");
    }
}
