//! A small world to run: a pool, a service, a script of actions, and what is checked after every run.

use contract::{
    Action, Bytes, Cadence, GpuModel, Instant, Metric, Micros, MilliCpu, NodeShape, Observation,
    ObservationRecord, Plan, PodSpec, Policy, Reason, Resources, ServiceId, StateError, UsdPerHour,
};
use sim_core::delay::Delay;
use sim_core::outcome::{Cause, RequestCounts, ServiceSummary};
use sim_core::random::Seed;
use sim_core::spec::{
    BatchSpec, ControlSpec, DataPathSpec, DivisionSpec, GatewaySpec, MetricsPath, NodeStages,
    Paces, PoolSpec, Routing, RunSpec, ServiceKind, ServiceSpec, Slo, StartupSpec, StockOut,
    TimeoutOn, ZoneSpec,
};
use sim_core::{
    Arrival, ArrivalSource, JobArrival, JobDecision, JobSource, Outcome, Recorder, Sources,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many seconds.
pub(crate) fn secs(seconds: u64) -> Micros {
    Micros::from_secs(seconds)
}

/// So many seconds into the run.
pub(crate) fn at(seconds: u64) -> Instant {
    Instant::ZERO + secs(seconds)
}

/// Always this many seconds.
pub(crate) fn fixed(seconds: u64) -> Delay {
    Delay::Fixed(secs(seconds))
}

/// Sets the replicas of the first service.
pub(crate) fn replicas(replicas: u32) -> Action {
    Action::SetReplicas { service: ServiceId(0), replicas }
}

/// What is run.
pub(crate) struct World {
    pub(crate) spec: RunSpec,
    /// By service.
    pub(crate) arrivals: Vec<Vec<Arrival>>,
    /// By class.
    pub(crate) jobs: Vec<Vec<JobArrival>>,
    /// What a policy asks for, and when.
    pub(crate) script: Vec<(Instant, Action)>,
    /// When that policy is asked. Another one, which only looks, is asked right after it.
    pub(crate) cadence: Cadence,
}

/// What came of it.
pub(crate) struct Flight {
    pub(crate) outcome: Outcome,
    /// What could be seen, turn by turn, after the script had its turn.
    pub(crate) seen: Vec<ObservationRecord>,
    /// When the script was asked.
    pub(crate) turns: Vec<Instant>,
    /// What was decided on jobs and why, as text; of equal waits in a row only the first.
    pub(crate) job_decisions: Vec<String>,
}

impl World {
    /// One pool without nodes, one service without replicas or requests, ten minutes. Policies are asked every
    /// second.
    pub(crate) fn new() -> Self {
        let spec = RunSpec {
            seed: Seed { seed: 1, run: 0 },
            horizon: secs(600),
            drain: secs(600),
            bin: secs(60),
            pools: vec![pool()],
            services: vec![service()],
            batch: BatchSpec::default(),
            control: control(),
            metrics: metrics_path(&[]).into(),
        };
        let cadence = Cadence::regular(secs(1), Micros::ZERO);
        let (arrivals, jobs) = (vec![Vec::new()], Vec::new());
        Self { spec, arrivals, jobs, script: Vec::new(), cadence }
    }

    /// The same with nodes and ready replicas from the start.
    pub(crate) fn running(nodes: u32, replicas: u32) -> Self {
        let mut world = Self::new();
        world.pool().initial = nodes;
        world.service().initial = replicas;
        world
    }

    /// The first pool.
    pub(crate) fn pool(&mut self) -> &mut PoolSpec {
        &mut self.spec.pools[0]
    }

    /// The first service.
    pub(crate) fn service(&mut self) -> &mut ServiceSpec {
        &mut self.spec.services[0]
    }

    /// The gateway of the first service.
    pub(crate) fn gateway(&mut self) -> &mut GatewaySpec {
        &mut self.spec.services[0].gateway
    }

    /// The path that every metric takes unless another names it.
    pub(crate) fn metrics(&mut self) -> &mut MetricsPath {
        &mut self.spec.metrics.paths[0]
    }

    /// A request of the first service takes so long, and a replica serves so many at once.
    pub(crate) fn serve(&mut self, service_time: Delay, concurrency: u32) {
        self.service().kind =
            ServiceKind::Plain { service_time, concurrency, paces: Paces::default() };
    }

    /// Requests of the first service arrive at these seconds.
    pub(crate) fn arrive(&mut self, seconds: &[u64]) {
        self.arrivals[0] = seconds.iter().map(|&seconds| arrival(at(seconds))).collect();
    }

    /// The policy asks for something at a second.
    pub(crate) fn act(&mut self, seconds: u64, action: Action) {
        self.script.push((at(seconds), action));
    }

    /// Runs it and checks what must hold of every run.
    pub(crate) fn fly(self) -> Flight {
        let horizon = self.spec.horizon;
        let prices: Vec<_> = self.spec.pools.iter().map(|pool| pool.price).collect();
        let requests = self.arrivals.into_iter().map(source).collect();
        let jobs = self.jobs.into_iter().map(job_source).collect();
        let sources = Sources { requests, jobs };
        let looking = Cadence { on_unschedulable: false, ..self.cadence };
        let policies: Vec<Box<dyn Policy>> = vec![
            Box::new(Script { name: SCRIPT, cadence: self.cadence, steps: self.script, done: 0 }),
            Box::new(Script { name: WATCH, cadence: looking, steps: Vec::new(), done: 0 }),
        ];
        let mut log = Log::default();
        let outcome = sim_core::run(self.spec, sources, policies, &mut log)
            .expect("arrivals in memory do not fail");
        check(&outcome, horizon, &prices);
        Flight { outcome, seen: log.seen, turns: log.turns, job_decisions: log.job_decisions }
    }
}

impl Flight {
    /// The figures of the first service.
    pub(crate) fn service(&self) -> &ServiceSummary {
        &self.outcome.summary.services[0]
    }

    /// How its requests ended.
    pub(crate) fn requests(&self) -> RequestCounts {
        self.service().requests
    }

    /// The causes that its late and failed requests waited for, one a line.
    pub(crate) fn blame(&self) -> String {
        let blamed = self.service().blame.iter().filter(|blame| blame.seconds > 0.0);
        let line = |cause: Cause, seconds: f64| format!("{cause:?} {seconds}\n");
        blamed.map(|blame| line(blame.cause, blame.seconds)).collect()
    }

    /// The stages that pods and nodes went through, as policies saw them: when, who, what.
    pub(crate) fn lives(&self) -> String {
        let mut lines = Vec::new();
        let mut known = BTreeMap::new();
        for seen in &self.seen {
            let mut present = BTreeMap::new();
            for node in &seen.nodes {
                present
                    .insert(format!("node {}", node.id), (node.since, format!("{:?}", node.stage)));
            }
            for pod in seen.services.iter().flat_map(|service| &service.pods) {
                present.insert(format!("pod {}", pod.id), (pod.since, format!("{:?}", pod.stage)));
            }
            for (who, (since, stage)) in &present {
                if known.get(who) != Some(&(*since, stage.clone())) {
                    lines.push(format!("{since} {who} {stage}"));
                }
            }
            for who in known.keys().filter(|who| !present.contains_key(*who)) {
                lines.push(format!("{} {who} Gone", seen.now));
            }
            known = present;
        }
        lines.join("\n")
    }

    /// The life of one pod or node.
    pub(crate) fn life(&self, who: &str) -> String {
        let lives = self.lives();
        let own = lives.lines().filter_map(|line| {
            let (since, rest) = line.split_once(&format!(" {who} "))?;
            Some(format!("{rest} {since}"))
        });
        own.collect::<Vec<_>>().join(", ")
    }

    /// What could be seen at a second.
    pub(crate) fn seen_at(&self, seconds: u64) -> &ObservationRecord {
        let found = self.seen.iter().find(|seen| seen.now == at(seconds));
        found.expect("the policy is asked every second")
    }
}

/// A request of a plain service.
pub(crate) fn arrival(at: Instant) -> Arrival {
    Arrival { at, prompt_tokens: 0, output_tokens: 0 }
}

fn job_source(jobs: Vec<JobArrival>) -> Box<dyn JobSource> {
    Box::new(jobs.into_iter())
}

fn source(arrivals: Vec<Arrival>) -> Box<dyn ArrivalSource> {
    Box::new(arrivals.into_iter())
}

/// Nodes with two GPUs at 3.60 USD/h, ready 50 s after they were asked for.
pub(crate) fn pool() -> PoolSpec {
    let shape = NodeShape {
        allocatable: Resources { cpu: MilliCpu(8000), memory: Bytes::from_gib(64), gpus: 2 },
        gpu: Some(GpuModel("L4".into())),
        pod_limit: 110,
        ..NodeShape::default()
    };
    PoolSpec {
        name: "pool".into(),
        instance: "instance".into(),
        shape: Arc::new(shape),
        price: UsdPerHour(3.6),
        zones: vec![ZoneSpec { name: "a".into(), stock: None }],
        stock_out: StockOut::default(),
        min: 0,
        max: 10,
        initial: 0,
        launch_failure: 0.0,
        accelerator_failure: 0.0,
        spot: None,
        standby: None,
        stages: NodeStages {
            launch: fixed(10),
            boot: fixed(20),
            register: fixed(5),
            accelerator: fixed(15),
            terminate: fixed(8),
        },
        data: DataPathSpec {
            pull_per_gb: fixed(2),
            weights_per_gib: fixed(1),
            cached_weights_per_gib: Delay::Fixed(Micros::from_millis(200)),
            image_preloaded: false,
        },
        billing_minimum: Micros::ZERO,
        division: DivisionSpec::default(),
        racks: None,
    }
}

/// Replicas with one GPU that serve one request a second each; a first start takes 20 s of pull, 3 s of container,
/// 30 s of weights, 7 s of engine and 1 s of probe.
pub(crate) fn service() -> ServiceSpec {
    let requests = Resources { cpu: MilliCpu(1000), memory: Bytes::from_gib(8), gpus: 1 };
    ServiceSpec {
        alternatives: sim_core::spec::Alternatives::default(),
        name: "service".into(),
        pod: Arc::new(PodSpec { requests, ..PodSpec::default() }),
        initial: 0,
        kind: ServiceKind::Plain {
            service_time: fixed(1),
            concurrency: 1,
            paces: Paces::default(),
        },
        startup: StartupSpec {
            image: Bytes(10_000_000_000),
            container: fixed(3),
            weights: Bytes::from_gib(30),
            engine: fixed(7),
            probe: fixed(1),
        },
        gateway: GatewaySpec {
            routing: Routing::LeastLoaded,
            routing_scrape: Micros::ZERO,
            queue_limit: u32::MAX,
            timeout: None,
            timeout_on: TimeoutOn::Response,
            retries: 0,
            retry_backoff: secs(1),
        },
        slo: Slo::default(),
        grace: secs(30),
        disruption_budget: None,
    }
}

/// kube-scheduler's defaults, and nothing else that takes time.
/// Scrapes every 15 s, read at once.
pub(crate) fn metrics_path(metrics: &[Metric]) -> MetricsPath {
    MetricsPath {
        metrics: metrics.to_vec(),
        scrape_interval: secs(15),
        evaluation_interval: Micros::ZERO,
        delay: Micros::ZERO,
        window: Micros::ZERO,
    }
}

fn control() -> ControlSpec {
    ControlSpec {
        actuation: Delay::Fixed(Micros::ZERO),
        scheduling: Delay::Fixed(Micros::ZERO),
        queue: placement::Queue::default(),
        profile: placement::Profile::default(),
        ties: sim_core::spec::Ties::First,
    }
}

const SCRIPT: &str = "script";
const WATCH: &str = "watch";

/// A policy that does what it was told.
struct Script {
    name: &'static str,
    cadence: Cadence,
    steps: Vec<(Instant, Action)>,
    done: usize,
}

impl Policy for Script {
    fn name(&self) -> &str {
        self.name
    }

    fn cadence(&self) -> Cadence {
        self.cadence
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        while let Some((at, action)) = self.steps.get(self.done)
            && *at <= seen.now
        {
            plan.act(action.clone(), Reason::new("the script says so"));
            self.done += 1;
        }
    }

    fn save(&self) -> serde_json::Value {
        self.done.into()
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), StateError> {
        let restored = serde_json::from_value(state);
        let policy = self.name.to_owned();
        self.done = restored.map_err(|cause| StateError { policy, cause })?;
        Ok(())
    }
}

/// Keeps what the second policy saw, and when the first was asked.
#[derive(Default)]
struct Log {
    seen: Vec<ObservationRecord>,
    turns: Vec<Instant>,
    job_decisions: Vec<String>,
}

impl Recorder for Log {
    fn turn(&mut self, policy: &str, seen: &Observation<'_>, _: &Plan) {
        if policy == SCRIPT {
            self.turns.push(seen.now);
            return;
        }
        self.seen.push(ObservationRecord {
            now: seen.now,
            services: seen.services.to_vec(),
            pending: seen.pending.to_vec(),
            nodes: seen.nodes.to_vec(),
            pools: seen.pools.to_vec(),
            provisioning: seen.provisioning.to_vec(),
        });
    }

    fn job(&mut self, decision: &JobDecision<'_>) {
        let JobDecision { at, job, action, reason, .. } = decision;
        let seconds = at.as_secs_f64();
        let what = if action.is_empty() { String::new() } else { format!("{action} ") };
        let line = format!("{seconds} s: {what}job {job}: {reason}");
        let waits = |line: &str| line.split_once(": job ").map(|(_, rest)| rest.to_owned());
        let is_old = waits(&line).is_some_and(|wait| {
            let before =
                self.job_decisions.iter().rev().find(|line| line.contains(&format!("job {job}:")));
            before.and_then(|line| waits(line)) == Some(wait)
        });
        if !is_old {
            self.job_decisions.push(line);
        }
    }
}

/// What must hold of every run. (The engine itself asserts more: time, room on nodes, blame, Little's law.)
fn check(outcome: &Outcome, horizon: Micros, prices: &[UsdPerHour]) {
    let summary = &outcome.summary;
    for (place, service) in summary.services.iter().enumerate() {
        let requests = service.requests;
        let ended = requests.completed
            + requests.timed_out
            + requests.rejected
            + requests.impossible
            + requests.unfinished;
        assert_eq!(requests.arrived, ended, "every request ends exactly once");
        assert_eq!(service.e2e.count, requests.completed);
        let missed = requests.late_ttft + requests.late_rest;
        assert_eq!(requests.attained + missed, requests.completed);
        assert!(requests.attempts >= requests.arrived, "every request is tried");
        let little = service.little;
        assert!(
            (little.inside_mean - little.rate_times_time).abs() <= 1e-9 * little.inside_mean,
            "Little's law: {little:?}"
        );
        let of_service = outcome.timeline.iter().filter(|row| row.service as usize == place);
        let arrived: u64 = of_service.map(|row| u64::from(row.arrived)).sum();
        assert_eq!(arrived, requests.arrived, "arrivals stand in the bins");
    }
    let bills = summary.cost.pools.iter().zip(prices);
    let usd: f64 = bills.map(|(pool, price)| pool.node_hours * price.0 + pool.standby_usd).sum();
    assert_close(summary.cost.usd, usd);
    let alive = summary.fleet.nodes_mean * horizon.as_secs_f64() / 3600.0;
    let billed: f64 = summary.cost.pools.iter().map(|pool| pool.node_hours).sum();
    assert!(alive <= billed + 1e-9, "what was alive was billed");
    let gpu = summary.gpu;
    let pods = gpu.useful + gpu.idle_ready + gpu.loading;
    let jobs = gpu.partial_gangs + gpu.checkpoints + gpu.lost;
    let parts = pods + jobs + gpu.booting + gpu.unallocated + gpu.stranded;
    assert_close(gpu.total, parts);
}

/// Equal up to the rounding of floats.
#[track_caller]
pub(crate) fn assert_close(found: f64, expected: f64) {
    let tolerance = 1e-9 * expected.abs().max(1.0);
    assert!((found - expected).abs() <= tolerance, "found {found}, expected {expected}");
}
