//! What a run gives back: figures, a timeline, latency curves. Floats begin here.

use contract::{Instant, Micros};
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// Everything that an experiment gives back: what a run folder holds and a report shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Name of the scenario.
    pub scenario: String,
    /// What it is, in a sentence or two.
    pub about: String,
    /// The experiment's seed.
    pub seed: u64,
    /// The command that repeats it.
    pub repeat: String,
    /// Length of each run.
    pub horizon: Micros,
    /// Width of a timeline bin.
    pub bin: Micros,
    /// Services, in the scenario's order.
    pub services: Vec<ServiceInfo>,
    /// Classes of jobs, in the scenario's order.
    #[serde(default)]
    pub jobs: Vec<JobInfo>,
    /// Stacks, in the scenario's order; the first is what the others are compared with.
    pub stacks: Vec<StackOutcome>,
}

/// A service as a report introduces it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceInfo {
    /// Its name.
    pub name: String,
    /// What it runs on what, such as `Llama-3.1-8B on L40S, H100-80GB-SXM`.
    pub about: String,
    /// Limit on the time to first token.
    pub slo_ttft: Option<Micros>,
    /// Limit on the time per output token.
    pub slo_tpot: Option<Micros>,
    /// Limit on the whole.
    pub slo_e2e: Option<Micros>,
}

/// A class of jobs as a report introduces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobInfo {
    /// Its name.
    pub name: String,
    /// What its jobs are, such as `gangs of 4 pods of 1 GPU`.
    pub about: String,
}

/// What one stack of policies did over all replications.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackOutcome {
    /// Its name.
    pub name: String,
    /// What it is, in a sentence.
    pub about: String,
    /// One summary a replication, in order.
    pub runs: Vec<RunSummary>,
    /// Timeline of the first replication.
    pub timeline: Vec<TimelineRow>,
    /// Latency curves by service, over all replications.
    pub curves: Vec<LatencyCurves>,
    /// Decisions of the first replication.
    pub decisions: Vec<DecisionRow>,
}

/// The figures of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSummary {
    /// Which stack of policies flew.
    pub stack: String,
    /// The experiment's seed.
    pub seed: u64,
    /// The replication.
    pub run: u32,
    /// Hash of every event and action, 32 hex digits.
    pub fingerprint: String,
    /// Length of the run that is billed and counted: the horizon.
    pub horizon: Micros,
    /// Events that the engine processed.
    pub events: u64,
    /// By service, in the scenario's order.
    pub services: Vec<ServiceSummary>,
    /// Money.
    pub cost: Cost,
    /// Where the GPU time went.
    pub gpu: GpuHours,
    /// The fleet.
    pub fleet: FleetSummary,
    /// By class of jobs, in the scenario's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<JobClassSummary>,
    /// By queue, in the scenario's order, where Kueue admits jobs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<QueueSummary>,
    /// Pods that fitted nowhere when arrivals ended; those that had waited longest first, [`UNPLACED`] at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unplaced: Vec<Unplaced>,
}

/// Most groups of pods without a node that a summary names.
pub const UNPLACED: usize = 20;

/// Pods of one owner that fit nowhere for the same reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unplaced {
    /// Whose they are: `service chat`, `job 7 of train`.
    pub owner: String,
    /// How many.
    pub pods: u32,
    /// How long the oldest of them had been there.
    pub waited: Micros,
    /// Why, as kube-scheduler says it: `0/5 nodes are available: ...`.
    pub message: String,
}

/// The figures of one class of jobs in one run, up to the horizon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobClassSummary {
    /// Its name.
    pub name: String,
    /// Jobs submitted.
    pub arrived: u64,
    /// Jobs whose work began.
    pub started: u64,
    /// Jobs that completed.
    pub completed: u64,
    /// Times that a job lost members, stopped and went back to its last checkpoint.
    pub interruptions: u64,
    /// Jobs that a queue gave quota.
    #[serde(default)]
    pub admitted: u64,
    /// Submission to the first quota, seconds, jobs that a queue gave some.
    #[serde(default)]
    pub quota_wait_s: Spread,
    /// Times that a job lost its quota.
    #[serde(default)]
    pub evictions: Evictions,
    /// What unfinished jobs wait for at the end.
    #[serde(default)]
    pub waiting: JobWaits,
    /// Submission to first work, seconds, jobs whose work began.
    pub wait_s: Spread,
    /// Submission to completion, seconds, completed jobs.
    pub completion_s: Spread,
    /// Time to completion in units of the job's own duration, completed jobs.
    pub slowdown: Spread,
    /// What its GPUs did.
    pub gpu: JobGpuHours,
}

