//! Which metrics an HPA reads, and how it reads them from what is seen of a service.

use super::controller::Controller;
use super::groups::for_each_group;
use super::pods::CpuRules;
use super::reconcile::Scale;
use super::replica_calculator::{
    NoMetrics, PodUsage, Proposal, from_average_value, from_pods_average, from_value,
};
use super::tolerance::Tolerances;
use super::utilization::{NoUtilization, ResourceUsage};
use crate::Invalid;
use crate::invalid::{ensure, ensure_positive};
use contract::{Instant, Metric, ServiceSeen, thousandths};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One metric and its target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum MetricSource {
    /// What pods use of what they request (type `Resource`).
    Resource(ResourceMetric),
    /// A metric of each pod, averaged over the pods (type `Pods`).
    Pods(PodsMetric),
    /// One metric of the whole service (type `External` or `Object`).
    External(ExternalMetric),
}

/// What pods use of what they request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResourceMetric {
    /// Which resource.
    pub name: ResourceName,
    /// What pods should use of it on average, in per cent of their requests.
    pub average_utilization: u32,
}

/// A resource whose use is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceName {
    /// CPU. A simulated pod uses all that it requests while it is busy, so this reads `busy`.
    Cpu,
}

/// A metric of each pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PodsMetric {
    /// Which.
    pub metric: Metric,
    /// What a pod should have on average.
    pub average_value: f64,
}

/// A metric of the whole service. Exactly one of the targets is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExternalMetric {
    /// Which.
    pub metric: Metric,
    /// What the value should be: scales the ready pods by the ratio.
    #[serde(default)]
    pub value: Option<f64>,
    /// What there should be for each replica: value over target, whatever is ready.
    #[serde(default)]
    pub average_value: Option<f64>,
}

/// A metric that could not be read; named as the reasons of condition `ScalingActive`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricFailure {
    /// No ready pod has a sample of the resource.
    FailedGetResourceMetric,
    /// No ready pod has a sample.
    FailedGetPodsMetric,
    /// The service has no sample.
    FailedGetExternalMetric,
}

/// What a look at a metric knows beside the service.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The time.
    pub now: Instant,
    /// Replica counts.
    pub scale: Scale,
    /// How far off is close enough.
    pub tolerances: Tolerances,
    /// The flags of the controller.
    pub controller: &'a Controller,
}

impl Context<'_> {
    /// The rules for CPU samples.
    pub fn cpu_rules(&self) -> CpuRules {
        CpuRules {
            now: self.now,
            initialization_period: self.controller.cpu_initialization_period,
            readiness_delay: self.controller.initial_readiness_delay,
        }
    }
}

impl MetricSource {
    /// Which metric.
    pub fn metric(&self) -> Metric {
        match self {
            Self::Resource(source) => source.metric(),
            Self::Pods(source) => source.metric,
            Self::External(source) => source.metric,
        }
    }

    /// Its target, in the metric's own unit.
    pub fn target(&self) -> f64 {
        match self {
            Self::Resource(source) => f64::from(source.average_utilization) / 100.0,
            Self::Pods(source) => source.average_value,
            Self::External(source) => source.value.or(source.average_value).unwrap_or_default(),
        }
    }

    /// Whether it can be read without a pod.
    pub fn sees_zero(&self) -> bool {
        matches!(self, Self::External(_))
    }

    /// What it proposes for a service.
    pub fn propose(
        &self,
        service: &ServiceSeen,
        context: &Context<'_>,
    ) -> Result<Proposal, MetricFailure> {
        match self {
            Self::Resource(source) => source.propose(service, context),
            Self::Pods(source) => {
                let mut usage = PodUsage::default();
                for_each_group(&service.pods, source.metric, None, |group| usage.add_group(group));
                let target = to_milli(source.average_value);
                from_pods_average(context.scale.spec, usage, target, context.tolerances)
                    .map_err(|NoMetrics| MetricFailure::FailedGetPodsMetric)
            }
            Self::External(source) => source.propose(service, context),
        }
    }

