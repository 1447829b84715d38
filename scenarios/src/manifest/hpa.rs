//! `HorizontalPodAutoscaler`, autoscaling/v2: its fields by their names, and the settings of policy `hpa`.

use super::autoscaler::{Autoscaler, camel_path};
use super::fault::Fault;
use super::file::Resource;
use super::metric_names::{Meaning, MetricNames, Of};
use super::quantity::Quantity;
use contract::Micros;
use policies::ReplicaPolicy;
use policies::hpa::Settings;
use policies::hpa::behavior::{Behavior, PolicyKind, Rules, ScalingPolicy, SelectPolicy};
use policies::hpa::controller::Controller;
use policies::hpa::metrics::{
    ExternalMetric, MetricSource, PodsMetric, ResourceMetric, ResourceName,
};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// CPU utilisation that an HPA without metrics aims at, in per cent (upstream:
/// `pkg/apis/autoscaling/v2/defaults.go`).
const DEFAULT_UTILIZATION: u32 = 80;

/// `spec`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Spec {
    scale_target_ref: TargetRef,
    min_replicas: Option<u32>,
    max_replicas: u32,
    metrics: Option<Vec<MetricSpec>>,
    behavior: Option<BehaviorSpec>,
}

/// What an autoscaler scales.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TargetRef {
    name: String,
    #[expect(dead_code, reason = "whatever the kind, it is a service here")]
    kind: IgnoredAny,
    #[expect(dead_code, reason = "likewise")]
    api_version: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct MetricSpec {
    #[serde(rename = "type")]
    kind: MetricKind,
    resource: Option<ResourceSpec>,
    container_resource: Option<ContainerResourceSpec>,
    pods: Option<PodsSpec>,
    object: Option<ObjectSpec>,
    external: Option<ExternalSpec>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum MetricKind {
    Resource,
    ContainerResource,
    Pods,
    Object,
    External,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceSpec {
    name: String,
    target: TargetSpec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContainerResourceSpec {
    name: String,
    target: TargetSpec,
    #[expect(dead_code, reason = "a replica is one container here")]
    container: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PodsSpec {
    metric: Identifier,
    target: TargetSpec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ObjectSpec {
    metric: Identifier,
    target: TargetSpec,
    #[expect(dead_code, reason = "a metric of an object is one of the service here")]
    described_object: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExternalSpec {
    metric: Identifier,
    target: TargetSpec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identifier {
    name: String,
    #[expect(
        dead_code,
        reason = "selects the series of this service, and here there are no others"
    )]
    selector: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TargetSpec {
    #[serde(rename = "type")]
    kind: TargetKind,
    value: Option<Quantity>,
    average_value: Option<Quantity>,
    average_utilization: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum TargetKind {
    Utilization,
    Value,
    AverageValue,
}

/// `behavior`, of an HPA or inside a `ScaledObject`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct BehaviorSpec {
    scale_up: Option<RulesSpec>,
    scale_down: Option<RulesSpec>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RulesSpec {
    stabilization_window_seconds: Option<u32>,
    select_policy: Option<SelectSpec>,
    policies: Option<Vec<PolicySpec>>,
    tolerance: Option<Quantity>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum SelectSpec {
    Max,
    Min,
    Disabled,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PolicySpec {
    #[serde(rename = "type")]
    kind: PolicyKindSpec,
    value: u32,
    period_seconds: u32,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum PolicyKindSpec {
    Pods,
    Percent,
}

/// The autoscaler that the object describes.
pub(super) fn convert(
    object: Resource<Spec>,
    names: &MetricNames,
    controller: &Controller,
) -> Result<Autoscaler, Fault> {
    let spec = object.spec;
    let settings = Settings {
        min_replicas: spec.min_replicas.unwrap_or(1),
        max_replicas: spec.max_replicas,
        metrics: sources(spec.metrics.as_deref(), names)?,
        behavior: spec.behavior.map(BehaviorSpec::settings),
        phase: Micros::ZERO,
        controller: controller.clone(),
    };
    Autoscaler {
        target: spec.scale_target_ref.name,
        target_path: &["spec", "scaleTargetRef", "name"],
        policy: ReplicaPolicy::Hpa(settings),
    }
    .checked(|key| camel_path(key, &["spec"]))
}

fn sources(specs: Option<&[MetricSpec]>, names: &MetricNames) -> Result<Vec<MetricSource>, Fault> {
    let Some(specs) = specs.filter(|specs| !specs.is_empty()) else {
        return Ok(vec![cpu(DEFAULT_UTILIZATION)]);
    };
    let sources = specs.iter().enumerate().map(|(place, spec)| {
        spec.source(names)
            .map_err(|fault| fault.inside(&place.to_string()).under(["spec", "metrics"]))
    });
    sources.collect()
}

fn cpu(average_utilization: u32) -> MetricSource {
    MetricSource::Resource(ResourceMetric { name: ResourceName::Cpu, average_utilization })
}

impl MetricSpec {
    fn source(&self, names: &MetricNames) -> Result<MetricSource, Fault> {
        let sources = [
            ("resource", self.resource.is_some()),
            ("containerResource", self.container_resource.is_some()),
            ("pods", self.pods.is_some()),
            ("object", self.object.is_some()),
            ("external", self.external.is_some()),
        ];
        nothing_beside(self.kind.field(), sources)?;
        match self.kind {
            MetricKind::Resource => {
                let spec = given(self.resource.as_ref(), "resource")?;
                resource(&spec.name, &spec.target).map_err(|fault| fault.inside("resource"))
            }
            MetricKind::ContainerResource => {
                let spec = given(self.container_resource.as_ref(), "containerResource")?;
                resource(&spec.name, &spec.target)
                    .map_err(|fault| fault.inside("containerResource"))
            }
            MetricKind::Pods => {
                let spec = given(self.pods.as_ref(), "pods")?;
                pods(&spec.metric, &spec.target, names).map_err(|fault| fault.inside("pods"))
            }
            MetricKind::Object => {
                let spec = given(self.object.as_ref(), "object")?;
                external(&spec.metric, &spec.target, names).map_err(|fault| fault.inside("object"))
            }
            MetricKind::External => {
                let spec = given(self.external.as_ref(), "external")?;
                external(&spec.metric, &spec.target, names)
                    .map_err(|fault| fault.inside("external"))
            }
        }
    }
}

fn given<'a, T>(part: Option<&'a T>, field: &str) -> Result<&'a T, Fault> {
    part.ok_or_else(|| Fault::new([], format!("found no `{field}`, expected one for its `type`")))
}

/// Fails at a field that is given beside the one that its `type` names: upstream allows one of them.
fn nothing_beside<const N: usize>(own: &str, fields: [(&str, bool); N]) -> Result<(), Fault> {
    let other = fields.into_iter().find(|&(field, is_given)| is_given && field != own);
    other.map_or(Ok(()), |(field, _)| {
        let problem = format!("found `{field}`, expected only `{own}`, which its `type` names");
        Err(Fault::new([field], problem))
    })
}

impl MetricKind {
    /// The field that holds such a metric.
    fn field(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::ContainerResource => "containerResource",
            Self::Pods => "pods",
            Self::Object => "object",
            Self::External => "external",
        }
    }
}

fn resource(name: &str, target: &TargetSpec) -> Result<MetricSource, Fault> {
    target.has_one_value()?;
    if name != "cpu" {
        let fault = Fault::expected(["name"], name, "`cpu`, the only resource that is simulated");
        return Err(fault.hint("scale on requests instead, with type `Pods` or `External`"));
    }
    match (target.kind, target.average_utilization) {
        (TargetKind::Utilization, Some(percent)) => Ok(cpu(percent)),
        (TargetKind::Utilization, None) => Err(target.lacks("averageUtilization")),
        _ => Err(target.misfit("`Utilization`, since cores in use are not simulated")),
    }
}

fn pods(
    metric: &Identifier,
    target: &TargetSpec,
    names: &MetricNames,
) -> Result<MetricSource, Fault> {
    target.has_one_value()?;
    let meaning = metric.find(names, Of::Pods)?;
    if target.kind != TargetKind::AverageValue {
        return Err(target.misfit("`AverageValue`"));
    }
    let average_value = target.average_value.ok_or_else(|| target.lacks("averageValue"))?;
    let average_value = meaning.scaled(average_value.value());
    Ok(MetricSource::Pods(PodsMetric { metric: meaning.metric, average_value }))
}

fn external(
    metric: &Identifier,
    target: &TargetSpec,
    names: &MetricNames,
) -> Result<MetricSource, Fault> {
    target.has_one_value()?;
    let meaning = metric.find(names, Of::Service)?;
    let scaled = |amount: Option<Quantity>, field| {
        amount.map(|amount| Some(meaning.scaled(amount.value()))).ok_or_else(|| target.lacks(field))
    };
    let (value, average_value) = match target.kind {
        TargetKind::Value => (scaled(target.value, "value")?, None),
        TargetKind::AverageValue => (None, scaled(target.average_value, "averageValue")?),
        TargetKind::Utilization => return Err(target.misfit("`Value` or `AverageValue`")),
    };
    Ok(MetricSource::External(ExternalMetric { metric: meaning.metric, value, average_value }))
}

impl Identifier {
    fn find(&self, names: &MetricNames, of: Of) -> Result<Meaning, Fault> {
        names.find(&self.name, of).map_err(|fault| fault.under(["metric", "name"]))
    }
}

impl TargetSpec {
    fn has_one_value(&self) -> Result<(), Fault> {
        let own = match self.kind {
            TargetKind::Utilization => "averageUtilization",
            TargetKind::Value => "value",
            TargetKind::AverageValue => "averageValue",
        };
        let targets = [
            ("averageUtilization", self.average_utilization.is_some()),
            ("value", self.value.is_some()),
            ("averageValue", self.average_value.is_some()),
        ];
        nothing_beside(own, targets).map_err(|fault| fault.inside("target"))
    }

    fn lacks(&self, field: &str) -> Fault {
        let problem = format!("found no `{field}`, expected one for type `{:?}`", self.kind);
        Fault::new(["target"], problem)
    }

    fn misfit(&self, expected: &str) -> Fault {
        Fault::expected(["target", "type"], &format!("{:?}", self.kind), expected)
    }
}

impl BehaviorSpec {
    pub(super) fn settings(self) -> Behavior {
        let rules = |rules: Option<RulesSpec>| rules.map(RulesSpec::settings).unwrap_or_default();
        Behavior { scale_up: rules(self.scale_up), scale_down: rules(self.scale_down) }
    }
}

impl RulesSpec {
    fn settings(self) -> Rules {
        let seconds = |seconds: u32| Micros::from_secs(seconds.into());
        let policy = |spec: PolicySpec| ScalingPolicy {
            kind: match spec.kind {
                PolicyKindSpec::Pods => PolicyKind::Pods,
                PolicyKindSpec::Percent => PolicyKind::Percent,
            },
            value: spec.value,
            period: seconds(spec.period_seconds),
        };
        Rules {
            stabilization_window: self.stabilization_window_seconds.map(seconds),
            select_policy: self.select_policy.map(|select| match select {
                SelectSpec::Max => SelectPolicy::Max,
                SelectSpec::Min => SelectPolicy::Min,
                SelectSpec::Disabled => SelectPolicy::Disabled,
            }),
            policies: self.policies.map(|policies| policies.into_iter().map(policy).collect()),
            tolerance: self.tolerance.map(Quantity::value),
        }
    }
}
