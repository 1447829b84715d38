//! A whole run in the engine, told only how the metrics moved: syncs at phases of our own, pods that the engine
//! creates, places and makes ready.
//!
//! The metrics are external ones. Their API was asked at each sync and answered with the value of that moment,
//! so the policy's samples are put in at its turns; everything else that it sees is the engine's.

use super::recording::{Change, Run, SYNC_S, instant, samples};
use contract::{
    Action, Bytes, Cadence, Instant, Micros, MilliCpu, NodeShape, Observation, Plan, PodSpec,
    Policy, Reason, Resources, ServiceId, StateError, UsdPerHour,
};
use sim_core::delay::Delay;
use sim_core::random::Seed;
use sim_core::spec::{
    BatchSpec, ControlSpec, DataPathSpec, DivisionSpec, GatewaySpec, MetricsPath, MetricsSpec,
    NodeStages, PoolSpec, Routing, RunSpec, ServiceKind, ServiceSpec, Slo, StartupSpec, StockOut,
    TimeoutOn, ZoneSpec,
};
use sim_core::{Arrival, ArrivalSource, Recorder};
use std::sync::Arc;

/// From a written count to the pods (README of the recordings: 0.11 s in the median).
const ACTUATION_S: f64 = 0.11;

/// Pods were ready a little later than scripted (the same: 0.09 s in the median).
const READY_LATE_S: f64 = 0.09;

/// From a restart of the controller to its first look (the same: 18.0 to 19.2 s).
const RESTART_S: f64 = 18.6;

/// Every count in turn and when it was written, by a controller that looks at these seconds.
pub(super) fn fly(run: &Arc<Run>, looks: &[f64]) -> Vec<Change> {
    let controller = Controller {
        run: run.clone(),
        hpa: run.policy(),
        turns: Turns::new(looks.iter().copied()),
        restart: run.controller_restart_t.map(instant),
    };
    let writes = run.external_writes.clone();
    let somebody = Somebody { turns: Turns::new(writes.iter().map(|&(at, _)| at)), writes };
    let mut log = Log(vec![(0.0, run.initial_replicas)]);
    let no_arrivals: Box<dyn ArrivalSource> = Box::new(std::iter::empty::<Arrival>());
    sim_core::run(
        spec(run),
        vec![no_arrivals],
        vec![Box::new(controller), Box::new(somebody)],
        &mut log,
    )
    .expect("no source fails");
    log.0
}

/// When our own controller looks: every sync period from the creation of the HPA; a restart begins anew.
pub(super) fn own_looks(run: &Run) -> Vec<f64> {
    let every = |from: f64, to: f64| {
        let looks = std::iter::successors(Some(from), |at| Some(at + SYNC_S));
        looks.take_while(move |at| *at < to)
    };
    let first = run.hpa_created_t + SYNC_S;
    match run.controller_restart_t {
        None => every(first, run.length_s).collect(),
        Some(restart) => {
            every(first, restart).chain(every(restart + RESTART_S, run.length_s)).collect()
        }
    }
}

/// Moments at which a policy is to be asked.
struct Turns {
    at: std::vec::IntoIter<Instant>,
    now: Instant,
}

impl Turns {
    fn new(seconds: impl Iterator<Item = f64>) -> Self {
        let at = seconds.map(instant).collect::<Vec<_>>().into_iter();
        Self { at, now: Instant::ZERO }
    }

    fn begin(&mut self, now: Instant) {
        self.now = now;
        while self.at.as_slice().first().is_some_and(|at| *at <= now) {
            self.at.next();
        }
    }

    fn cadence(&self) -> Cadence {
        let next = self.at.as_slice().first().copied().unwrap_or(Instant::FAR);
        let every = next.since(self.now);
        Cadence::regular(every, every)
    }
}

/// The HPA, which reads the scripted metrics.
struct Controller {
    run: Arc<Run>,
    hpa: Box<dyn Policy>,
    turns: Turns,
    restart: Option<Instant>,
}

