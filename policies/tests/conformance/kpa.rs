//! Knative's autoscaler: windows, decisions, and the way to the replicas that are written.

use crate::case::{Check, inputs, seconds};
use contract::{Instant, Micros};
use policies::kpa::activator::{activator_count, pod_slice, scrape_sample_size, scrapes_pods};
use policies::kpa::decision::{Decider, DeciderSpec, Decision, Observed, initial_burst_capacity};
use policies::kpa::scaler::{Activity, Reachability, Revision, ScalerSpec, apply_scale as apply};
use policies::kpa::sliding_max::SlidingMax;
use policies::kpa::window::{Aggregation, Window, round_digits, smoothing_coefficient};
use policies::kpa::{Config, ScalingMetric, Settings};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("kpa.activator_count", check_activator_count),
    ("kpa.activator_pod_slice", activator_pod_slice),
    ("kpa.apply_scale", apply_scale),
    ("kpa.end_to_end", end_to_end),
    ("kpa.initial_decision", initial_decision),
    ("kpa.initial_panic_state", initial_panic_state),
    ("kpa.initial_scale", initial_scale),
    ("kpa.make_decider", make_decider),
    ("kpa.metric_windows", metric_windows),
    ("kpa.resolve_target", resolve_target),
    ("kpa.round_digits", check_round_digits),
    ("kpa.scale", scale),
    ("kpa.scale_sequence", scale_sequence),
    ("kpa.scrape_sample_size", check_scrape_sample_size),
    ("kpa.scrapes_pods", check_scrapes_pods),
    ("kpa.sliding_max", sliding_max),
    ("kpa.sliding_max_time", sliding_max_time),
    ("kpa.smoothing_coefficient", check_smoothing_coefficient),
    ("kpa.window_sequence", window_sequence),
];

/// Late enough that every age lies after the start.
const NOW: Instant = Instant(1_000_000_000_000);

/// A decider as cases write it.
#[derive(Clone, Debug, Deserialize)]
struct SpecCase {
    target_value: f64,
    total_value: f64,
    target_burst_capacity: f64,
    panic_threshold: f64,
    stable_window_s: f64,
    max_scale_up_rate: f64,
    max_scale_down_rate: f64,
    reachable: bool,
    activation_scale: u32,
    scale_down_delay_s: f64,
}

impl SpecCase {
    fn spec(&self) -> DeciderSpec {
        DeciderSpec {
            target_value: self.target_value,
            total_value: self.total_value,
            target_burst_capacity: self.target_burst_capacity,
            panic_threshold: self.panic_threshold,
            stable_window: seconds::length(self.stable_window_s),
            max_scale_up_rate: self.max_scale_up_rate,
            max_scale_down_rate: self.max_scale_down_rate,
            reachable: self.reachable,
            activation_scale: self.activation_scale,
            scale_down_delay: seconds::length(self.scale_down_delay_s),
        }
    }
}

fn scale(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    struct Inputs {
        #[serde(flatten)]
        spec: SpecCase,
        stable_value: f64,
        panic_value: f64,
        ready_pods: Option<u32>,
        metrics_available: bool,
        panicking_before: bool,
        panic_age_s: Option<f64>,
        max_panic_pods_before: u32,
    }
    let case: Inputs = inputs(case)?;
    let Some(ready) = case.ready_pods.filter(|_| case.metrics_available) else {
        return Ok(json!({ "valid": false }));
    };
    let age = seconds::length(case.panic_age_s.unwrap_or_default());
    let mut decider = Decider {
        panic_since: case.panicking_before.then_some(Instant(NOW.0 - age.0)),
        max_panic_pods: case.max_panic_pods_before,
        delayed: None,
    };
    let observed = Observed { stable: case.stable_value, panic: case.panic_value, ready };
    let decision = decider.decide(&case.spec.spec(), observed, NOW);
    Ok(json!({
        "valid": true,
        "desired_pods": decision.desired,
        "excess_burst_capacity": decision.excess_burst_capacity,
        "panicking_after": decider.panic_since.is_some(),
        "max_panic_pods_after": decider.max_panic_pods,
        "panic_age_after_s": decider.panic_since.map(|since| NOW.since(since).as_secs_f64()),
    }))
}

