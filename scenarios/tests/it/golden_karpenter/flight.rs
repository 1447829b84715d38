//! The same run in the engine: the recorded pools and pods, nodes that take as long as they took, and a scheduler
//! that places pods by its own rules.

use super::recording::{Machine, Node, PodText, Step, bytes, seconds};
use contract::{
    Action, Bytes, Cadence, Constraints, Decision, GpuModel, MilliCpu, NodeId, NodeSeen, NodeShape,
    NodeStage, Observation, Plan, PodSpec, Policy, Reason, Resources, Selector, ServiceId,
    StateError, TopologySpread, UsdPerHour,
};
use policies::NodePolicy;
use policies::karpenter::Settings;
use policies::karpenter::catalog::{INSTANCE_CPU_KEY, INSTANCE_MEMORY_KEY};
use policies::karpenter::requirements::{CAPACITY_TYPE_KEY, INSTANCE_TYPE_KEY};
use sim_core::delay::Delay;
use sim_core::random::{Seed, Stream};
use sim_core::spec::{
    ControlSpec, DataPathSpec, DivisionSpec, GatewaySpec, MetricsPath, MetricsSpec, NodeStages,
    PoolSpec, Routing, RunSpec, ServiceKind, ServiceSpec, Slo, SpotSpec, StartupSpec, StockOut,
    TimeoutOn, ZoneSpec,
};
use sim_core::{Arrival, Recorder};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The label by which the recordings' pods and pools ask for a family.
const FAMILY_KEY: &str = "karpenter.kwok.sh/instance-family";

/// Pods of deployments come about so far apart.
const APART_S: f64 = 0.02;

/// A node that was launched: when, for how many pods, out of how many types, and what it became.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(super) struct Launched {
    pub(super) pods: u32,
    pub(super) types: u32,
    /// Type and capacity type.
    pub(super) kind: String,
    pub(super) at: f64,
}

/// What is to be flown.
pub(super) struct Script<'a> {
    pub(super) settings: Settings,
    pub(super) steps: &'a [Step],
    pub(super) observed_s: f64,
    /// The luck of the run: how long nodes take to register, which of equally good nodes gets a pod, and, if it is
    /// odd, the order in which the pods of deployments come that are created at once.
    pub(super) luck: u64,
    /// The policy is made anew before each of its looks, from what it saved after the last one.
    pub(super) restarts: bool,
}

/// What came of a run.
#[derive(Default)]
pub(super) struct Flight {
    /// Every plan of Karpenter's that asks for something or says why not.
    pub(super) plans: Vec<String>,
    pub(super) launched: Vec<Launched>,
    /// Nodes that were asked to go, when, and why.
    pub(super) removed: Vec<(f64, String, String)>,
    /// When each node was ready.
    pub(super) ready: BTreeMap<NodeId, f64>,
    /// Nodes with their pods before each scale-down, and at the end.
    pub(super) before: Vec<Vec<Node>>,
    pub(super) left: Vec<Node>,
}

impl Flight {
    /// Nodes at the end.
    pub(super) fn kinds_left(&self) -> BTreeMap<String, u32> {
        let mut kinds = BTreeMap::new();
        for node in &self.left {
            *kinds.entry(node.kind.clone()).or_default() += 1;
        }
        kinds
    }
}

/// Flies a script.
pub(super) fn fly(script: &Script<'_>, machines: &[Machine]) -> Result<Flight, String> {
    let mut writer = Writer::of(script.steps)?;
    if script.luck % 2 == 1 {
        writer.mix(&mut Seed { seed: script.luck, run: 0 }.stream("order-of-pods", 0));
    }
    let pools = pools(machines);
    let kinds = pools.iter().map(|pool| pool.name.to_string()).collect();
    let services: Vec<_> = writer.pods.iter().map(service).collect();
    let apps = writer.pods.iter().map(|pod| pod.app.clone()).collect();
    let none = || Box::new(std::iter::empty::<Arrival>()) as Box<dyn sim_core::ArrivalSource>;
    let arrivals: Vec<_> = services.iter().map(|_| none()).collect();
    let mut log = Log { kinds, apps, flight: Flight::default() };
    let karpenter = NodePolicy::Karpenter(Box::new(script.settings.clone()));
    let karpenter: Box<dyn Policy> = if script.restarts {
        Box::new(Restarting { policy: karpenter.build(), made: karpenter })
    } else {
        karpenter.build()
    };
    let spec = spec(script, pools, services);
    sim_core::run(spec, arrivals, vec![Box::new(writer), karpenter], &mut log)
        .map_err(|error| error.to_string())?;
    Ok(log.flight)
}

