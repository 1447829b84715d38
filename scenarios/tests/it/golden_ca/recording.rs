//! A recording: the groups and pods that a real Cluster Autoscaler met, and what it asked for.

use contract::Micros;
use policies::cluster_autoscaler::Settings;
use policies::cluster_autoscaler::expander::{PodPrices, PriorityTier};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A loop of an idle autoscaler on a small cluster (C4: two follow within 0.2 s on one that acted).
const LOOP_TIME: Micros = Micros::from_millis(100);

/// One scripted run. Times are seconds.
#[derive(Deserialize)]
pub(super) struct Run {
    pub(super) id: String,
    flags: Flags,
    pub(super) groups: Vec<Group>,
    pub(super) workload: Vec<Step>,
    /// The `priorities` of the expander's `ConfigMap`, as text.
    priority_map: Option<String>,
    pub(super) duration_s: f64,
    summary: Summary,
    #[serde(default)]
    repeats: Vec<Repeat>,
}

#[derive(Deserialize)]
struct Flags {
    common: Vec<String>,
    specific: Vec<String>,
}

/// A node group of the provider that played the cloud.
#[derive(Deserialize)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) cpu: String,
    pub(super) mem: String,
    pub(super) gpus: u32,
    pub(super) price: f64,
    pub(super) boot_ms: f64,
    /// How orders fail: `grpc` at once, `instance` a while later.
    pub(super) fail: Option<String>,
    #[serde(default)]
    pub(super) fail_after_ms: f64,
    #[serde(default = "one_zone")]
    pub(super) zone: String,
}

fn one_zone() -> String {
    "z1".into()
}

/// A line of the script.
#[derive(Deserialize)]
pub(super) struct Step {
    pub(super) at: f64,
    #[serde(rename = "do")]
    pub(super) what: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default = "one_pod")]
    pub(super) n: u32,
    #[serde(default)]
    pub(super) cpu: f64,
    #[serde(default)]
    pub(super) mem: String,
    #[serde(default)]
    pub(super) gpu: u32,
    /// Of a disruption budget: how many stay ready, and of whose pods.
    #[serde(default)]
    pub(super) min: u32,
    #[serde(default)]
    pub(super) app: String,
}

/// A disruption budget that was there for a while.
pub(super) struct Protection<'a> {
    pub(super) controller: &'a str,
    pub(super) min_available: u32,
    pub(super) from: f64,
    pub(super) until: f64,
}

fn one_pod() -> u32 {
    1
}

#[derive(Deserialize)]
struct Repeat {
    summary: Summary,
}

/// What the real one asked for: times, groups and counts.
#[derive(Deserialize)]
struct Summary {
    increase: Vec<(f64, String, u32)>,
    #[serde(default)]
    refused: Vec<(f64, String, u32)>,
    delete: Vec<(f64, String)>,
}

/// More nodes for a group, and when that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    pub(super) at: f64,
    pub(super) group: String,
    pub(super) count: u32,
}

/// What was asked for in one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Asked {
    /// Orders, those that the cloud refused among them.
    pub(super) orders: Vec<Order>,
    /// Nodes that were deleted; failed instances are not among them.
    pub(super) removals: Vec<Removal>,
    /// Of our own runs: which of them had pods when they were told to go.
    pub(super) drains: Vec<Drain>,
}

/// A node with pods that was told to go: when, and how many of its GPUs they asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Drain {
    pub(super) at: f64,
    pub(super) gpus: u32,
}

/// A node that was deleted: when, in seconds, and of which group.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Removal {
    pub(super) at: f64,
    pub(super) group: String,
}

impl Summary {
    fn asked(&self, failing: &[&str]) -> Asked {
        let orders = self.increase.iter().chain(&self.refused);
        let order = |(at, group, count): &(f64, String, u32)| Order {
            at: *at,
            group: group.clone(),
            count: *count,
        };
        let mut orders: Vec<_> = orders.map(order).collect();
        orders.sort_by(|a, b| a.at.total_cmp(&b.at));
        let removal = |(at, node): &(f64, String)| {
            let group = node.rsplit_once('-').map_or(&**node, |(group, _)| group).to_owned();
            Removal { at: *at, group }
        };
        let mut removals: Vec<_> = self.delete.iter().map(removal).collect();
        removals.retain(|removal| !failing.contains(&&*removal.group));
        removals.sort_by(|a, b| a.at.total_cmp(&b.at));
        Asked { orders, removals, drains: Vec::new() }
    }
}