fn scale_sequence(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        delay_window_granularity_s: f64,
        steps: Vec<Step>,
    }
    #[derive(Deserialize)]
    struct Step {
        #[serde(flatten)]
        spec: SpecCase,
        stable_value: f64,
        panic_value: f64,
        ready_pods: u32,
        now_s: f64,
    }
    let case: Inputs = inputs(case)?;
    let granularity = seconds::length(case.delay_window_granularity_s);
    if granularity != policies::kpa::decision::DELAY_GRANULARITY {
        return Err(format!("granularity {granularity} of the delay is not modelled"));
    }
    let mut decider = Decider::default();
    let results = case.steps.iter().map(|step| {
        let observed =
            Observed { stable: step.stable_value, panic: step.panic_value, ready: step.ready_pods };
        let decision = decider.decide(&step.spec.spec(), observed, seconds::instant(step.now_s));
        json!({
            "valid": true,
            "desired_pods": decision.desired,
            "excess_burst_capacity": decision.excess_burst_capacity,
        })
    });
    Ok(json!({ "results": results.collect::<Vec<_>>() }))
}

fn aggregation(name: &str) -> Aggregation {
    if name == "linear" { Aggregation::Linear } else { Aggregation::WeightedExponential }
}

fn end_to_end(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    struct Inputs {
        #[serde(flatten)]
        spec: SpecCase,
        panic_window_s: f64,
        aggregation: String,
        bucket_s: f64,
        start_time_s: f64,
        tick_s: f64,
        started_panicking_with_pods: u32,
        first_ready_pods: Option<u32>,
        concurrency_samples: Vec<(f64, f64)>,
        ready_pods_at_tick: Vec<Option<u32>>,
    }
    let case: Inputs = inputs(case)?;
    let (spec, start) = (case.spec.spec(), seconds::instant(case.start_time_s));
    let window = |length| {
        Window::new(aggregation(&case.aggregation), length, seconds::length(case.bucket_s))
    };
    let mut stable = window(spec.stable_window);
    let mut panic = window(seconds::length(case.panic_window_s));
    let mut decider = Decider::starting(case.first_ready_pods, start);
    if decider.panic_since.is_some() != (case.started_panicking_with_pods > 0) {
        return Err("the autoscaler starts in the other mode".to_owned());
    }
    let mut samples = case.concurrency_samples.iter().peekable();
    let (mut valid, mut desired, mut excess) = (Vec::new(), Vec::new(), Vec::new());
    let (mut panicking, mut most) = (Vec::new(), Vec::new());
    for (tick, ready) in (1_u64..).zip(case.ready_pods_at_tick) {
        let now = start + Micros(seconds::length(case.tick_s).0 * tick);
        while let Some(&&(offset, value)) =
            samples.peek().filter(|sample| start + seconds::length(sample.0) <= now)
        {
            stable.record(start + seconds::length(offset), value);
            panic.record(start + seconds::length(offset), value);
            samples.next();
        }
        let observed = ready.filter(|_| !stable.is_empty(now)).map(|ready| Observed {
            stable: stable.average(now),
            panic: panic.average(now),
            ready,
        });
        valid.push(observed.is_some());
        let decision = observed.map(|observed| decider.decide(&spec, observed, now));
        let none = Decision { desired: 0, excess_burst_capacity: 0.0 };
        let decision = decision.unwrap_or(none);
        desired.push(decision.desired);
        excess.push(decision.excess_burst_capacity);
        panicking.push(decider.panic_since.is_some());
        most.push(decider.max_panic_pods);
    }
    Ok(json!({
        "valid": valid,
        "desired_pods": desired,
        "excess_burst_capacity": excess,
        "panicking": panicking,
        "max_panic_pods": most,
    }))
}

fn initial_panic_state(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        ready_pods_at_start: Option<u32>,
    }
    let case: Inputs = inputs(case)?;
    let decider = Decider::starting(case.ready_pods_at_start, NOW);
    Ok(json!({
        "panicking": decider.panic_since.is_some(),
        "max_panic_pods": decider.max_panic_pods,
    }))
}

fn initial_decision(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        initial_scale: u32,
        target_burst_capacity: f64,
        total_value: f64,
    }
    let case: Inputs = inputs(case)?;
    let spec = DeciderSpec {
        target_burst_capacity: case.target_burst_capacity,
        total_value: case.total_value,
        ..Settings::default().decider(true)
    };
    Ok(json!({
        // Nothing is decided before the first tick; upstream writes -1 for that.
        "desired_scale": -1,
        "excess_burst_capacity": initial_burst_capacity(&spec, case.initial_scale),
    }))
}

