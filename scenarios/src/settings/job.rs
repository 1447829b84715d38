//! A class of jobs: `[job.NAME]`, what its pods ask for, how long they work, when they come.

use super::{DelaySetting, Factor, Length, Requests};
use contract::{EvictionMarks, Micros, Toleration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::spec;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// Training and batch jobs of one kind. A job is a gang of pods that works while enough of them run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Job {
    /// GPUs of each pod; nodes that divide theirs do not take it, unless this is zero.
    #[serde(default = "one_gpu")]
    pub gpus: u32,
    /// GPU models that its pods can run on; any unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpu_models: Vec<String>,
    /// Which of the nodes that can hold its pods they go to if they can.
    #[serde(default, skip_serializing_if = "JobPrefer::is_any")]
    pub prefer: JobPrefer,
    /// What each pod asks of a node, beside GPUs.
    #[serde(default)]
    pub requests: Requests,
    /// Labels that the node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that its pods ignore.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Higher goes first.
    #[serde(default)]
    pub priority: i32,
    /// What its pods say about their eviction, and what autoscalers look at before they evict them.
    #[serde(default, skip_serializing_if = "EvictionMarks::is_empty")]
    pub eviction: EvictionMarks,
    /// How many pods a job has: widths, each with its weight.
    pub width: Vec<Width>,
    /// How many of its pods must run for its work to go on; all unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_count: Option<NonZeroU32>,
    /// How long its work takes with all pods; with fewer it takes longer in proportion.
    pub duration: DelaySetting,
    /// What its work is: a class of the catalogue's `throughput.toml`; it goes at the pace that the class has on each GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// The GPU that `duration` is given for; the A100-80GB-SXM unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_gpu: Option<String>,
    /// How many times as fast as the reference it is on each GPU model that its pods may run on; that of `workload` unless
    /// given, and without both all models are alike.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub throughput: BTreeMap<String, Factor>,
    /// From a pod's node to its container up: image, container, framework.
    #[serde(default = "start")]
    pub start: DelaySetting,
    /// How its work is saved; an interruption loses all of it unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    /// How close together its pods stand, for stacks that schedule gangs whole and for Kueue; kube-scheduler alone, pod
    /// by pod (`gangs = "off"`), does not look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology: Option<Topology>,
    /// Its queue, where Kueue admits jobs; Kueue leaves jobs without one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// When jobs are submitted.
    pub submit: Submit,
}

/// Which nodes the pods of a job prefer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JobPrefer {
    /// None: the scheduler's other scores decide.
    #[default]
    Any,
    /// Those of the pool where its work costs least, then the next (preferred node affinity): price of a GPU over its
    /// throughput. Jobs with a `topology` go by that alone.
    Cheapest,
}

impl JobPrefer {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
    fn is_any(&self) -> bool {
        *self == Self::Any
    }
}

/// One of the widths of a class of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Width {
    /// How many pods.
    pub pods: NonZeroU32,
    /// How often, beside the other widths.
    #[serde(default = "one")]
    pub weight: f64,
}

/// How the work of a job is saved: `[job.NAME.checkpoint]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Checkpoint {
    /// Work between two checkpoints.
    pub interval: Length,
    /// How long the job pauses to write one.
    #[serde(default)]
    pub cost: Micros,
    /// How long it reads the newest one after an interruption.
    #[serde(default)]
    pub restart: Micros,
}

/// How close together the pods of a job stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topology {
    /// In one rack or block, or nowhere.
    Required(Level),
    /// In one rack or block if one holds all, else in as few as possible of the next larger.
    Preferred(Level),
}

/// A level of the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Nodes that stand together.
    Rack,
    /// Racks that stand together.
    Block,
}

impl From<Topology> for spec::JobReach {
    fn from(topology: Topology) -> Self {
        let level = |level| match level {
            Level::Rack => spec::Level::Rack,
            Level::Block => spec::Level::Block,
        };
        match topology {
            Topology::Required(at) => Self::Required(level(at)),
            Topology::Preferred(at) => Self::Preferred(level(at)),
        }
    }
}

/// When jobs are submitted: `[job.NAME.submit]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Submit {
    /// At these times of the run, in order.
    At(Vec<Micros>),
    /// One after the other, this long apart.
    Every(DelaySetting),
}

/// How the members of a job are scheduled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Gangs {
    /// One by one, like any pods: a job can hold GPUs with too few pods to run.
    #[default]
    Off,
    /// All or nothing, by kube-scheduler's `PodGroup`.
    Core,
    /// All or nothing, by Volcano: without pods until the cluster looks roomy enough.
    Volcano,
    /// By Kueue: without pods until their queue has quota for all of them, then one by one.
    Kueue,
}

impl Gangs {
    /// Whether pods of jobs are scheduled like any others.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
    pub(crate) fn is_off(&self) -> bool {
        *self == Self::Off
    }
}

impl From<Gangs> for spec::GangScheduling {
    fn from(gangs: Gangs) -> Self {
        match gangs {
            Gangs::Off => Self::Off,
            Gangs::Core => Self::Core,
            Gangs::Volcano => Self::Volcano,
            Gangs::Kueue => Self::Kueue,
        }
    }
}

fn start() -> DelaySetting {
    DelaySetting::named("container-start")
}

fn one_gpu() -> u32 {
    1
}

fn one() -> f64 {
    1.0
}
