//! NVIDIA Dynamo's planner: a slow loop that predicts traffic, a fast one that watches engines.
//!
//! ## What it does
//! It learns from engines' steps how long a step takes: a plane over prompt tokens and cached tokens. Every 3
//! minutes the slow loop predicts requests and their lengths, and divides by what one engine can serve within both
//! time limits. Every 5 s the fast loop predicts the times of each engine: one replica more when all are late, one
//! less when the others could take its load; nothing while a replica starts. The slow loop's answer is the floor of
//! the fast one, or the count itself where that is off. With targets `throughput` and `latency` the fast loop goes
//! by KV-cache use alone.
//!
//! ## What it looks at
//! Of each ready pod the step under way (its time, prompt tokens, cached tokens), the prompt tokens that wait and the
//! size of the cache; of the service the arrival rate and the mean lengths of recent requests; the count asked for
//! and the pods that serve. Upstream gets every step from the engine; here it gets one a scrape.
//!
//! ## Settings
//! `optimization-target`, `enable-throughput-scaling`, `enable-load-scaling` (off upstream unless asked for), their
//! intervals, `load-predictor` (`constant`, `arima`, `kalman`), `ttft`, `itl`, `load-scaling-down-sensitivity`,
//! `min-endpoint`, `max-gpu-budget`, and of the engine `max-num-batched-tokens`, `max-num-seqs`.
//!
//! ## Where it falls short
//! The fast loop adds one replica a model load, whatever is missing, and the slow one looks every 3 minutes: a surge
//! waits for both. Requests that the gateway holds are in no engine, so the fast loop does not see them. The budget
//! of 8 GPUs is a default that people forget. A plane is not how a step behaves at its edges, and at the start
//! nothing is learned. Aggregated engines only: no separate prefill and decode pools; no prophet, no prefix-cache
//! discount, no profile measured beforehand. ARIMA differs as its file says.
//!
//! ## Source
//! ai-dynamo/dynamo 1.6: `components/src/dynamo/planner/core` (`load_scaling.py`, `throughput_scaling.py`,
//! `state_machine.py`, `perf_model/agg.py`, `load/predictors.py`), `config/defaults.py`.

pub mod arima;
pub mod kalman;
pub mod linear;
pub mod load;
pub mod predictors;
mod settings;
pub mod step_model;
pub mod traffic;

pub use settings::{OptimizationTarget, Settings};

use crate::readings::replicas;
use contract::{
    Action, Cadence, Instant, Metric, Observation, Plan, PodId, PodSeen, PodStage, Policy, Reason,
    ServiceId, ServiceSeen, StateError, Subject,
};
use load::{Engine, Forecast, Step, Thresholds, by_cache};
use predictors::Series;
use serde::{Deserialize, Serialize};
use step_model::{Step as StepTaken, Steps};
use traffic::{Gathered, Traffic};

/// What the planner of one service remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Memory {
    steps: Steps,
    /// The newest step that was taken in of each pod.
    taken: Vec<(PodId, Instant)>,
    gathered: Gathered,
    /// Requests an interval, prompt tokens, output tokens.
    series: [Series; 3],
    /// The last known lengths: prompt and output tokens.
    lengths: (f64, f64),
    /// The slow loop's answer; 0 before it has one.
    floor: u32,
}

/// The policy's state between two turns.
#[derive(Serialize, Deserialize)]
struct Saved {
    next_throughput: Instant,
    memory: Vec<(ServiceId, Memory)>,
}

/// The policy: a planner for each service.
#[derive(Debug)]
pub(crate) struct DynamoPlanner {
    settings: Settings,
    next_throughput: Instant,
    memory: Vec<(ServiceId, Memory)>,
}

impl DynamoPlanner {
    pub(crate) fn new(settings: Settings, services: Vec<ServiceId>) -> Self {
        let memory = services.into_iter().map(|service| (service, Memory::default())).collect();
        let next_throughput = Instant::ZERO + settings.throughput_adjustment_interval;
        Self { settings, next_throughput, memory }
    }
}

