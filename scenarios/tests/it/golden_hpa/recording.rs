//! A recording: what a real controller was told to do, what it read, and what it wrote.

use contract::{Instant, Metric, Micros, Policy, Sample, ServiceId};
use policies::ReplicaPolicy;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A replica count and when it was there, in seconds.
pub(super) type Change = (f64, u32);

/// One HPA over one run. Times are seconds; a read is a number, or `"error"`.
#[derive(Deserialize)]
pub(super) struct Run {
    pub(super) id: String,
    hpa_spec: Spec,
    pub(super) initial_replicas: u32,
    pub(super) hpa_created_t: f64,
    /// From bound to ready; none if pods never are.
    pub(super) pod_ready_delay_s: Option<f64>,
    metric_series: Vec<Vec<(f64, Value)>>,
    #[serde(rename = "run_s")]
    pub(super) length_s: f64,
    metric_reads: Vec<Vec<(f64, Value)>>,
    pub(super) external_writes: Vec<Change>,
    pub(super) replicas: Vec<Change>,
    ready_pods: Option<Vec<(f64, u32)>>,
    scale_to_zero_gate: bool,
    pub(super) controller_restart_t: Option<f64>,
}

#[derive(Deserialize)]
struct Spec {
    min_replicas: u32,
    max_replicas: u32,
    metrics: Vec<MetricSpec>,
    behavior: Option<Behavior>,
}

#[derive(Deserialize)]
struct MetricSpec {
    target_type: String,
    target: f64,
}

#[derive(Deserialize)]
struct Behavior {
    scale_up: Option<Rules>,
    scale_down: Option<Rules>,
}

#[derive(Deserialize)]
struct Rules {
    stabilization_window_s: Option<u32>,
    select_policy: Option<String>,
    policies: Option<Vec<ScalingPolicy>>,
    tolerance: Option<f64>,
}

#[derive(Deserialize)]
struct ScalingPolicy {
    #[serde(rename = "type")]
    kind: String,
    value: u32,
    period_s: u32,
}

/// Metrics of a run, in the order of its specification: which of ours stands for which does not matter.
const METRICS: [(Metric, &str); 2] =
    [(Metric::QueueLength, "queue-length"), (Metric::InFlight, "in-flight")];

/// The controller's sync period.
pub(super) const SYNC_S: f64 = 15.0;

impl Rules {
    fn settings(&self) -> Value {
        let policy = |policy: &ScalingPolicy| {
            json!({
                "type": policy.kind.to_lowercase(),
                "value": policy.value,
                "period": format!("{}s", policy.period_s),
            })
        };
        let policies =
            self.policies.as_ref().map(|list| list.iter().map(policy).collect::<Vec<_>>());
        json!({
            "stabilization-window": self.stabilization_window_s.map(|window| format!("{window}s")),
            "select-policy": self.select_policy.as_ref().map(|select| select.to_lowercase()),
            "policies": policies,
            "tolerance": self.tolerance,
        })
    }
}

impl Run {
    /// The same HPA of ours.
    pub(super) fn policy(&self) -> Box<dyn Policy> {
        let metric = |(spec, (_, name)): (&MetricSpec, &(Metric, &str))| {
            let target = if spec.target_type == "Value" { "value" } else { "average-value" };
            json!({ "external": { "metric": name, target: spec.target } })
        };
        let rules = |rules: &Option<Rules>| rules.as_ref().map_or(json!({}), Rules::settings);
        let behavior = self.hpa_spec.behavior.as_ref().map(|behavior| {
            json!({
                "scale-up": rules(&behavior.scale_up),
                "scale-down": rules(&behavior.scale_down),
            })
        });
        let settings = json!({ "hpa": {
            "min-replicas": self.hpa_spec.min_replicas,
            "max-replicas": self.hpa_spec.max_replicas,
            "metrics": self.hpa_spec.metrics.iter().zip(&METRICS).map(metric).collect::<Vec<_>>(),
            "behavior": behavior,
            "controller": { "scale-to-zero": self.scale_to_zero_gate },
        } });
        let policy: ReplicaPolicy = serde_json::from_value(settings).expect("an HPA");
        policy.validate().expect("settings that the real one took");
        policy.build(vec![ServiceId(0)])
    }

