//! The recording's cloud, cluster and script in the engine.

use super::provider::Provider;
use super::recording::{Asked, Drain, Group, Order, Protection, Removal, Run, Step};
use contract::{
    Action, Bytes, Cadence, GpuModel, Instant, Micros, MilliCpu, NodeId, NodeShape, Observation,
    Plan, PodSpec, Policy, PoolId, Reason, Resources, ServiceId, StateError, UsdPerHour,
};
use policies::NodePolicy;
use policies::cluster_autoscaler::Settings;
use sim_core::delay::Delay;
use sim_core::random::Seed;
use sim_core::spec::{
    BatchSpec, ControlSpec, DataPathSpec, DivisionSpec, GatewaySpec, MetricsPath, MetricsSpec,
    NodeStages, PoolSpec, Routing, RunSpec, ServiceKind, ServiceSpec, Slo, StartupSpec, StockOut,
    TimeoutOn, ZoneSpec,
};
use sim_core::{Arrival, Recorder};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// The script begins so long after the run: the recorded autoscalers had idled for three loops.
const START_S: f64 = 10.0;

/// From a count that is written to its pods (README of the recordings: below 0.1 s).
const ACTUATION_S: f64 = 0.05;

/// From registered to ready (the same: 0.7 s in the median).
const READY_S: f64 = 0.7;

/// From the last eviction to the deletion of the instance: the real one looks every 5 s.
const EVICTION_POLL_S: f64 = 5.0;

/// Luck of a flight, and how often its autoscaler is restarted.
#[derive(Clone, Copy)]
pub(super) struct Flight {
    /// Of pods' names, which decide who goes first, and of the autoscaler's own choices.
    pub(super) luck: u32,
    /// Before every loop the autoscaler gives way to a fresh one that knows its saved state.
    pub(super) restarts: bool,
}

/// What our own autoscaler asks for in the recording's place.
pub(super) fn fly(run: &Run, flight: Flight) -> Asked {
    fly_with(run, run.settings(flight.luck.into()), flight)
}

/// The same with other settings.
pub(super) fn fly_with(run: &Run, settings: Settings, flight: Flight) -> Asked {
    let policy = NodePolicy::ClusterAutoscaler(Box::new(settings));
    let pools: Vec<_> = run.groups.iter().map(|group| &*group.id).collect();
    policy.validate(&pools).expect("the flags of a run that took place");
    let controllers = run.controllers();
    let names: Vec<_> = controllers.keys().copied().collect();
    let mut log = Log { groups: &run.groups, asked: Asked::default() };
    let none = || Box::new(std::iter::empty::<Arrival>()) as Box<dyn sim_core::ArrivalSource>;
    let provider = Provider::new(policy, flight.restarts, budgets(run, &names));
    sim_core::run(
        spec(run, &controllers, flight.luck),
        controllers.iter().map(|_| none()).collect::<Vec<_>>(),
        vec![Box::new(Script::new(&controllers)), Box::new(provider)],
        &mut log,
    )
    .expect("no source fails");
    log.asked
}

/// Disruption budgets by service, with the time for which each is there.
fn budgets(run: &Run, names: &[&str]) -> Vec<(ServiceId, u32, Range<Instant>)> {
    let place = |name: &str| names.iter().position(|known| *known == name);
    let budget = |own: Protection<'_>| {
        let place = u32::try_from(place(own.controller)?).ok()?;
        let until = if own.until.is_finite() { moment(own.until) } else { Instant::FAR };
        Some((ServiceId(place), own.min_available, moment(own.from)..until))
    };
    run.protections().into_iter().filter_map(budget).collect()
}

/// Writes the counts of the script at their times.
struct Script {
    steps: Vec<(Instant, ServiceId, u32)>,
    now: Instant,
}

impl Script {
    fn new(controllers: &BTreeMap<&str, Vec<&Step>>) -> Self {
        let of_service = |(service, steps): (u32, &Vec<&Step>)| -> Vec<_> {
            let count = |step: &&Step| (moment(step.at), ServiceId(service), step.n);
            steps.iter().map(count).collect()
        };
        let mut steps: Vec<_> = (0..).zip(controllers.values()).flat_map(of_service).collect();
        steps.sort();
        Self { steps, now: Instant::ZERO }
    }
}

impl Policy for Script {
    fn name(&self) -> &'static str {
        "script"
    }

    fn cadence(&self) -> Cadence {
        let next = self.steps.iter().map(|step| step.0).find(|at| *at > self.now);
        let every = next.unwrap_or(Instant::FAR).since(self.now);
        Cadence::regular(every, every)
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        self.now = seen.now;
        for &(_, service, replicas) in self.steps.iter().filter(|step| step.0 == seen.now) {
            plan.act(Action::SetReplicas { service, replicas }, Reason::new("script"));
        }
    }

    fn save(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn restore(&mut self, _: serde_json::Value) -> Result<(), StateError> {
        Ok(())
    }
}

fn moment(second: f64) -> Instant {
    Instant::ZERO + Micros::from_secs_f64(START_S + second)
}

/// Everything that the autoscaler asks for, in seconds of the script.
struct Log<'a> {
    groups: &'a [Group],
    asked: Asked,
}

impl Log<'_> {
    fn removed(&mut self, seen: &Observation<'_>, node: NodeId, at: f64) {
        let node = seen.nodes.iter().find(|seen| seen.id == node).expect("a node that is seen");
        let group = self.groups[node.pool.index()].id.clone();
        self.asked.removals.push(Removal { at, group });
    }
}