/// Sets the recorded counts of pods, one service an app.
struct Writer {
    pods: Vec<PodText>,
    /// When which service gets how many pods.
    writes: Vec<(contract::Instant, ServiceId, u32)>,
    done: usize,
    now: contract::Instant,
}

impl Writer {
    fn of(steps: &[Step]) -> Result<Self, String> {
        let mut writer =
            Self { pods: Vec::new(), writes: Vec::new(), done: 0, now: contract::Instant::ZERO };
        for step in steps {
            let count = match step.action.as_str() {
                "create_pods" | "create_deployment" => step.count.unwrap_or(1),
                "create_pod" => step.index.unwrap_or(0) + 1,
                "scale_deployment" => step.replicas.unwrap_or(0),
                other => return Err(format!("action `{other}` is not modelled")),
            };
            let app = step.pod.as_ref().map(|pod| &pod.app).or(step.app.as_ref());
            let app = app.ok_or("a step without an app")?;
            let known = writer.pods.iter().position(|pod| pod.app == *app);
            let place = match (known, &step.pod) {
                (Some(place), _) => place,
                (None, Some(pod)) => {
                    writer.pods.push(pod.clone());
                    writer.pods.len() - 1
                }
                (None, None) => return Err(format!("app `{app}` is scaled before it is there")),
            };
            let service = ServiceId(u32::try_from(place).expect("few apps"));
            writer.writes.push((contract::Instant(seconds(step.t).0), service, count));
        }
        Ok(writer)
    }

    /// Deployments that are created at once get their pods one by one, in any order.
    fn mix(&mut self, luck: &mut Stream) {
        let at = self.writes.first().map_or(contract::Instant::ZERO, |write| write.0);
        let later = self.writes.partition_point(|write| write.0 <= at);
        let first = self.writes.drain(..later);
        let mut pods: Vec<_> = first
            .flat_map(|(_, service, count)| std::iter::repeat_n(service, count as usize))
            .collect();
        for place in (1..pods.len()).rev() {
            let other = luck.below(u32::try_from(place + 1).expect("few pods"));
            pods.swap(place, other as usize);
        }
        let mut counts: BTreeMap<ServiceId, u32> = BTreeMap::new();
        let mut write = |(place, service): (usize, ServiceId)| {
            let count = counts.entry(service).or_default();
            *count += 1;
            #[expect(clippy::cast_precision_loss, reason = "few pods")]
            let at = at + seconds(place as f64 * APART_S);
            (at, service, *count)
        };
        let writes: Vec<_> = pods.into_iter().enumerate().map(&mut write).collect();
        self.writes.splice(..0, writes);
    }
}

impl Policy for Writer {
    fn name(&self) -> &'static str {
        "script"
    }

    fn cadence(&self) -> Cadence {
        let next = self.writes.get(self.done).map_or(contract::Instant::FAR, |write| write.0);
        let first = self.writes.first().map_or(contract::Instant::FAR, |write| write.0);
        let first = first.since(contract::Instant::ZERO);
        Cadence::regular(next.since(self.now).max(contract::Micros(1)), first)
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        self.now = seen.now;
        while let Some(&(at, service, replicas)) = self.writes.get(self.done) {
            if seen.now < at {
                return;
            }
            self.done += 1;
            plan.act(Action::SetReplicas { service, replicas }, Reason::new("scripted"));
        }
    }

    fn save(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn restore(&mut self, _: serde_json::Value) -> Result<(), StateError> {
        Ok(())
    }
}

/// A policy that begins anew before each look.
struct Restarting {
    made: NodePolicy,
    policy: Box<dyn Policy>,
}

impl Policy for Restarting {
    fn name(&self) -> &'static str {
        "karpenter"
    }

    fn cadence(&self) -> Cadence {
        self.policy.cadence()
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        let saved = self.policy.save().to_string();
        self.policy = self.made.build();
        self.policy.restore(serde_json::from_str(&saved).expect("JSON")).expect("its own state");
        self.policy.decide(seen, plan);
    }

    fn save(&self) -> serde_json::Value {
        self.policy.save()
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), StateError> {
        self.policy.restore(state)
    }
}