    /// Checks what types cannot.
    pub fn validate(&self) -> Result<(), Invalid> {
        match self {
            Self::Resource(source) => source.validate().map_err(|error| error.inside("resource")),
            Self::Pods(source) => source.validate().map_err(|error| error.inside("pods")),
            Self::External(source) => source.validate().map_err(|error| error.inside("external")),
        }
    }
}

impl ResourceMetric {
    fn metric(&self) -> Metric {
        match self.name {
            ResourceName::Cpu => Metric::Busy,
        }
    }

    fn propose(
        &self,
        service: &ServiceSeen,
        context: &Context<'_>,
    ) -> Result<Proposal, MetricFailure> {
        // A share of one request: whatever a pod requests, it is one.
        const REQUEST_MILLI: i64 = 1000;
        let mut usage = ResourceUsage::new(self.average_utilization);
        for_each_group(&service.pods, self.metric(), Some(context.cpu_rules()), |group| {
            usage.add_group(group, REQUEST_MILLI);
        });
        let found = usage.propose(context.scale.spec, context.tolerances);
        found
            .map(|found| found.proposal)
            .map_err(|NoUtilization| MetricFailure::FailedGetResourceMetric)
    }

    fn validate(&self) -> Result<(), Invalid> {
        let target = self.average_utilization;
        ensure(target > 0, "average-utilization", target, "at least 1")
    }
}

impl PodsMetric {
    fn validate(&self) -> Result<(), Invalid> {
        let name = self.metric.name();
        ensure(
            self.metric.is_of_pods(),
            "metric",
            name,
            "a metric of pods, such as `concurrency`",
        )?;
        ensure_target("average-value", self.average_value)
    }
}

impl ExternalMetric {
    fn propose(
        &self,
        service: &ServiceSeen,
        context: &Context<'_>,
    ) -> Result<Proposal, MetricFailure> {
        let sample = service.sample(self.metric).ok_or(MetricFailure::FailedGetExternalMetric)?;
        let value = thousandths(sample.value);
        let Context { scale, tolerances, .. } = *context;
        Ok(match self.value {
            Some(target) => {
                let ready = service.replicas.ready;
                from_value(scale.spec, ready, value, to_milli(target), tolerances)
            }
            None => from_average_value(scale.status, value, to_milli(self.target()), tolerances),
        })
    }

    fn target(&self) -> f64 {
        self.average_value.unwrap_or_default()
    }

    fn validate(&self) -> Result<(), Invalid> {
        ensure_of_service(self.metric)?;
        match (self.value, self.average_value) {
            (Some(target), None) => ensure_target("value", target),
            (None, Some(target)) => ensure_target("average-value", target),
            (Some(_), Some(_)) => {
                Err(Invalid::new("average-value", "a target beside `value`", "one of the two"))
            }
            (None, None) => {
                Err(Invalid::new("average-value", "nothing", "a target here or in `value`"))
            }
        }
    }
}

/// Fails for a metric that only pods have.
pub(crate) fn ensure_of_service(metric: Metric) -> Result<(), Invalid> {
    let expected = "a metric of the service, such as `queue-length`";
    ensure(!metric.is_of_pods(), "metric", metric.name(), expected)
}

/// Targets are whole thousandths, as Kubernetes quantities are.
fn ensure_target(key: &str, target: f64) -> Result<(), Invalid> {
    ensure_positive(key, target)?;
    ensure(target >= 0.001, key, target, "at least 0.001")
}

/// A target in thousandths; users write decimal numbers, which binary fractions only come near.
#[expect(clippy::cast_possible_truncation, reason = "saturates at the ends of 64 bits")]
pub(crate) fn to_milli(value: f64) -> i64 {
    (value * 1000.0).round() as i64
}

/// Thousandths back in the metric's own unit, for reports.
#[expect(clippy::cast_precision_loss, reason = "for reports")]
pub(crate) fn from_milli(milli: i64) -> f64 {
    milli as f64 / 1000.0
}
