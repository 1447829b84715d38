//! llm-d's Workload Variant Autoscaler: looks into the engines, and leaves the scaling to an HPA.
//!
//! ## What it does
//! Two loops in series. Every 30 s WVA looks at each replica and publishes how many there should be. `v1` asks for
//! one more when the replicas that are not saturated have less than 10 % of KV cache or 3 places of queue to spare,
//! and for one less when the others could take its load; it decides nothing while pods start. `v2` counts tokens:
//! those in use and those that wait, against what a replica can hold, and asks for exactly as many replicas as
//! that takes, pods that start included. A Horizontal Pod Autoscaler reads the number (`wva_desired_replicas`, one
//! a replica) every 15 s and writes it, with its own tolerance, windows and speed limits.
//!
//! ## What it looks at
//! KV-cache use, waiting requests, tokens in the cache and its capacity of each ready pod; requests that the
//! gateway holds, and the mean lengths of recent requests, of the service (upstream reads lengths by pod). Upstream
//! takes the maximum of the last minute; here it gets what the metrics pipeline gives.
//!
//! ## Settings
//! `version` (`v1` or `v2`, with the analyzer's thresholds), `min-replicas`, `max-replicas`, `interval`,
//! `publish-delay`, and of the HPA `behavior`, `phase` and `controller`.
//!
//! ## Where it falls short
//! `v1` adds one replica per model load: a surge waits for many. It also waits for itself: above ten replicas one
//! more is within the HPA's tolerance of 10 %, the HPA does nothing, and `v1` takes that for a change under way,
//! for ever, unless `behavior` or `controller` sets a smaller tolerance. `v2` counts on the mean of what it saw. The
//! windows of both loops add up. One variant of a model is modelled, without its cost order; scale to zero, prefix
//! caching and the queue in bytes are not.
//!
//! ## Source
//! llm-d/llm-d-workload-variant-autoscaler main of 2026-08: `internal/saturation/analyzer.go`,
//! `internal/engines/analyzers/saturation_v2`, `internal/engines/saturation/engine_v2.go`,
//! `internal/engines/pipeline/cost_aware_optimizer.go`; thresholds from its saturation-scaling configuration; the
//! HPA as in policy `hpa`.

pub mod saturation;
pub mod settings;
pub mod tokens;

pub use settings::{Settings, V1, V2, Version};

use crate::hpa::metrics::MetricFailure;
use crate::hpa::reconcile::{Combined, Memory as HpaMemory};
use crate::hpa::replica_calculator::from_average_value;
use crate::hpa::{Autoscaler, scale_of};
use contract::{
    Cadence, Instant, Metric, Micros, Observation, Plan, PodSeen, PodStage, Policy, Reason,
    ServiceId, ServiceSeen, StateError, Subject,
};
use saturation::Spare;
use serde::{Deserialize, Serialize};
use tokens::{Balance, History, Lengths};

/// What one variant's autoscaler remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Memory {
    /// Decisions that the HPA may still read, oldest first.
    published: Vec<(Instant, u32)>,
    hpa: HpaMemory,
    history: History,
    lengths: Lengths,
    /// What a replica can hold, as last seen.
    per_replica: f64,
}

/// When the two loops are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Clocks {
    look: Instant,
    sync: Instant,
}

/// The policy's state between two turns.
#[derive(Serialize, Deserialize)]
struct Saved {
    clocks: Clocks,
    memory: Vec<(ServiceId, Memory)>,
}

/// The policy: a variant and its HPA for each service.
#[derive(Debug)]
pub(crate) struct Wva {
    settings: Settings,
    autoscaler: Autoscaler,
    clocks: Clocks,
    memory: Vec<(ServiceId, Memory)>,
}

impl Wva {
    pub(crate) fn new(settings: Settings, services: Vec<ServiceId>) -> Self {
        let look = Instant::ZERO + settings.interval;
        let sync = Instant::ZERO + settings.controller.sync_period + settings.phase;
        let memory = services.into_iter().map(|service| (service, Memory::default())).collect();
        let autoscaler = Autoscaler::new(settings.hpa());
        Self { settings, autoscaler, clocks: Clocks { look, sync }, memory }
    }
}

/// WVA's own loop: what it publishes, and why.
fn look(
    settings: &Settings,
    memory: &mut Memory,
    now: Instant,
    service: &ServiceSeen,
    plan: &mut Plan,
) {
    let (desired, reason) = match &settings.version {
        Version::V1(v1) => look_at_saturation(v1, memory, service),
        Version::V2(v2) => look_at_tokens(v2, settings.min_replicas, memory, service),
    };
    let desired = desired.clamp(settings.min_replicas, settings.max_replicas);
    memory.published.push((now, desired));
    let reason = reason.with("published", f64::from(desired));
    plan.hold(Subject::Service(service.id), reason);
}

