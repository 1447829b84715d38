//! KEDA: activation, fallback, formulas, `ScaledJob`.

use crate::case::{Check, inputs, seconds};
use contract::Metric;
use policies::keda::activation::{self, Annotations, Cause, Poll, Rules, rest_replicas};
use policies::keda::fallback::{Fallback, FallbackBehavior, Reading, read};
use policies::keda::formula::{composite_milli, formula_input};
use policies::keda::scaled_job::{
    self, Bounds, Combination, JobPod, JobTrigger, Jobs, Strategy, Wanted, is_pending, superfluous,
};
use policies::keda::{Settings, Trigger};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("keda.bounds_valid", bounds_valid),
    ("keda.fallback_metric", fallback_metric),
    ("keda.formula", formula),
    ("keda.formula_input", check_formula_input),
    ("keda.hpa_bounds", hpa_bounds),
    ("keda.is_paused", is_paused),
    ("keda.job_finished", job_finished),
    ("keda.job_history_cleanup", job_history_cleanup),
    ("keda.pending_jobs", pending_jobs),
    ("keda.rest_replicas", check_rest_replicas),
    ("keda.scaledjob_bounds", scaledjob_bounds),
    ("keda.scaledjob_create", scaledjob_create),
    ("keda.scaledjob_decision", scaledjob_decision),
    ("keda.scaledjob_jobs_created", scaledjob_jobs_created),
    ("keda.scaledjob_state", scaledjob_state),
    ("keda.scaledjob_strategy", scaledjob_strategy),
    ("keda.scaledobject_activation", scaledobject_activation),
    ("keda.target_average", target_average),
    ("keda.trigger_active", trigger_active),
];

/// Settings of an object with these counts.
fn settings(min: Option<u32>, max: Option<u32>, idle: Option<u32>) -> Result<Settings, String> {
    let mut settings: Settings = serde_json::from_value(json!({
        "triggers": [{ "metric": "queue-length", "threshold": 1.0 }],
        "min-replica-count": min,
        "idle-replica-count": idle,
    }))
    .map_err(|error| error.to_string())?;
    settings.max_replica_count = max.unwrap_or(settings.max_replica_count);
    Ok(settings)
}

fn bounds_valid(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        min_replica_count: Option<u32>,
        max_replica_count: Option<u32>,
        idle_replica_count: Option<u32>,
    }
    let case: Inputs = inputs(case)?;
    let settings =
        settings(case.min_replica_count, case.max_replica_count, case.idle_replica_count)?;
    Ok(json!({ "valid": settings.validate_counts().is_ok() }))
}

fn hpa_bounds(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        min_replica_count: Option<u32>,
        max_replica_count: Option<u32>,
    }
    let case: Inputs = inputs(case)?;
    let hpa = settings(case.min_replica_count, case.max_replica_count, None)?.hpa();
    Ok(json!({ "hpa_min_replicas": hpa.min_replicas, "hpa_max_replicas": hpa.max_replicas }))
}

fn check_rest_replicas(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        idle_replica_count: Option<u32>,
        min_replica_count: Option<u32>,
    }
    let case: Inputs = inputs(case)?;
    let replicas = rest_replicas(case.idle_replica_count, case.min_replica_count.unwrap_or(0));
    Ok(json!({ "from_idle": case.idle_replica_count.is_some(), "replicas": replicas }))
}

