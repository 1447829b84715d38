//! What pods ask for and what nodes offer.

use crate::{Bytes, Constraints, EvictionMarks, GpuRequest, MilliCpu, Sharing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::sync::Arc;

/// CPU, memory and whole GPUs: a request, an allocatable amount, or a sum of requests.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Resources {
    /// CPU.
    pub cpu: MilliCpu,
    /// Memory.
    pub memory: Bytes,
    /// Whole GPUs.
    #[serde(default)]
    pub gpus: u32,
}

impl Resources {
    /// Whether `request` fits into this free amount, resource by resource.
    pub fn holds(&self, request: &Self) -> bool {
        request.cpu <= self.cpu && request.memory <= self.memory && request.gpus <= self.gpus
    }
}

impl Add for Resources {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            cpu: MilliCpu(self.cpu.0 + other.cpu.0),
            memory: Bytes(self.memory.0 + other.memory.0),
            gpus: self.gpus + other.gpus,
        }
    }
}

impl AddAssign for Resources {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Resources {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            cpu: MilliCpu(self.cpu.0.saturating_sub(other.cpu.0)),
            memory: Bytes(self.memory.0.saturating_sub(other.memory.0)),
            gpus: self.gpus.saturating_sub(other.gpus),
        }
    }
}

impl SubAssign for Resources {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpu {}, memory {}, gpus {}", self.cpu, self.memory, self.gpus)
    }
}

/// A GPU model by its catalogue name, such as `L40S` or `H100-80GB-SXM`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct GpuModel(pub Arc<str>);

impl fmt::Display for GpuModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a node offers once it is ready: the same for every node of a pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeShape {
    /// What pods of services and jobs may use in all: what daemon sets hold is not in it.
    pub allocatable: Resources,
    /// What daemon sets hold beside that.
    #[serde(default, skip_serializing_if = "Daemons::are_none")]
    pub daemons: Daemons,
    /// Which GPUs it has, if any.
    pub gpu: Option<GpuModel>,
    /// How its GPUs are divided among pods.
    #[serde(default, skip_serializing_if = "Sharing::is_whole")]
    pub sharing: Sharing,
    /// Node labels, for selectors.
    pub labels: BTreeMap<String, String>,
    /// Taints that keep pods off.
    pub taints: Vec<Taint>,
    /// How many pods of services and jobs the kubelet accepts.
    pub pod_limit: u32,
}

/// The pods of daemon sets on every node of a shape. They are there from the start and go with their node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemons {
    /// What they request together.
    pub requests: Resources,
    /// How many they are.
    pub pods: u32,
}

impl Daemons {
    /// Whether there are none.
    pub fn are_none(&self) -> bool {
        self.pods == 0
    }
}

/// A mark on a node that pods must tolerate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Taint {
    /// Key, such as `nvidia.com/gpu`.
    pub key: String,
    /// Value; empty when the key says it all.
    #[serde(default)]
    pub value: String,
    /// What happens to a pod that does not tolerate it.
    pub effect: TaintEffect,
}

/// What a taint does to a pod that does not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// It is not placed here.
    NoSchedule,
    /// It is placed here only if nothing else fits.
    PreferNoSchedule,
    /// It is not placed here, and evicted when running.
    NoExecute,
}

/// A pod's permission to ignore a taint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Toleration {
    /// Key; `None` tolerates every key.
    #[serde(default)]
    pub key: Option<String>,
    /// Value; `None` tolerates every value (operator `Exists`).
    #[serde(default)]
    pub value: Option<String>,
    /// Effect; `None` tolerates every effect.
    #[serde(default)]
    pub effect: Option<TaintEffect>,
}

/// What a pod asks of the node that it runs on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PodSpec {
    /// What it requests.
    pub requests: Resources,
    /// Parts of GPUs, in place of whole ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_parts: Option<GpuRequest>,
    /// GPU models that it can run on; empty means any (or none needed).
    pub gpu_models: Vec<GpuModel>,
    /// Labels that the node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that it ignores.
    pub tolerations: Vec<Toleration>,
    /// Higher goes first; below -10 the Cluster Autoscaler does not buy for it.
    pub priority: i32,
    /// What only few pods have: labels, affinities, spreading, ports. Shared by all pods alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraints: Option<Arc<Constraints>>,
    /// What autoscalers look at before they evict it.
    #[serde(default, skip_serializing_if = "EvictionMarks::is_empty")]
    pub eviction: EvictionMarks,
}

impl PodSpec {
    /// Whether it needs a GPU, or a part of one.
    pub fn needs_gpus(&self) -> bool {
        self.requests.gpus > 0 || self.gpu_parts.is_some()
    }
}
