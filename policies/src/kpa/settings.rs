//! Settings: a revision's annotations over the cluster's `config-autoscaler`.

use super::decision::DeciderSpec;
use super::scaler::{Reachability, ScalerSpec};
use super::window::Aggregation;
use crate::Invalid;
use crate::invalid::{ensure, ensure_positive};
use contract::Micros;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The smallest target of a pod (upstream: `TargetMin`).
const LEAST_TARGET: f64 = 0.01;

/// Settings, as they stand under `[stack.replicas.kpa]`: annotations by their names, with the cluster's
/// defaults in `config`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// What is measured.
    pub metric: ScalingMetric,
    /// Requests that a pod takes at once; 0 is any number.
    pub container_concurrency: u32,
    /// What a pod can take of the metric.
    pub target: Option<f64>,
    /// How much of that it should have, in per cent.
    pub target_utilization_percentage: Option<f64>,
    /// Length of the stable window.
    pub window: Option<Micros>,
    /// Length of the panic window, in per cent of the stable one.
    pub panic_window_percentage: Option<f64>,
    /// Demand from which on it panics, in per cent of what the ready pods should have.
    pub panic_threshold_percentage: Option<f64>,
    /// Burst that should be absorbed without queueing in pods; 0 is none, -1 keeps the activator in the path.
    pub target_burst_capacity: Option<f64>,
    /// Never fewer pods.
    pub min_scale: u32,
    /// Never more pods; 0 is no limit.
    pub max_scale: u32,
    /// Pods to reach first.
    pub initial_scale: Option<u32>,
    /// At least so many pods when there is any demand; 0 and 1 are no rule.
    pub activation_scale: u32,
    /// How long lower counts must have been asked for.
    pub scale_down_delay: Option<Micros>,
    /// How long the last pod stays at least.
    pub scale_to_zero_pod_retention_period: Option<Micros>,
    /// How long pods may take to come up.
    pub progress_deadline: Option<Micros>,
    /// How windows weigh their buckets.
    pub metric_aggregation_algorithm: Aggregation,
    /// Ask some pods and extrapolate, as the collector does, rather than count what is in all of them; for
    /// `concurrency`.
    pub pod_sampling: bool,
    /// From the start to the first tick.
    pub phase: Micros,
    /// The cluster's defaults.
    pub config: Config,
}

/// What is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScalingMetric {
    /// Requests in the service, held or served.
    #[default]
    Concurrency,
    /// Requests that arrive per second.
    Rps,
}

/// `config-autoscaler` and, for the deadline, `config-deployment`; names and defaults of Knative Serving 1.22.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Config {
    /// Share of its concurrency that a pod should have, in per cent.
    pub container_concurrency_target_percentage: f64,
    /// What a pod without a limit can take of concurrency.
    pub container_concurrency_target_default: f64,
    /// What a pod can take of requests per second.
    pub requests_per_second_target_default: f64,
    /// Share of that which a pod should have, in per cent.
    pub target_utilization_percentage: f64,
    /// Burst that should be absorbed without queueing in pods.
    pub target_burst_capacity: f64,
    /// What one activator takes.
    pub activator_capacity: f64,
    /// Length of the stable window.
    pub stable_window: Micros,
    /// Length of the panic window, in per cent.
    pub panic_window_percentage: f64,
    /// Demand from which on it panics, in per cent.
    pub panic_threshold_percentage: f64,
    /// At most so many times the ready pods a tick.
    pub max_scale_up_rate: f64,
    /// At least one part in so many of the ready pods a tick.
    pub max_scale_down_rate: f64,
    /// How long lower counts must have been asked for.
    pub scale_down_delay: Micros,
    /// Whether zero is allowed.
    pub enable_scale_to_zero: bool,
    /// How long the activator must have been in the path before the last pod goes.
    pub scale_to_zero_grace_period: Micros,
    /// How long the last pod stays at least.
    pub scale_to_zero_pod_retention_period: Micros,
    /// Pods to reach first.
    pub initial_scale: u32,
    /// Whether that may be none.
    pub allow_zero_initial_scale: bool,
    /// How long pods may take to come up.
    pub progress_deadline: Micros,
    /// Time between two ticks (a constant upstream).
    pub tick_interval: Micros,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            container_concurrency_target_percentage: 70.0,
            container_concurrency_target_default: 100.0,
            requests_per_second_target_default: 200.0,
            target_utilization_percentage: 70.0,
            target_burst_capacity: 211.0,
            activator_capacity: 100.0,
            stable_window: Micros::from_secs(60),
            panic_window_percentage: 10.0,
            panic_threshold_percentage: 200.0,
            max_scale_up_rate: 1000.0,
            max_scale_down_rate: 2.0,
            scale_down_delay: Micros::ZERO,
            enable_scale_to_zero: true,
            scale_to_zero_grace_period: Micros::from_secs(30),
            scale_to_zero_pod_retention_period: Micros::ZERO,
            initial_scale: 1,
            allow_zero_initial_scale: false,
            progress_deadline: Micros::from_mins(10),
            tick_interval: Micros::from_secs(2),
        }
    }
}