fn scaledobject_activation(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        trigger_active: bool,
        trigger_error: bool,
        current_replicas: u32,
        min_replica_count: Option<u32>,
        max_replica_count: Option<u32>,
        idle_replica_count: Option<u32>,
        cooldown_period_s: Option<f64>,
        initial_cooldown_period_s: Option<f64>,
        seconds_since_last_active: Option<f64>,
        seconds_since_creation: f64,
        paused: bool,
        pause_scale_in: bool,
        pause_scale_out: bool,
        force_activation: bool,
        fallback_replicas: Option<u32>,
    }
    let case: Inputs = inputs(case)?;
    let mut settings =
        settings(case.min_replica_count, case.max_replica_count, case.idle_replica_count)?;
    settings.annotations = Annotations {
        paused: case.paused,
        paused_replicas: None,
        paused_scale_in: case.pause_scale_in,
        paused_scale_out: case.pause_scale_out,
        force_activation: case.force_activation,
    };
    let seconds_or = |given: Option<f64>, default| given.map_or(default, seconds::length);
    settings.cooldown_period = seconds_or(case.cooldown_period_s, settings.cooldown_period);
    settings.initial_cooldown_period =
        seconds_or(case.initial_cooldown_period_s, settings.initial_cooldown_period);
    let rules = Rules { fallback_replicas: case.fallback_replicas, ..settings.rules() };
    let found = activation::poll(
        &rules,
        Poll {
            active: case.trigger_active,
            error: case.trigger_error,
            current: case.current_replicas,
            since_active: case.seconds_since_last_active.map(seconds::length),
            since_creation: seconds::length(case.seconds_since_creation),
        },
    );
    let ready_reason = match found.cause {
        Cause::TriggerError => Some("TriggerError"),
        Cause::PartialTriggerError => Some("PartialTriggerError"),
        // Neither of them touches condition `Ready`.
        Cause::Paused | Cause::FallingBack => None,
        _ => Some("ScaledObjectReady"),
    };
    Ok(json!({
        "replicas": found.write.unwrap_or(case.current_replicas),
        "wrote_scale": found.write.is_some(),
        "active": found.active,
        "last_active_updated": found.stamp,
        "ready_reason": ready_reason,
    }))
}

fn is_paused(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        annotations: BTreeMap<String, String>,
    }
    let case: Inputs = inputs(case)?;
    let annotations = Annotations {
        paused: case.annotations.get("paused").is_some_and(|text| Annotations::is_on(text)),
        paused_replicas: case
            .annotations
            .get("paused-replicas")
            .map(|value| value.parse().map_err(|_| format!("`{value}` is no count")))
            .transpose()?,
        ..Annotations::default()
    };
    Ok(json!({ "paused": annotations.is_paused() }))
}

fn trigger_active(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        metric_value: f64,
        activation_threshold: f64,
    }
    let case: Inputs = inputs(case)?;
    let trigger = Trigger {
        metric: Metric::QueueLength,
        name: None,
        threshold: 1.0,
        activation_threshold: case.activation_threshold,
        ignore_null_values: true,
    };
    Ok(json!({ "active": trigger.is_active(case.metric_value) }))
}

/// A fallback as cases write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FallbackCase {
    failure_threshold: i64,
    replicas: u32,
    behavior: String,
}

impl FallbackCase {
    /// None if the settings would be refused.
    fn fallback(&self) -> Option<Fallback> {
        Some(Fallback {
            failure_threshold: u32::try_from(self.failure_threshold).ok()?,
            replicas: self.replicas,
            behavior: match self.behavior.as_str() {
                "static" => FallbackBehavior::Static,
                "currentReplicas" => FallbackBehavior::CurrentReplicas,
                "currentReplicasIfHigher" => FallbackBehavior::CurrentReplicasIfHigher,
                "currentReplicasIfLower" => FallbackBehavior::CurrentReplicasIfLower,
                "scalingModifiers" => FallbackBehavior::ScalingModifiers,
                _ => return None,
            },
        })
    }
}

fn fallback_metric(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        scraped_value: Option<f64>,
        scaler_error: bool,
        fallback: Option<FallbackCase>,
        failures_before: Option<u32>,
        target_average_value: f64,
        current_replicas: Option<u32>,
    }
    let case: Inputs = inputs(case)?;
    let measured = case.scraped_value.filter(|_| !case.scaler_error);
    let fallback = case.fallback.as_ref().and_then(FallbackCase::fallback);
    let mut failures = case.failures_before.unwrap_or(0);
    let current = case.current_replicas.unwrap_or(0);
    let target = case.target_average_value;
    let reading = read(measured, fallback.as_ref(), &mut failures, target, current);
    let (value, error, falls_back) = match reading {
        Reading::Live(value) => (Some(value), false, false),
        Reading::Fallback(value) => (Some(value), false, true),
        Reading::Failed => (None, true, false),
    };
    Ok(json!({
        "value": value,
        "error": error,
        "fallback_active": falls_back,
        "failures_after": failures,
        "health": if failures > 0 { "Failing" } else { "Happy" },
    }))
}