    /// The syncs: reads that belong together, and those without a read, which show as gaps.
    pub(super) fn syncs(&self) -> Vec<Sync> {
        let mut reads: Vec<_> = self
            .metric_reads
            .iter()
            .enumerate()
            .flat_map(|(metric, reads)| reads.iter().map(move |(at, value)| (*at, metric, value)))
            .collect();
        reads.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut syncs: Vec<Sync> = Vec::new();
        let mut previous = self.hpa_created_t;
        for (at, metric, value) in reads {
            if syncs.last().is_none_or(|sync| at - sync.first >= SYNC_S / 2.0) {
                self.fill(&mut syncs, previous, at);
                syncs.push(Sync::new(at));
            }
            let sync = syncs.last_mut().expect("just pushed, if there was none");
            sync.add(at, metric, value);
            previous = at;
        }
        self.fill(&mut syncs, previous, self.length_s);
        syncs
    }

    /// Syncs that read nothing: the count was out of bounds, or zero for good. A restart leaves a gap of its own.
    fn fill(&self, syncs: &mut Vec<Sync>, mut from: f64, to: f64) {
        let restarted = self.controller_restart_t.is_some_and(|at| from < at && at < to);
        while !restarted && to - from > SYNC_S + 5.0 {
            from += SYNC_S;
            syncs.push(Sync::new(from));
        }
    }

    /// Pods that were ready.
    pub(super) fn ready(&self, at: f64) -> u32 {
        let steps = self.ready_pods.iter().flatten();
        steps.take_while(|(since, _)| *since <= at).last().map_or(0, |&(_, count)| count)
    }

    /// What the metrics were, if they could be read.
    pub(super) fn metrics_at(&self, at: f64) -> [Option<f64>; 2] {
        let mut values = [None, None];
        for (value, steps) in values.iter_mut().zip(&self.metric_series) {
            let step = steps.iter().take_while(|(since, _)| *since <= at).last();
            *value = step.and_then(|(_, value)| value.as_f64());
        }
        values
    }

    /// A restarted controller has forgotten its history; the condition `ScaledToZero` stands in the object.
    pub(super) fn restarted(&self, before: &dyn Policy) -> Box<dyn Policy> {
        let mut state = before.save();
        state[0][1]["recommendations"] = Value::Null;
        state[0][1]["events"] = json!({ "up": [], "down": [] });
        let mut policy = self.policy();
        policy.restore(state).expect("a state of the same policy");
        policy
    }
}

/// One look of the controller.
pub(super) struct Sync {
    pub(super) first: f64,
    pub(super) last: f64,
    pub(super) values: [Option<f64>; 2],
}

impl Sync {
    fn new(at: f64) -> Self {
        Self { first: at, last: at, values: [None, None] }
    }

    fn add(&mut self, at: f64, metric: usize, value: &Value) {
        self.last = at;
        self.values[metric] = value.as_f64();
    }
}

/// Values of the metrics as an HPA sees them at a time.
pub(super) fn samples(values: [Option<f64>; 2], at: Instant) -> Vec<Sample> {
    let sample = |((metric, _), value): ((Metric, &str), Option<f64>)| {
        value.map(|value| Sample { metric, value, at, window: Micros::ZERO })
    };
    METRICS.into_iter().zip(values).filter_map(sample).collect()
}

/// Seconds on the run's clock.
pub(super) fn instant(seconds: f64) -> Instant {
    Instant(Micros::from_secs_f64(seconds).0)
}

/// The recordings, or a loud nothing.
#[expect(clippy::print_stdout, reason = "a test that cannot run says so")]
pub(super) fn recordings() -> Vec<Run> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/validation/golden");
    let folder = std::env::var_os("GOLDEN_DIR").map_or(beside, PathBuf::from);
    let Ok(text) = std::fs::read_to_string(folder.join("hpa_runs.jsonl")) else {
        println!("SKIPPED: no hpa_runs.jsonl in {}", folder.display());
        return Vec::new();
    };
    text.lines().map(|line| serde_json::from_str(line).expect("a recording")).collect()
}
