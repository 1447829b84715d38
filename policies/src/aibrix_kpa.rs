//! AIBrix' KPA: metric over target in a stable and a panic window.
//!
//! ## What it does
//! Every 10 s it takes the means of the last 3 minutes and of the last minute, and divides each by the target;
//! inside ±10 % of the target it leaves the count. When the short mean is more than twice the long one it panics
//! and takes the higher of the two answers. One look at most doubles and at least halves the count. Pods that load
//! hold a change back (`pending-replica-guard`); a scale-down takes the lowest recommendation of the last 5 minutes.
//!
//! ## What it looks at
//! A metric of the whole service, or one of each pod. Of pods it takes the mean, and does **not** multiply it by
//! their number: with a target per pod the answer stays near 1. Made for metrics of the whole service.
//!
//! ## Settings
//! Those of `aibrix-apa`, and `panic-window`, `panic-threshold`.
//!
//! ## Where it falls short
//! With a metric of pods an overload of twice the target asks for two pods, however many there are. A panic is not
//! remembered from one look to the next (upstream keeps its highest count in an object that lives for one look), so
//! it protects nothing. The long window forgets a surge after 3 minutes, before a model has loaded. Scale to zero,
//! several metrics and schedules are not modelled.
//!
//! ## Source
//! vllm-project/aibrix main of 2026-08: `pkg/controller/podautoscaler/algorithm/kpa.go`, `autoscaler.go`,
//! `podautoscaler_controller.go`; defaults from `context/context.go` and `metrics/client.go`.

