//! Knative's autoscaler: concurrency or requests per second over a stable and a panic window, down to zero.
//!
//! ## What it does
//! Every 2 s, and at once when the activator holds the first request of a service at zero, it divides the demand of
//! the last minute by the target of a pod, and does the same for the last 6 s. When the short window asks for twice
//! the ready pods it panics: for a minute after the last crossing it takes the higher of the two and never scales
//! down. Otherwise the count falls by at most half a tick. A service without demand for a window rests; its last
//! pod goes after the grace.
//!
//! ## What it looks at
//! Requests anywhere in the service (`in-flight`, which is what queue proxies and activators count together) or
//! requests per second that arrive, and how many pods are ready. A pipeline that is slower than one sample a
//! second is read as if the newest sample stood until the next. Upstream asks 16 pods at most and extrapolates;
//! `pod-sampling` does so too, and sees the noise, else all pods are counted.
//!
//! ## Settings
//! A revision's annotations by name (`target`, `window`, `min-scale`, ...), over the cluster's defaults in
//! `config` (`config-autoscaler`).
//!
//! ## Where it falls short
//! Panic mode does not know that pods are starting: the backlog of a cold start becomes a flood of pods that is
//! held for a minute, and is undone at once when the panic ends. A revision whose pods need longer than the
//! progress deadline is given up.
//!
//! ## Source
//! knative/serving main of 2026-08-21 (`98e5ef90`): `pkg/autoscaler/scaling`, `pkg/autoscaler/aggregation`,
//! `pkg/reconciler/autoscaling/kpa`; defaults from `pkg/autoscaler/config`.

pub mod activator;
pub mod decision;
pub mod sampling;
pub mod scaler;
mod settings;
pub mod sliding_max;
pub mod window;

pub use settings::{Config, MetricWindows, ScalingMetric, Settings};

use contract::{
    Action, Cadence, Instant, Metric, Micros, Observation, Plan, Policy, Reason, Sample, ServiceId,
    ServiceSeen, StateError, Subject,
};
use decision::{Decider, DeciderSpec, Decision, Observed, initial_burst_capacity};
use scaler::{
    Activity, Revision, Scaled, ScalerSpec, Since, apply_scale, goes_through_activator,
    next_activity,
};
use serde::{Deserialize, Serialize};
use window::Window;

/// Width of a bucket, and time between two samples of the real pipeline.
const BUCKET: Micros = Micros::from_secs(1);

/// What one revision's autoscaler remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Memory {
    stable: Window,
    panic: Window,
    decider: Decider,
    /// The last valid decision.
    desired: Option<u32>,
    excess_burst_capacity: f64,
    activity: Since<Activity>,
    proxied: Since<bool>,
    /// Whether the initial scale has been reached once.
    initialised: bool,
    /// The sample that stands, and the last second that was recorded.
    standing: Option<Sample>,
    recorded: Option<Instant>,
}

/// The policy: an autoscaler for each service, which is a revision.
#[derive(Debug)]
pub(crate) struct Kpa {
    settings: Settings,
    decider: DeciderSpec,
    scaler: ScalerSpec,
    memory: Vec<(ServiceId, Option<Memory>)>,
}

impl Kpa {
    pub(crate) fn new(settings: Settings, services: Vec<ServiceId>) -> Self {
        let memory = services.into_iter().map(|service| (service, None)).collect();
        let (decider, scaler) = (settings.decider(true), settings.scaler());
        Self { settings, decider, scaler, memory }
    }

    /// What an autoscaler that has just started knows.
    fn start(&self, service: &ServiceSeen, now: Instant) -> Memory {
        let windows = self.settings.windows();
        let aggregation = self.settings.metric_aggregation_algorithm;
        let ready = service.replicas.ready;
        let activity = if service.replicas_wanted == 0 {
            Activity::Inactive
        } else if ready >= self.needed(false) {
            Activity::Active
        } else {
            Activity::Activating
        };
        let excess_burst_capacity =
            initial_burst_capacity(&self.decider, self.scaler.initial_scale);
        Memory {
            stable: Window::new(aggregation, windows.stable, BUCKET),
            panic: Window::new(aggregation, windows.panic, BUCKET),
            decider: Decider::starting(Some(ready), now),
            desired: None,
            excess_burst_capacity,
            activity: Since { state: activity, at: now },
            proxied: Since { state: excess_burst_capacity < 0.0, at: now },
            initialised: false,
            standing: None,
            recorded: None,
        }
    }

    /// Ready pods that make a revision active.
    fn needed(&self, initialised: bool) -> u32 {
        let least = if initialised { 1 } else { self.scaler.initial_scale };
        self.scaler.min_scale.max(least)
    }