fn check_formula_input(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        fallback: Option<FallbackCase>,
        failures: Option<u32>,
        metric_value: f64,
    }
    let case: Inputs = inputs(case)?;
    let fallback = case.fallback.as_ref().and_then(FallbackCase::fallback);
    let value = formula_input(fallback.as_ref(), case.failures.unwrap_or(0), case.metric_value);
    Ok(json!({ "value": value }))
}

fn formula(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        formula: String,
        inputs: BTreeMap<String, Option<f64>>,
        target: Option<f64>,
        fallback_replicas: Option<u32>,
    }
    let case: Inputs = inputs(case)?;
    let given: Vec<_> = case.inputs.iter().map(|(name, &value)| (name.as_str(), value)).collect();
    let target = case.target.unwrap_or_default();
    let composite = composite_milli(&case.formula, &given, target, case.fallback_replicas);
    Ok(json!({ "composite_milli": composite.map_err(|error| error.to_string())? }))
}

fn scaledjob_bounds(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        min_replica_count_spec: Option<u32>,
        max_replica_count_spec: Option<u32>,
    }
    let case: Inputs = inputs(case)?;
    let bounds = Bounds::of(case.min_replica_count_spec, case.max_replica_count_spec);
    Ok(json!({ "min_replica_count": bounds.min, "max_replica_count": bounds.max }))
}

/// A strategy as cases write it; one that cannot be read is the default, as upstream.
fn strategy(name: &str, deduction: Option<i64>, percentage: Option<&str>) -> Strategy {
    match name {
        "custom" => percentage.and_then(|text| text.parse().ok()).map_or(
            Strategy::Default,
            |running_job_percentage| Strategy::Custom {
                queue_length_deduction: deduction.unwrap_or(0),
                running_job_percentage,
            },
        ),
        "accurate" => Strategy::Accurate,
        "eager" => Strategy::Eager,
        _ => Strategy::Default,
    }
}

fn scaledjob_strategy(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        strategy: String,
        custom_queue_length_deduction: Option<i64>,
        custom_running_job_percentage: Option<String>,
        max_scale: i64,
        running_jobs: i64,
        pending_jobs: i64,
        max_replica_count: u32,
        scale_to: i64,
    }
    let case: Inputs = inputs(case)?;
    let strategy = strategy(
        &case.strategy,
        case.custom_queue_length_deduction,
        case.custom_running_job_percentage.as_deref(),
    );
    let wanted = Wanted { scale_to: case.scale_to, max_scale: case.max_scale };
    let jobs = Jobs { running: case.running_jobs, pending: case.pending_jobs };
    Ok(wanted_out(strategy.apply(wanted, jobs, case.max_replica_count)))
}

fn wanted_out(wanted: Wanted) -> Value {
    json!({ "effective_max_scale": wanted.max_scale, "scale_to": wanted.scale_to })
}

fn scaledjob_decision(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        strategy: String,
        min_replica_count_spec: Option<u32>,
        max_replica_count_spec: Option<u32>,
        running_jobs: i64,
        pending_jobs: i64,
        scale_to: i64,
        max_scale: i64,
    }
    let case: Inputs = inputs(case)?;
    let bounds = Bounds::of(case.min_replica_count_spec, case.max_replica_count_spec);
    let wanted = Wanted { scale_to: case.scale_to, max_scale: case.max_scale };
    let jobs = Jobs { running: case.running_jobs, pending: case.pending_jobs };
    Ok(wanted_out(scaled_job::decide(strategy(&case.strategy, None, None), bounds, wanted, jobs)))
}

fn scaledjob_create(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        scale_to: i64,
        effective_max_scale: i64,
    }
    let case: Inputs = inputs(case)?;
    let decided = Wanted { scale_to: case.scale_to, max_scale: case.effective_max_scale };
    Ok(json!({ "jobs_created": scaled_job::jobs_created(decided) }))
}