/// Everything that was launched and removed.
struct Log {
    kinds: Vec<String>,
    apps: Vec<String>,
    flight: Flight,
}

impl Log {
    fn nodes(&self, seen: &Observation<'_>) -> Vec<Node> {
        let staying = seen.nodes.iter().filter(|node| node.stage < NodeStage::Draining);
        let described = |node: &NodeSeen| {
            let mut pods: BTreeMap<String, u32> = BTreeMap::new();
            for service in node.pods.iter().filter_map(|pod| pod.owner.service()) {
                *pods.entry(self.apps[service.index()].clone()).or_default() += 1;
            }
            Node { kind: self.kinds[node.pool.index()].clone(), pods }
        };
        let mut nodes: Vec<_> = staying.map(described).collect();
        nodes.sort();
        nodes
    }

    fn note(&mut self, decision: &Decision, seen: &Observation<'_>) {
        let at = seen.now.as_secs_f64();
        match &decision.action {
            Some(Action::AddNodesIn { pool, .. }) => {
                let launched = Launched {
                    pods: number(&decision.reason, "pods"),
                    types: number(&decision.reason, "types"),
                    kind: self.kinds[pool.index()].clone(),
                    at,
                };
                self.flight.launched.push(launched);
            }
            Some(Action::Drain { node } | Action::Delete { node }) => {
                let place = seen.nodes.binary_search_by_key(node, |node| node.id);
                let node = &seen.nodes[place.expect("a node that is there")];
                let kind = self.kinds[node.pool.index()].clone();
                self.flight.removed.push((at, kind, decision.reason.words.to_string()));
            }
            Some(Action::SetReplicas { service, replicas })
                if *replicas < seen.services[service.index()].replicas_wanted =>
            {
                let nodes = self.nodes(seen);
                self.flight.before.push(nodes);
            }
            _ => {}
        }
    }
}

impl Recorder for Log {
    fn turn(&mut self, name: &str, seen: &Observation<'_>, plan: &Plan) {
        if name == "karpenter" && !plan.decisions().is_empty() {
            self.flight.plans.push(format!("{}: {plan}", seen.now));
        }
        for decision in plan.decisions() {
            self.note(decision, seen);
        }
        for node in seen.nodes.iter().filter(|node| node.stage == NodeStage::Ready) {
            self.flight.ready.entry(node.id).or_insert(node.since.as_secs_f64());
        }
        self.flight.left = self.nodes(seen);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small count that was written as a number of a reason"
)]
fn number(reason: &Reason, name: &str) -> u32 {
    let found = reason.numbers.iter().find(|(known, _)| known == name);
    found.map_or(0, |(_, value)| *value as u32)
}

fn fixed(length: f64) -> Delay {
    Delay::Fixed(seconds(length))
}

/// Every machine on demand and, where it has a price, as spot capacity.
fn pools(machines: &[Machine]) -> Vec<PoolSpec> {
    let mut pools = Vec::new();
    for machine in machines {
        pools.push(pool(machine, "on-demand", machine.od_usd_per_hour));
        pools.extend(machine.spot_usd_per_hour.map(|price| pool(machine, "spot", price)));
    }
    pools
}

