//! What a scenario file may say: one struct for each table, in the order of the manual (`defaults.toml`).

mod alternatives;
mod budget;
mod control;
mod daemon_set;
mod delay;
mod job;
mod manifest;
mod metrics;
mod pool;
mod queue;
mod range;
mod service;
mod sharing;
mod stack;

use contract::Micros;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use alternatives::{Alternatives, PlannedLoad, Prefer, Shape};
pub use budget::{DisruptionBudget, Part};
pub use control::{Control, Ties};
pub use daemon_set::{DaemonRequests, DaemonSet};
pub use delay::DelaySetting;
pub use job::{Checkpoint, Gangs, Job, JobPrefer, Level, Submit, Topology, Width};
pub use manifest::{Manifest, MetricName};
pub use metrics::{Metrics, MetricsPath, Outage, ServiceExporter};
pub use pool::{Pool, Racks, Spot, StandbyPool, StandbyState, StockOut};
pub use queue::{Flavor, Provisioning, Queue, WaitForPodsReady};
pub use range::{Factor, Length, OutOfRange, Share};
pub use service::{Client, Gateway, Llm, Plain, Requests, Routing, Service, SloLimits, TimeoutOn};
pub use sharing::{Dra, Hami, Loose, Mig, Replicas, Sharing};
pub use stack::Stack;

/// A whole scenario, as its file says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Short name.
    pub name: String,
    /// What it shows, in a sentence or two.
    pub about: String,
    /// Arrivals are taken until here; money and attainment count up to here.
    pub horizon: Length,
    /// After the horizon, requests get this long to finish.
    #[serde(default = "drain")]
    pub drain: Micros,
    /// Width of a timeline bin.
    #[serde(default = "bin")]
    pub bin: Length,
    /// The control plane's pace.
    #[serde(default)]
    pub control: Control,
    /// From exporter to policy.
    #[serde(default)]
    pub metrics: Metrics,
    /// Node pools, by name.
    pub pool: IndexMap<String, Pool>,
    /// Pods on every node, by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub daemon_set: IndexMap<String, DaemonSet>,
    /// Services, by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub service: IndexMap<String, Service>,
    /// Classes of jobs, by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub job: IndexMap<String, Job>,
    /// Kinds of nodes that quotas are given of, by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub flavor: IndexMap<String, Flavor>,
    /// Queues of jobs, by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub queue: IndexMap<String, Queue>,
    /// How long an admitted job may take to get all of its pods up; as long as it likes unless the table is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_for_pods_ready: Option<WaitForPodsReady>,
    /// Stacks of policies, in the order in which they are compared.
    pub stack: Vec<Stack>,
    /// What the metrics of manifests stand for, by the name or the query that the manifest has; needed only to read
    /// the manifests.
    #[serde(default, skip_serializing)]
    pub metric_map: IndexMap<String, MetricName>,
}

fn drain() -> Micros {
    Micros::from_mins(10)
}

fn bin() -> Length {
    Length::of(Micros::from_mins(1))
}