fn metric(name: &str) -> ScalingMetric {
    if name == "rps" { ScalingMetric::Rps } else { ScalingMetric::Concurrency }
}

fn resolve_target(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        metric: String,
        container_concurrency: u32,
        target_annotation: Option<f64>,
        target_utilization_pct_annotation: Option<f64>,
        config_concurrency_target_fraction: f64,
        config_concurrency_target_default: f64,
        config_target_utilization: f64,
        config_rps_target_default: f64,
    }
    let case: Inputs = inputs(case)?;
    let settings = Settings {
        metric: metric(&case.metric),
        container_concurrency: case.container_concurrency,
        target: case.target_annotation,
        target_utilization_percentage: case.target_utilization_pct_annotation,
        config: Config {
            container_concurrency_target_percentage: 100.0
                * case.config_concurrency_target_fraction,
            container_concurrency_target_default: case.config_concurrency_target_default,
            target_utilization_percentage: 100.0 * case.config_target_utilization,
            requests_per_second_target_default: case.config_rps_target_default,
            ..Config::default()
        },
        ..Settings::default()
    };
    let (target, total) = settings.resolve_target();
    Ok(json!({ "target_value": target, "total_value": total }))
}

fn make_decider(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        metric: String,
        container_concurrency: u32,
        reachable: bool,
        target_annotation: Option<f64>,
        target_utilization_pct_annotation: Option<f64>,
        panic_threshold_pct_annotation: Option<f64>,
        target_burst_capacity_annotation: Option<f64>,
        scale_down_delay_annotation_s: Option<f64>,
        initial_scale_annotation: Option<u32>,
        activation_scale_annotation: Option<u32>,
        window_annotation_s: Option<f64>,
        config: ConfigCase,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ConfigCase {
        concurrency_target_fraction: f64,
        concurrency_target_default: f64,
        target_utilization: f64,
        rps_target_default: f64,
        target_burst_capacity: f64,
        activator_capacity: f64,
        panic_threshold_pct: f64,
        stable_window_s: f64,
        max_scale_up_rate: f64,
        max_scale_down_rate: f64,
        scale_down_delay_s: f64,
        initial_scale: u32,
        allow_zero_initial_scale: bool,
    }
    let case: Inputs = inputs(case)?;
    let config = Config {
        container_concurrency_target_percentage: 100.0 * case.config.concurrency_target_fraction,
        container_concurrency_target_default: case.config.concurrency_target_default,
        target_utilization_percentage: 100.0 * case.config.target_utilization,
        requests_per_second_target_default: case.config.rps_target_default,
        target_burst_capacity: case.config.target_burst_capacity,
        activator_capacity: case.config.activator_capacity,
        panic_threshold_percentage: case.config.panic_threshold_pct,
        stable_window: seconds::length(case.config.stable_window_s),
        max_scale_up_rate: case.config.max_scale_up_rate,
        max_scale_down_rate: case.config.max_scale_down_rate,
        scale_down_delay: seconds::length(case.config.scale_down_delay_s),
        initial_scale: case.config.initial_scale,
        allow_zero_initial_scale: case.config.allow_zero_initial_scale,
        ..Config::default()
    };
    let settings = Settings {
        metric: metric(&case.metric),
        container_concurrency: case.container_concurrency,
        target: case.target_annotation,
        target_utilization_percentage: case.target_utilization_pct_annotation,
        panic_threshold_percentage: case.panic_threshold_pct_annotation,
        target_burst_capacity: case.target_burst_capacity_annotation,
        scale_down_delay: case.scale_down_delay_annotation_s.map(seconds::length),
        initial_scale: case.initial_scale_annotation,
        activation_scale: case.activation_scale_annotation.unwrap_or(0),
        window: case.window_annotation_s.map(seconds::length),
        config,
        ..Settings::default()
    };
    let decider = settings.decider(case.reachable);
    Ok(json!({
        "target_value": decider.target_value,
        "total_value": decider.total_value,
        "target_burst_capacity": decider.target_burst_capacity,
        "activator_capacity": settings.config.activator_capacity,
        "panic_threshold": decider.panic_threshold,
        "stable_window_s": decider.stable_window.as_secs_f64(),
        "max_scale_up_rate": decider.max_scale_up_rate,
        "max_scale_down_rate": decider.max_scale_down_rate,
        "scale_down_delay_s": decider.scale_down_delay.as_secs_f64(),
        "initial_scale": settings.initial_scale(),
        "reachable": decider.reachable,
        "activation_scale": decider.activation_scale,
    }))
}

