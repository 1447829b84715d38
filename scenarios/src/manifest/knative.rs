//! A Knative `Service`, serving.knative.dev/v1: the annotations of its revision, and the settings of policy `kpa`.

use super::autoscaler::Autoscaler;
use super::config_autoscaler::{ClusterConfig, count, duration, is_kpa, number};
use super::fault::Fault;
use super::file::{Metadata, Resource};
use crate::document::key;
use crate::suggest::did_you_mean;
use policies::ReplicaPolicy;
use policies::kpa::window::Aggregation;
use policies::kpa::{ScalingMetric, Settings};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Prefix of the annotations that say how a revision scales.
const PREFIX: &str = "autoscaling.knative.dev/";

/// The one annotation of another prefix that matters.
const PROGRESS_DEADLINE: &str = "serving.knative.dev/progress-deadline";

/// `spec`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Spec {
    template: Template,
    #[expect(dead_code, reason = "one revision takes all requests here")]
    traffic: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    #[serde(default)]
    metadata: Metadata,
    spec: RevisionSpec,
}

/// `spec.template.spec`: the limit on concurrency, and a pod that the scenario describes itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "named so that a misspelt field is not taken for one of them")]
struct RevisionSpec {
    #[serde(default)]
    container_concurrency: u32,
    timeout_seconds: Option<IgnoredAny>,
    response_start_timeout_seconds: Option<IgnoredAny>,
    idle_timeout_seconds: Option<IgnoredAny>,
    containers: Option<IgnoredAny>,
    init_containers: Option<IgnoredAny>,
    volumes: Option<IgnoredAny>,
    service_account_name: Option<IgnoredAny>,
    automount_service_account_token: Option<IgnoredAny>,
    image_pull_secrets: Option<IgnoredAny>,
    enable_service_links: Option<IgnoredAny>,
    affinity: Option<IgnoredAny>,
    node_selector: Option<IgnoredAny>,
    tolerations: Option<IgnoredAny>,
    topology_spread_constraints: Option<IgnoredAny>,
    runtime_class_name: Option<IgnoredAny>,
    scheduler_name: Option<IgnoredAny>,
    priority_class_name: Option<IgnoredAny>,
    security_context: Option<IgnoredAny>,
    share_process_namespace: Option<IgnoredAny>,
    host_aliases: Option<IgnoredAny>,
    dns_policy: Option<IgnoredAny>,
    dns_config: Option<IgnoredAny>,
}

/// The autoscaler that the object describes, in a cluster with these defaults.
pub(super) fn convert(
    object: Resource<Spec>,
    cluster: &ClusterConfig,
) -> Result<Autoscaler, Fault> {
    none_outside(&object.metadata)?;
    let template = object.spec.template;
    let mut settings = Settings {
        container_concurrency: template.spec.container_concurrency,
        min_scale: cluster.min_scale,
        max_scale: cluster.max_scale,
        config: cluster.config.clone(),
        ..Settings::default()
    };
    for (key, text) in &template.metadata.annotations {
        let set = match key.strip_prefix(PREFIX) {
            Some(name) => set(&mut settings, name, text),
            None if key == PROGRESS_DEADLINE => {
                duration(text).map(|deadline| settings.progress_deadline = Some(deadline))
            }
            None => Ok(()),
        };
        set.map_err(|fault| fault.under(["spec", "template", "metadata", "annotations", key]))?;
    }
    within_limit(settings.max_scale, cluster.max_scale_limit)?;
    Autoscaler {
        target: object.metadata.name,
        target_path: &["metadata", "name"],
        policy: ReplicaPolicy::Kpa(Box::new(settings)),
    }
    .checked(|setting| {
        let annotation = format!("{PREFIX}{setting}");
        key(["spec", "template", "metadata", "annotations", &annotation])
    })
}