fn pool(machine: &Machine, capacity_type: &str, price: f64) -> PoolSpec {
    let allocatable = Resources {
        cpu: MilliCpu(machine.allocatable.cpu_m),
        memory: Bytes(machine.allocatable.memory_mib << 20),
        gpus: machine.allocatable.gpus,
    };
    let labels = [
        (INSTANCE_TYPE_KEY, machine.r#type.clone()),
        (FAMILY_KEY, machine.family.clone()),
        (CAPACITY_TYPE_KEY, capacity_type.to_owned()),
        (INSTANCE_CPU_KEY, machine.vcpu.to_string()),
        (INSTANCE_MEMORY_KEY, (machine.mem_gib << 10).to_string()),
    ];
    let zone = |name: &String| ZoneSpec { name: name.as_str().into(), stock: None };
    PoolSpec {
        name: format!("{}/{capacity_type}", machine.r#type).into(),
        instance: machine.r#type.as_str().into(),
        shape: Arc::new(NodeShape {
            allocatable,
            gpu: (allocatable.gpus > 0).then(|| GpuModel(machine.family.as_str().into())),
            labels: labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            pod_limit: machine.allocatable.pods,
            ..NodeShape::default()
        }),
        price: UsdPerHour(price),
        zones: machine.zones.iter().map(zone).collect(),
        stock_out: StockOut::default(),
        min: 0,
        max: 1000,
        initial: 0,
        launch_failure: 0.0,
        accelerator_failure: 0.0,
        division: DivisionSpec::default(),
        racks: None,
        standby: None,
        spot: (capacity_type == "spot")
            .then(|| SpotSpec { reclaims_per_hour: 0.0, notice: seconds(120.0) }),
        // Medians of the recordings' README: launched after 0.3 s, the node after 6.2 s, registered 0.3 s later (give or
        // take), initialised 1.1 s after that; gone 5.2 s after the delete call.
        stages: NodeStages {
            launch: fixed(0.3),
            boot: fixed(5.9),
            register: Delay::Uniform { low: seconds(0.1), high: seconds(0.5) },
            accelerator: fixed(1.1),
            terminate: fixed(5.2),
        },
        data: DataPathSpec {
            pull_per_gb: fixed(0.0),
            weights_per_gib: fixed(0.0),
            cached_weights_per_gib: fixed(0.0),
            image_preloaded: true,
        },
        billing_minimum: seconds(0.0),
    }
}

fn service(pod: &PodText) -> ServiceSpec {
    let spread = pod.topology_spread.as_ref().map(|spread| TopologySpread {
        max_skew: spread.max_skew,
        min_domains: 1,
        topology_key: spread.key.clone(),
        selector: Selector::of_labels([("app", pod.app.as_str())]),
    });
    let constraints = Constraints {
        labels: BTreeMap::from([("app".to_owned(), pod.app.clone())]),
        topology_spread: spread.into_iter().collect(),
        ..Constraints::default()
    };
    let spec = PodSpec {
        requests: Resources {
            cpu: pod.cpu.parse().expect("cores"),
            memory: bytes(&pod.memory),
            gpus: pod.gpus,
        },
        node_selector: pod.node_selector.clone(),
        constraints: Some(Arc::new(constraints)),
        eviction: pod.eviction(),
        ..PodSpec::default()
    };
    ServiceSpec {
        alternatives: sim_core::spec::Alternatives::default(),
        name: pod.app.as_str().into(),
        pod: Arc::new(spec),
        initial: 0,
        kind: ServiceKind::Plain {
            service_time: fixed(1.0),
            concurrency: 1,
            paces: sim_core::spec::Paces::default(),
        },
        startup: StartupSpec {
            image: Bytes(0),
            container: fixed(0.0),
            weights: Bytes(0),
            engine: fixed(0.0),
            // The recordings' stand-in for a kubelet reports a pod ready a second after it was bound.
            probe: fixed(1.0),
        },
        gateway: GatewaySpec {
            routing: Routing::RoundRobin,
            routing_scrape: seconds(0.0),
            queue_limit: 0,
            timeout: None,
            timeout_on: TimeoutOn::Response,
            retries: 0,
            retry_backoff: seconds(0.0),
        },
        slo: Slo::default(),
        grace: seconds(0.2),
        disruption_budget: None,
    }
}

fn spec(script: &Script<'_>, pools: Vec<PoolSpec>, services: Vec<ServiceSpec>) -> RunSpec {
    RunSpec {
        seed: Seed { seed: script.luck, run: 0 },
        horizon: seconds(script.observed_s),
        drain: seconds(0.0),
        bin: seconds(60.0),
        pools,
        services,
        batch: sim_core::spec::BatchSpec::default(),
        control: ControlSpec {
            actuation: fixed(0.1),
            // Long enough for nodes that come up together to be seen together.
            scheduling: fixed(0.05),
            queue: placement::Queue::default(),
            profile: placement::Profile::default(),
            ties: sim_core::spec::Ties::Random,
        },
        metrics: MetricsSpec::from(MetricsPath {
            metrics: Vec::new(),
            scrape_interval: seconds(15.0),
            evaluation_interval: seconds(0.0),
            delay: seconds(0.0),
            window: seconds(0.0),
        }),
    }
}
