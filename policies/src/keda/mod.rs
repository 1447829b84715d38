//! KEDA's `ScaledObject`: wakes a service from zero and sizes it by its queue.
//!
//! ## What it does
//! Two loops. Every 30 s the operator looks whether any trigger is above its activation threshold: then a
//! service at zero gets its first replica; when none has been for the whole cooldown, a service that may rest
//! goes straight to zero from whatever count. Beside it a generated HPA sizes the service between one replica
//! and the maximum: value over threshold, every 15 s, with HPA's tolerance, windows and `behavior`.
//!
//! ## What it looks at
//! Metrics of the whole service: queue length, requests in flight, arrival rate, each with the age that the
//! metrics pipeline gives it. Not at pods, ready or not.
//!
//! ## Settings
//! `triggers` with `threshold` (per replica) and `activation-threshold`, `min-replica-count`,
//! `max-replica-count`, `idle-replica-count`, `polling-interval`, `cooldown-period`,
//! `initial-cooldown-period`, `fallback`, `annotations`, and HPA's `behavior`, `phase` and `controller`.
//!
//! ## Where it falls short
//! The cooldown knows nothing of replicas that still load: slow starts use it up, and the first replica goes
//! before it has served. The step to zero passes by every speed limit of the HPA. A queue that grows while a
//! model loads asks for more at every sync. A metric that is missing reads as zero by default.
//!
//! ## Source
//! kedacore/keda 2.20 `pkg/scaling/executor/scale_scaledobjects.go`, `pkg/fallback/fallback.go`; defaults from
//! `apis/keda/v1alpha1`; the HPA as in policy `hpa`.

pub mod activation;
pub mod fallback;