impl Memory {
    /// Takes in what has come since the last look.
    fn observe(&mut self, service: &ServiceSeen) {
        self.gathered.gather(service);
        let newest = |metric, known| service.sample(metric).map_or(known, |sample| sample.value);
        self.lengths = (
            newest(Metric::PromptTokens, self.lengths.0),
            newest(Metric::OutputTokens, self.lengths.1),
        );
        let before = std::mem::take(&mut self.taken);
        for pod in serving(service) {
            let Some((at, step)) = step_of(pod) else { continue };
            let known = before.iter().find(|(id, _)| *id == pod.id).map(|&(_, at)| at);
            if known.is_none_or(|known| at > known) {
                self.steps.add(step);
            }
            self.taken.push((pod.id, at));
        }
    }

    /// The slow loop: the replicas for the traffic that is predicted, and why; `None` while nothing can be said.
    fn plan_throughput(&mut self, settings: &Settings, kv: f64) -> Result<(u32, Reason), Reason> {
        let interval = settings.throughput_adjustment_interval.as_secs_f64();
        let Some(Traffic { rate, prompt, output }) = self.gathered.take() else {
            return Err(Reason::new("throughput: no traffic"));
        };
        let predictor = &settings.load_predictor;
        for (series, value) in self.series.iter_mut().zip([rate * interval, prompt, output]) {
            series.add(predictor, value);
        }
        let [requests, prompt, output] =
            self.series.each_mut().map(|series| series.predict(predictor));
        let served = self
            .steps
            .fit()
            .map_or(0.0, |model| model.requests_a_second(prompt, output, &settings.bounds(kv)));
        let predicted = requests / interval;
        let reason = |words| {
            Reason::new(words)
                .with("predicted-req/s", predicted)
                .with("engine-req/s", served)
                .with("prompt-tokens", prompt)
                .with("output-tokens", output)
        };
        if served <= 0.0 {
            return Err(reason("throughput: steps are not learned yet"));
        }
        let count = replicas(predicted / served).max(settings.min_endpoint);
        Ok((count, reason("throughput: predicted traffic")))
    }

    /// The fast loop: which way.
    fn plan_load(&self, settings: &Settings, engines: &[Engine], kv: f64) -> Step {
        match settings.optimization_target {
            OptimizationTarget::Throughput => by_cache(engines, Thresholds::THROUGHPUT),
            OptimizationTarget::Latency => by_cache(engines, Thresholds::LATENCY),
            OptimizationTarget::Sla => {
                let Some(model) = self.steps.fit() else {
                    return Step::Stay("steps are not learned yet");
                };
                let (prompt, output) = self.lengths;
                let forecast = Forecast {
                    model: &model,
                    bounds: &settings.bounds(kv),
                    prompt,
                    context: prompt + output / 2.0,
                    sensitivity: f64::from(settings.load_scaling_down_sensitivity) / 100.0,
                };
                forecast.decide(engines)
            }
        }
    }
}

/// One look of the fast loop.
fn look(settings: &Settings, memory: &Memory, service: &ServiceSeen, plan: &mut Plan) {
    let (wanted, ready) = (service.replicas_wanted, service.replicas.ready);
    let counts = |words| {
        Reason::new(words).with("replicas", f64::from(wanted)).with("ready", f64::from(ready))
    };
    if wanted != ready {
        return plan.hold(Subject::Service(service.id), counts("load: a change is under way"));
    }
    let engines: Vec<_> = serving(service).filter_map(engine_of).collect();
    if engines.is_empty() || engines.len() != ready as usize {
        return plan.hold(Subject::Service(service.id), counts("load: not every engine reports"));
    }
    let step = memory.plan_load(settings, &engines, smallest_cache(&engines));
    let (desired, words) = match step {
        Step::Up(words) => (ready + 1, words),
        Step::Down(words) => (ready - 1, words),
        Step::Stay(words) => (ready, words),
    };
    let floor = if settings.runs_throughput() { memory.floor } else { 0 };
    let lifted = desired.max(floor);
    let replicas = settings.within_budget(lifted, service.spec.requests.gpus);
    let words = if lifted > desired { "load: lifted to the predicted traffic" } else { words };
    let words = if replicas < lifted { "load: at the GPU budget" } else { words };
    let waiting = crate::readings::mean(engines.iter().map(|engine| engine.waiting));
    let cached = crate::readings::mean(engines.iter().map(|engine| engine.kv / engine.capacity));
    let reason = counts(words)
        .with("waiting-tokens", waiting.unwrap_or(0.0))
        .with("cache-use", cached.unwrap_or(0.0))
        .with("floor", f64::from(floor));
    write(service, replicas, reason, plan);
}

