//! What a run is made of, in the engine's own terms: checked, resolved, without file formats.

mod batch;
mod kueue;
mod pace;
mod shapes;

use crate::delay::Delay;
use crate::llm::{EngineSettings, StepModel};
use crate::random::Seed;
use contract::{Bytes, GpuModel, Instant, Metric, Micros, NodeShape, PodSpec, UsdPerHour};
use placement::device::DeviceOrder;
use placement::{Profile, Queue};
use std::sync::Arc;

pub use contract::{DisruptionBudget, IntOrPercent};

pub use batch::{BatchSpec, Checkpoint, GangScheduling, JobClassSpec, JobReach, Level};
pub use kueue::{FlavorSpec, KueueSpec, PodsReadySpec, ProvisioningSpec, QueueSpec};
pub use pace::{Pace, Paces};
pub(crate) use shapes::Shape;
pub use shapes::{Alternatives, ReplicaShape};

/// One run: a fleet, its services, its control plane, its luck.
#[derive(Clone, Debug)]
pub struct RunSpec {
    /// The run's luck.
    pub seed: Seed,
    /// Arrivals are taken until here.
    pub horizon: Micros,
    /// After the horizon, requests get this long to finish; what is left counts as unfinished.
    pub drain: Micros,
    /// Width of a timeline bin.
    pub bin: Micros,
    /// Node pools.
    pub pools: Vec<PoolSpec>,
    /// Services.
    pub services: Vec<ServiceSpec>,
    /// Jobs.
    pub batch: BatchSpec,
    /// The control plane's pace.
    pub control: ControlSpec,
    /// The metrics pipeline.
    pub metrics: MetricsSpec,
}

/// A pool of equal nodes.
#[derive(Clone, Debug)]
pub struct PoolSpec {
    /// Name in the scenario.
    pub name: Arc<str>,
    /// Instance type, as its provider names it.
    pub instance: Arc<str>,
    /// What one node offers.
    pub shape: Arc<NodeShape>,
    /// Price of one node.
    pub price: UsdPerHour,
    /// Zones with what the cloud has left there; nodes go to them in turn.
    pub zones: Vec<ZoneSpec>,
    /// What becomes of a launch when the cloud has none left.
    pub stock_out: StockOut,
    /// Never fewer.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// Ready at the start.
    pub initial: u32,
    /// Share of launches that come to nothing, 0 to 1.
    pub launch_failure: f64,
    /// Share of nodes whose accelerator never comes up, 0 to 1: they are billed, and hold no pod that needs one.
    pub accelerator_failure: f64,
    /// Spot capacity, if it is that.
    pub spot: Option<SpotSpec>,
    /// Instances that stand by, switched off.
    pub standby: Option<StandbySpec>,
    /// From request to a schedulable GPU.
    pub stages: NodeStages,
    /// How images and weights reach a node.
    pub data: DataPathSpec,
    /// What is billed at least; then by the second.
    pub billing_minimum: Micros,
    /// How GPUs behave that are divided among pods; whole ones have no use for it.
    pub division: DivisionSpec,
    /// How its nodes stand in racks and blocks; nowhere in particular unless given.
    pub racks: Option<RackSpec>,
}

/// How the nodes of a pool stand together: a new node takes the lowest place that is free. Neither number is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RackSpec {
    /// Nodes in a rack.
    pub nodes_per_rack: u32,
    /// Racks in a block.
    pub racks_per_block: u32,
}

/// How GPUs behave that are divided among pods; the way of dividing them is the shape's.
#[derive(Clone, Debug)]
pub struct DivisionSpec {
    /// From an order to cut an idle GPU anew until its instances can be had.
    pub repartition: Delay,
    /// Part of its throughput that a busy holder loses to each busy neighbour on its GPU, where the hardware does
    /// not keep them apart, 0 to 1.
    pub interference: f64,
    /// Which of a node's GPUs a part is taken from.
    pub order: DeviceOrder,
}

impl Default for DivisionSpec {
    /// Ideal: no time, no loss.
    fn default() -> Self {
        let repartition = Delay::Fixed(Micros::ZERO);
        Self { repartition, interference: 0.0, order: DeviceOrder::default() }
    }
}

/// A zone of a pool.
#[derive(Clone, Debug)]
pub struct ZoneSpec {
    /// Its name.
    pub name: Arc<str>,
    /// Nodes of this pool that the cloud can give here at most; `None` is no limit.
    pub stock: Option<u32>,
}

/// What becomes of a launch when the cloud has none left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StockOut {
    /// It is refused, after the time of a launch.
    #[default]
    Refused,
    /// It stands until the cloud has one again, or until whoever asked gives it up; nobody is told.
    Waits,
}