use crate::Invalid;
use crate::aibrix::defaults::{five_minutes, one, ten_seconds, tenth, three_minutes, two, yes};
use crate::aibrix::pending_guard::Strategy;
use crate::aibrix::stabiliser::{Cooldowns, Stabiliser};
use crate::aibrix::window::Window;
use crate::aibrix::{Limits, Recommendation, Rules, say_unread};
use crate::invalid::{ensure, ensure_positive};
use crate::readings::{read, replicas};
use contract::{
    Cadence, Instant, Metric, Micros, Observation, Plan, Policy, ServiceId, ServiceSeen, StateError,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings, as they stand under `[stack.replicas.aibrix-kpa]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// What is measured.
    pub metric: Metric,
    /// How much of it makes one replica.
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
    /// How far back the long mean goes.
    #[serde(default = "three_minutes")]
    pub window: Micros,
    /// How far back the short mean goes.
    #[serde(default = "one_minute")]
    pub panic_window: Micros,
    /// How many times the long mean the short one must be more than for a panic.
    #[serde(default = "two")]
    pub panic_threshold: f64,
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

fn one_minute() -> Micros {
    Micros::from_mins(1)
}

impl Settings {
    /// Checks what types cannot.
    pub fn validate(&self) -> Result<(), Invalid> {
        self.rules().validate(self.window, self.resync_interval)?;
        let short = self.panic_window;
        let expected = format!("more than no time, at most `window` ({})", self.window);
        ensure(short > Micros::ZERO && short <= self.window, "panic-window", short, expected)?;
        ensure_positive("panic-threshold", self.panic_threshold)
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

/// The means of the two windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Means {
    /// Of the long one.
    pub stable: f64,
    /// Of the short one.
    pub panic: f64,
}

impl Means {
    /// Whether the short mean is so far above the long one; also when the long one is nothing.
    pub fn panics(&self, threshold: f64) -> bool {
        self.stable <= 0.0 || self.panic / self.stable > threshold
    }
}

/// The replicas for the means of the two windows, within rates and bounds.
pub fn recommend(limits: &Limits, current: u32, means: Means, target: f64, panics: bool) -> u32 {
    let now = f64::from(current);
    let most = (limits.up_rate * now).ceil().max(1.0);
    let least = (now / limits.down_rate).floor();
    let (above, below) =
        (target * (1.0 + limits.up_tolerance), target * (1.0 - limits.down_tolerance));
    let pods = |value: f64| {
        let outside = value > above || value < below;
        let pods = if outside { (value / target).ceil() } else { now };
        replicas(pods.max(least).min(most))
    };
    let stable = pods(means.stable);
    limits.clamp(if panics { stable.max(pods(means.panic)) } else { stable })
}

/// What the autoscaler of one service remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Memory {
    stable: Window,
    panic: Window,
    stabiliser: Stabiliser,
}

/// The policy: an autoscaler for each service.
#[derive(Debug)]
pub(crate) struct AibrixKpa {
    settings: Settings,
    memory: Vec<(ServiceId, Memory)>,
}

impl AibrixKpa {
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
    memory.stable.record(settings.window, now, value);
    memory.panic.record(settings.panic_window, now, value);
    let means = Means { stable: memory.stable.mean(), panic: memory.panic.mean() };
    let panics = means.panics(settings.panic_threshold);
    let (rules, current) = (settings.rules(), service.replicas_wanted);
    let replicas = recommend(&rules.limits, current, means, settings.target_value, panics);
    let value = if panics { means.panic } else { means.stable };
    let recommended = Recommendation { replicas, value, words: words(panics, replicas, current) };
    rules.settle(Strategy::Kpa, &recommended, &mut memory.stabiliser, (now, service), plan);
}

fn words(panics: bool, replicas: u32, current: u32) -> &'static str {
    use std::cmp::Ordering::{Equal, Greater, Less};
    match (panics, replicas.cmp(&current)) {
        (true, Greater) => "panic, more demand than the target",
        (false, Greater) => "more demand than the target",
        (true, Less) => "panic, less demand than the target",
        (false, Less) => "less demand than the target",
        (true, Equal) => "panic, no change",
        (false, Equal) => "no change",
    }
}

impl Policy for AibrixKpa {
    fn name(&self) -> &'static str {
        "aibrix-kpa"
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

    fn settings(metric: &str) -> Settings {
        let text = format!(r#"{{ "metric": "{metric}", "target-value": 10, "max-replicas": 40 }}"#);
        let settings: Settings = serde_json::from_str(&text).expect("settings");
        settings.validate().expect("settings that work");
        settings
    }

    #[track_caller]
    fn check_formula(current: u32, (stable, panic): (f64, f64), panics: bool, expected: u32) {
        let means = Means { stable, panic };
        assert_eq!(means.panics(2.0), panics);
        let limits = settings("in-flight").rules().limits;
        assert_eq!(recommend(&limits, current, means, 10.0, panics), expected);
    }

    #[test]
    fn the_count_is_the_metric_over_the_target_within_the_rates() {
        check_formula(2, (20.0, 20.0), false, 2);
        check_formula(2, (31.0, 31.0), false, 4);
        check_formula(2, (100.0, 100.0), false, 4);
        check_formula(9, (12.0, 12.0), false, 4);
    }

    #[test]
    fn a_panic_begins_above_the_threshold_and_takes_the_higher_answer() {
        check_formula(4, (20.0, 40.0), false, 2);
        check_formula(4, (20.0, 41.0), true, 5);
        check_formula(4, (0.0, 0.0), true, 2);
    }

    #[test]
    fn inside_the_band_the_count_stays() {
        check_formula(7, (11.0, 11.0), false, 7);
        check_formula(7, (9.0, 9.0), false, 7);
        check_formula(7, (8.9, 8.9), false, 3);
    }

    #[test]
    fn eight_pods_at_three_times_their_target_are_halved() {
        let mut seen = service(8, 8);
        for place in 0..seen.pods.len() {
            seen.pods.edit(place, |pod| pod.samples.push(sample(Metric::Concurrency, 30.0)));
        }
        let cluster = Cluster { now: at(10), services: vec![seen], ..Cluster::default() };
        let mut policy = AibrixKpa::new(settings("concurrency"), vec![ServiceId(0)]);
        assert_eq!(
            cluster.plan_of(&mut policy),
            "set-replicas service=0 replicas=4 (less demand than the target: concurrency=30, target=10, replicas=8, ready=8, recommended=4)\n"
        );
    }

    #[test]
    fn a_surge_of_the_service_s_own_metric_panics_and_doubles() {
        let mut policy = AibrixKpa::new(settings("in-flight"), vec![ServiceId(0)]);
        let mut last = String::new();
        for second in (10..=300).step_by(10) {
            let mut seen = service(4, 4);
            let value = if second > 240 { 160.0 } else { 20.0 };
            seen.samples.push(sample(Metric::InFlight, value));
            let cluster = Cluster { now: at(second), services: vec![seen], ..Cluster::default() };
            last = cluster.plan_of(&mut policy);
        }
        assert_eq!(
            last,
            "set-replicas service=0 replicas=8 (panic, more demand than the target: in-flight=140, target=10, replicas=4, ready=4, recommended=8)\n"
        );
    }
}
