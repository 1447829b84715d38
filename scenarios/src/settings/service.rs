//! A service: `[service.NAME]`, what it serves, what stands in front, who calls.

use super::{Alternatives, DelaySetting, DisruptionBudget, Factor, Length};
use crate::catalog::Precision;
use contract::{Bytes, Constraints, EvictionMarks, GpuRequest, Micros, MilliCpu, Toleration};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use traces::Traffic;

/// A service: a Deployment behind a gateway. Serves either a language model (`llm`) or plain requests
/// (`plain`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Service {
    /// Replicas that are ready at the start, as far as the initial nodes hold them.
    #[serde(default = "one")]
    pub initial: u32,
    /// How long a terminating replica may finish its work.
    #[serde(default = "grace")]
    pub grace: Micros,
    /// From up to seen ready.
    #[serde(default = "probe")]
    pub probe: DelaySetting,
    /// What one replica asks of a node, beside GPUs.
    #[serde(default)]
    pub requests: Requests,
    /// The part of a GPU that a replica asks for, in place of whole ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_part: Option<GpuRequest>,
    /// Shapes that a replica may have, where one is not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternatives: Option<Alternatives>,
    /// Labels that the node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that replicas ignore.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Higher goes first.
    #[serde(default)]
    pub priority: i32,
    /// How many of its pods may be disrupted at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disruption_budget: Option<DisruptionBudget>,
    /// What its pods say about their eviction, and what autoscalers look at before they evict them.
    #[serde(default, skip_serializing_if = "EvictionMarks::is_empty")]
    pub eviction: EvictionMarks,
    /// Labels of its pods, affinities, spreading, ports, images: the rarer rules about places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraints: Option<Constraints>,
    /// Serves a language model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm: Option<Llm>,
    /// Serves plain requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain: Option<Plain>,
    /// What counts as in time.
    #[serde(default)]
    pub slo: SloLimits,
    /// What stands in front.
    #[serde(default)]
    pub gateway: Gateway,
    /// How clients wait and retry.
    #[serde(default)]
    pub client: Client,
    /// Who asks for what, when.
    pub traffic: Traffic,
}

/// What one replica asks of a node, beside GPUs: `[service.NAME.requests]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Requests {
    /// CPU.
    pub cpu: MilliCpu,
    /// Memory.
    pub memory: Bytes,
}

impl Default for Requests {
    fn default() -> Self {
        Self { cpu: MilliCpu(2000), memory: Bytes::from_gib(8) }
    }
}

/// A language model behind an engine with continuous batching: `[service.NAME.llm]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Llm {
    /// The model, by its name in the catalogue.
    pub model: String,
    /// Format of the weights.
    #[serde(default = "bf16")]
    pub precision: Precision,
    /// GPU models that a replica can run on.
    pub gpus: Vec<String>,
    /// GPUs of a replica.
    #[serde(default = "one_gpu")]
    pub tensor_parallel: NonZeroU32,
    /// Most sequences in a batch.
    #[serde(default = "max_num_seqs")]
    pub max_num_seqs: NonZeroU32,
    /// Most tokens in a step.
    #[serde(default = "max_num_batched_tokens")]
    pub max_num_batched_tokens: NonZeroU32,
    /// KV cache of a replica in tokens, by GPU model; by the catalogue's rule where none is given.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub kv_cache_tokens: IndexMap<String, u64>,
    /// Image size, compressed.
    #[serde(default = "llm_image")]
    pub image: Bytes,
    /// Container start to engine.
    #[serde(default = "llm_container")]
    pub container_start: DelaySetting,
    /// Weights to load; the catalogue's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Bytes>,
    /// Engine initialisation.
    #[serde(default = "engine_start")]
    pub engine_start: DelaySetting,
}

/// A plain server: `[service.NAME.plain]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Plain {
    /// Time to serve one request.
    pub service_time: DelaySetting,
    /// What its requests are: a class of the catalogue's `throughput.toml`; it goes at the pace that the class has on each GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// The GPU that `service-time` is given for; the A100-80GB-SXM unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_gpu: Option<String>,
    /// How many times as fast as the reference it is on each GPU model that its pods may run on; that of `workload` unless
    /// given, and without both all models are alike.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub throughput: BTreeMap<String, Factor>,
    /// Requests that one replica serves at once; more wait inside.
    #[serde(default = "concurrency")]
    pub concurrency: NonZeroU32,
    /// Whole GPUs of a replica, whichever model; the time to serve is that on them, as far as `throughput` says nothing.
    #[serde(default)]
    pub gpus: u32,
    /// Image size, compressed.
    #[serde(default = "plain_image")]
    pub image: Bytes,
    /// Container start.
    #[serde(default = "plain_container")]
    pub container_start: DelaySetting,
}

/// What counts as in time: `[service.NAME.slo]`. A request keeps the SLO if it keeps every limit given here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SloLimits {
    /// Arrival at the gateway to first token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft: Option<Length>,
    /// Mean time per token after the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpot: Option<Length>,
    /// Arrival at the gateway to last token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e2e: Option<Length>,
}

/// What stands in front: `[service.NAME.gateway]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Gateway {
    /// Which replica gets a request.
    pub routing: Routing,
    /// Age of the replica state that routing reads.
    pub routing_scrape: Length,
    /// Requests held while no replica is ready; more are refused.
    pub queue_limit: u32,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            routing: Routing::LeastLoaded,
            routing_scrape: Length::of(Micros::from_millis(50)),
            queue_limit: 10_000,
        }
    }
}

/// How a gateway chooses a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Routing {
    /// One after the other.
    RoundRobin,
    /// Fewest requests inside, as last scraped.
    LeastLoaded,
    /// The less loaded of two drawn at random, as last scraped.
    PowerOfTwo,
}

/// How clients wait and retry: `[service.NAME.client]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Client {
    /// They give up after this long; never unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Length>,
    /// What they wait for.
    pub timeout_on: TimeoutOn,
    /// How often they try again after a time-out or a refusal.
    pub retries: u32,
    /// Wait before the first retry; doubles each time.
    pub retry_backoff: Micros,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            timeout: None,
            timeout_on: TimeoutOn::FirstToken,
            retries: 0,
            retry_backoff: Micros::from_secs(1),
        }
    }
}

/// What a client's time-out waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TimeoutOn {
    /// The first token.
    FirstToken,
    /// The whole response.
    Response,
}

fn one() -> u32 {
    1
}

fn grace() -> Micros {
    Micros::from_secs(30)
}

fn probe() -> DelaySetting {
    DelaySetting::named("readiness-probe")
}

fn bf16() -> Precision {
    Precision::Bf16
}

fn one_gpu() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn max_num_seqs() -> NonZeroU32 {
    const { NonZeroU32::new(256).unwrap() }
}

fn max_num_batched_tokens() -> NonZeroU32 {
    const { NonZeroU32::new(2048).unwrap() }
}

fn llm_image() -> Bytes {
    Bytes(9_000_000_000)
}

fn llm_container() -> DelaySetting {
    DelaySetting::named("vllm-bootstrap")
}

fn engine_start() -> DelaySetting {
    DelaySetting::named("vllm-engine-empty-cache")
}

fn concurrency() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn plain_image() -> Bytes {
    Bytes(500_000_000)
}

fn plain_container() -> DelaySetting {
    DelaySetting::named("container-start")
}