/// Times that jobs lost their quota, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evictions {
    /// For one of a higher priority in the same queue.
    pub preempted: u64,
    /// For one of another queue, which takes back what it had lent.
    pub reclaimed: u64,
    /// Its pods were not all up in time.
    pub not_ready: u64,
}

impl Evictions {
    /// For whatever reason.
    pub fn all(&self) -> u64 {
        self.preempted + self.reclaimed + self.not_ready
    }
}

impl AddAssign for Evictions {
    fn add_assign(&mut self, more: Self) {
        self.preempted += more.preempted;
        self.reclaimed += more.reclaimed;
        self.not_ready += more.not_ready;
    }
}

/// What a job without work waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobWait {
    /// Quota of its queue.
    Quota,
    /// The end of its back-off, after its pods were not up in time or no room was found for them.
    BackOff,
    /// Nodes with room, without one of its pods being on any.
    Room,
    /// The rest of its gang, while some of it holds nodes.
    RestOfGang,
    /// Its pods to start.
    Start,
}

/// How many jobs wait for what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobWaits {
    /// Quota of their queue.
    pub quota: u64,
    /// The end of their back-off, after their pods were not up in time or no room was found for them.
    pub back_off: u64,
    /// Nodes with room, without one of their pods being on any.
    pub room: u64,
    /// The rest of their gang, while some of it holds nodes.
    pub rest_of_gang: u64,
    /// Their pods to start.
    pub start: u64,
}

impl JobWaits {
    /// The count of those that wait for something.
    pub(crate) fn count_mut(&mut self, wait: JobWait) -> &mut u64 {
        match wait {
            JobWait::Quota => &mut self.quota,
            JobWait::BackOff => &mut self.back_off,
            JobWait::Room => &mut self.room,
            JobWait::RestOfGang => &mut self.rest_of_gang,
            JobWait::Start => &mut self.start,
        }
    }
}

/// What a queue gave its jobs, up to the horizon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueSummary {
    /// Its name.
    pub name: String,
    /// GPUs of its own.
    pub nominal_gpus: u64,
    /// Admissions, also of jobs that were evicted before.
    pub admitted: u64,
    /// Evictions of its jobs.
    pub evicted: u64,
    /// GPU-hours of quota that its jobs had, whether or not they used them.
    pub reserved_gpu_hours: f64,
    /// The part of them that was borrowed.
    pub borrowed_gpu_hours: f64,
}

/// GPU-hours of jobs by use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobGpuHours {
    /// Work that nothing undid.
    pub useful: f64,
    /// Checkpoints written, and read again after an interruption.
    pub overhead: f64,
    /// Work that an interruption undid.
    pub lost: f64,
    /// Held by members of a gang too few of which had a node.
    pub partial_gangs: f64,
    /// Held by members that started, or waited for others to start.
    pub starting: f64,
}

impl JobGpuHours {
    /// All of them.
    pub fn held(&self) -> f64 {
        self.useful + self.overhead + self.lost + self.partial_gangs + self.starting
    }

    /// Those that brought no job further: everything but work that nothing undid.
    pub fn wasted(&self) -> f64 {
        self.held() - self.useful
    }
}

/// How a figure is spread over jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// Greatest.
    pub max: f64,
}

impl Spread {
    /// Of some values; all zero of none. A percentile is the least value that so many of them do not exceed.
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 jobs")]
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let Some(&max) = sorted.last() else { return Self::default() };
        let percentile = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100) - 1];
        let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
        Self { mean, p50: percentile(50), p95: percentile(95), max }
    }
}