impl Policy for Controller {
    fn name(&self) -> &'static str {
        "controller"
    }

    fn cadence(&self) -> Cadence {
        self.turns.cadence()
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        self.turns.begin(seen.now);
        if self.restart.take_if(|at| *at <= seen.now).is_some() {
            self.hpa = self.run.restarted(&*self.hpa);
        }
        let mut services = seen.services.to_vec();
        services[0].samples = samples(self.run.metrics_at(seen.now.as_secs_f64()), seen.now);
        self.hpa.decide(&Observation { services: &services, ..*seen }, plan);
    }

    fn save(&self) -> serde_json::Value {
        self.hpa.save()
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), StateError> {
        self.hpa.restore(state)
    }
}

/// Somebody who writes counts by hand.
struct Somebody {
    turns: Turns,
    writes: Vec<Change>,
}

impl Policy for Somebody {
    fn name(&self) -> &'static str {
        "somebody"
    }

    fn cadence(&self) -> Cadence {
        self.turns.cadence()
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        self.turns.begin(seen.now);
        for &(_, replicas) in self.writes.iter().filter(|(at, _)| instant(*at) == seen.now) {
            let action = Action::SetReplicas { service: ServiceId(0), replicas };
            plan.act(action, Reason::new("written by hand"));
        }
    }

    fn save(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn restore(&mut self, _: serde_json::Value) -> Result<(), StateError> {
        Ok(())
    }
}

/// Every count that was written.
struct Log(Vec<Change>);

impl Recorder for Log {
    fn turn(&mut self, _: &str, seen: &Observation<'_>, plan: &Plan) {
        for decision in plan.decisions() {
            if let Some(Action::SetReplicas { replicas, .. }) = decision.action {
                self.0.push((seen.now.as_secs_f64(), replicas));
            }
        }
    }
}

/// Two nodes with room for all pods, or none where pods were to stay pending; nothing but the scripted delays
/// takes time.
fn spec(run: &Run) -> RunSpec {
    RunSpec {
        seed: Seed { seed: 1, run: 0 },
        horizon: Micros::from_secs_f64(run.length_s),
        drain: Micros::ZERO,
        bin: Micros::from_mins(1),
        pools: vec![pool(if run.pod_ready_delay_s.is_some() { 2 } else { 0 })],
        services: vec![service(run)],
        batch: BatchSpec::default(),
        control: ControlSpec {
            actuation: seconds(ACTUATION_S),
            scheduling: seconds(0.0),
            queue: placement::Queue::default(),
            profile: placement::Profile::default(),
            ties: sim_core::spec::Ties::First,
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

fn seconds(seconds: f64) -> Delay {
    Delay::Fixed(Micros::from_secs_f64(seconds))
}

fn pool(nodes: u32) -> PoolSpec {
    let allocatable = Resources { cpu: MilliCpu(64_000), memory: Bytes::from_gib(256), gpus: 0 };
    PoolSpec {
        name: "nodes".into(),
        instance: "fake".into(),
        shape: Arc::new(NodeShape { allocatable, pod_limit: 110, ..NodeShape::default() }),
        price: UsdPerHour(0.0),
        zones: vec![ZoneSpec { name: "a".into(), stock: None }],
        stock_out: StockOut::default(),
        min: nodes,
        max: nodes,
        initial: nodes,
        launch_failure: 0.0,
        accelerator_failure: 0.0,
        spot: None,
        standby: None,
        stages: NodeStages {
            launch: seconds(0.0),
            boot: seconds(0.0),
            register: seconds(0.0),
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

fn service(run: &Run) -> ServiceSpec {
    let requests = Resources { cpu: MilliCpu(100), memory: Bytes::from_gib(1), gpus: 0 };
    ServiceSpec {
        alternatives: sim_core::spec::Alternatives::default(),
        name: run.id.as_str().into(),
        pod: Arc::new(PodSpec { requests, ..PodSpec::default() }),
        initial: run.initial_replicas,
        kind: ServiceKind::Plain {
            service_time: seconds(1.0),
            concurrency: 1,
            paces: sim_core::spec::Paces::default(),
        },
        startup: StartupSpec {
            image: Bytes(0),
            container: seconds(0.0),
            weights: Bytes(0),
            engine: seconds(0.0),
            probe: seconds(run.pod_ready_delay_s.unwrap_or_default() + READY_LATE_S),
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