/// Upstream refuses such annotations on the service itself: they belong to the revision.
fn none_outside(metadata: &Metadata) -> Result<(), Fault> {
    let Some(key) = metadata.annotations.keys().find(|key| key.starts_with(PREFIX)) else {
        return Ok(());
    };
    let problem = "found an autoscaling annotation on the service, expected it on the revision";
    let hint = "move it to `spec.template.metadata.annotations`";
    Err(Fault::new(["metadata", "annotations", key], problem).hint(hint))
}

fn within_limit(max_scale: u32, limit: u32) -> Result<(), Fault> {
    if limit == 0 || (1..=limit).contains(&max_scale) {
        return Ok(());
    }
    let annotation = format!("{PREFIX}max-scale");
    let expected = format!("1 to {limit}, the cluster's `max-scale-limit`");
    let path = ["spec", "template", "metadata", "annotations", &annotation];
    Err(Fault::expected(path, &max_scale.to_string(), &format!("a `max-scale` of {expected}")))
}

/// Sets what an annotation says.
fn set(settings: &mut Settings, name: &str, text: &str) -> Result<(), Fault> {
    match kebab(name).as_str() {
        "class" => is_kpa(text)?,
        "metric" => settings.metric = metric(text)?,
        "target" => settings.target = Some(number(text)?),
        "target-utilization-percentage" => {
            settings.target_utilization_percentage = Some(number(text)?);
        }
        "window" => settings.window = Some(duration(text)?),
        "panic-window-percentage" => settings.panic_window_percentage = Some(number(text)?),
        "panic-threshold-percentage" => settings.panic_threshold_percentage = Some(number(text)?),
        "target-burst-capacity" => settings.target_burst_capacity = Some(number(text)?),
        "min-scale" => settings.min_scale = count(text)?,
        "max-scale" => settings.max_scale = count(text)?,
        "initial-scale" => settings.initial_scale = Some(count(text)?),
        "activation-scale" => settings.activation_scale = activation_scale(text)?,
        "scale-down-delay" => settings.scale_down_delay = Some(duration(text)?),
        "scale-to-zero-pod-retention-period" => {
            settings.scale_to_zero_pod_retention_period = Some(duration(text)?);
        }
        "metric-aggregation-algorithm" => {
            settings.metric_aggregation_algorithm = aggregation(text)?;
        }
        _ => return Err(unknown(name)),
    }
    Ok(())
}

/// Older manifests write `minScale` for `min-scale`.
fn kebab(name: &str) -> String {
    name.chars().fold(String::new(), |mut kebab, c| {
        if c.is_ascii_uppercase() {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
        kebab
    })
}

fn metric(text: &str) -> Result<ScalingMetric, Fault> {
    match text {
        "concurrency" => Ok(ScalingMetric::Concurrency),
        "rps" => Ok(ScalingMetric::Rps),
        _ => Err(Fault::expected([], text, "`concurrency` or `rps`")),
    }
}

fn activation_scale(text: &str) -> Result<u32, Fault> {
    let scale = count(text)?;
    if scale >= 2 { Ok(scale) } else { Err(Fault::expected([], text, "at least 2")) }
}

fn aggregation(text: &str) -> Result<Aggregation, Fault> {
    match text {
        "linear" => Ok(Aggregation::Linear),
        "weighted-exponential" => Ok(Aggregation::WeightedExponential),
        _ => Err(Fault::expected([], text, "`linear` or `weighted-exponential`")),
    }
}

fn unknown(name: &str) -> Fault {
    let known = [
        "class",
        "metric",
        "target",
        "target-utilization-percentage",
        "window",
        "panic-window-percentage",
        "panic-threshold-percentage",
        "target-burst-capacity",
        "min-scale",
        "max-scale",
        "initial-scale",
        "activation-scale",
        "scale-down-delay",
        "scale-to-zero-pod-retention-period",
        "metric-aggregation-algorithm",
    ];
    let fault = Fault::new([], format!("found the unknown annotation `{name}` of the autoscaler"));
    Fault { hint: did_you_mean(&kebab(name), known), ..fault }
}
