//! What a real controller could know at one moment: a borrowed view of tables that their owner keeps.

use crate::{
    DisruptionBudget, GpuSeen, Instant, Micros, NodeId, NodeShape, Owner, PodId, PodSpec, Pods,
    PoolId, ProvisioningRequest, Resources, ServiceId, UsdPerHour,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Everything that reached the controller by `now`. Nothing that has not happened yet.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Observation<'a> {
    /// The time.
    pub now: Instant,
    /// Services, indexed by [`ServiceId`].
    pub services: &'a [ServiceSeen],
    /// Pods that no node holds yet, oldest first.
    pub pending: &'a [PendingPod],
    /// Nodes that are requested or alive, oldest first.
    pub nodes: &'a [NodeSeen],
    /// Node pools, indexed by [`PoolId`].
    pub pools: &'a [PoolSeen],
    /// Requests for pods that do not exist yet, and those that were granted, oldest first.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub provisioning: &'a [ProvisioningRequest],
}

/// What is measured of a service, a gateway or a replica.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Requests inside a replica, running and waiting (a pod metric).
    Concurrency,
    /// Requests that a replica is working on (a pod metric; `vllm:num_requests_running`).
    Running,
    /// Requests that wait inside a replica (a pod metric; `vllm:num_requests_waiting`).
    Waiting,
    /// Share of the KV cache in use, 0 to 1 (a pod metric; `vllm:kv_cache_usage_perc`).
    KvUse,
    /// Share of time that the GPU (or the server) was busy since the last scrape, 0 to 1 (a pod metric).
    Busy,
    /// Tokens in the KV cache, those reserved for prompts included (a pod metric of LLM replicas;
    /// `vllm:kv_cache_usage_perc` times the capacity).
    KvTokens,
    /// Tokens that the KV cache can hold (a pod metric of LLM replicas; `num_gpu_blocks` times `block_size` of
    /// `vllm:cache_config_info`).
    KvCapacity,
    /// Prompt tokens of the requests that wait inside a replica (a pod metric of LLM replicas; vLLM exports only
    /// their number, Dynamo's engines report `queued_requests.sum_prefill_tokens`).
    WaitingPromptTokens,
    /// Seconds that the step under way takes (a pod metric of busy LLM replicas; `wall_time` of Dynamo's forward
    /// pass metrics).
    StepTime,
    /// Prompt tokens in that step (a pod metric of busy LLM replicas; `scheduled_requests.sum_prefill_tokens`).
    StepPromptTokens,
    /// Cached tokens of the sequences that decode in that step (a pod metric of busy LLM replicas;
    /// `scheduled_requests.sum_decode_kv_tokens`).
    StepKvTokens,
    /// Requests that the gateway holds because no replica may take them (a service metric).
    GatewayQueue,
    /// Requests waiting anywhere: held by the gateway or waiting inside replicas (a service metric).
    QueueLength,
    /// Requests anywhere in the service, from gateway to last token (a service metric).
    InFlight,
    /// Requests per second that arrived since the last scrape (a service metric).
    ArrivalRate,
    /// Mean prompt tokens of the requests that were completed since the last scrape (a service metric;
    /// `vllm:request_prompt_tokens`, sum over count).
    PromptTokens,
    /// Mean output tokens of the requests that were completed since the last scrape (a service metric;
    /// `vllm:request_generation_tokens`, sum over count).
    OutputTokens,
    /// Mean seconds from the first arrival at the gateway to the first token, of the requests that were completed
    /// since the last scrape (a service metric; `vllm:time_to_first_token_seconds` as a frontend measures it).
    Ttft,
    /// Mean seconds a token after the first, of the requests that were completed since the last scrape (a service
    /// metric; `vllm:request_time_per_output_token_seconds`).
    Tpot,
}

impl Metric {
    /// Every metric, in order.
    pub const ALL: [Self; 19] = [
        Self::Concurrency,
        Self::Running,
        Self::Waiting,
        Self::KvUse,
        Self::Busy,
        Self::KvTokens,
        Self::KvCapacity,
        Self::WaitingPromptTokens,
        Self::StepTime,
        Self::StepPromptTokens,
        Self::StepKvTokens,
        Self::GatewayQueue,
        Self::QueueLength,
        Self::InFlight,
        Self::ArrivalRate,
        Self::PromptTokens,
        Self::OutputTokens,
        Self::Ttft,
        Self::Tpot,
    ];

