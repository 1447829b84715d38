//! `ScaledObject`, keda.sh/v1alpha1: its fields by their names, and the settings of policy `keda`.

use super::autoscaler::{Autoscaler, camel_path};
use super::fault::Fault;
use super::file::Resource;
use super::go;
use super::hpa::BehaviorSpec;
use super::metric_names::{Meaning, MetricNames, Of};
use crate::suggest::{did_you_mean, list};
use contract::Micros;
use policies::ReplicaPolicy;
use policies::hpa::controller::Controller;
use policies::keda::activation::Annotations;
use policies::keda::fallback::{Fallback, FallbackBehavior};
use policies::keda::formula::ScalingModifiers;
use policies::keda::{Settings, Trigger};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// Prefix of the annotations that switch scaling.
const PREFIX: &str = "autoscaling.keda.sh/";

/// `spec`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Spec {
    scale_target_ref: TargetRef,
    polling_interval: Option<u32>,
    initial_cooldown_period: Option<u32>,
    cooldown_period: Option<u32>,
    idle_replica_count: Option<u32>,
    min_replica_count: Option<u32>,
    max_replica_count: Option<u32>,
    advanced: Option<AdvancedSpec>,
    triggers: Vec<TriggerSpec>,
    fallback: Option<FallbackSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "whatever the kind, it is a service here; its containers have no variables"
)]
struct TargetRef {
    name: String,
    kind: Option<IgnoredAny>,
    api_version: Option<IgnoredAny>,
    env_source_container_name: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct AdvancedSpec {
    horizontal_pod_autoscaler_config: Option<HpaConfigSpec>,
    scaling_modifiers: Option<ModifiersSpec>,
    #[expect(dead_code, reason = "matters when the object is deleted, which no scenario does")]
    restore_to_original_replica_count: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HpaConfigSpec {
    behavior: Option<BehaviorSpec>,
    #[expect(dead_code, reason = "the generated HPA has no name here")]
    name: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ModifiersSpec {
    formula: String,
    target: String,
    activation_target: Option<String>,
    metric_type: Option<MetricType>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum MetricType {
    AverageValue,
    Value,
    Utilization,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TriggerSpec {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    metric_type: Option<MetricType>,
    #[serde(default)]
    use_cached_metrics: bool,
    #[expect(dead_code, reason = "says how to log in, not how to scale")]
    authentication_ref: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct FallbackSpec {
    failure_threshold: u32,
    replicas: u32,
    #[serde(default)]
    behavior: FallbackBehaviorSpec,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum FallbackBehaviorSpec {
    #[default]
    Static,
    CurrentReplicas,
    CurrentReplicasIfHigher,
    CurrentReplicasIfLower,
    ScalingModifiers,
}

/// A kind of trigger that can be read: which of its metadata names the metric, which hold the thresholds, and which
/// only say where and how the metric is fetched.
struct Scaler {
    kind: &'static str,
    metric: &'static str,
    threshold: &'static str,
    activation: &'static str,
    elsewhere: &'static [&'static str],
    /// What a metric that is missing is, unless `ignoreNullValues` says otherwise: zero, or a failure.
    missing_is_zero: bool,
}

/// Metadata as in kedacore/keda `pkg/scalers/prometheus_scaler.go` and `metrics_api_scaler.go`.
const SCALERS: [Scaler; 2] = [
    Scaler {
        kind: "prometheus",
        metric: "query",
        threshold: "threshold",
        activation: "activationThreshold",
        elsewhere: &[
            "serverAddress",
            "ignoreNullValues",
            "metricName",
            "namespace",
            "customHeaders",
            "queryParameters",
            "authModes",
            "unsafeSsl",
            "timeout",
            "cortexOrgID",
            "awsRegion",
        ],
        missing_is_zero: true,
    },
    Scaler {
        kind: "metrics-api",
        metric: "valueLocation",
        threshold: "targetValue",
        activation: "activationTargetValue",
        elsewhere: &[
            "url",
            "format",
            "unsafeSsl",
            "aggregateFromKubeServiceEndpoints",
            "aggregationType",
            "authMode",
            "authModes",
            "method",
            "keyParamName",
        ],
        missing_is_zero: false,
    },
];

/// The autoscaler that the object describes.
pub(super) fn convert(
    object: Resource<Spec>,
    names: &MetricNames,
    controller: &Controller,
) -> Result<Autoscaler, Fault> {
    let annotations = annotations(&object.metadata.annotations)?;
    let spec = object.spec;
    let seconds = |given: Option<u32>, default| Micros::from_secs(given.map_or(default, u64::from));
    let advanced = spec.advanced.unwrap_or_default();
    let behavior = advanced.horizontal_pod_autoscaler_config.and_then(|config| config.behavior);
    let modifiers = advanced.scaling_modifiers.map(ModifiersSpec::settings).transpose();
    let settings = Settings {
        triggers: triggers(&spec.triggers, names)?,
        min_replica_count: spec.min_replica_count,
        // Defaults of `apis/keda/v1alpha1/scaledobject_types.go` and `pkg/scaling/executor`.
        max_replica_count: spec.max_replica_count.unwrap_or(100),
        scaling_modifiers: modifiers
            .map_err(|fault| fault.under(["spec", "advanced", "scalingModifiers"]))?,
        idle_replica_count: spec.idle_replica_count,
        polling_interval: seconds(spec.polling_interval, 30),
        cooldown_period: seconds(spec.cooldown_period, 300),
        initial_cooldown_period: seconds(spec.initial_cooldown_period, 0),
        fallback: spec.fallback.map(FallbackSpec::settings),
        annotations,
        behavior: behavior.map(BehaviorSpec::settings),
        phase: Micros::ZERO,
        controller: controller.clone(),
    };
    Autoscaler {
        target: spec.scale_target_ref.name,
        target_path: &["spec", "scaleTargetRef", "name"],
        policy: ReplicaPolicy::Keda(settings),
    }
    .checked(path_of)
}

/// Where a setting of policy `keda` stands in the object.
fn path_of(key: &str) -> Vec<String> {
    let table = key.split('.').next().unwrap_or_default();
    let prefix: &[&str] = match table {
        "behavior" => &["spec", "advanced", "horizontalPodAutoscalerConfig"],
        "scaling-modifiers" => &["spec", "advanced"],
        _ => &["spec"],
    };
    camel_path(key, prefix)
}

fn triggers(specs: &[TriggerSpec], names: &MetricNames) -> Result<Vec<Trigger>, Fault> {
    let triggers = specs.iter().enumerate().map(|(place, spec)| {
        spec.settings(names)
            .map_err(|fault| fault.inside(&place.to_string()).under(["spec", "triggers"]))
    });
    triggers.collect()
}

impl TriggerSpec {
    fn settings(&self, names: &MetricNames) -> Result<Trigger, Fault> {
        let scaler = self.scaler()?;
        if let Some(kind) = self.metric_type.filter(|&kind| kind != MetricType::AverageValue) {
            let found = format!("{kind:?}");
            return Err(Fault::expected(
                ["metricType"],
                &found,
                "`AverageValue`, the only one flown",
            ));
        }
        if self.use_cached_metrics {
            let expected = "`false`: metrics are read as the metrics pipeline has them";
            return Err(Fault::expected(["useCachedMetrics"], "true", expected));
        }
        self.all_known(scaler)?;
        let meaning = self.meaning(scaler, names)?;
        let threshold =
            self.number(scaler.threshold)?.ok_or_else(|| self.lacks(scaler.threshold))?;
        let activation = self.number(scaler.activation)?.unwrap_or(0.0);
        Ok(Trigger {
            metric: meaning.metric,
            name: self.name.clone(),
            threshold: meaning.scaled(threshold),
            activation_threshold: meaning.scaled(activation),
            ignore_null_values: self.truth("ignoreNullValues")?.unwrap_or(scaler.missing_is_zero),
        })
    }

    fn scaler(&self) -> Result<&'static Scaler, Fault> {
        SCALERS.iter().find(|scaler| scaler.kind == self.kind).ok_or_else(|| {
            let known = SCALERS.iter().map(|scaler| scaler.kind);
            let problem = format!(
                "found a trigger of type `{}`, which is not flown, expected one of {}",
                self.kind,
                list(known),
            );
            let hint = match self.kind.as_str() {
                "cpu" => "an HPA on CPU can be flown as a `HorizontalPodAutoscaler`",
                _ => {
                    "write the trigger as a `prometheus` query, and map the query in `[metric-map]`"
                }
            };
            Fault::new(["type"], problem).hint(hint)
        })
    }

    /// What the trigger measures: by its own name in the scenario's map, or by its metadata.
    fn meaning(&self, scaler: &Scaler, names: &MetricNames) -> Result<Meaning, Fault> {
        if let Some(meaning) = self.name.as_deref().and_then(|name| names.own(name)) {
            return Ok(meaning);
        }
        let metric = self.metadata.get(scaler.metric).ok_or_else(|| self.lacks(scaler.metric))?;
        let found = match scaler.kind {
            "prometheus" => names.find_query(metric),
            _ => names.find(metric, Of::Service),
        };
        found.map_err(|fault| fault.under(["metadata", scaler.metric]))
    }

    fn all_known(&self, scaler: &Scaler) -> Result<(), Fault> {
        let own = [scaler.metric, scaler.threshold, scaler.activation];
        let known = own.iter().chain(scaler.elsewhere).copied();
        for key in self.metadata.keys() {
            if !known.clone().any(|known| known == key) {
                let problem = format!(
                    "found the unknown key `{key}`, expected one of {}",
                    list(known.clone())
                );
                let fault = Fault::new(["metadata", key], problem);
                return Err(Fault { hint: did_you_mean(key, known), ..fault });
            }
        }
        Ok(())
    }

    fn number(&self, key: &str) -> Result<Option<f64>, Fault> {
        let number = |text: &String| {
            go::number(text).ok_or_else(|| Fault::expected(["metadata", key], text, "a number"))
        };
        self.metadata.get(key).map(number).transpose()
    }

    fn truth(&self, key: &str) -> Result<Option<bool>, Fault> {
        let truth = |text: &String| {
            go::boolean(text)
                .ok_or_else(|| Fault::expected(["metadata", key], text, "`true` or `false`"))
        };
        self.metadata.get(key).map(truth).transpose()
    }

    fn lacks(&self, key: &str) -> Fault {
        let problem = format!("found no `{key}`, expected one for type `{}`", self.kind);
        Fault::new(["metadata"], problem)
    }
}

impl ModifiersSpec {
    fn settings(self) -> Result<ScalingModifiers, Fault> {
        if let Some(kind) = self.metric_type.filter(|&kind| kind != MetricType::AverageValue) {
            let found = format!("{kind:?}");
            return Err(Fault::expected(
                ["metricType"],
                &found,
                "`AverageValue`, the only one flown",
            ));
        }
        let number = |text: &str, field| {
            go::number(text).ok_or_else(|| Fault::expected([field], text, "a number"))
        };
        let activation = self.activation_target.as_deref();
        Ok(ScalingModifiers {
            target: number(&self.target, "target")?,
            activation_target: activation
                .map_or(Ok(0.0), |text| number(text, "activationTarget"))?,
            formula: self.formula,
        })
    }
}

impl FallbackSpec {
    fn settings(self) -> Fallback {
        Fallback {
            failure_threshold: self.failure_threshold,
            replicas: self.replicas,
            behavior: match self.behavior {
                FallbackBehaviorSpec::Static => FallbackBehavior::Static,
                FallbackBehaviorSpec::CurrentReplicas => FallbackBehavior::CurrentReplicas,
                FallbackBehaviorSpec::CurrentReplicasIfHigher => {
                    FallbackBehavior::CurrentReplicasIfHigher
                }
                FallbackBehaviorSpec::CurrentReplicasIfLower => {
                    FallbackBehavior::CurrentReplicasIfLower
                }
                FallbackBehaviorSpec::ScalingModifiers => FallbackBehavior::ScalingModifiers,
            },
        }
    }
}

/// The switches among an object's annotations; those of others are none of ours.
fn annotations(given: &BTreeMap<String, String>) -> Result<Annotations, Fault> {
    let mut switches = Annotations::default();
    for (key, text) in given {
        let Some(name) = key.strip_prefix(PREFIX) else { continue };
        let on = Annotations::is_on(text);
        match name {
            "paused" => switches.paused = on,
            "paused-scale-in" => switches.paused_scale_in = on,
            "paused-scale-out" => switches.paused_scale_out = on,
            "force-activation" => switches.force_activation = on,
            "paused-replicas" => {
                let expected =
                    || Fault::expected(["metadata", "annotations", key], text, "a count");
                switches.paused_replicas = Some(text.parse().map_err(|_| expected())?);
            }
            _ => {
                let known = [
                    "paused",
                    "paused-replicas",
                    "paused-scale-in",
                    "paused-scale-out",
                    "force-activation",
                ];
                let problem = format!(
                    "found the unknown annotation `{name}`, expected one of {}",
                    list(known)
                );
                let fault = Fault::new(["metadata", "annotations", key], problem);
                return Err(Fault { hint: did_you_mean(name, known), ..fault });
            }
        }
    }
    Ok(switches)
}
