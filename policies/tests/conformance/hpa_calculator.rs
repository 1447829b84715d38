//! From metrics to replicas: the calculator and what it rests on.

use crate::case::{Check, inputs, seconds};
use contract::Instant;
use policies::hpa::pods::{Class, CpuRules, Phase, PodState, SampleTime, classify};
use policies::hpa::replica_calculator::{
    PodUsage, Proposal, average_ratio, from_average_value, from_pods_average, from_value,
};
use policies::hpa::requests::{Container, RequestError, pod_request};
use policies::hpa::tolerance::Tolerances;
use policies::hpa::utilization::{ResourceUsage, utilization_ratio};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("hpa.classify_pods", classify_pods),
    ("hpa.pod_requests", pod_requests),
    ("hpa.replicas_from_external_average_value", from_average),
    ("hpa.replicas_from_external_value", from_whole_value),
    ("hpa.replicas_from_object_average_value", from_average),
    ("hpa.replicas_from_object_value", from_whole_value),
    ("hpa.replicas_from_pods_average", from_pods),
    ("hpa.replicas_from_resource_utilization", from_utilization),
    ("hpa.usage_ratio", usage_ratio),
    ("hpa.utilization_ratio", check_utilization_ratio),
];

/// A pod as cases write it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PodCase {
    pub(crate) name: String,
    phase: String,
    being_deleted: bool,
    start_time_s: Option<f64>,
    ready_condition: Option<bool>,
    ready_transition_time_s: Option<f64>,
    container_requests_milli: Option<BTreeMap<String, Option<i64>>>,
}

impl PodCase {
    pub(crate) fn state(&self) -> PodState {
        let changed = self.ready_transition_time_s.map(seconds::instant).unwrap_or_default();
        PodState {
            phase: match self.phase.as_str() {
                "Pending" => Phase::Pending,
                "Succeeded" => Phase::Succeeded,
                "Failed" => Phase::Failed,
                _ => Phase::Running,
            },
            deleted: self.being_deleted,
            ready: self.ready_condition.map(|ready| (ready, changed)),
            started: self.start_time_s.map(seconds::instant),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.phase == "Running" && self.ready_condition == Some(true)
    }

    pub(crate) fn request(&self, only: Option<&str>) -> Result<i64, RequestError> {
        let containers: Vec<_> = self
            .container_requests_milli
            .iter()
            .flatten()
            .map(|(name, &request_milli)| Container { name, stays: true, request_milli })
            .collect();
        pod_request(&containers, None, only)
    }
}

/// A sample as cases write it: one value, or one a container.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SampleCase {
    pub(crate) pod: String,
    timestamp_s: f64,
    window_s: f64,
    value_milli: Option<i64>,
    container_usage_milli: Option<BTreeMap<String, Option<i64>>>,
}

impl SampleCase {
    pub(crate) fn time(&self) -> SampleTime {
        let window = seconds::length(self.window_s);
        SampleTime { at: seconds::instant(self.timestamp_s), window }
    }

    /// The one value, or the sum over the containers that count; `None` if any of those has none.
    pub(crate) fn value(&self, only: Option<&str>) -> Option<i64> {
        let Some(containers) = &self.container_usage_milli else { return self.value_milli };
        match only {
            Some(only) => containers.get(only).copied().flatten(),
            None => containers.values().copied().sum(),
        }
    }
}

/// Each pod with its class and what its sample says, of one container if `only` is given.
pub(crate) fn classified<'a>(
    pods: &'a [PodCase],
    samples: &'a [SampleCase],
    cpu: Option<CpuRules>,
    only: Option<&str>,
) -> Vec<(&'a PodCase, Class, i64)> {
    let one = |pod: &'a PodCase| {
        let sample = samples.iter().find(|sample| sample.pod == pod.name);
        let value = sample.and_then(|sample| sample.value(only));
        let time = sample.filter(|_| value.is_some()).map(SampleCase::time);
        (pod, classify(&pod.state(), time, cpu), value.unwrap_or_default())
    };
    pods.iter().map(one).collect()
}

/// What all cases of the calculator share.
#[derive(Deserialize)]
struct Setting {
    now_s: f64,
    current_replicas: u32,
    tolerance_scale_down: f64,
    tolerance_scale_up: f64,
    cpu_initialization_period_s: f64,
    initial_readiness_delay_s: f64,
    pods: Vec<PodCase>,
}

impl Setting {
    fn tolerances(&self) -> Tolerances {
        Tolerances { scale_down: self.tolerance_scale_down, scale_up: self.tolerance_scale_up }
    }