fn scaledjob_jobs_created(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        strategy: String,
        queue_length: f64,
        target_average_value: f64,
        min_replica_count_spec: Option<u32>,
        max_replica_count_spec: Option<u32>,
        running_jobs: i64,
        pending_jobs: i64,
    }
    let case: Inputs = inputs(case)?;
    let bounds = Bounds::of(case.min_replica_count_spec, case.max_replica_count_spec);
    let (queue_length, target) = (case.queue_length, case.target_average_value);
    let trigger = JobTrigger { queue_length, target, active: queue_length > 0.0 };
    let (active, wanted) = scaled_job::combine(&[trigger], Combination::Max, bounds);
    let jobs = Jobs { running: case.running_jobs, pending: case.pending_jobs };
    let decided = scaled_job::decide(strategy(&case.strategy, None, None), bounds, wanted, jobs);
    let created = if active { scaled_job::jobs_created(decided) } else { 0 };
    Ok(json!({ "jobs_created": created }))
}

fn scaledjob_state(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        multiple_scalers_calculation: String,
        min_replica_count_spec: Option<u32>,
        max_replica_count_spec: Option<u32>,
        scalers: Vec<Scaler>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Scaler {
        queue_length: f64,
        target_average_value: f64,
        active: bool,
    }
    let case: Inputs = inputs(case)?;
    let bounds = Bounds::of(case.min_replica_count_spec, case.max_replica_count_spec);
    let trigger = |scaler: &Scaler| JobTrigger {
        queue_length: scaler.queue_length,
        target: scaler.target_average_value,
        active: scaler.active,
    };
    let triggers: Vec<_> = case.scalers.iter().map(trigger).collect();
    let combination = match case.multiple_scalers_calculation.as_str() {
        "min" => Combination::Min,
        "avg" => Combination::Avg,
        "sum" => Combination::Sum,
        _ => Combination::Max,
    };
    let (active, wanted) = scaled_job::combine(&triggers, combination, bounds);
    Ok(json!({
        "active": active,
        "queue_length": wanted.scale_to,
        "max_scale": wanted.max_scale,
    }))
}

fn target_average(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        target_average_values: Vec<f64>,
    }
    let case: Inputs = inputs(case)?;
    let average = scaled_job::target_average(&case.target_average_values);
    Ok(json!({ "target_average_value": average }))
}

fn pending_jobs(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        pending_pod_conditions: Vec<String>,
        jobs: Vec<Job>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Job {
        finished: bool,
        pods: Vec<Pod>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pod {
        phase: Option<String>,
        true_conditions: Vec<String>,
    }
    let case: Inputs = inputs(case)?;
    let waits = |job: &&Job| {
        let pod = |pod: &'_ Pod| matches!(pod.phase.as_deref(), Some("Running" | "Succeeded"));
        let pods: Vec<_> = job
            .pods
            .iter()
            .map(|one| JobPod { has_run: pod(one), conditions: &one.true_conditions })
            .collect();
        !job.finished && is_pending(&pods, &case.pending_pod_conditions)
    };
    Ok(json!({ "pending_jobs": case.jobs.iter().filter(waits).count() }))
}

fn job_finished(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        conditions: Vec<JobCondition>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct JobCondition {
        #[serde(rename = "type")]
        kind: String,
        status: bool,
    }
    let case: Inputs = inputs(case)?;
    let conditions = case.conditions.iter().map(|one| (one.kind.as_str(), one.status));
    Ok(json!({ "finished": scaled_job::is_finished(conditions) }))
}

fn job_history_cleanup(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        successful_history_limit: usize,
        failed_history_limit: usize,
        finished_jobs: Vec<FinishedJob>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct FinishedJob {
        name: String,
        completed_at_min: u64,
        outcome: String,
    }
    let case: Inputs = inputs(case)?;
    let jobs = |outcome: &str| -> Vec<_> {
        let of_kind = case.finished_jobs.iter().filter(|job| job.outcome == outcome);
        of_kind.map(|job| (job.completed_at_min, job.name.as_str())).collect()
    };
    let mut deleted = superfluous(jobs("Complete"), case.successful_history_limit);
    deleted.extend(superfluous(jobs("Failed"), case.failed_history_limit));
    deleted.sort_unstable();
    Ok(json!({ "deleted": deleted }))
}
