//! A recording: what was asked of a real Karpenter, and what it launched and removed.

use contract::{DoNotDisrupt, EvictionMarks, Micros};
use policies::karpenter::disruption::budgets::Budget;
use policies::karpenter::disruption::cost::Version;
use policies::karpenter::requirements::PoolRequirement;
use policies::karpenter::simulation::Limits;
use policies::karpenter::{ConsolidationPolicy, NodePool, OrNever, Settings};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One run. Times are seconds from the first pod.
#[derive(Deserialize)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) rep: u32,
    node_pools: Vec<PoolText>,
    pub(super) workload: Vec<Step>,
    pub(super) nodeclaims: Vec<ClaimText>,
    pub(super) observed_s: f64,
    pub(super) summary: Summary,
    #[serde(default)]
    state_before_scale_down: Vec<StateText>,
}

/// Which pod was on which claim's node.
#[derive(Deserialize)]
struct StateText {
    t: f64,
    pods: BTreeMap<String, String>,
}

/// A node with how many pods of each app are on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node {
    /// Type and capacity type.
    pub(super) kind: String,
    pub(super) pods: BTreeMap<String, u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PoolText {
    name: String,
    weight: Option<u32>,
    requirements: Vec<PoolRequirement>,
    limits: Option<BTreeMap<String, String>>,
    expire_after: OrNever,
    disruption: DisruptionText,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DisruptionText {
    consolidation_policy: ConsolidationPolicy,
    consolidate_after: OrNever,
    budgets: Vec<Budget>,
}

/// What was done, and when.
#[derive(Debug, Deserialize)]
pub(super) struct Step {
    pub(super) t: f64,
    pub(super) action: String,
    pub(super) pod: Option<PodText>,
    pub(super) app: Option<String>,
    pub(super) count: Option<u32>,
    pub(super) index: Option<u32>,
    pub(super) replicas: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PodText {
    pub(super) app: String,
    pub(super) cpu: String,
    pub(super) memory: String,
    pub(super) gpus: u32,
    #[serde(default)]
    pub(super) node_selector: BTreeMap<String, String>,
    pub(super) topology_spread: Option<SpreadText>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl PodText {
    /// What its annotations say about its eviction.
    pub(super) fn eviction(&self) -> EvictionMarks {
        let value = self.annotations.get("karpenter.sh/do-not-disrupt");
        let do_not_disrupt = value.and_then(|value| DoNotDisrupt::try_from(value.clone()).ok());
        EvictionMarks { do_not_disrupt, ..EvictionMarks::default() }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SpreadText {
    pub(super) key: String,
    pub(super) max_skew: u32,
    #[serde(rename = "whenUnsatisfiable")]
    _when_unsatisfiable: String,
}

#[derive(Deserialize)]
pub(super) struct ClaimText {
    id: String,
    pub(super) created_s: f64,
    pub(super) n_types: u32,
    pub(super) requests: BTreeMap<String, String>,
    pub(super) r#type: String,
    pub(super) capacity_type: String,
    pub(super) deleting_s: Option<f64>,
}

#[derive(Deserialize)]
pub(super) struct Summary {
    pub(super) nodes_by_type: BTreeMap<String, u32>,
}

impl ClaimText {
    /// Type and capacity type.
    pub(super) fn kind(&self) -> String {
        format!("{}/{}", self.r#type, self.capacity_type)
    }
}

impl Run {
    /// Nodes with their pods before each scale-down.
    pub(super) fn before(&self) -> Vec<Vec<Node>> {
        self.state_before_scale_down.iter().map(|state| self.nodes(state)).collect()
    }

    fn nodes(&self, state: &StateText) -> Vec<Node> {
        let on = |claim: &ClaimText| {
            let mut pods: BTreeMap<String, u32> = BTreeMap::new();
            for (pod, _) in state.pods.iter().filter(|(_, node)| **node == claim.id) {
                let app = pod.split_once('#').map_or(pod.as_str(), |(app, _)| app);
                *pods.entry(app.to_owned()).or_default() += 1;
            }
            Node { kind: claim.kind(), pods }
        };
        let there = self.nodeclaims.iter().filter(|claim| claim.created_s < state.t);
        let mut nodes: Vec<_> = there.map(on).collect();
        nodes.sort();
        nodes
    }

    /// The recorded Karpenter, as settings.
    pub(super) fn settings(&self) -> Settings {
        let pool = |pool: &PoolText| (pool.name.clone(), pool.settings());
        Settings {
            version: Version::V1_13,
            node_pools: self.node_pools.iter().map(pool).collect(),
            ..Settings::default()
        }
    }
}

impl PoolText {
    fn settings(&self) -> NodePool {
        let limit = |name: &str| self.limits.as_ref().and_then(|limits| limits.get(name));
        NodePool {
            weight: self.weight.unwrap_or(0),
            requirements: self.requirements.clone(),
            limits: Limits {
                cpu: limit("cpu").map(|cpu| cpu.parse().expect("cores")),
                memory: limit("memory").map(|memory| bytes(memory)),
                gpus: limit("nvidia.com/gpu").map(|gpus| gpus.parse().expect("GPUs")),
                nodes: limit("nodes").map(|nodes| nodes.parse().expect("nodes")),
            },
            expire_after: self.expire_after,
            consolidation_policy: self.disruption.consolidation_policy,
            consolidate_after: self.disruption.consolidate_after,
            budgets: self.disruption.budgets.clone(),
            ..NodePool::default()
        }
    }
}

/// Memory as Kubernetes writes it.
pub(super) fn bytes(text: &str) -> contract::Bytes {
    let text = text.strip_suffix('i').map_or(text.to_owned(), |start| format!("{start}iB"));
    text.parse().expect("an amount of memory")
}

/// Seconds.
pub(super) fn seconds(seconds: f64) -> Micros {
    Micros::from_secs_f64(seconds)
}

/// An instance type of the recordings' catalogue.
#[derive(Deserialize)]
pub(super) struct Machine {
    pub(super) r#type: String,
    pub(super) family: String,
    pub(super) vcpu: u64,
    pub(super) mem_gib: u64,
    pub(super) zones: Vec<String>,
    pub(super) od_usd_per_hour: f64,
    pub(super) spot_usd_per_hour: Option<f64>,
    pub(super) allocatable: Allocatable,
}

#[derive(Deserialize)]
pub(super) struct Allocatable {
    pub(super) cpu_m: u64,
    pub(super) memory_mib: u64,
    pub(super) pods: u32,
    pub(super) gpus: u32,
}

/// The recordings and their catalogue, or a loud nothing.
#[expect(clippy::print_stdout, reason = "a test that cannot run says so")]
pub(super) fn recordings() -> (Vec<Result<Run, String>>, Vec<Machine>) {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/validation/golden");
    let folder = std::env::var_os("GOLDEN_DIR").map_or(beside, PathBuf::from);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let Some((runs, catalog)) = read("karpenter_runs.jsonl").zip(read("karpenter_catalog.json"))
    else {
        println!("SKIPPED: no karpenter_runs.jsonl with its catalogue in {}", folder.display());
        return (Vec::new(), Vec::new());
    };
    (runs.lines().map(parse).collect(), parse(&catalog).expect("a catalogue"))
}

pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