/// Lengths of the two windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricWindows {
    /// The stable one.
    pub stable: Micros,
    /// The panic one, in whole seconds, at least one.
    pub panic: Micros,
}

impl Settings {
    /// What a pod should have of the metric, and what it can take.
    pub fn resolve_target(&self) -> (f64, f64) {
        let config = &self.config;
        let limit = f64::from(self.container_concurrency);
        let concurrency = self.metric == ScalingMetric::Concurrency;
        let (mut total, mut percent) = if concurrency {
            let unlimited = config.container_concurrency_target_default;
            (
                if limit > 0.0 { limit } else { unlimited },
                config.container_concurrency_target_percentage,
            )
        } else {
            (config.requests_per_second_target_default, config.target_utilization_percentage)
        };
        if let Some(target) = self.target {
            // No pod is aimed at more than it takes.
            total = if concurrency && limit > 0.0 { target.min(limit) } else { target };
        }
        percent = self.target_utilization_percentage.unwrap_or(percent);
        ((total * (percent / 100.0)).max(LEAST_TARGET), total)
    }

    /// Lengths of the windows.
    pub fn windows(&self) -> MetricWindows {
        let stable = self.window.unwrap_or(self.config.stable_window);
        let percent = self.panic_window_percentage.unwrap_or(self.config.panic_window_percentage);
        let seconds = (stable.as_secs_f64() * percent / 100.0).round().max(1.0);
        MetricWindows { stable, panic: Micros::from_secs_f64(seconds) }
    }

    /// Pods to reach first.
    pub fn initial_scale(&self) -> u32 {
        let zero_is_fine = self.config.allow_zero_initial_scale;
        let own = self.initial_scale.filter(|&scale| scale > 0 || zero_is_fine);
        own.unwrap_or(self.config.initial_scale)
    }

    /// What the decider is told of a revision.
    pub fn decider(&self, reachable: bool) -> DeciderSpec {
        let config = &self.config;
        let (target_value, total_value) = self.resolve_target();
        let threshold =
            self.panic_threshold_percentage.unwrap_or(config.panic_threshold_percentage);
        DeciderSpec {
            target_value,
            total_value,
            target_burst_capacity: self
                .target_burst_capacity
                .unwrap_or(config.target_burst_capacity),
            panic_threshold: threshold / 100.0,
            stable_window: self.windows().stable,
            max_scale_up_rate: config.max_scale_up_rate,
            max_scale_down_rate: config.max_scale_down_rate,
            reachable,
            activation_scale: self.activation_scale,
            scale_down_delay: self.scale_down_delay.unwrap_or(config.scale_down_delay),
        }
    }