use crate::Invalid;
use crate::hpa::behavior::{Behavior, SelectPolicy};
use crate::hpa::controller::Controller;
use crate::hpa::metrics::{
    ExternalMetric, MetricFailure, MetricSource, ensure_of_service, sample_milli, to_milli,
};
use crate::hpa::reconcile::{Combined, Memory as HpaMemory, Scale, combine};
use crate::hpa::replica_calculator::{Proposal, from_average_value};
use crate::hpa::{Autoscaler, Settings as HpaSettings, scale_of};
use crate::invalid::{ensure, ensure_not_negative};
use activation::{Annotations, Cause, Poll, Rules};
use contract::{
    Action, Cadence, Instant, Metric, Micros, Observation, Plan, Policy, Reason, ServiceId,
    ServiceSeen, StateError, Subject,
};
use fallback::Fallback;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings, as they stand under `[stack.replicas.keda]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// What is measured; the one that asks for most wins.
    pub triggers: Vec<Trigger>,
    /// Where the service rests while nothing is active; zero lets it sleep.
    #[serde(default)]
    pub min_replica_count: u32,
    /// Never more replicas than this.
    #[serde(default = "hundred")]
    pub max_replica_count: u32,
    /// Where it rests instead, below the minimum.
    #[serde(default)]
    pub idle_replica_count: Option<u32>,
    /// Time between two looks at the triggers.
    #[serde(default = "half_a_minute")]
    pub polling_interval: Micros,
    /// How long nothing must have been active before the service rests.
    #[serde(default = "five_minutes")]
    pub cooldown_period: Micros,
    /// The same from the start, for a service that has never been active.
    #[serde(default)]
    pub initial_cooldown_period: Micros,
    /// What stands in for a trigger that cannot be read.
    #[serde(default)]
    pub fallback: Option<Fallback>,
    /// Switches that people set on the object.
    #[serde(default)]
    pub annotations: Annotations,
    /// How fast the generated HPA may move the count.
    #[serde(default)]
    pub behavior: Option<Behavior>,
    /// From one sync period after the start to the generated HPA's first look.
    #[serde(default)]
    pub phase: Micros,
    /// Flags of the HPA controller.
    #[serde(default)]
    pub controller: Controller,
}

/// One metric and its thresholds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Trigger {
    /// Which metric of the service.
    pub metric: Metric,
    /// How much of it one replica takes.
    pub threshold: f64,
    /// Above this, strictly, the service is active.
    #[serde(default)]
    pub activation_threshold: f64,
    /// A metric that is missing reads as zero; if false it counts as a failure.
    #[serde(default = "yes")]
    pub ignore_null_values: bool,
}

fn hundred() -> u32 {
    100
}

fn half_a_minute() -> Micros {
    Micros::from_secs(30)
}

fn five_minutes() -> Micros {
    Micros::from_mins(5)
}

fn yes() -> bool {
    true
}

impl Settings {
    /// Checks what types cannot.
    pub fn validate(&self) -> Result<(), Invalid> {
        ensure(!self.triggers.is_empty(), "triggers", "[]", "at least one trigger")?;
        for (place, trigger) in self.triggers.iter().enumerate() {
            trigger.validate().map_err(|error| error.inside(format!("triggers[{place}]")))?;
        }
        self.validate_counts()?;
        let interval = self.polling_interval;
        ensure(interval > Micros::ZERO, "polling-interval", interval, "more than no time")?;
        if let Some(fallback) = &self.fallback {
            fallback.validate().map_err(|error| error.inside("fallback"))?;
        }
        self.hpa().validate()
    }

    fn validate_counts(&self) -> Result<(), Invalid> {
        let (min, max) = (self.min_replica_count, self.max_replica_count);
        ensure(max > 0, "max-replica-count", max, "at least 1")?;
        let expected = format!("at most `max-replica-count` ({max})");
        ensure(min <= max, "min-replica-count", min, expected)?;
        if let Some(idle) = self.idle_replica_count {
            let expected = format!("less than `min-replica-count` ({min})");
            ensure(idle < min, "idle-replica-count", idle, expected)?;
        }
        Ok(())
    }

    /// The HPA that KEDA generates: between one replica (or the minimum) and the maximum, one external metric a
    /// trigger.
    fn hpa(&self) -> HpaSettings {
        let metric = |trigger: &Trigger| {
            MetricSource::External(ExternalMetric {
                metric: trigger.metric,
                value: None,
                average_value: Some(trigger.threshold),
            })
        };
        HpaSettings {
            min_replicas: self.min_replica_count.max(1),
            max_replicas: self.max_replica_count,
            metrics: self.triggers.iter().map(metric).collect(),
            behavior: self.hpa_behavior(),
            phase: self.phase,
            controller: self.controller.clone(),
        }
    }

    /// Pausing one direction switches the HPA's rules of that direction off.
    fn hpa_behavior(&self) -> Option<Behavior> {
        let (pause_in, pause_out) =
            (self.annotations.paused_scale_in, self.annotations.paused_scale_out);
        if !pause_in && !pause_out {
            return self.behavior.clone();
        }
        let mut behavior = self.behavior.clone().unwrap_or_default();
        if pause_in {
            behavior.scale_down.select_policy = Some(SelectPolicy::Disabled);
        }
        if pause_out {
            behavior.scale_up.select_policy = Some(SelectPolicy::Disabled);
        }
        Some(behavior)
    }

    fn rules(&self) -> Rules {
        Rules {
            min: self.min_replica_count,
            idle: self.idle_replica_count,
            cooldown: self.cooldown_period,
            initial_cooldown: self.initial_cooldown_period,
            has_fallback: self.fallback.is_some(),
            annotations: self.annotations,
        }
    }
}

impl Trigger {
    fn validate(&self) -> Result<(), Invalid> {
        ensure_of_service(self.metric)?;
        let threshold = self.threshold;
        ensure(threshold >= 0.001, "threshold", threshold, "a number of at least 0.001")?;
        ensure_not_negative("activation-threshold", self.activation_threshold)
    }

    /// What it reads now; `None` when it cannot be read.
    fn read(&self, service: &ServiceSeen) -> Option<f64> {
        let missing = self.ignore_null_values.then_some(0.0);
        service.sample(self.metric).map(|sample| sample.value).or(missing)
    }

    /// Whether a value makes the service active.
    pub fn is_active(&self, value: f64) -> bool {
        value > self.activation_threshold
    }
}

/// What one `ScaledObject` remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Memory {
    /// The generated HPA's memory.
    hpa: HpaMemory,
    /// When the object was first looked at.
    created: Option<Instant>,
    /// When a trigger was last seen active.
    last_active: Option<Instant>,
    /// Failures in a row, one number a trigger.
    failures: Vec<u32>,
}

/// The policy: a `ScaledObject` for each service.
#[derive(Debug)]
pub(crate) struct Keda {
    settings: Settings,
    autoscaler: Autoscaler,
    clocks: Clocks,
    memory: Vec<(ServiceId, Memory)>,
}

/// When the two loops are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Clocks {
    poll: Instant,
    sync: Instant,
}

/// A policy's state between two turns.
#[derive(Serialize, Deserialize)]
struct Saved {
    clocks: Clocks,
    memory: Vec<(ServiceId, Memory)>,
}

impl Keda {
    pub(crate) fn new(settings: Settings, services: Vec<ServiceId>) -> Self {
        let hpa = settings.hpa();
        let sync = Instant::ZERO + hpa.controller.sync_period + hpa.phase;
        let memory = services.into_iter().map(|service| (service, Memory::default())).collect();
        let clocks = Clocks { poll: Instant::ZERO, sync };
        Self { settings, autoscaler: Autoscaler::new(hpa), clocks, memory }
    }

    /// The operator's loop: between zero and some. Gives the count that stands afterwards.
    fn poll(&mut self, place: usize, now: Instant, service: &ServiceSeen, plan: &mut Plan) -> u32 {
        let current = service.replicas_wanted;
        let memory = &mut self.memory[place].1;
        let falling_back = |place: usize| {
            let failures = memory.failures.get(place).copied().unwrap_or(0);
            let fallback = self.settings.fallback;
            fallback.is_some_and(|fallback| fallback.replicas_after(failures, current).is_some())
        };
        let readings =
            self.settings.triggers.iter().map(|trigger| (trigger, trigger.read(service)));
        let mut found = Poll {
            active: false,
            error: false,
            current,
            since_active: memory.last_active.map(|last| now.since(last)),
            since_creation: now.since(*memory.created.get_or_insert(now)),
        };
        for (place, (trigger, reading)) in readings.enumerate() {
            found.error |= reading.is_none();
            found.active |=
                reading.map_or_else(|| falling_back(place), |value| trigger.is_active(value));
        }
        let outcome = activation::poll(&self.settings.rules(), found);
        if outcome.stamp {
            memory.last_active = Some(now);
        }
        say(plan, service.id, &found, &outcome);
        outcome.write.unwrap_or(current)
    }

    /// The generated HPA's loop: between one and many.
    fn sync(
        &mut self,
        place: usize,
        now: Instant,
        service: &ServiceSeen,
        spec: u32,
        plan: &mut Plan,
    ) {
        let Memory { hpa, failures, .. } = &mut self.memory[place].1;
        failures.resize(self.settings.triggers.len(), 0);
        let scale = Scale { spec, ..scale_of(service) };
        let tolerances = self.autoscaler.tolerances();
        let settings = &self.settings;
        let measure = |_: &[MetricSource]| -> Combined<MetricFailure> {
            combine(settings.triggers.iter().zip(failures).map(|(trigger, failures)| {
                let value = measured(trigger, settings.fallback, failures, service, spec)?;
                let target = to_milli(trigger.threshold);
                Ok::<Proposal, _>(from_average_value(scale.status, value, target, tolerances))
            }))
        };
        self.autoscaler.sync_with(hpa, now, (service.id, scale), plan, measure);
    }
}

/// What the metrics adapter answers the HPA, in thousandths: the live value, or the fallback's after too many
/// failures in a row.
fn measured(
    trigger: &Trigger,
    fallback: Option<Fallback>,
    failures: &mut u32,
    service: &ServiceSeen,
    current: u32,
) -> Result<i64, MetricFailure> {
    if let Some(value) = trigger.read(service) {
        *failures = 0;
        return Ok(sample_milli(value));
    }
    *failures += 1;
    let replicas = fallback.and_then(|fallback| fallback.replicas_after(*failures, current));
    let value = replicas.map(|replicas| to_milli(trigger.threshold) * i64::from(replicas));
    value.ok_or(MetricFailure::FailedGetExternalMetric)
}

/// Puts what a poll did, or why it did nothing, into the plan. That the HPA is in charge needs no words.
fn say(plan: &mut Plan, service: ServiceId, found: &Poll, outcome: &activation::Outcome) {
    let words = match outcome.cause {
        Cause::Active | Cause::Resting => return,
        Cause::Paused => "paused by annotation",
        Cause::Woken => "active: woken",
        Cause::ScaleOutPaused => "active, but scale-out is paused",
        Cause::Cooled => "inactive for the cooldown: to rest",
        Cause::CoolingDown => "inactive, cooling down",
        Cause::ScaleInPaused => "inactive, but scale-in is paused",
        Cause::BelowMinimum => "below the minimum",
        Cause::FallingBack => "a trigger cannot be read, falling back",
        Cause::TriggerError => "a trigger cannot be read",
        Cause::PartialTriggerError => "active, but another trigger cannot be read",
    };
    let mut reason = Reason::new(words).with("replicas", f64::from(found.current));
    if let Some(since) = found.since_active.filter(|_| !found.active) {
        reason = reason.with("inactive-s", since.as_secs_f64());
    }
    match outcome.write {
        Some(replicas) => plan.act(Action::SetReplicas { service, replicas }, reason),
        None => plan.hold(Subject::Service(service), reason),
    }
}

impl Policy for Keda {
    fn name(&self) -> &'static str {
        "keda"
    }

    /// Often enough for both loops.
    fn cadence(&self) -> Cadence {
        let sync = self.settings.controller.sync_period.0;
        let beats = [self.settings.polling_interval.0, self.settings.phase.0];
        let every = Micros(beats.into_iter().fold(sync, greatest_common_divisor));
        Cadence { every, first: Micros::ZERO, on_unschedulable: false }
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        let now = seen.now;
        let polls = due(&mut self.clocks.poll, self.settings.polling_interval, now);
        let syncs = due(&mut self.clocks.sync, self.settings.controller.sync_period, now);
        for place in 0..self.memory.len() {
            let service = &seen.services[self.memory[place].0.index()];
            let mut spec = service.replicas_wanted;
            if polls {
                spec = self.poll(place, now, service, plan);
            }
            if syncs && !self.settings.annotations.is_paused() {
                self.sync(place, now, service, spec, plan);
            }
        }
    }

    fn save(&self) -> serde_json::Value {
        crate::state::save(&Saved { clocks: self.clocks, memory: self.memory.clone() })
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), StateError> {
        let saved: Saved = crate::state::restore(self.name(), state)?;
        self.clocks = saved.clocks;
        self.memory = saved.memory;
        Ok(())
    }
}

/// Whether a loop is due; if so, when it is due again.
fn due(next: &mut Instant, interval: Micros, now: Instant) -> bool {
    if now < *next {
        return false;
    }
    *next = now + interval;
    true
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests;