/// One look of the slow loop.
fn look_ahead(settings: &Settings, memory: &mut Memory, service: &ServiceSeen, plan: &mut Plan) {
    let engines: Vec<_> = serving(service).filter_map(engine_of).collect();
    match memory.plan_throughput(settings, smallest_cache(&engines)) {
        Err(reason) => plan.hold(Subject::Service(service.id), reason),
        Ok((replicas, reason)) => {
            memory.floor = replicas;
            let reason = reason.with("proposed", f64::from(replicas));
            if settings.enable_load_scaling {
                plan.hold(Subject::Service(service.id), reason);
            } else {
                let allowed = settings.within_budget(replicas, service.spec.requests.gpus);
                write(service, allowed, reason, plan);
            }
        }
    }
}

fn write(service: &ServiceSeen, replicas: u32, reason: Reason, plan: &mut Plan) {
    if replicas == service.replicas_wanted {
        plan.hold(Subject::Service(service.id), reason);
    } else {
        plan.act(Action::SetReplicas { service: service.id, replicas }, reason);
    }
}

/// Pods that serve.
fn serving(service: &ServiceSeen) -> impl Iterator<Item = &PodSeen> {
    service.pods.iter().filter(|pod| pod.stage == PodStage::Ready)
}

/// What a pod's engine reports; `None` before its first report. An idle one decodes nothing.
fn engine_of(pod: &PodSeen) -> Option<Engine> {
    let value = |metric| pod.sample(metric).map(|sample| sample.value);
    Some(Engine {
        waiting: value(Metric::WaitingPromptTokens)?,
        kv: value(Metric::StepKvTokens).unwrap_or(0.0),
        capacity: value(Metric::KvCapacity)?,
    })
}

/// The step that a pod reports, and when it did; `None` of an idle one.
fn step_of(pod: &PodSeen) -> Option<(Instant, StepTaken)> {
    let time = pod.sample(Metric::StepTime)?;
    let value = |metric| pod.sample(metric).map(|sample| sample.value);
    let (prompt, kv) = (value(Metric::StepPromptTokens)?, value(Metric::StepKvTokens)?);
    Some((time.at, StepTaken { prompt, kv, seconds: time.value }))
}

/// The smallest cache among engines; 0 where none is known.
fn smallest_cache(engines: &[Engine]) -> f64 {
    engines.iter().map(|engine| engine.capacity).min_by(f64::total_cmp).unwrap_or(0.0)
}

impl Policy for DynamoPlanner {
    fn name(&self) -> &'static str {
        "dynamo-planner"
    }

    fn cadence(&self) -> Cadence {
        let every = self.settings.load_adjustment_interval;
        Cadence::regular(every, every)
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        let looks_ahead = self.settings.runs_throughput() && seen.now >= self.next_throughput;
        if looks_ahead {
            self.next_throughput = seen.now + self.settings.throughput_adjustment_interval;
        }
        for (service, memory) in &mut self.memory {
            let service = &seen.services[service.index()];
            memory.observe(service);
            if looks_ahead {
                look_ahead(&self.settings, memory, service, plan);
            }
            if self.settings.enable_load_scaling {
                look(&self.settings, memory, service, plan);
            }
        }
    }

    fn save(&self) -> serde_json::Value {
        let (next_throughput, memory) = (self.next_throughput, self.memory.clone());
        crate::state::save(&Saved { next_throughput, memory })
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), StateError> {
        let saved: Saved = crate::state::restore(self.name(), state)?;
        self.next_throughput = saved.next_throughput;
        self.memory = saved.memory;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
