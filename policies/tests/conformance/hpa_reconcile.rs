//! A whole reconcile: pods, metrics, history, limits, conditions.

use crate::case::{Check, inputs, seconds};
use crate::hpa_behavior::{BehaviorCase, RecommendationCase};
use crate::hpa_calculator::{PodCase, SampleCase, count, cpu_rules, pod_usage, resource_usage};
use contract::Instant;
use policies::hpa::conditions::{Condition, Conditions};
use policies::hpa::controller::Controller;
use policies::hpa::pods::CpuRules;
use policies::hpa::reconcile::{Memory, Scale, Target, combine, reconcile};
use policies::hpa::replica_calculator::{
    Proposal, from_average_value, from_pods_average, from_value,
};
use policies::hpa::tolerance::Tolerances;
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) const CHECKS: &[(&str, Check)] = &[("hpa.reconcile", check_reconcile)];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inputs {
    now_s: f64,
    spec_replicas: u32,
    status_replicas: u32,
    min_replicas: u32,
    max_replicas: u32,
    global_tolerance: f64,
    cpu_initialization_period_s: f64,
    initial_readiness_delay_s: f64,
    downscale_stabilization_window_s: f64,
    scale_up_limit_factor: f64,
    scale_up_limit_minimum: u32,
    scale_to_zero_enabled: bool,
    configurable_tolerance_enabled: bool,
    scaled_to_zero_by_hpa: bool,
    behavior: Option<BehaviorCase>,
    past_recommendations: Option<Vec<RecommendationCase>>,
    metrics: Vec<MetricCase>,
    pods: Vec<PodCase>,
    pod_cpu_metrics: Vec<SampleCase>,
    pod_custom_metric_milli: Vec<SampleCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricCase {
    kind: String,
    resource: Option<String>,
    container: Option<String>,
    target_utilization_pct: Option<u32>,
    target_average_milli: Option<i64>,
    target_value_milli: Option<i64>,
    metric_value_milli: Option<i64>,
    metric_values_milli: Option<Vec<i64>>,
    #[serde(default)]
    fetch_fails: bool,
}

/// Upstream's reasons for a failed metric.
type Failure = &'static str;

impl Inputs {
    fn now(&self) -> Instant {
        seconds::instant(self.now_s)
    }

    fn scale(&self) -> Scale {
        Scale { spec: self.spec_replicas, status: self.status_replicas }
    }

    fn tolerances(&self) -> Tolerances {
        let behavior = self.behavior.as_ref().map(BehaviorCase::behavior);
        let behavior = behavior.filter(|_| self.configurable_tolerance_enabled);
        let (up, down) = behavior.map_or((None, None), |behavior| {
            (behavior.scale_up.tolerance, behavior.scale_down.tolerance)
        });
        Tolerances {
            scale_down: down.unwrap_or(self.global_tolerance),
            scale_up: up.unwrap_or(self.global_tolerance),
        }
    }

    fn controller(&self) -> Controller {
        Controller {
            tolerance: self.global_tolerance,
            downscale_stabilization: seconds::length(self.downscale_stabilization_window_s),
            scale_up_limit_factor: self.scale_up_limit_factor,
            scale_up_limit_minimum: self.scale_up_limit_minimum,
            scale_to_zero: self.scale_to_zero_enabled,
            ..Controller::default()
        }
    }

    fn memory(&self) -> Memory {
        let past = |list: &Vec<RecommendationCase>| {
            list.iter().map(|past| past.before(self.now())).collect()
        };
        Memory {
            recommendations: self.past_recommendations.as_ref().map(past),
            scaled_to_zero: self.scaled_to_zero_by_hpa.then_some(true),
            ..Memory::default()
        }
    }

    /// What a metric proposes; CPU utilisation is reported besides.
    fn propose(
        &self,
        metric: &MetricCase,
        reported: &mut Option<i64>,
    ) -> Result<Proposal, Failure> {
        let (scale, tolerances) = (self.scale(), self.tolerances());
        let average = metric.target_average_milli.unwrap_or_default();
        let target = metric.target_value_milli.unwrap_or_default();
        if metric.fetch_fails {
            return Err(metric.failure());
        }
        match metric.kind.as_str() {
            "resource" | "container_resource" if metric.target_average_milli.is_some() => {
                let only = metric.container.as_deref();
                let rules = self.cpu_rules(metric);
                let usage = pod_usage(&self.pods, &self.pod_cpu_metrics, rules, only);
                from_pods_average(scale.spec, usage, average, tolerances)
                    .map_err(|_| metric.failure())
            }
            "resource" | "container_resource" => self.propose_utilization(metric, reported),
            "pods" => {
                let usage = pod_usage(&self.pods, &self.pod_custom_metric_milli, None, None);
                from_pods_average(scale.spec, usage, average, tolerances)
                    .map_err(|_| metric.failure())
            }
            "object_value" | "external_value" => {
                let ready = count(self.pods.iter().filter(|pod| pod.is_ready()).count());
                Ok(from_value(scale.spec, ready, metric.value(), target, tolerances))
            }
            "object_average_value" | "external_average_value" => {
                Ok(from_average_value(scale.status, metric.value(), average, tolerances))
            }
            _ => Err(metric.failure()),
        }
    }

    fn propose_utilization(
        &self,
        metric: &MetricCase,
        reported: &mut Option<i64>,
    ) -> Result<Proposal, Failure> {
        let only = metric.container.as_deref();
        let target = metric.target_utilization_pct.unwrap_or_default();
        let cpu = self.cpu_rules(metric);
        let usage = resource_usage(&self.pods, &self.pod_cpu_metrics, cpu, only, target)
            .map_err(|_| metric.failure())?;
        let found =
            usage.propose(self.spec_replicas, self.tolerances()).map_err(|_| metric.failure())?;
        *reported = Some(found.percent);
        Ok(found.proposal)
    }

    /// The extra rules for CPU, if that is what the metric is of.
    fn cpu_rules(&self, metric: &MetricCase) -> Option<CpuRules> {
        let rules =
            cpu_rules(self.now(), self.cpu_initialization_period_s, self.initial_readiness_delay_s);
        (metric.resource.as_deref() == Some("cpu")).then_some(rules)
    }
}

impl MetricCase {
    /// Several series are added up.
    fn value(&self) -> i64 {
        let series =
            self.metric_value_milli.iter().chain(self.metric_values_milli.iter().flatten());
        series.fold(0, |sum: i64, &value| sum.saturating_add(value))
    }

    /// What upstream calls a failure of this kind of metric.
    fn failure(&self) -> Failure {
        match self.kind.as_str() {
            "resource" => "FailedGetResourceMetric",
            "container_resource" => "FailedGetContainerResourceMetric",
            "pods" => "FailedGetPodsMetric",
            "object_value" | "object_average_value" => "FailedGetObjectMetric",
            "external_value" | "external_average_value" => "FailedGetExternalMetric",
            _ => "InvalidMetricSourceType",
        }
    }
}

fn check_reconcile(case: Value) -> Result<Value, String> {
    let case: Inputs = inputs(case)?;
    let controller = case.controller();
    let behavior = case.behavior.as_ref().map(BehaviorCase::behavior);
    let sees_zero = |metric: &MetricCase| {
        metric.kind.starts_with("object") || metric.kind.starts_with("external")
    };
    let target = Target {
        min: case.min_replicas,
        max: case.max_replicas,
        behavior: behavior.as_ref(),
        sees_zero: case.metrics.iter().any(sees_zero),
        controller: &controller,
    };
    let mut memory = case.memory();
    let mut reported = None;
    let propose = |metric: &MetricCase| case.propose(metric, &mut reported);
    let verdict = reconcile(&target, &mut memory, case.now(), case.scale(), || {
        combine(case.metrics.iter().map(propose))
    });
    let current = case.spec_replicas;
    let conditions =
        Conditions::of(&verdict, current, behavior.is_some(), &memory, |failed| failed);
    Ok(json!({
        "replicas": verdict.replicas(current),
        "conditions": {
            "AbleToScale": condition_out(Some(conditions.able_to_scale)),
            "ScalingActive": condition_out(conditions.scaling_active),
            "ScalingLimited": condition_out(conditions.scaling_limited),
            "ScaledToZero": condition_out(conditions.scaled_to_zero),
        },
        "reported_cpu_utilization_pct": reported,
    }))
}

fn condition_out(condition: Option<Condition<'_>>) -> Value {
    let word = |status| if status { "True" } else { "False" };
    condition.map_or(Value::Null, |(status, reason)| json!([word(status), reason]))
}