impl Run {
    /// Both recordings, or the one there is.
    pub(super) fn recorded(&self) -> Vec<Asked> {
        let fails = |group: &&Group| group.fail.is_some();
        let failing: Vec<_> = self.groups.iter().filter(fails).map(|group| &*group.id).collect();
        let summaries = std::iter::once(&self.summary);
        let summaries = summaries.chain(self.repeats.iter().map(|repeat| &repeat.summary));
        summaries.map(|summary| summary.asked(&failing)).collect()
    }

    /// The flags of the run, and what its provider said about prices: 0.1 for every pod. A provider that answers for
    /// the options of single groups leaves nodes no time to start (quirk Q1 of the recordings).
    pub(super) fn settings(&self, seed: u64) -> Settings {
        let flags = self.flags.common.iter().chain(&self.flags.specific).cloned().collect();
        let free = contract::UsdPerHour(0.0);
        let priorities = self.priority_map.as_deref().map(tiers);
        let defaults = Settings::default();
        let startup = if self.id.ends_with("with_group_options") {
            Micros::ZERO
        } else {
            defaults.max_node_startup_time
        };
        Settings {
            flags,
            seed,
            loop_time: LOOP_TIME,
            max_node_startup_time: startup,
            priorities: priorities.unwrap_or_default(),
            pod_prices: PodPrices {
                pod: contract::UsdPerHour(0.1),
                cpu: free,
                memory_gib: free,
                gpu: free,
            },
            ..defaults
        }
    }

    /// What a group's nodes are like: groups of one kind are as good as each other.
    pub(super) fn kind(&self, group: &str) -> String {
        let found = self.groups.iter().find(|known| known.id == group).expect("a known group");
        let Group { cpu, mem, gpus, price, .. } = found;
        format!("{cpu} cores, {mem}, {gpus} GPUs at {price}, {}", found.fail.is_some())
    }

    /// Counts of pods by controller: what the script makes of them, and when.
    pub(super) fn controllers(&self) -> BTreeMap<&str, Vec<&Step>> {
        let mut controllers: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let makes_pods = |step: &&Step| matches!(&*step.what, "rs" | "pod" | "scale");
        for step in self.workload.iter().filter(makes_pods) {
            controllers.entry(&*step.name).or_default().push(step);
        }
        controllers
    }

    /// Whether all that the script does can be done to a simulated cluster.
    pub(super) fn can_be_flown(&self) -> bool {
        const KNOWN: [&str; 5] = ["rs", "pod", "scale", "pdb", "delpdb"];
        self.workload.iter().all(|step| KNOWN.contains(&&*step.what))
    }

    /// Disruption budgets that the script makes and deletes.
    pub(super) fn protections(&self) -> Vec<Protection<'_>> {
        let until = |name: &str| {
            let mut ends = self.workload.iter().filter(|step| step.what == "delpdb");
            ends.find(|step| step.name == name).map_or(f64::INFINITY, |step| step.at)
        };
        let budgets = self.workload.iter().filter(|step| step.what == "pdb");
        budgets
            .map(|step| Protection {
                controller: &step.app,
                min_available: step.min,
                from: step.at,
                until: until(&step.name),
            })
            .collect()
    }
}

/// Tiers: a line `<priority>:`, then a line `- <pattern>` for each pattern.
fn tiers(text: &str) -> Vec<PriorityTier> {
    let mut tiers: Vec<PriorityTier> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(priority) = line.strip_suffix(':') {
            let priority = priority.parse().expect("a priority");
            tiers.push(PriorityTier { priority, pools: Vec::new() });
        } else {
            let pattern = line.strip_prefix("- ").expect("a pattern");
            tiers.last_mut().expect("a tier").pools.push(pattern.to_owned());
        }
    }
    tiers
}

/// All recordings, or none with a loud word if they are not there.
#[expect(clippy::print_stdout, reason = "a test that did not run says so")]
pub(super) fn recordings() -> Vec<Run> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/validation/golden");
    let folder = std::env::var_os("GOLDEN_DIR").map_or(beside, PathBuf::from);
    let Ok(text) = std::fs::read_to_string(folder.join("ca_runs.jsonl")) else {
        println!("SKIPPED: no ca_runs.jsonl in {}", folder.display());
        return Vec::new();
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).expect("a recording")).collect()
}