/// The figures of one service in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSummary {
    /// Its name.
    pub name: String,
    /// How the requests ended.
    pub requests: RequestCounts,
    /// Requests per second that kept every limit of the SLO.
    pub goodput_rps: f64,
    /// Share of all arrivals that kept every limit, 0 to 1. Failed and unfinished ones count as missed.
    pub attainment: f64,
    /// Arrival at the gateway to first token, completed requests.
    pub ttft: Latency,
    /// Mean time per output token after the first, completed requests with two tokens or more.
    pub tpot: Latency,
    /// Arrival at the gateway to last token, completed requests.
    pub e2e: Latency,
    /// Tokens.
    pub tokens: Tokens,
    /// Replicas.
    pub replicas: ReplicaSummary,
    /// What late and failed requests waited for, summed; every cause, also those with none.
    pub blame: Vec<Blame>,
    /// Little's law over the run: mean number inside against arrival rate times mean time inside.
    pub little: Little,
}

/// How requests ended. Every request that arrived ends in exactly one of the first five.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestCounts {
    /// Reached the gateway (retries not counted).
    pub arrived: u64,
    /// Completed.
    pub completed: u64,
    /// Given up by the client after its last time-out.
    pub timed_out: u64,
    /// Refused by a full queue, after the last retry.
    pub rejected: u64,
    /// Too long for the replica's KV cache.
    pub impossible: u64,
    /// Still inside at the end of the run.
    pub unfinished: u64,
    /// Completed and kept every limit of the SLO.
    pub attained: u64,
    /// Missed because of the first token.
    pub late_ttft: u64,
    /// First token in time, missed because of the time per token or the whole.
    pub late_rest: u64,
    /// Attempts that the gateway saw, retries included.
    pub attempts: u64,
    /// Attempts that died with their replica and went back to the gateway.
    pub lost_with_replica: u64,
    /// Evictions from a replica's batch for want of KV cache.
    pub preemptions: u64,
}

/// A latency in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Mean.
    pub mean_ms: f64,
    /// Median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
    /// Longest.
    pub max_ms: f64,
}

/// Tokens of completed requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Prompt tokens.
    pub prompt: u64,
    /// Output tokens.
    pub output: u64,
}

/// Replicas of a service over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaSummary {
    /// Mean number ready.
    pub ready_mean: f64,
    /// Most ready at once.
    pub ready_peak: u32,
    /// Most asked for.
    pub wanted_peak: u32,
    /// Created, the initial ones included.
    pub created: u64,
    /// From creation to ready, mean, those created during the run.
    pub start_mean_s: f64,
    /// The longest such start.
    pub start_max_s: f64,
}

/// Something that a late or failed request waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// More capacity had not been asked for: the policy did not see the need, or saw it and held.
    Decision,
    /// The policy decided on metrics this old.
    MetricDelay,
    /// Replicas had been asked for, their pods not yet made or not yet looked at by the scheduler.
    Scheduling,
    /// A pod fitted nowhere and no node was on its way: node policy, quota, limit.
    NoNode,
    /// The cloud had none left, or the launch failed.
    StockOut,
    /// A node was starting: launch, boot, registration.
    NodeBoot,
    /// Driver and device plugin.
    Accelerator,
    /// Image pull.
    ImagePull,
    /// Container start.
    ContainerStart,
    /// Weights.
    WeightsLoad,
    /// Engine initialisation and readiness probe.
    EngineInit,
    /// The client's own wait between two tries.
    RetryBackoff,
    /// Its own prefill and decode steps, shared with the batch.
    Compute,
}

impl Cause {
    /// All causes, in the order of a scale-up.
    pub const ALL: [Self; 13] = [
        Self::Decision,
        Self::MetricDelay,
        Self::Scheduling,
        Self::NoNode,
        Self::StockOut,
        Self::NodeBoot,
        Self::Accelerator,
        Self::ImagePull,
        Self::ContainerStart,
        Self::WeightsLoad,
        Self::EngineInit,
        Self::RetryBackoff,
        Self::Compute,
    ];
}

/// Blame on one cause.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blame {
    /// The cause.
    pub cause: Cause,
    /// Seconds of waiting, summed over late and failed requests.
    pub seconds: f64,
    /// Requests for which it was the largest part.
    pub requests: u64,
}

/// Both sides of L = λ W.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Little {
    /// Mean number of requests inside, integrated over time.
    pub inside_mean: f64,
    /// Arrival rate times mean time inside.
    pub rate_times_time: f64,
}