/// Reclaimable capacity.
#[derive(Clone, Debug)]
pub struct SpotSpec {
    /// Reclaims per node and hour.
    pub reclaims_per_hour: f64,
    /// Warning before the node goes.
    pub notice: Micros,
}

/// Instances that stand by, switched off: each new node resumes one of them while there is one. The cloud takes
/// stock for them only when they are resumed.
#[derive(Clone, Debug)]
pub struct StandbySpec {
    /// How many are kept.
    pub nodes: u32,
    /// Resume call to operating system up, in place of launch and boot.
    pub resume: Delay,
    /// From a booted instance with its accelerator to one that is prepared and off; billed as a running one.
    pub prepare: Delay,
    /// What one costs while it is off.
    pub holding: UsdPerHour,
    /// Memory survives (hibernated), and with it the page cache; otherwise disks alone do (stopped).
    pub keeps_memory: bool,
}

/// A node's start, stage by stage.
#[derive(Clone, Debug)]
pub struct NodeStages {
    /// Request to instance; also how long a refusal takes.
    pub launch: Delay,
    /// Instance to operating system up.
    pub boot: Delay,
    /// Kubelet registers, node ready.
    pub register: Delay,
    /// Driver and device plugin; GPUs allocatable.
    pub accelerator: Delay,
    /// Delete call to instance gone; billed.
    pub terminate: Delay,
}

/// How images and weights reach a node. A rate is drawn once per node and shared by what flows at once.
#[derive(Clone, Debug)]
pub struct DataPathSpec {
    /// Time per gigabyte of image, download and unpack.
    pub pull_per_gb: Delay,
    /// Time per gibibyte of weights on the first load on a node.
    pub weights_per_gib: Delay,
    /// Time per gibibyte of weights that the node's page cache already holds.
    pub cached_weights_per_gib: Delay,
    /// The image is in the machine image: nothing to pull.
    pub image_preloaded: bool,
}

/// A service.
#[derive(Clone, Debug)]
pub struct ServiceSpec {
    /// Name in the scenario.
    pub name: Arc<str>,
    /// What one replica asks of a node.
    pub pod: Arc<PodSpec>,
    /// Other shapes that a replica may have.
    pub alternatives: Alternatives,
    /// Replicas that are ready at the start, as far as the initial nodes hold them.
    pub initial: u32,
    /// What a replica does with a request.
    pub kind: ServiceKind,
    /// A replica's start on a node.
    pub startup: StartupSpec,
    /// What stands in front.
    pub gateway: GatewaySpec,
    /// What counts as in time.
    pub slo: Slo,
    /// How long a terminating replica may finish its work; then the rest is lost (and retried by clients).
    pub grace: Micros,
    /// Protects its pods: an eviction that breaks it is refused, and preemption keeps it as far as another place for
    /// the pod that evicts can be found.
    pub disruption_budget: Option<DisruptionBudget>,
}

/// What a replica does with a request.
#[derive(Clone, Debug)]
pub enum ServiceKind {
    /// Continuous batching on GPUs: one step model per GPU model that the pod accepts.
    Llm {
        /// By GPU model, in order of preference for reports only.
        variants: Vec<LlmVariant>,
    },
    /// A plain server.
    Plain {
        /// Time to serve one request on the reference GPU.
        service_time: Delay,
        /// Requests that one replica serves at once; more wait inside.
        concurrency: u32,
        /// How fast it serves on which GPU.
        paces: Paces,
    },
}

/// An LLM replica on one GPU model.
#[derive(Clone, Debug)]
pub struct LlmVariant {
    /// The GPU.
    pub gpu: GpuModel,
    /// Step times there.
    pub model: Arc<StepModel>,
    /// Batch and cache limits there.
    pub engine: EngineSettings,
}

/// A replica's start, once bound.
#[derive(Clone, Debug)]
pub struct StartupSpec {
    /// Image size, compressed.
    pub image: Bytes,
    /// Container start: runtime, imports.
    pub container: Delay,
    /// Weights to load.
    pub weights: Bytes,
    /// Engine initialisation.
    pub engine: Delay,
    /// From up to seen ready.
    pub probe: Delay,
}

/// A gateway: holds, routes, and the clients behind it.
#[derive(Clone, Debug)]
pub struct GatewaySpec {
    /// Which replica gets a request.
    pub routing: Routing,
    /// Age of the replica state that routing reads.
    pub routing_scrape: Micros,
    /// Requests held while no replica is ready; more are refused.
    pub queue_limit: u32,
    /// Clients give up after this long without (see `timeout_on`).
    pub timeout: Option<Micros>,
    /// What a client waits for.
    pub timeout_on: TimeoutOn,
    /// How often a client tries again after a time-out or a refusal.
    pub retries: u32,
    /// Wait before the first retry; doubles each time.
    pub retry_backoff: Micros,
}