    fn ready(&self) -> u32 {
        count(self.pods.iter().filter(|pod| pod.is_ready()).count())
    }

    fn cpu_rules(&self) -> CpuRules {
        cpu_rules(
            seconds::instant(self.now_s),
            self.cpu_initialization_period_s,
            self.initial_readiness_delay_s,
        )
    }
}

pub(crate) fn cpu_rules(now: Instant, initialization_s: f64, readiness_s: f64) -> CpuRules {
    CpuRules {
        now,
        initialization_period: seconds::length(initialization_s),
        readiness_delay: seconds::length(readiness_s),
    }
}

pub(crate) fn count(pods: usize) -> u32 {
    u32::try_from(pods).expect("few pods")
}

fn proposal_out(proposal: Proposal) -> Value {
    json!({ "replicas": proposal.replicas, "reported_usage_milli": proposal.usage_milli })
}

fn classify_pods(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        now_s: f64,
        resource: String,
        cpu_initialization_period_s: f64,
        initial_readiness_delay_s: f64,
        pods: Vec<PodCase>,
        pod_metrics: Vec<SampleCase>,
    }
    let case: Inputs = inputs(case)?;
    let rules = cpu_rules(
        seconds::instant(case.now_s),
        case.cpu_initialization_period_s,
        case.initial_readiness_delay_s,
    );
    let cpu = (case.resource == "cpu").then_some(rules);
    let pods = classified(&case.pods, &case.pod_metrics, cpu, None);
    // Upstream keeps them in sets, which cases write in order.
    let names = |wanted: Class| -> BTreeSet<&str> {
        let of_class = pods.iter().filter(|(_, class, _)| *class == wanted);
        of_class.map(|(pod, ..)| pod.name.as_str()).collect()
    };
    Ok(json!({
        "ready_count": names(Class::Ready).len(),
        "unready": names(Class::Unready),
        "missing_metrics": names(Class::Missing),
        "ignored": names(Class::Ignored),
    }))
}

fn from_pods(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    struct Inputs {
        #[serde(flatten)]
        setting: Setting,
        pod_metrics: Vec<SampleCase>,
        target_average_milli: i64,
    }
    let case: Inputs = inputs(case)?;
    let usage = pod_usage(&case.setting.pods, &case.pod_metrics, None, None);
    let (current, tolerances) = (case.setting.current_replicas, case.setting.tolerances());
    let found = from_pods_average(current, usage, case.target_average_milli, tolerances);
    Ok(found.map_or_else(|_| json!({ "error": "no_usable_pod_metrics" }), proposal_out))
}

/// What the pods use, in all or of one container.
pub(crate) fn pod_usage(
    pods: &[PodCase],
    samples: &[SampleCase],
    cpu: Option<CpuRules>,
    only: Option<&str>,
) -> PodUsage {
    let mut usage = PodUsage::default();
    for (_, class, value) in classified(pods, samples, cpu, only) {
        usage.add(class, value);
    }
    usage
}

fn from_utilization(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    struct Inputs {
        #[serde(flatten)]
        setting: Setting,
        resource: String,
        target_utilization_pct: u32,
        only_container: Option<String>,
        pod_metrics: Vec<SampleCase>,
    }
    let case: Inputs = inputs(case)?;
    let cpu = (case.resource == "cpu").then_some(case.setting.cpu_rules());
    let only = case.only_container.as_deref();
    let target = case.target_utilization_pct;
    let usage = match resource_usage(&case.setting.pods, &case.pod_metrics, cpu, only, target) {
        Ok(usage) => usage,
        Err(error) => return Ok(json!({ "error": request_error(error) })),
    };
    let found = usage.propose(case.setting.current_replicas, case.setting.tolerances());
    Ok(found.map_or_else(
        |_| json!({ "error": "no_usable_pod_metrics" }),
        |found| {
            json!({
                "replicas": found.proposal.replicas,
                "utilization_pct": found.percent,
                "average_usage_milli": found.proposal.usage_milli,
            })
        },
    ))
}

/// What the pods use and request of a resource.
pub(crate) fn resource_usage(
    pods: &[PodCase],
    samples: &[SampleCase],
    cpu: Option<CpuRules>,
    only: Option<&str>,
    target: u32,
) -> Result<ResourceUsage, RequestError> {
    let mut usage = ResourceUsage::new(target);
    for (pod, class, value) in classified(pods, samples, cpu, only) {
        usage.add(class, value, pod.request(only)?);
    }
    Ok(usage)
}