    fn tick(&self, memory: &mut Memory, now: Instant, service: &ServiceSeen, plan: &mut Plan) {
        let ready = service.replicas.ready;
        memory.record(self.demand(service, now).as_ref(), now);
        let seen = Observed {
            stable: memory.stable.average(now),
            panic: memory.panic.average(now),
            ready,
        };
        if !memory.stable.is_empty(now) {
            let Decision { desired, excess_burst_capacity } =
                memory.decider.decide(&self.decider, seen, now);
            memory.desired = Some(desired);
            memory.excess_burst_capacity = excess_burst_capacity;
        }
        let revision = memory.revision(service.replicas_wanted, now);
        let scaled = apply_scale(&self.scaler, &revision, memory.desired);
        self.say(memory, service, seen, &scaled, plan);
        memory.initialised |= ready >= self.needed(memory.initialised);
        let needed = self.needed(memory.initialised);
        let activity = next_activity(memory.activity.state, scaled.scale, ready, needed);
        let excess = memory.excess_burst_capacity;
        let proxied = goes_through_activator(memory.activity.state, scaled.scale, excess);
        memory.activity = memory.activity.become_at(activity, now);
        memory.proxied = memory.proxied.become_at(proxied, now);
    }

    /// The newest that is known of the demand.
    fn demand(&self, service: &ServiceSeen, now: Instant) -> Option<Sample> {
        match self.settings.metric {
            ScalingMetric::Concurrency if self.settings.pod_sampling => {
                sampling::in_flight(service, self.settings.windows().stable, now)
            }
            ScalingMetric::Concurrency => service.sample(Metric::InFlight).copied(),
            ScalingMetric::Rps => service.sample(Metric::ArrivalRate).copied(),
        }
    }

    fn say(
        &self,
        memory: &Memory,
        service: &ServiceSeen,
        seen: Observed,
        scaled: &Scaled,
        plan: &mut Plan,
    ) {
        let current = service.replicas_wanted;
        let words = words(memory, scaled, current);
        let reason = Reason::new(words)
            .with("stable", seen.stable)
            .with("panic", seen.panic)
            .with("target", self.decider.target_value)
            .with("ready", f64::from(seen.ready));
        match scaled.scale.filter(|_| scaled.writes) {
            Some(replicas) => {
                let reason = reason.with("replicas", f64::from(current));
                plan.act(Action::SetReplicas { service: service.id, replicas }, reason);
            }
            None => plan.hold(Subject::Service(service.id), reason),
        }
    }
}

fn words(memory: &Memory, scaled: &Scaled, current: u32) -> &'static str {
    let Some(scale) = scaled.scale else { return "no decision yet" };
    let panics = memory.decider.panic_since.is_some();
    match (scaled.writes, scale) {
        (true, 0) if memory.activity.state == Activity::Activating => {
            "not up by the progress deadline, given up"
        }
        (true, 0) => "idle for the window and the grace, to zero",
        (false, 0) if current > 0 => "idle, waiting for the grace",
        (false, 0) => "at zero",
        (true, _) if scale > current && panics => "panic, more pods",
        (true, _) if scale > current => "more demand than the target",
        (true, _) => "less demand than the target",
        (false, _) if panics => "panic, held",
        (false, _) => "on target",
    }
}

/// Whether an activator reports the first requests of a service inside a second that is recorded as empty already:
/// what comes within a second adds up.
fn is_news_from_zero(old: Sample, newest: Sample, recorded: Instant) -> bool {
    old.value == 0.0 && newest.value > 0.0 && recorded <= newest.at && newest.at < recorded + BUCKET
}

impl Memory {
    /// Records one value a second up to now: the newest sample stands until the next.
    fn record(&mut self, newest: Option<&Sample>, now: Instant) {
        let Some(&newest) = newest else { return };
        let standing = self.standing.replace(newest);
        if let (Some(old), Some(last)) = (standing, self.recorded)
            && is_news_from_zero(old, newest, last)
        {
            self.stable.record(last, newest.value);
            self.panic.record(last, newest.value);
        }
        let mut second = match self.recorded {
            Some(last) => last + BUCKET,
            None => newest.at,
        };
        while second <= now {
            let old = standing.filter(|_| second < newest.at);
            let value = old.unwrap_or(newest).value;
            self.stable.record(second, value);
            self.panic.record(second, value);
            self.recorded = Some(second);
            second = second + BUCKET;
        }
    }

    fn revision(&self, current: u32, now: Instant) -> Revision {
        let proxied_for = now.since(self.proxied.at);
        Revision {
            current,
            activity: self.activity.state,
            in_that_state: now.since(self.activity.at),
            initialised: self.initialised,
            proxied: self.proxied.state,
            proxied_for: if self.proxied.state { proxied_for } else { Micros::ZERO },
            activator_answers: true,
        }
    }
}

impl Policy for Kpa {
    fn name(&self) -> &'static str {
        "kpa"
    }

    fn cadence(&self) -> Cadence {
        let every = self.settings.config.tick_interval;
        Cadence { on_held_at_zero: true, ..Cadence::regular(every, self.settings.phase) }
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        for place in 0..self.memory.len() {
            let service = &seen.services[self.memory[place].0.index()];
            let memory = self.memory[place].1.take();
            let mut memory = memory.unwrap_or_else(|| self.start(service, seen.now));
            self.tick(&mut memory, seen.now, service, plan);
            self.memory[place].1 = Some(memory);
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
