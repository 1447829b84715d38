//! Kubernetes' own autoscaler: keeps metrics per replica near their targets.
//!
//! ## What it does
//! Every 15 s it multiplies the pods by the ratio of metric to target, for each metric, and takes the highest
//! answer. A ratio within 10 % of 1 changes nothing. Scale-up is limited to doubling (or 4 pods) a sync;
//! scale-down goes no lower than the highest answer of the last 5 minutes. `behavior` replaces both rules.
//!
//! ## What it looks at
//! A metric of each pod (`pods`: concurrency, running, waiting, KV-cache use; `resource`: CPU, read as the share
//! of time that a replica is busy), or one of the whole service (`external`: queue length, requests in flight),
//! each with the age that the metrics pipeline gives it. Pods whose container does not run yet count as idle when the ratio argues for more; pods without a sample count
//! as idle on the way up and as on target on the way down. Terminating pods do not count.
//!
//! ## Settings
//! `min-replicas`, `max-replicas` and `metrics` as in a `HorizontalPodAutoscaler` (autoscaling/v2), and
//! `behavior` for windows, speed limits and tolerances by direction; `controller` holds the flags of
//! kube-controller-manager; `phase` shifts the first look, since real controllers do not tick in step.
//!
//! ## Where it falls short
//! It reacts to load that is already there, one scrape, one window and one sync late, while a model takes
//! minutes to load. A queue that grows meanwhile raises the answer at every sync. A saturating metric (a batch
//! that is full, a GPU that is busy) says nothing about how much is missing. A tenth of a big fleet is idle
//! before the tolerance lets go of it.
//!
//! ## Source
//! kubernetes/kubernetes `pkg/controller/podautoscaler` 1.36; constants from `config/v1alpha1/defaults.go` and
//! `pkg/apis/autoscaling/v2/defaults.go` there.

pub mod behavior;
pub mod conditions;
pub mod controller;
pub mod groups;
pub mod history;
pub mod metrics;
pub mod pods;
pub mod reconcile;
pub mod replica_calculator;
pub mod requests;
pub mod tolerance;
pub mod utilization;
mod words;

use crate::Invalid;
use crate::invalid::ensure;
use behavior::Behavior;
use contract::{
    Action, Cadence, Instant, Micros, Observation, Plan, Policy, ServiceId, ServiceSeen,
    StateError, Subject,
};
use controller::Controller;
use metrics::{Context, MetricFailure, MetricSource};
use reconcile::{Combined, Memory, Scale, Target, Verdict, combine, reconcile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tolerance::Tolerances;

/// Settings, as they stand under `[stack.replicas.hpa]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Never fewer replicas than this. Zero needs `controller.scale-to-zero` and an `external` metric.
    #[serde(default = "one")]
    pub min_replicas: u32,
    /// Never more replicas than this.
    pub max_replicas: u32,
    /// What is measured; the metric that asks for most wins.
    pub metrics: Vec<MetricSource>,
    /// How fast the count may move; upstream's rules from before `behavior` existed if left out.
    #[serde(default)]
    pub behavior: Option<Behavior>,
    /// From one sync period after the start to the first look.
    #[serde(default)]
    pub phase: Micros,
    /// Flags of the controller.
    #[serde(default)]
    pub controller: Controller,
}

fn one() -> u32 {
    1
}

impl Settings {
    /// Checks what types cannot.
    pub fn validate(&self) -> Result<(), Invalid> {
        ensure(self.max_replicas > 0, "max-replicas", self.max_replicas, "at least 1")?;
        let max = self.max_replicas;
        let expected = format!("at most `max-replicas` ({max})");
        ensure(self.min_replicas <= max, "min-replicas", self.min_replicas, expected)?;
        ensure(!self.metrics.is_empty(), "metrics", "[]", "at least one metric")?;
        for (place, metric) in self.metrics.iter().enumerate() {
            metric.validate().map_err(|error| error.inside(format!("metrics[{place}]")))?;
        }
        let may_be_zero =
            self.controller.scale_to_zero && self.metrics.iter().any(MetricSource::sees_zero);
        let expected = "at least 1, or `controller.scale-to-zero` and an `external` metric";
        ensure(self.min_replicas > 0 || may_be_zero, "min-replicas", self.min_replicas, expected)?;
        if let Some(behavior) = &self.behavior {
            behavior.validate().map_err(|error| error.inside("behavior"))?;
        }
        self.controller.validate().map_err(|error| error.inside("controller"))
    }
}

/// The HPA of one service: settings that do not change, and what it remembers.
#[derive(Debug)]
pub(crate) struct Autoscaler {
    settings: Settings,
    /// With the defaults filled in.
    behavior: Option<Behavior>,
}