    /// What the scaler is told of a revision that traffic reaches.
    pub fn scaler(&self) -> ScalerSpec {
        let config = &self.config;
        let burst = self.target_burst_capacity.unwrap_or(config.target_burst_capacity);
        ScalerSpec {
            min_scale: self.min_scale,
            max_scale: self.max_scale,
            initial_scale: self.initial_scale(),
            enable_scale_to_zero: config.enable_scale_to_zero,
            stable_window: self.windows().stable,
            scale_to_zero_grace: config.scale_to_zero_grace_period,
            last_pod_retention: self
                .scale_to_zero_pod_retention_period
                .unwrap_or(config.scale_to_zero_pod_retention_period),
            progress_deadline: self.progress_deadline.unwrap_or(config.progress_deadline),
            always_proxied: burst < 0.0,
            reachability: Reachability::Reachable,
        }
    }

    /// Checks what types cannot; ranges as Knative's own validation.
    pub fn validate(&self) -> Result<(), Invalid> {
        if let Some(target) = self.target {
            ensure(target >= LEAST_TARGET, "target", target, "a number of at least 0.01")?;
        }
        if let Some(window) = self.window {
            ensure_window("window", window)?;
        }
        let (min, max) = (self.min_scale, self.max_scale);
        let expected = format!("at most `max-scale` ({max})");
        ensure(max == 0 || min <= max, "min-scale", min, expected)?;
        if let Some(percent) = self.panic_window_percentage {
            ensure_percentage("panic-window-percentage", percent, 1.0, 100.0)?;
        }
        if let Some(percent) = self.panic_threshold_percentage {
            ensure_percentage("panic-threshold-percentage", percent, 110.0, 1000.0)?;
        }
        if let Some(percent) = self.target_utilization_percentage {
            ensure_percentage("target-utilization-percentage", percent, 1.0, 100.0)?;
        }
        if let Some(burst) = self.target_burst_capacity {
            let expected = "a number that is not negative, or -1";
            ensure(burst >= 0.0 || is_any(burst), "target-burst-capacity", burst, expected)?;
        }
        let may_sample = self.metric == ScalingMetric::Concurrency || !self.pod_sampling;
        ensure(may_sample, "pod-sampling", true, "`metric` to be `concurrency`")?;
        self.config.validate().map_err(|error| error.inside("config"))
    }
}

impl Config {
    fn validate(&self) -> Result<(), Invalid> {
        ensure_window("stable-window", self.stable_window)?;
        ensure_percentage("panic-window-percentage", self.panic_window_percentage, 1.0, 100.0)?;
        let threshold = self.panic_threshold_percentage;
        ensure_percentage("panic-threshold-percentage", threshold, 110.0, 1000.0)?;
        let (up, down) = (self.max_scale_up_rate, self.max_scale_down_rate);
        ensure(up > 1.0, "max-scale-up-rate", up, "a number above 1")?;
        ensure(down > 1.0, "max-scale-down-rate", down, "a number above 1")?;
        ensure_positive(
            "container-concurrency-target-default",
            self.container_concurrency_target_default,
        )?;
        ensure_positive(
            "requests-per-second-target-default",
            self.requests_per_second_target_default,
        )?;
        ensure_positive("activator-capacity", self.activator_capacity)?;
        let burst = self.target_burst_capacity;
        let expected = "a number that is not negative, or -1";
        ensure(burst >= 0.0 || is_any(burst), "target-burst-capacity", burst, expected)?;
        let tick = self.tick_interval;
        ensure(tick > Micros::ZERO, "tick-interval", tick, "more than no time")
    }
}

/// The burst capacity that keeps the activator in the path.
fn is_any(burst: f64) -> bool {
    (burst + 1.0).abs() < f64::EPSILON
}

fn ensure_window(key: &str, window: Micros) -> Result<(), Invalid> {
    let whole = window.0.is_multiple_of(1_000_000);
    let fits = (Micros::from_secs(6)..=Micros::from_secs(3600)).contains(&window);
    ensure(whole && fits, key, window, "whole seconds from `6s` to `1h`")
}

fn ensure_percentage(key: &str, found: f64, least: f64, most: f64) -> Result<(), Invalid> {
    let expected = format!("per cent from {least} to {most}");
    ensure((least..=most).contains(&found), key, found, expected)
}