impl Recorder for Log<'_> {
    fn turn(&mut self, _: &str, seen: &Observation<'_>, plan: &Plan) {
        let now = seen.now.as_secs_f64() - START_S;
        for decision in plan.decisions() {
            match decision.action {
                Some(Action::AddNodes { pool: PoolId(pool), count }) => {
                    let group = self.groups[pool as usize].id.clone();
                    self.asked.orders.push(Order { at: now, group, count });
                }
                Some(Action::Retire { node, after }) => {
                    let drained = seen.nodes.iter().find(|seen| seen.id == node);
                    let drained = drained.filter(|node| !node.pods.is_empty());
                    let drain = drained.map(|node| Drain { at: now, gpus: node.used.gpus });
                    self.asked.drains.extend(drain);
                    let poll = if drain.is_some() { EVICTION_POLL_S } else { 0.0 };
                    self.removed(seen, node, now + after.as_secs_f64() + poll);
                }
                Some(Action::Delete { node }) => self.removed(seen, node, now),
                _ => {}
            }
        }
    }
}

fn seconds(seconds: f64) -> Delay {
    Delay::Fixed(Micros::from_secs_f64(seconds))
}

fn spec(run: &Run, controllers: &BTreeMap<&str, Vec<&Step>>, luck: u32) -> RunSpec {
    let services = controllers.iter().map(|(name, steps)| service(name, steps[0]));
    RunSpec {
        seed: Seed { seed: 1, run: luck },
        horizon: Micros::from_secs_f64(START_S + run.duration_s),
        drain: Micros::ZERO,
        bin: Micros::from_mins(1),
        pools: run.groups.iter().map(pool).collect(),
        services: services.collect(),
        batch: BatchSpec::default(),
        control: ControlSpec {
            actuation: seconds(ACTUATION_S),
            scheduling: seconds(0.0),
            queue: placement::Queue::default(),
            profile: placement::Profile::default(),
            ties: sim_core::spec::Ties::Random,
        },
        metrics: MetricsSpec::from(MetricsPath {
            metrics: Vec::new(),
            scrape_interval: Micros::from_secs(15),
            evaluation_interval: Micros::ZERO,
            delay: Micros::ZERO,
            window: Micros::ZERO,
        }),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small count of millicores"
)]
fn amounts(cpu: f64, memory: &str, gpus: u32) -> Resources {
    let cpu = MilliCpu((cpu * 1000.0).round() as u64);
    let gib = memory.strip_suffix("Gi").and_then(|gib| gib.parse().ok());
    Resources { cpu, memory: Bytes::from_gib(gib.expect("memory in Gi")), gpus }
}

fn pool(group: &Group) -> PoolSpec {
    let cpu = group.cpu.parse().expect("cores");
    let labels = BTreeMap::from([("pool".to_owned(), group.id.clone())]);
    let shape = NodeShape {
        allocatable: amounts(cpu, &group.mem, group.gpus),
        gpu: (group.gpus > 0).then(|| GpuModel(group.id.as_str().into())),
        labels,
        pod_limit: 110,
        ..NodeShape::default()
    };
    let failing = group.fail.is_some();
    PoolSpec {
        name: group.id.as_str().into(),
        instance: "fake".into(),
        shape: Arc::new(shape),
        price: UsdPerHour(group.price),
        zones: vec![ZoneSpec { name: group.zone.as_str().into(), stock: failing.then_some(0) }],
        stock_out: StockOut::default(),
        min: group.min,
        max: group.max,
        initial: 0,
        launch_failure: 0.0,
        accelerator_failure: 0.0,
        spot: None,
        standby: None,
        stages: NodeStages {
            launch: seconds(group.fail_after_ms / 1000.0),
            boot: seconds(group.boot_ms / 1000.0),
            register: seconds(READY_S),
            accelerator: seconds(0.0),
            terminate: seconds(0.0),
        },
        data: DataPathSpec {
            pull_per_gb: seconds(0.0),
            weights_per_gib: seconds(0.0),
            cached_weights_per_gib: seconds(0.0),
            image_preloaded: true,
        },
        billing_minimum: Micros::ZERO,
        division: DivisionSpec::default(),
        racks: None,
    }
}

fn service(name: &str, first: &Step) -> ServiceSpec {
    let requests = amounts(first.cpu, &first.mem, first.gpu);
    ServiceSpec {
        alternatives: sim_core::spec::Alternatives::default(),
        name: name.into(),
        pod: Arc::new(PodSpec { requests, ..PodSpec::default() }),
        initial: 0,
        kind: ServiceKind::Plain {
            service_time: seconds(1.0),
            concurrency: 1,
            paces: sim_core::spec::Paces::default(),
        },
        startup: StartupSpec {
            image: Bytes(0),
            container: seconds(1.0),
            weights: Bytes(0),
            engine: seconds(0.0),
            probe: seconds(0.0),
        },
        gateway: GatewaySpec {
            routing: Routing::RoundRobin,
            routing_scrape: Micros::ZERO,
            queue_limit: 0,
            timeout: None,
            timeout_on: TimeoutOn::Response,
            retries: 0,
            retry_backoff: Micros::ZERO,
        },
        slo: Slo::default(),
        grace: Micros::ZERO,
        disruption_budget: None,
    }
}