impl Autoscaler {
    pub(crate) fn new(settings: Settings) -> Self {
        let behavior = settings.behavior.as_ref().map(Behavior::with_defaults);
        Self { settings, behavior }
    }

    /// One look at one service, whose metrics are read as HPAs read them.
    pub(crate) fn sync(
        &self,
        memory: &mut Memory,
        now: Instant,
        service: &ServiceSeen,
        plan: &mut Plan,
    ) {
        let scale = scale_of(service);
        let context = Context {
            now,
            scale,
            tolerances: self.tolerances(),
            controller: &self.settings.controller,
        };
        let read = |metric: &MetricSource| metric.propose(service, &context);
        self.sync_with(memory, now, (service.id, scale), plan, |metrics| {
            combine(metrics.iter().map(read))
        });
    }

    /// One look at one scale target, whose metrics `measure` reads if they matter.
    pub(crate) fn sync_with(
        &self,
        memory: &mut Memory,
        now: Instant,
        (service, scale): (ServiceId, Scale),
        plan: &mut Plan,
        measure: impl FnOnce(&[MetricSource]) -> Combined<MetricFailure>,
    ) {
        let metrics = &self.settings.metrics;
        let sees_zero = metrics.iter().any(MetricSource::sees_zero);
        let verdict = self.judge(memory, now, scale, sees_zero, measure);
        let named = |place: usize| (metrics[place].metric().name(), metrics[place].target());
        write(&verdict, (service, scale), named, plan);
    }

    /// The same up to the verdict. `sees_zero`: whether any metric can be read without a pod.
    pub(crate) fn judge(
        &self,
        memory: &mut Memory,
        now: Instant,
        scale: Scale,
        sees_zero: bool,
        measure: impl FnOnce(&[MetricSource]) -> Combined<MetricFailure>,
    ) -> Verdict<MetricFailure> {
        let settings = &self.settings;
        let target = Target {
            min: settings.min_replicas,
            max: settings.max_replicas,
            behavior: self.behavior.as_ref(),
            sees_zero,
            controller: &settings.controller,
        };
        reconcile(&target, memory, now, scale, || measure(&settings.metrics))
    }

    pub(crate) fn tolerances(&self) -> Tolerances {
        let default = self.settings.controller.tolerance;
        let own = |rules: fn(&Behavior) -> Option<f64>| {
            self.behavior.as_ref().and_then(rules).unwrap_or(default)
        };
        Tolerances {
            scale_down: own(|behavior| behavior.scale_down.tolerance),
            scale_up: own(|behavior| behavior.scale_up.tolerance),
        }
    }
}

/// Writes a verdict into a plan; `named` gives name and target of the metric at a place.
pub(crate) fn write(
    verdict: &Verdict<MetricFailure>,
    (service, scale): (ServiceId, Scale),
    named: impl Fn(usize) -> (&'static str, f64),
    plan: &mut Plan,
) {
    let replicas = verdict.replicas(scale.spec);
    let reason = words::reason(verdict, scale, named);
    if replicas == scale.spec {
        plan.hold(Subject::Service(service), reason);
    } else {
        plan.act(Action::SetReplicas { service, replicas }, reason);
    }
}

/// Terminating pods are no longer counted by the scale subresource.
pub(crate) fn scale_of(service: &ServiceSeen) -> Scale {
    let counts = service.replicas;
    let status = counts.pending + counts.starting + counts.ready;
    Scale { spec: service.replicas_wanted, status }
}

/// The policy: an HPA for each service.
#[derive(Debug)]
pub(crate) struct Hpa {
    autoscaler: Autoscaler,
    memory: Vec<(ServiceId, Memory)>,
}

impl Hpa {
    pub(crate) fn new(settings: Settings, services: Vec<ServiceId>) -> Self {
        let memory = services.into_iter().map(|service| (service, Memory::default())).collect();
        Self { autoscaler: Autoscaler::new(settings), memory }
    }
}

impl Policy for Hpa {
    fn name(&self) -> &'static str {
        "hpa"
    }

    fn cadence(&self) -> Cadence {
        let settings = &self.autoscaler.settings;
        let every = settings.controller.sync_period;
        Cadence::regular(every, every + settings.phase)
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        for (service, memory) in &mut self.memory {
            self.autoscaler.sync(memory, seen.now, &seen.services[service.index()], plan);
        }
    }

    fn save(&self) -> serde_json::Value {
        crate::state::save(&self.memory)
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), StateError> {
        self.memory = crate::state::restore(self.name(), state)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
