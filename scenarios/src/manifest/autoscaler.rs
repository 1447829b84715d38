//! Autoscalers among the objects of a manifest: which kinds are read, which say nothing about scaling, which are not
//! flown.

use super::config_autoscaler::{self, ClusterConfig, ConfigMap};
use super::fault::Fault;
use super::file::Object;
use super::metric_names::MetricNames;
use super::{hpa, keda, knative};
use crate::document::KeyPath;
use crate::error::ScenarioError;
use policies::ReplicaPolicy;
use policies::hpa::controller::Controller;

/// An autoscaler: what it scales, and how.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Autoscaler {
    /// The name of what it scales.
    pub(super) target: String,
    /// Where that name stands.
    pub(super) target_path: &'static [&'static str],
    pub(super) policy: ReplicaPolicy,
}

/// An autoscaler and the object that it came from.
pub(super) struct Found {
    pub(super) autoscaler: Autoscaler,
    pub(super) object: Object,
}

/// Kinds that stand beside autoscalers in people's files and do not scale.
const BESIDE: [&str; 31] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterTriggerAuthentication",
    "ConfigMap",
    "CronJob",
    "DaemonSet",
    "Deployment",
    "Gateway",
    "HTTPRoute",
    "InferencePool",
    "Ingress",
    "Job",
    "LeaderWorkerSet",
    "LimitRange",
    "Namespace",
    "NetworkPolicy",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "PodMonitor",
    "PriorityClass",
    "PrometheusRule",
    "ResourceQuota",
    "Role",
    "RoleBinding",
    "Secret",
    "Service",
    "ServiceAccount",
    "ServiceMonitor",
    "StatefulSet",
    "TriggerAuthentication",
];

/// Every autoscaler among `objects`, in order.
pub(super) fn find(
    objects: Vec<Object>,
    names: &MetricNames,
    controller: &Controller,
) -> Result<Vec<Found>, ScenarioError> {
    let mut cluster = ClusterConfig::default();
    for object in &objects {
        if object.kind()? == ("v1", "ConfigMap") && object.name() == config_autoscaler::NAME {
            let map: ConfigMap = object.read()?;
            cluster = config_autoscaler::convert(&map).map_err(|fault| object.error(fault))?;
        }
    }
    let mut found = Vec::new();
    for object in objects {
        if let Some(autoscaler) = read(&object, names, controller, &cluster)? {
            found.push(Found { autoscaler, object });
        }
    }
    Ok(found)
}

fn read(
    object: &Object,
    names: &MetricNames,
    controller: &Controller,
    cluster: &ClusterConfig,
) -> Result<Option<Autoscaler>, ScenarioError> {
    let converted = match object.kind()? {
        ("autoscaling/v2", "HorizontalPodAutoscaler") => {
            hpa::convert(object.read()?, names, controller)
        }
        ("keda.sh/v1alpha1", "ScaledObject") => keda::convert(object.read()?, names, controller),
        ("serving.knative.dev/v1", "Service") => knative::convert(object.read()?, cluster),
        ("keda.sh/v1alpha1", "ScaledJob") => Err(scaled_job()),
        (version, "HorizontalPodAutoscaler") => {
            Err(Fault::expected(["apiVersion"], version, "`autoscaling/v2`")
                .hint("`kubectl get hpa.v2.autoscaling NAME -o yaml` prints it so"))
        }
        (version, "ScaledObject") => {
            Err(Fault::expected(["apiVersion"], version, "`keda.sh/v1alpha1`"))
        }
        (version, "Service") if version.starts_with("serving.knative.dev/") => {
            Err(Fault::expected(["apiVersion"], version, "`serving.knative.dev/v1`"))
        }
        (_, kind) if BESIDE.contains(&kind) => return Ok(None),
        (_, kind) => Err(Fault::new(
            ["kind"],
            format!(
                "found the kind `{kind}`, expected `HorizontalPodAutoscaler`, `ScaledObject`, a Knative \
                 `Service`, the `ConfigMap` `config-autoscaler`, or what usually stands beside them"
            ),
        )),
    };
    converted.map(Some).map_err(|fault| object.error(fault))
}

/// A service of a scenario never finishes, so nothing here starts jobs.
fn scaled_job() -> Fault {
    let problem = "found a `ScaledJob`, which is not flown: it starts a job for each item of a queue, and \
                   windtunnel flies services";
    Fault::new(["kind"], problem).hint("fly a `ScaledObject` with the same triggers")
}

impl Autoscaler {
    /// The same, if its policy accepts its settings; `path_of` says where a setting stands in the manifest.
    pub(super) fn checked(self, path_of: impl Fn(&str) -> KeyPath) -> Result<Self, Fault> {
        self.policy.validate().map_err(|error| Fault {
            path: path_of(&error.key),
            ..Fault::expected([], &error.found, &error.expected)
        })?;
        Ok(self)
    }
}

/// The fields of a setting such as `metrics[0].average-value`, which are named alike, under `prefix`.
pub(super) fn camel_path(key: &str, prefix: &[&str]) -> KeyPath {
    let fields = key.split(['.', '[', ']']).filter(|part| !part.is_empty()).map(camel);
    prefix.iter().map(|&part| part.to_owned()).chain(fields).collect()
}

fn camel(kebab: &str) -> String {
    // Kubernetes puts the unit of a length of time into its name.
    let kebab = match kebab {
        "stabilization-window" => "stabilization-window-seconds",
        "period" => "period-seconds",
        other => other,
    };
    let mut words = kebab.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at(word.len().min(1));
        name + &head.to_ascii_uppercase() + tail
    })
}

#[cfg(test)]
mod tests {
    use super::camel_path;

    #[test]
    fn a_setting_is_named_like_its_field() {
        let path = camel_path("metrics[0].pods.average-value", &["spec"]);
        assert_eq!(path, ["spec", "metrics", "0", "pods", "averageValue"]);
        let path = camel_path("scale-up.policies[1].period", &["spec", "behavior"]);
        assert_eq!(path, ["spec", "behavior", "scaleUp", "policies", "1", "periodSeconds"]);
    }
}