fn initial_scale(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        initial_scale_annotation: Option<u32>,
        allow_zero_initial_scale: bool,
        config_initial_scale: u32,
    }
    let case: Inputs = inputs(case)?;
    let config = Config {
        initial_scale: case.config_initial_scale,
        allow_zero_initial_scale: case.allow_zero_initial_scale,
        ..Config::default()
    };
    let initial_scale = case.initial_scale_annotation;
    let settings = Settings { initial_scale, config, ..Settings::default() };
    Ok(json!({ "initial_scale": settings.initial_scale() }))
}

fn metric_windows(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        window_annotation_s: Option<f64>,
        panic_window_pct_annotation: Option<f64>,
        config_stable_window_s: f64,
        config_panic_window_pct: f64,
    }
    let case: Inputs = inputs(case)?;
    let config = Config {
        stable_window: seconds::length(case.config_stable_window_s),
        panic_window_percentage: case.config_panic_window_pct,
        ..Config::default()
    };
    let settings = Settings {
        window: case.window_annotation_s.map(seconds::length),
        panic_window_percentage: case.panic_window_pct_annotation,
        config,
        ..Settings::default()
    };
    let windows = settings.windows();
    Ok(json!({
        "stable_window_s": windows.stable.as_secs_f64(),
        "panic_window_s": windows.panic.as_secs_f64(),
    }))
}

fn check_activator_count(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        ready_pods: u32,
        total_value: f64,
        target_burst_capacity: f64,
        activator_capacity: f64,
    }
    let case: Inputs = inputs(case)?;
    let activators = activator_count(
        case.ready_pods,
        case.total_value,
        case.target_burst_capacity,
        case.activator_capacity,
    );
    Ok(json!({ "activators": activators }))
}

fn activator_pod_slice(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        pods: u32,
        activators: u32,
        this_activator: u32,
    }
    let case: Inputs = inputs(case)?;
    let slice = pod_slice(case.pods, case.activators, case.this_activator);
    Ok(json!({ "begin": slice.begin, "end": slice.end, "remnants": slice.remnants }))
}

fn check_scrapes_pods(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        target_burst_capacity: f64,
    }
    let case: Inputs = inputs(case)?;
    Ok(json!({ "scrapes": scrapes_pods(case.target_burst_capacity) }))
}

fn check_scrape_sample_size(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        ready_pods: u32,
    }
    let case: Inputs = inputs(case)?;
    Ok(json!({ "sampled_pods": scrape_sample_size(case.ready_pods) }))
}

fn check_smoothing_coefficient(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        buckets: usize,
    }
    let case: Inputs = inputs(case)?;
    Ok(json!({ "coefficient": smoothing_coefficient(case.buckets) }))
}

fn check_round_digits(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        digits: i32,
        value: f64,
    }
    let case: Inputs = inputs(case)?;
    Ok(json!({ "value": round_digits(case.digits, case.value) }))
}

fn sliding_max(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        window_slots: u64,
        records: Vec<Record>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Record {
        slot: u64,
        value: u32,
    }
    let case: Inputs = inputs(case)?;
    let mut window = SlidingMax::new(case.window_slots);
    let maxima = case.records.iter().map(|record| {
        window.record(record.slot, record.value);
        window.max()
    });
    Ok(json!({ "max_after_each_record": maxima.collect::<Vec<_>>() }))
}