    /// Whether it is measured of each pod; otherwise it is one of the whole service.
    pub fn is_of_pods(self) -> bool {
        match self {
            Self::Concurrency
            | Self::Running
            | Self::Waiting
            | Self::KvUse
            | Self::Busy
            | Self::KvTokens
            | Self::KvCapacity
            | Self::WaitingPromptTokens
            | Self::StepTime
            | Self::StepPromptTokens
            | Self::StepKvTokens => true,
            Self::GatewayQueue
            | Self::QueueLength
            | Self::InFlight
            | Self::ArrivalRate
            | Self::PromptTokens
            | Self::OutputTokens
            | Self::Ttft
            | Self::Tpot => false,
        }
    }

    /// Its name, as settings write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Concurrency => "concurrency",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::KvUse => "kv-use",
            Self::Busy => "busy",
            Self::KvTokens => "kv-tokens",
            Self::KvCapacity => "kv-capacity",
            Self::WaitingPromptTokens => "waiting-prompt-tokens",
            Self::StepTime => "step-time",
            Self::StepPromptTokens => "step-prompt-tokens",
            Self::StepKvTokens => "step-kv-tokens",
            Self::GatewayQueue => "gateway-queue",
            Self::QueueLength => "queue-length",
            Self::InFlight => "in-flight",
            Self::ArrivalRate => "arrival-rate",
            Self::PromptTokens => "prompt-tokens",
            Self::OutputTokens => "output-tokens",
            Self::Ttft => "ttft",
            Self::Tpot => "tpot",
        }
    }
}

/// A value of a metric, and when it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// What was measured.
    pub metric: Metric,
    /// The value: mean of the scrapes inside `window`, or the last scrape if `window` is zero.
    pub value: f64,
    /// When the newest scrape in it was taken.
    pub at: Instant,
    /// How far back the mean goes.
    pub window: Micros,
}

/// A service, its metrics and its pods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceSeen {
    /// Its number.
    pub id: ServiceId,
    /// Its name in the scenario.
    pub name: Arc<str>,
    /// What one of its pods asks of a node.
    pub spec: Arc<PodSpec>,
    /// `spec.replicas`: what was last asked for.
    pub replicas_wanted: u32,
    /// How many pods stand at each stage.
    pub replicas: Counts,
    /// What protects its pods from evictions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disruption_budget: Option<DisruptionBudget>,
    /// Service metrics: the newest sample of each that has reached the controller.
    pub samples: Vec<Sample>,
    /// Pods, oldest first, with their own metrics and with sums over them.
    pub pods: Pods,
}

impl ServiceSeen {
    /// How many of its pods may be evicted now (`status.disruptionsAllowed`); `None` without a budget.
    pub fn disruptions_allowed(&self) -> Option<u32> {
        let budget = self.disruption_budget?;
        Some(budget.allowed(self.replicas_wanted, self.replicas.ready))
    }

    /// Whether its budget, if it has one, lets a pod at this stage be evicted now.
    pub fn grants_eviction(&self, stage: PodStage) -> bool {
        let (wanted, ready) = (self.replicas_wanted, self.replicas.ready);
        self.disruption_budget.is_none_or(|budget| budget.grants(stage, wanted, ready))
    }

    /// The newest sample of a service metric.
    pub fn sample(&self, metric: Metric) -> Option<&Sample> {
        self.samples.iter().find(|sample| sample.metric == metric)
    }
}

/// Pods of a service by stage of life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Not bound to a node.
    pub pending: u32,
    /// Bound, not ready.
    pub starting: u32,
    /// Serving.
    pub ready: u32,
    /// Finishing its work before it goes.
    pub draining: u32,
}

/// A pod's stage of life.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum PodStage {
    /// No node holds it.
    Pending,
    /// The kubelet pulls its image.
    Pulling,
    /// The container starts: runtime, imports, tokenizer.
    Starting,
    /// Model weights are loaded.
    Loading,
    /// The engine initialises: profiling, compilation, graphs.
    Initialising,
    /// Up, waiting for the readiness probe.
    Probing,
    /// Serving.
    Ready,
    /// Terminating: finishes its work, takes none.
    Draining,
}