fn look_at_saturation(v1: &V1, memory: &Memory, service: &ServiceSeen) -> (u32, Reason) {
    let thresholds = v1.thresholds();
    let report = |pod: &PodSeen| {
        let value = |metric| pod.sample(metric).map(|sample| sample.value);
        Some(saturation::Replica { kv: value(Metric::KvUse)?, queue: value(Metric::Waiting)? })
    };
    let replicas: Vec<_> = serving(service).filter_map(report).collect();
    let spare = Spare::of(&replicas, &thresholds);
    let reporting = u32::try_from(replicas.len()).expect("pods are fewer than 2^32");
    let current = scale_of(service).status;
    let desired = memory.published.last().map(|&(_, desired)| desired);
    let (replicas, verdict) = saturation::decide(spare, reporting, current, desired, &thresholds);
    let reason = Reason::new(match verdict {
        saturation::Verdict::InTransition => {
            "wva v1: pods of an earlier decision are still to come"
        }
        saturation::Verdict::Short => "wva v1: too little to spare, one more",
        saturation::Verdict::Enough => "wva v1: enough to spare without one",
        saturation::Verdict::Fine => "wva v1: enough to spare",
    });
    let reason = reason
        .with("spare-kv", spare.kv)
        .with("spare-queue", spare.queue)
        .with("unsaturated", f64::from(spare.count))
        .with("reporting", f64::from(reporting))
        .with("replicas", f64::from(current));
    (replicas, reason)
}

fn look_at_tokens(v2: &V2, min: u32, memory: &mut Memory, service: &ServiceSeen) -> (u32, Reason) {
    let newest = |metric, known| service.sample(metric).map_or(known, |sample| sample.value);
    let lengths = Lengths {
        prompt: newest(Metric::PromptTokens, memory.lengths.prompt),
        output: newest(Metric::OutputTokens, memory.lengths.output),
    };
    memory.lengths = lengths;
    let report = |pod: &PodSeen| {
        let value = |metric| pod.sample(metric).map(|sample| sample.value);
        Some(tokens::Replica {
            tokens: value(Metric::KvTokens)?,
            capacity: value(Metric::KvCapacity)?,
            queue: value(Metric::Waiting)?,
        })
    };
    let replicas: Vec<_> = serving(service).filter_map(report).collect();
    let limits = (v2.kv_cache_threshold, v2.queue_length_threshold);
    let capacity =
        |replica: &tokens::Replica| memory.history.capacity(*replica, lengths, limits, v2.engine());
    let capacities = replicas.iter().map(capacity).collect();
    memory.per_replica = tokens::median(capacities).unwrap_or(memory.per_replica);
    let held = newest(Metric::GatewayQueue, 0.0) * (lengths.prompt + lengths.output);
    let demand = replicas.iter().map(|replica| replica.demand(lengths)).sum::<f64>() + held;
    let (current, ready) = (scale_of(service).status, service.replicas.ready);
    let balance =
        Balance { per_replica: memory.per_replica, demand, ready, pending: current - ready };
    let desired = balance.replicas(v2.scale_up_threshold, v2.scale_down_boundary, min);
    let reason = Reason::new(match desired.cmp(&current) {
        std::cmp::Ordering::Greater => "wva v2: more tokens than replicas hold",
        std::cmp::Ordering::Less => "wva v2: fewer tokens than replicas hold",
        std::cmp::Ordering::Equal => "wva v2: tokens and replicas fit",
    });
    let reason = reason
        .with("demand-tokens", demand)
        .with("tokens-a-replica", memory.per_replica)
        .with("ready", f64::from(ready))
        .with("replicas", f64::from(current));
    (desired, reason)
}

/// Pods that serve.
fn serving(service: &ServiceSeen) -> impl Iterator<Item = &PodSeen> {
    service.pods.iter().filter(|pod| pod.stage == PodStage::Ready)
}

/// The HPA's loop: reads the newest number that has reached it.
fn sync(
    (settings, autoscaler): (&Settings, &Autoscaler),
    memory: &mut Memory,
    now: Instant,
    service: &ServiceSeen,
    plan: &mut Plan,
) {
    let arrived = |&&(at, _): &&(Instant, u32)| at + settings.publish_delay <= now;
    let read = memory.published.iter().rposition(|entry| arrived(&entry));
    let desired = read.map(|place| memory.published[place].1);
    memory.published.drain(..read.unwrap_or(0));
    let scale = scale_of(service);
    let measure = || Combined {
        winner: desired.map(|desired| {
            let value = i64::from(desired) * 1000;
            (0, from_average_value(scale.status, value, 1000, autoscaler.tolerances()))
        }),
        failed: desired.is_none().then_some((0, MetricFailure::FailedGetExternalMetric)),
    };
    let verdict = autoscaler.judge(&mut memory.hpa, now, scale, false, |_| measure());
    let named = |_| ("wva-desired-a-replica", 1.0);
    crate::hpa::write(&verdict, (service.id, scale), named, plan);
}

impl Policy for Wva {
    fn name(&self) -> &'static str {
        "wva"
    }

    /// Often enough for both loops.
    fn cadence(&self) -> Cadence {
        let settings = &self.settings;
        let beats = [settings.interval, settings.controller.sync_period, settings.phase];
        let every = Micros(beats.into_iter().fold(0, |all, beat| divisor(all, beat.0)));
        Cadence::regular(every, every)
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        let now = seen.now;
        let looks = due(&mut self.clocks.look, self.settings.interval, now);
        let syncs = due(&mut self.clocks.sync, self.settings.controller.sync_period, now);
        for (service, memory) in &mut self.memory {
            let service = &seen.services[service.index()];
            if looks {
                look(&self.settings, memory, now, service, plan);
            }
            if syncs {
                sync((&self.settings, &self.autoscaler), memory, now, service, plan);
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

/// The greatest common divisor.
fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// Whether a loop is due; if so, when it is due again.
fn due(next: &mut Instant, interval: Micros, now: Instant) -> bool {
    if now < *next {
        return false;
    }
    *next = now + interval;
    true
}

#[cfg(test)]
mod tests;