fn sliding_max_time(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        window_s: f64,
        granularity_s: f64,
        records: Vec<Record>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Record {
        t_s: f64,
        value: u32,
    }
    let case: Inputs = inputs(case)?;
    let granularity = seconds::length(case.granularity_s);
    let mut window = SlidingMax::over(seconds::length(case.window_s), granularity);
    for record in &case.records {
        window.record_at(seconds::instant(record.t_s), granularity, record.value);
    }
    Ok(json!({ "max_at_end": window.max() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowStep {
    op: String,
    t_s: Option<f64>,
    value: Option<f64>,
    window_s: Option<f64>,
    now_s: Option<f64>,
}

impl WindowStep {
    /// Carries out the step; what it gives, if it asks for something.
    fn apply(&self, window: &mut Window) -> Result<Option<Value>, String> {
        let at = seconds::instant(self.t_s.or(self.now_s).unwrap_or_default());
        Ok(Some(match self.op.as_str() {
            "record" => {
                window.record(at, self.value.ok_or("a record without a value")?);
                return Ok(None);
            }
            "resize" => {
                let length = self.window_s.ok_or("a new size without a length")?;
                window.resize(seconds::length(length), at);
                return Ok(None);
            }
            "is_empty" => json!(window.is_empty(at)),
            "window_average" => json!(window.average(at)),
            "sum_of_buckets" => {
                json!(window.buckets(at).iter().map(|(_, value)| value).sum::<f64>())
            }
            "nonzero_buckets" => {
                let buckets = window.buckets(at).into_iter().rev();
                let nonzero = buckets.filter(|(_, value)| *value > 0.0);
                let pair = |(time, value): (Instant, f64)| json!([time.as_secs_f64(), value]);
                nonzero.map(pair).collect()
            }
            "first_write_s" => json!(window.first_write().map(Instant::as_secs_f64)),
            "bucket_count" => json!(window.bucket_count()),
            other => return Err(format!("step `{other}` is not known")),
        }))
    }
}

fn window_sequence(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        algorithm: String,
        window_s: f64,
        granularity_s: f64,
        steps: Vec<WindowStep>,
    }
    let case: Inputs = inputs(case)?;
    let (length, granularity) =
        (seconds::length(case.window_s), seconds::length(case.granularity_s));
    let mut window = Window::new(aggregation(&case.algorithm), length, granularity);
    let mut results = Vec::new();
    for step in &case.steps {
        results.extend(step.apply(&mut window)?);
    }
    Ok(json!({ "results": results }))
}

fn apply_scale(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        desired_scale: i64,
        current_replicas: u32,
        active_condition: String,
        in_that_state_for_s: Option<f64>,
        reachability: String,
        scale_target_initialized: bool,
        proxy_mode: bool,
        proxy_mode_for_s: Option<f64>,
        activator_probe_succeeds: Option<bool>,
        min_scale: u32,
        max_scale: u32,
        initial_scale: u32,
        enable_scale_to_zero: bool,
        stable_window_s: f64,
        scale_to_zero_grace_s: f64,
        last_pod_retention_s: f64,
        target_burst_capacity: f64,
        progress_deadline_s: f64,
    }
    let case: Inputs = inputs(case)?;
    let spec = ScalerSpec {
        min_scale: case.min_scale,
        max_scale: case.max_scale,
        initial_scale: case.initial_scale,
        enable_scale_to_zero: case.enable_scale_to_zero,
        stable_window: seconds::length(case.stable_window_s),
        scale_to_zero_grace: seconds::length(case.scale_to_zero_grace_s),
        last_pod_retention: seconds::length(case.last_pod_retention_s),
        progress_deadline: seconds::length(case.progress_deadline_s),
        always_proxied: case.target_burst_capacity < 0.0,
        reachability: match case.reachability.as_str() {
            "reachable" => Reachability::Reachable,
            "unreachable" => Reachability::Unreachable,
            _ => Reachability::Unknown,
        },
    };
    let revision = Revision {
        current: case.current_replicas,
        activity: match case.active_condition.as_str() {
            "activating" => Activity::Activating,
            "active" => Activity::Active,
            _ => Activity::Inactive,
        },
        in_that_state: seconds::length(case.in_that_state_for_s.unwrap_or_default()),
        initialised: case.scale_target_initialized,
        proxied: case.proxy_mode,
        proxied_for: seconds::length(case.proxy_mode_for_s.unwrap_or_default()),
        activator_answers: case.activator_probe_succeeds.unwrap_or(true),
    };
    let scaled = apply(&spec, &revision, u32::try_from(case.desired_scale).ok());
    Ok(json!({
        "scale": scaled.scale.map_or(-1, i64::from),
        "writes_scale": scaled.writes,
        "requeues": u32::from(scaled.looks_again),
        "async_probes": u32::from(scaled.keeps_probing),
    }))
}