fn request_error(error: RequestError) -> &'static str {
    match error {
        RequestError::NoRequest => "pod_container_has_no_request",
        RequestError::NoContainer => "named_container_absent",
    }
}

/// Thousandths; what exceeds 64 bits is cut off, as cases were.
#[expect(clippy::cast_possible_truncation, reason = "saturates")]
fn milli(value: f64) -> i64 {
    value as i64
}

#[derive(Deserialize)]
struct ValueInputs {
    #[serde(flatten)]
    setting: Setting,
    metric_value_milli: Option<f64>,
    metric_values_milli: Option<Vec<f64>>,
    #[serde(alias = "target_value_milli")]
    target_average_milli: i64,
}

impl ValueInputs {
    /// Several series are added up.
    fn value(&self) -> i64 {
        let series =
            self.metric_value_milli.iter().chain(self.metric_values_milli.iter().flatten());
        series.fold(0, |sum: i64, &value| sum.saturating_add(milli(value)))
    }
}

fn from_whole_value(case: Value) -> Result<Value, String> {
    let case: ValueInputs = inputs(case)?;
    let setting = &case.setting;
    let (current, ready) = (setting.current_replicas, setting.ready());
    let target = case.target_average_milli;
    Ok(proposal_out(from_value(current, ready, case.value(), target, setting.tolerances())))
}

fn from_average(case: Value) -> Result<Value, String> {
    let case: ValueInputs = inputs(case)?;
    let setting = &case.setting;
    let target = case.target_average_milli;
    let found =
        from_average_value(setting.current_replicas, case.value(), target, setting.tolerances());
    Ok(proposal_out(found))
}

fn pod_requests(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        resource: String,
        only_container: Option<String>,
        pod_level_resources_enabled: bool,
        pods: Vec<Pod>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pod {
        name: String,
        pod_level_requests_milli: Option<BTreeMap<String, i64>>,
        containers: Vec<ContainerCase>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ContainerCase {
        name: String,
        kind: String,
        requests_milli: BTreeMap<String, Option<i64>>,
    }
    let case: Inputs = inputs(case)?;
    let mut requests = BTreeMap::new();
    for pod in &case.pods {
        let container = |container: &'_ ContainerCase| {
            let request_milli = container.requests_milli.get(&case.resource).copied().flatten();
            (container.kind != "init", request_milli)
        };
        let containers: Vec<_> = pod
            .containers
            .iter()
            .map(|one| {
                let (stays, request_milli) = container(one);
                Container { name: &one.name, stays, request_milli }
            })
            .collect();
        let of_pod = pod.pod_level_requests_milli.as_ref();
        let of_pod = of_pod.and_then(|requests| requests.get(&case.resource).copied());
        let of_pod = of_pod.filter(|_| case.pod_level_resources_enabled);
        match pod_request(&containers, of_pod, case.only_container.as_deref()) {
            Ok(request) => requests.insert(pod.name.clone(), request),
            Err(error) => return Ok(json!({ "error": request_error(error) })),
        };
    }
    Ok(json!({ "request_milli_by_pod": requests }))
}

fn usage_ratio(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        usage_milli_by_pod: BTreeMap<String, i64>,
        target_average_milli: i64,
    }
    let case: Inputs = inputs(case)?;
    let sum = case.usage_milli_by_pod.values().sum();
    let pods = count(case.usage_milli_by_pod.len());
    let (ratio, average) = average_ratio(sum, pods, case.target_average_milli);
    Ok(json!({ "ratio": ratio, "average_usage_milli": average }))
}

fn check_utilization_ratio(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        usage_milli_by_pod: BTreeMap<String, i64>,
        request_milli_by_pod: BTreeMap<String, i64>,
        target_utilization_pct: i64,
    }
    let case: Inputs = inputs(case)?;
    let known: Vec<_> = case
        .usage_milli_by_pod
        .iter()
        .filter_map(|(pod, usage)| Some((usage, case.request_milli_by_pod.get(pod)?)))
        .collect();
    let usage = known.iter().map(|(usage, _)| *usage).sum();
    let request = known.iter().map(|(_, request)| *request).sum();
    let found = utilization_ratio(count(known.len()), usage, request, case.target_utilization_pct);
    let Some(found) = found else { return Ok(json!({ "error": "no_pod_has_a_request" })) };
    Ok(json!({
        "ratio": found.ratio,
        "utilization_pct": found.percent,
        "average_usage_milli": found.average_milli,
    }))
}