/// Money of one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// All of it.
    pub usd: f64,
    /// Per 24 hours.
    pub usd_per_day: f64,
    /// Per million tokens, prompt and output, of completed requests; absent when there were none.
    pub usd_per_million_tokens: Option<f64>,
    /// By pool.
    pub pools: Vec<PoolCost>,
}

/// Money of one pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolCost {
    /// Its name.
    pub pool: String,
    /// Its instance type.
    pub instance: String,
    /// Node-hours billed.
    pub node_hours: f64,
    /// Hours of standby instances that were switched off.
    #[serde(default)]
    pub standby_hours: f64,
    /// Money for standby instances, off or being prepared.
    #[serde(default)]
    pub standby_usd: f64,
    /// Money, standby included.
    pub usd: f64,
}

/// GPU-hours by use. The parts sum to `total`, `burst` apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuHours {
    /// Billed.
    pub total: f64,
    /// A ready replica computed.
    pub useful: f64,
    /// A ready replica had nothing to do.
    pub idle_ready: f64,
    /// A replica was starting on it: image, weights, engine.
    pub loading: f64,
    /// The node was starting or shutting down.
    pub booting: f64,
    /// The node was ready, no pod held any of the GPU.
    pub unallocated: f64,
    /// The rest of a GPU that pods held only a part of.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stranded: f64,
    /// Computed in parts that others left idle; none of it is in `useful`, and it is no part of the sum.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub burst: f64,
    /// A job that could not run held it: too few of its members had a node.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub partial_gangs: f64,
    /// A job wrote a checkpoint, or read one after an interruption.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub checkpoints: f64,
    /// A job did work on it that an interruption undid.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(hours: &f64) -> bool {
    *hours == 0.0
}

/// Nodes over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetSummary {
    /// Mean number billed.
    pub nodes_mean: f64,
    /// Most at once.
    pub nodes_peak: u32,
    /// Launched, the initial ones not counted.
    pub launched: u64,
    /// Launches that failed, stock-outs included.
    pub launch_failures: u64,
    /// Taken back by the cloud.
    pub reclaimed: u64,
}

/// One service in one bin of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimelineRow {
    /// Start of the bin.
    pub at: Instant,
    /// Index of the service.
    pub service: u32,
    /// Requests that arrived in the bin.
    pub arrived: u32,
    /// Requests that completed in the bin.
    pub completed: u32,
    /// Of those, the ones that kept the SLO.
    pub attained: u32,
    /// Requests that failed in the bin.
    pub failed: u32,
    /// Replicas asked for, at the end of the bin.
    pub wanted: u32,
    /// Replicas ready, at the end of the bin.
    pub ready: u32,
    /// Replicas pending or starting, at the end of the bin.
    pub starting: u32,
    /// Requests waiting at the gateway or inside replicas, at the end of the bin.
    pub queue: u32,
    /// Requests anywhere inside, at the end of the bin.
    pub inside: u32,
    /// Mean time to first token of requests whose first token came in the bin, milliseconds.
    pub ttft_mean_ms: f64,
    /// Nodes billed in the whole fleet, at the end of the bin.
    pub nodes: u32,
    /// Nodes requested or starting in the whole fleet, at the end of the bin.
    pub nodes_starting: u32,
    /// Price of the whole fleet at the end of the bin, US dollars per hour.
    pub usd_per_hour: f64,
}

/// Latency curves of one service: (quantile, milliseconds) pairs, quantiles rising from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencyCurves {
    /// Time to first token.
    pub ttft: Vec<(f64, f64)>,
    /// Time per output token.
    pub tpot: Vec<(f64, f64)>,
    /// End to end.
    pub e2e: Vec<(f64, f64)>,
}

/// A decision as a report shows it: one line of `decisions.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRow {
    /// Which stack.
    pub stack: String,
    /// Which replication.
    pub run: u32,
    /// When.
    pub at: Instant,
    /// Which policy of the stack.
    pub policy: String,
    /// What it is about, by name: `service chat`, `pool l40s`, `node 17`, `cluster`.
    pub subject: String,
    /// What was done, such as `set-replicas 12`; empty when the policy held.
    pub action: String,
    /// Why: words, then the numbers that they rest on.
    pub reason: String,
}
