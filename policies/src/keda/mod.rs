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
//! `triggers` with `threshold` (per replica) and `activation-threshold`, or one formula over all of them
//! (`scaling-modifiers`), `min-replica-count`,
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
pub mod formula;
pub mod scaled_job;
mod settings;
mod triggers;

pub use settings::{Settings, Trigger};

use crate::hpa::metrics::{MetricFailure, MetricSource};
use crate::hpa::reconcile::{Combined, Memory as HpaMemory, Scale, combine};
use crate::hpa::replica_calculator::{Proposal, from_average_value};
use crate::hpa::{Autoscaler, scale_of};
use activation::{Cause, Poll};
use contract::{
    Action, Cadence, Instant, Micros, Observation, Plan, Policy, Reason, ServiceId, ServiceSeen,
    StateError, Subject,
};
use serde::{Deserialize, Serialize};

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
        let (active, error) = triggers::activity(&self.settings, &memory.failures, service);
        let found = Poll {
            active,
            error,
            current,
            since_active: memory.last_active.map(|last| now.since(last)),
            since_creation: now.since(*memory.created.get_or_insert(now)),
        };
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
            let answers = triggers::answers(settings, failures, service, spec);
            combine(answers.into_iter().map(|answer| {
                let value = answer.value_milli.ok_or(MetricFailure::FailedGetExternalMetric)?;
                let target = answer.target_milli;
                Ok::<Proposal, _>(from_average_value(scale.status, value, target, tolerances))
            }))
        };
        self.autoscaler.sync_with(hpa, now, (service.id, scale), plan, measure);
    }
}

/// Puts what a poll did, or why it did nothing, into the plan. That the HPA is in charge needs no words.
fn say(plan: &mut Plan, service: ServiceId, found: &Poll, outcome: &activation::Outcome) {
    let words = match outcome.cause {
        Cause::Active | Cause::Resting => return,
        Cause::Paused => "paused by annotation",
        Cause::Woken => "woken by a trigger",
        Cause::ScaleOutPaused => "active, but scale-out is paused",
        Cause::Cooled => "inactive for the cooldown, to rest",
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
        Cadence::regular(every, Micros::ZERO)
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