/// What a client's time-out waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutOn {
    /// The first token.
    FirstToken,
    /// The whole response.
    Response,
}

/// How a gateway chooses a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// One after the other.
    RoundRobin,
    /// Fewest requests inside, as last scraped.
    LeastLoaded,
    /// The less loaded of two drawn at random, as last scraped.
    PowerOfTwo,
}

/// What counts as in time; a request attains its SLO if it keeps every limit that is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slo {
    /// Arrival to first token.
    pub ttft: Option<Micros>,
    /// Mean time per token after the first.
    pub tpot: Option<Micros>,
    /// Arrival to last token.
    pub e2e: Option<Micros>,
}

/// The control plane's pace.
#[derive(Clone, Debug)]
pub struct ControlSpec {
    /// From a replica count written to the pods created or told to go.
    pub actuation: Delay,
    /// One scheduling attempt.
    pub scheduling: Delay,
    /// What becomes of pods that did not fit.
    pub queue: Queue,
    /// Which of the nodes that fit is the best.
    pub profile: Profile,
    /// Which of equally good nodes.
    pub ties: Ties,
}

/// Which of several equally good nodes gets a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ties {
    /// The first that the search came to.
    #[default]
    First,
    /// One drawn at random, as kube-scheduler does.
    Random,
}

/// From exporter to policy: the paths that metrics take, and what gets lost on the way.
#[derive(Clone, Debug)]
pub struct MetricsSpec {
    /// The paths; at least one. The first carries every metric that no other names.
    pub paths: Vec<MetricsPath>,
    /// Who exports what is said of a whole service.
    pub service_exporter: ServiceExporter,
    /// Share of scrapes that fail, each by its own luck, 0 to 1.
    pub missing: f64,
    /// Times in which scrapes fail.
    pub outages: Vec<Outage>,
}

impl MetricsSpec {
    /// The place of the path that carries a metric.
    pub(crate) fn path_of(&self, metric: Metric) -> usize {
        let names_it = |path: &MetricsPath| path.metrics.contains(&metric);
        self.paths.iter().skip(1).position(names_it).map_or(0, |place| place + 1)
    }

    /// Whether an outage hides a metric from a scrape at `at`.
    pub(crate) fn hides(&self, metric: Metric, at: Instant) -> bool {
        self.outages.iter().any(|outage| outage.hides(metric, at))
    }
}

impl From<MetricsPath> for MetricsSpec {
    /// Everything takes one path, and nothing gets lost.
    fn from(path: MetricsPath) -> Self {
        let service_exporter = ServiceExporter::Gateway;
        Self { paths: vec![path], service_exporter, missing: 0.0, outages: Vec::new() }
    }
}

/// A path that metrics take: metrics-server, or Prometheus and an adapter.
#[derive(Clone, Debug)]
pub struct MetricsPath {
    /// What it carries; the first path carries the rest as well.
    pub metrics: Vec<Metric>,
    /// Between two scrapes of a target; each target has its own phase.
    pub scrape_interval: Micros,
    /// Between two evaluations of the rule whose result policies read; zero: they ask for the newest scrape.
    pub evaluation_interval: Micros,
    /// From a scrape (or the evaluation that uses it) to a policy that can read it.
    pub delay: Micros,
    /// Mean over the scrapes of this long; zero takes the newest alone.
    pub window: Micros,
}

impl MetricsPath {
    /// The latest time of a scrape that a reader can know of at `now`; `None` while nothing can have arrived.
    pub(crate) fn known_until(&self, now: Instant) -> Option<Instant> {
        let arrived = now.0.checked_sub(self.delay.0)?;
        let since_evaluation = arrived.checked_rem(self.evaluation_interval.0).unwrap_or(0);
        Some(Instant(arrived - since_evaluation))
    }
}

/// Who exports what is said of a whole service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceExporter {
    /// The gateway, which is always there and sees every request.
    Gateway,
    /// The replicas: queue length and requests in flight are sums over what they hold. The gateway's own queue
    /// and the arrival rate do not exist, and without a replica nothing does.
    Replicas,
}

/// A time in which scrapes fail. A failed scrape hides older ones, as Prometheus marks a series stale; only a
/// window still reaches back to them.
#[derive(Clone, Debug)]
pub struct Outage {
    /// Its first moment.
    pub from: Instant,
    /// The first moment after it.
    pub until: Instant,
    /// What is hidden; empty hides everything.
    pub metrics: Vec<Metric>,
}

impl Outage {
    fn hides(&self, metric: Metric, at: Instant) -> bool {
        let concerned = self.metrics.is_empty() || self.metrics.contains(&metric);
        concerned && self.from <= at && at < self.until
    }
}