impl PodStage {
    /// Every stage, in the order of life.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Pulling,
        Self::Starting,
        Self::Loading,
        Self::Initialising,
        Self::Probing,
        Self::Ready,
        Self::Draining,
    ];
}

/// A pod of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PodSeen {
    /// Its number.
    pub id: PodId,
    /// Its stage.
    pub stage: PodStage,
    /// When that stage began.
    pub since: Instant,
    /// When it was created.
    pub created: Instant,
    /// Where it runs.
    pub node: Option<NodeId>,
    /// Its metrics: the newest sample of each that has reached the controller; never two of one metric.
    pub samples: Vec<Sample>,
}

impl PodSeen {
    /// The newest sample of a pod metric.
    pub fn sample(&self, metric: Metric) -> Option<&Sample> {
        self.samples.iter().find(|sample| sample.metric == metric)
    }
}

/// A pod that no node holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingPod {
    /// Its number.
    pub id: PodId,
    /// Whose it is.
    pub owner: Owner,
    /// What it asks for; shared by all pods of its owner.
    pub spec: Arc<PodSpec>,
    /// When it was created.
    pub created: Instant,
    /// When the scheduler first said that it fits nowhere; `None` before the first attempt.
    pub unschedulable_since: Option<Instant>,
    /// The node from which others were evicted for it (`status.nominatedNodeName`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nominated: Option<NodeId>,
}

/// A node's stage of life.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum NodeStage {
    /// The cloud was asked.
    Requested,
    /// The instance exists and boots.
    Booting,
    /// The machine is up, the kubelet registers.
    Registering,
    /// Ready for pods without GPUs; driver and device plugin start.
    AcceleratorStarting,
    /// Ready, GPUs allocatable.
    Ready,
    /// Cordoned; its pods are leaving.
    Draining,
    /// The instance shuts down.
    Terminating,
}

/// A pod on a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlacedPod {
    /// Its number.
    pub id: PodId,
    /// Whose it is.
    pub owner: Owner,
    /// What it asks for; shared by all pods of its owner.
    pub spec: Arc<PodSpec>,
    /// When it was created.
    #[serde(default)]
    pub created: Instant,
}

/// A node that was asked for or is alive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeSeen {
    /// Its number.
    pub id: NodeId,
    /// The pool that it belongs to.
    pub pool: PoolId,
    /// Where it stands.
    pub zone: Arc<str>,
    /// Its stage.
    pub stage: NodeStage,
    /// When that stage began.
    pub since: Instant,
    /// When it was asked for.
    pub created: Instant,
    /// Sum of the requests of its pods.
    pub used: Resources,
    /// New pods are kept off.
    pub cordoned: bool,
    /// New pods go elsewhere if they can (a taint with the effect `PreferNoSchedule`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub softly_tainted: bool,
    /// Pods on it, oldest first.
    pub pods: Vec<PlacedPod>,
    /// Its GPUs one by one, if they are divided among pods; empty where pods hold whole GPUs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<GpuSeen>,
}

/// Why a launch failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaunchFailureKind {
    /// The cloud has none left of that type in that zone.
    StockOut,
    /// The instance came up broken, or not at all.
    LaunchFailed,
}

/// The newest failed launch of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchFailure {
    /// When it was known.
    pub at: Instant,
    /// What went wrong.
    pub kind: LaunchFailureKind,
    /// Failed launches of the pool so far.
    pub count: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A node pool: one instance type, one capacity type, some zones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolSeen {
    /// Its number.
    pub id: PoolId,
    /// Its name in the scenario.
    pub name: Arc<str>,
    /// What one of its nodes offers.
    pub shape: Arc<NodeShape>,
    /// Price of one node.
    pub price: UsdPerHour,
    /// Reclaimable capacity at a lower price.
    pub spot: bool,
    /// Zones in which it can have nodes.
    #[serde(default)]
    pub zones: Vec<Arc<str>>,
    /// Never fewer nodes than this.
    pub min: u32,
    /// Never more nodes than this.
    pub max: u32,
    /// Nodes asked for and not given back: requested, starting, ready.
    pub target: u32,
    /// Prepared instances that the next nodes resume from, switched off.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub standby: u32,
    /// The newest failed launch.
    pub failure: Option<LaunchFailure>,
}
