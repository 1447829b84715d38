//! Random worlds with everything in them: plain and LLM replicas, jobs, small fleets, stock-outs, failed launches, reclaims, short patience, tiny
//! queues, and a policy that does anything at any time. The engine's checkers are on in every one.

use crate::kueue::any_flavor;
use crate::world::{World, pool, service};
use contract::{
    Action, Cadence, Constraints, GpuModel, HOSTNAME_KEY, Instant, JobId, Micros, NodeId,
    PodAffinity, PodSpec, PoolId, ProvisioningAnswer, ProvisioningClass, Resources, Selector,
    ServiceId, TopologySpread, UsdPerHour, ZONE_KEY,
};
use placement::quota::{Quota, Reclaim, Strategy as Strict, WhenCanBorrow};
use proptest::prelude::*;
use sim_core::delay::Delay;
use sim_core::llm::{EngineSettings, StepModel, StepTables};
use sim_core::random::Seed;
use sim_core::spec::{
    BatchSpec, Checkpoint, DisruptionBudget, FlavorSpec, GangScheduling, GatewaySpec, IntOrPercent,
    JobClassSpec, JobReach, KueueSpec, Level, LlmVariant, NodeStages, Paces, PodsReadySpec,
    PoolSpec, ProvisioningSpec, QueueSpec, RackSpec, Routing, ServiceKind, ServiceSpec, SpotSpec,
    StandbySpec, StartupSpec, StockOut, TimeoutOn, ZoneSpec,
};
use sim_core::{Arrival, JobArrival};
use std::sync::Arc;

/// Arrivals are taken for five minutes.
const HORIZON_MS: u64 = 300_000;

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Micros> {
    range.prop_map(Micros::from_millis)
}

fn delay(longest_ms: u64) -> impl Strategy<Value = Delay> {
    prop_oneof![
        Just(Delay::Fixed(Micros::ZERO)),
        millis(0..longest_ms).prop_map(Delay::Fixed),
        millis(0..longest_ms).prop_map(|mean| Delay::Exponential { mean }),
        millis(0..longest_ms).prop_map(|high| Delay::Uniform { low: Micros::ZERO, high }),
    ]
}

fn stages() -> impl Strategy<Value = NodeStages> {
    (delay(20_000), delay(20_000), delay(5_000), delay(20_000), delay(20_000)).prop_map(
        |(launch, boot, register, accelerator, terminate)| NodeStages {
            launch,
            boot,
            register,
            accelerator,
            terminate,
        },
    )
}

fn spot() -> impl Strategy<Value = Option<SpotSpec>> {
    let reclaimed = (0.0..120.0, millis(0..30_000));
    prop::option::of(
        reclaimed.prop_map(|(reclaims_per_hour, notice)| SpotSpec { reclaims_per_hour, notice }),
    )
}

fn standby() -> impl Strategy<Value = Option<StandbySpec>> {
    let some = (1_u32..4, delay(60), delay(300), any::<bool>());
    prop::option::of(some.prop_map(|(nodes, resume, prepare, keeps_memory)| StandbySpec {
        nodes,
        resume,
        prepare,
        holding: UsdPerHour(0.1),
        keeps_memory,
    }))
}

fn zones() -> impl Strategy<Value = Vec<ZoneSpec>> {
    let stocks = prop::collection::vec(prop::option::of(0_u32..3), 1..3);
    stocks.prop_map(|stocks| {
        stocks.into_iter().map(|stock| ZoneSpec { name: "zone".into(), stock }).collect()
    })
}

prop_compose! {
    fn any_pool()(
        zones in zones(),
        (initial, more) in (0_u32..3, 0_u32..5),
        launch_failure in prop_oneof![Just(0.0), 0.0..0.8],
        accelerator_failure in prop_oneof![Just(0.0), 0.0..0.8],
        (spot, standby) in (spot(), standby()),
        stock_out in prop::sample::select(vec![StockOut::Refused, StockOut::Waits]),
        stages in stages(),
        pull_per_gb in delay(2_000),
        image_preloaded in any::<bool>(),
        billing_minimum in millis(0..120_000),
        racks in racks(),
    ) -> PoolSpec {
        let mut pool = PoolSpec {
            zones,
            stock_out,
            initial,
            max: initial + more,
            launch_failure,
            accelerator_failure,
            spot,
            standby,
            stages,
            billing_minimum,
            racks,
            ..pool()
        };
        pool.data.pull_per_gb = pull_per_gb;
        pool.data.image_preloaded = image_preloaded;
        pool
    }
}

prop_compose! {
    fn any_gateway()(
        routing in prop::sample::select(
            vec![Routing::RoundRobin, Routing::LeastLoaded, Routing::PowerOfTwo],
        ),
        routing_scrape in millis(0..2_000),
        queue_limit in prop_oneof![0_u32..5, Just(1000)],
        timeout in prop::option::of(millis(0..20_000)),
        timeout_on in prop::sample::select(vec![TimeoutOn::FirstToken, TimeoutOn::Response]),
        retries in 0_u32..4,
        retry_backoff in millis(0..5_000),
    ) -> GatewaySpec {
        GatewaySpec { routing, routing_scrape, queue_limit, timeout, timeout_on, retries, retry_backoff }
    }
}

/// Ten milliseconds a step and more, caches that overflow now and then.
fn llm() -> impl Strategy<Value = ServiceKind> {
    (1_u32..5, 1_u32..600, 1_u64..2000).prop_map(|(batch, step_tokens, cache)| {
        let tables = StepTables {
            decode_ms: vec![(1, 10.0), (4, 13.0)],
            prefill_ms: vec![(1, 5.0), (1000, 200.0)],
            kv_ms_per_token: 0.001,
            chunk_context_ms: 0.0001,
            host_ms: 1.0,
        };
        let engine = EngineSettings {
            max_num_seqs: batch,
            max_num_batched_tokens: batch + step_tokens,
            kv_capacity_tokens: cache,
        };
        let gpu = GpuModel("L4".into());
        let model = Arc::new(StepModel::new(&tables));
        ServiceKind::Llm { variants: vec![LlmVariant { gpu, model, engine }] }
    })
}

fn kind() -> impl Strategy<Value = ServiceKind> {
    let plain = (delay(5_000), 1_u32..4);
    let plain = plain.prop_map(|(service_time, concurrency)| ServiceKind::Plain {
        service_time,
        concurrency,
        paces: Paces::default(),
    });
    prop_oneof![plain, llm()]
}

/// Apart from pods of its own kind, near to them or spread, over nodes or zones.
fn constraints() -> impl Strategy<Value = Constraints> {
    let key = prop::sample::select(vec![HOSTNAME_KEY, ZONE_KEY]);
    let own = || Selector::of_labels([("app", "swarm")]);
    let term =
        key.clone().prop_map(move |key| PodAffinity { topology_key: key.into(), selector: own() });
    let spread = key.prop_map(move |key| TopologySpread {
        max_skew: 1,
        min_domains: 1,
        topology_key: key.into(),
        selector: own(),
    });
    let rule = prop_oneof![
        term.clone()
            .prop_map(|term| Constraints { pod_affinity: vec![term], ..Constraints::default() }),
        term.prop_map(|term| Constraints {
            pod_anti_affinity: vec![term],
            ..Constraints::default()
        }),
        spread
            .prop_map(|rule| Constraints { topology_spread: vec![rule], ..Constraints::default() }),
    ];
    (rule, any::<bool>()).prop_map(|(mut rules, labelled)| {
        if labelled {
            rules.labels.insert("app".into(), "swarm".into());
        }
        rules
    })
}

prop_compose! {
    fn any_service()(
        initial in 0_u32..4,
        (gpus, priority) in (0_u32..3, -1_i32..2),
        kind in kind(),
        (container, engine, probe) in (delay(5_000), delay(10_000), delay(1_000)),
        gateway in any_gateway(),
        slo in prop::option::of(millis(0..5_000)),
        grace in millis(0..20_000),
        disruption_budget in prop::option::of((0_u32..3).prop_map(|count| {
            DisruptionBudget::MaxUnavailable(IntOrPercent::Count(count))
        })),
        constraints in prop::option::of(constraints()),
    ) -> ServiceSpec {
        let standard = service();
        let requests = Resources { gpus, ..standard.pod.requests };
        let mut service = ServiceSpec {
            initial,
            pod: Arc::new(PodSpec {
                requests,
                priority,
                constraints: constraints.map(Arc::new),
                ..PodSpec::default()
            }),
            kind,
            startup: StartupSpec { container, engine, probe, ..standard.startup },
            gateway,
            grace,
            disruption_budget,
            ..standard
        };
        service.slo.ttft = slo;
        service
    }
}

fn id(place: usize) -> u32 {
    u32::try_from(place).expect("a handful")
}

/// Something a policy may ask for; ids beyond what there is are part of the fun for nodes only.
fn action(pools: usize, services: usize) -> impl Strategy<Value = Action> {
    let (pools, services) = (0..id(pools), 0..id(services));
    let node = || (0_u32..12).prop_map(NodeId);
    prop_oneof![
        4 => (services, 0_u32..8).prop_map(|(service, replicas)| Action::SetReplicas {
            service: ServiceId(service),
            replicas,
        }),
        4 => (pools, 0_u32..4)
            .prop_map(|(pool, count)| Action::AddNodes { pool: PoolId(pool), count }),
        1 => node().prop_map(|node| Action::Cordon { node }),
        1 => node().prop_map(|node| Action::Uncordon { node }),
        1 => node().prop_map(|node| Action::TaintSoftly { node }),
        1 => node().prop_map(|node| Action::UntaintSoftly { node }),
        2 => node().prop_map(|node| Action::Drain { node }),
        1 => (node(), millis(0..10_000))
            .prop_map(|(node, after)| Action::Retire { node, after }),
        1 => node().prop_map(|node| Action::Delete { node }),
        4 => (0_u32..6, answer())
            .prop_map(|(job, answer)| Action::AnswerProvisioning { job: JobId(job), answer }),
    ]
}

fn answer() -> impl Strategy<Value = ProvisioningAnswer> {
    use ProvisioningAnswer::{Failed, Found, NotFound, Provisioned};
    prop::sample::select(vec![Found, Provisioned, NotFound, Failed])
}

fn script(pools: usize, services: usize) -> impl Strategy<Value = Vec<(Instant, Action)>> {
    let step = (millis(0..HORIZON_MS + 20_000), action(pools, services));
    prop::collection::vec(step, 0..40).prop_map(|mut steps| {
        steps.sort_by_key(|(at, _)| *at);
        steps.into_iter().map(|(at, action)| (Instant::ZERO + at, action)).collect()
    })
}

/// Requests as (milliseconds since the one before, prompt, output): bursts, several at one instant, pauses.
type Requests = Vec<(u64, u32, u32)>;

fn requests() -> impl Strategy<Value = Requests> {
    let gap = prop_oneof![Just(0), 0_u64..200, 0_u64..5_000];
    prop::collection::vec((gap, 1_u32..800, 1_u32..200), 0..400)
}

fn checkpoint() -> impl Strategy<Value = Option<Checkpoint>> {
    let times = (millis(1..60_000), millis(0..10_000), millis(0..10_000));
    let set = times.prop_map(|(interval, cost, restart)| Checkpoint { interval, cost, restart });
    prop::option::of(set)
}

/// A class of jobs, and how its pods are scheduled.
#[derive(Clone, Debug)]
struct Jobs {
    gangs: GangScheduling,
    checkpoint: Option<Checkpoint>,
    startup: Delay,
    submitted: Vec<JobArrival>,
    kueue: KueueSpec,
    reach: Option<JobReach>,
}

fn reach() -> impl Strategy<Value = Option<JobReach>> {
    let level = || prop::sample::select(vec![Level::Block, Level::Rack]);
    prop::option::weighted(
        0.3,
        prop_oneof![level().prop_map(JobReach::Required), level().prop_map(JobReach::Preferred),],
    )
}

fn racks() -> impl Strategy<Value = Option<RackSpec>> {
    let sizes = (1_u32..4, 1_u32..3);
    prop::option::of(
        sizes.prop_map(|(nodes_per_rack, racks_per_block)| RackSpec {
            nodes_per_rack,
            racks_per_block,
        }),
    )
}

fn quota() -> impl Strategy<Value = Option<Quota>> {
    let limits = (prop::option::of(0_u64..4), prop::option::of(0_u64..4));
    prop::option::weighted(
        0.9,
        (0_u64..8, limits).prop_map(|(nominal, limits)| Quota {
            nominal,
            borrowing_limit: limits.0,
            lending_limit: limits.1,
        }),
    )
}

fn provisioning() -> impl Strategy<Value = ProvisioningSpec> {
    let times = (0_u32..3, millis(0..30_000), millis(0..60_000));
    times.prop_map(|(retries, backoff_base, backoff_max)| ProvisioningSpec {
        class: ProvisioningClass::CheckCapacity,
        no_retry: true,
        retries,
        backoff_base,
        backoff_max,
    })
}

prop_compose! {
    fn any_queue()(
        alone in prop::bool::weighted(0.2),
        quotas in prop::collection::vec(quota(), 2),
        strategy in prop::sample::select(vec![Strict::BestEffortFifo, Strict::StrictFifo]),
        when_can_borrow in prop::sample::select(vec![WhenCanBorrow::Borrow, WhenCanBorrow::TryNextFlavor]),
        within_queue in any::<bool>(),
        provisioning in prop::option::weighted(0.4, provisioning()),
        reclaim_within_cohort in
            prop::sample::select(vec![Reclaim::Never, Reclaim::LowerPriority, Reclaim::Any]),
    ) -> QueueSpec {
        QueueSpec {
            name: "queue".into(),
            cohort: (!alone).then(|| "all".into()),
            quotas,
            strategy,
            when_can_borrow,
            preemption: placement::quota::Preemption { within_queue, reclaim_within_cohort },
            provisioning,
        }
    }
}

prop_compose! {
    fn any_kueue()(
        queues in prop::collection::vec(any_queue(), 2),
        pods_ready in prop::option::of((millis(1..60_000), millis(0..30_000), millis(0..60_000))),
    ) -> KueueSpec {
        // No node has the label, so nothing goes to the second flavor unless quota alone decided.
        let nowhere = [("pool".to_owned(), "nowhere".to_owned())].into();
        let second = FlavorSpec { name: "nowhere".into(), node_labels: nowhere };
        let pods_ready = pods_ready.map(|(timeout, backoff_base, backoff_max)| PodsReadySpec {
            timeout,
            backoff_base,
            backoff_max,
        });
        KueueSpec { flavors: vec![any_flavor(), second], queues, pods_ready }
    }
}

prop_compose! {
    fn any_job()(
        gap in prop_oneof![Just(0), 0_u64..60_000],
        (width, needless) in (1_u32..6, 0_u32..6),
        (gpus, priority) in (0_u32..3, -1_i32..2),
        duration in millis(0..120_000),
    ) -> (u64, JobArrival) {
        let requests = Resources { gpus, ..service().pod.requests };
        let pod = Arc::new(PodSpec { requests, priority, ..PodSpec::default() });
        let min_count = width.saturating_sub(needless).max(1);
        (gap, JobArrival { at: Instant::ZERO, width, min_count, pod, duration })
    }
}

prop_compose! {
    fn any_jobs()(
        gangs in prop::sample::select(vec![
            GangScheduling::Off,
            GangScheduling::Core,
            GangScheduling::Volcano,
            GangScheduling::Kueue,
        ]),
        kueue in any_kueue(),
        reach in reach(),
        checkpoint in checkpoint(),
        startup in delay(10_000),
        jobs in prop::collection::vec(any_job(), 0..12),
    ) -> Jobs {
        let mut now = 0;
        let jobs = jobs.into_iter().map(|(gap, job)| {
            now += gap;
            // Who stands close together needs all pods.
            let min_count = if reach.is_some() { job.width } else { job.min_count };
            JobArrival { at: Instant::ZERO + Micros::from_millis(now), min_count, ..job }
        });
        Jobs { gangs, checkpoint, startup, submitted: jobs.collect(), kueue, reach }
    }
}

#[derive(Clone, Debug)]
struct Case {
    jobs: Jobs,
    pools: Vec<PoolSpec>,
    services: Vec<ServiceSpec>,
    requests: Vec<Requests>,
    script: Vec<(Instant, Action)>,
    run: u32,
    drain: Micros,
    pace: [Delay; 2],
    flush: Micros,
    on_unschedulable: bool,
    on_held_at_zero: bool,
}

prop_compose! {
    fn any_case()(
        pools in prop::collection::vec(any_pool(), 1..3),
        services in prop::collection::vec(any_service(), 1..3),
    )(
        script in script(pools.len(), services.len()),
        requests in prop::collection::vec(requests(), services.len()),
        jobs in any_jobs(),
        pools in Just(pools),
        services in Just(services),
        run in any::<u32>(),
        drain in millis(0..120_000),
        pace in [delay(5_000), delay(1_000)],
        flush in millis(1..400_000),
        (on_unschedulable, on_held_at_zero) in any::<(bool, bool)>(),
    ) -> Case {
        Case {
            jobs,
            pools,
            services,
            requests,
            script,
            run,
            drain,
            pace,
            flush,
            on_unschedulable,
            on_held_at_zero,
        }
    }
}

fn world(case: &Case) -> World {
    let mut world = World::new();
    let spec = &mut world.spec;
    spec.seed = Seed { seed: 7, run: case.run };
    spec.horizon = Micros::from_millis(HORIZON_MS);
    spec.drain = case.drain;
    spec.pools.clone_from(&case.pools);
    spec.services.clone_from(&case.services);
    [spec.control.actuation, spec.control.scheduling] = case.pace.clone();
    spec.control.queue.unschedulable_flush = case.flush;
    let every = Micros::from_secs(5);
    let on_unschedulable = case.on_unschedulable;
    let regular = Cadence::regular(every, Micros::ZERO);
    world.cadence = Cadence { on_unschedulable, on_held_at_zero: case.on_held_at_zero, ..regular };
    let Jobs { gangs, checkpoint, ref startup, ref submitted, ref kueue, reach } = case.jobs;
    let class = |queue| JobClassSpec {
        name: "jobs".into(),
        startup: startup.clone(),
        checkpoint,
        paces: Paces::default(),
        queue: Some(queue),
        reach,
    };
    let kueue = kueue.clone();
    world.spec.batch = BatchSpec { classes: vec![class(0), class(1)], gangs, kueue };
    let every_other = |first: usize| submitted.iter().skip(first).step_by(2).cloned().collect();
    world.jobs = vec![every_other(0), every_other(1)];
    world.script.clone_from(&case.script);
    world.arrivals = case.requests.iter().map(arrivals).collect();
    world
}

/// The requests that arrive before the horizon.
fn arrivals(requests: &Requests) -> Vec<Arrival> {
    let mut now = 0;
    let arrivals = requests.iter().map(|&(gap, prompt_tokens, output_tokens)| {
        now += gap;
        Arrival { at: Instant::ZERO + Micros::from_millis(now), prompt_tokens, output_tokens }
    });
    arrivals.take_while(|arrival| arrival.at.0 < 1000 * HORIZON_MS).collect()
}

proptest! {
    #[test]
    fn every_request_ends_once_and_a_run_repeats_itself(case in any_case()) {
        let offered: Vec<_> = case.requests.iter().map(|all| arrivals(all).len()).collect();
        let first = world(&case).fly().outcome;
        for (service, offered) in first.summary.services.iter().zip(offered) {
            // That they end once is checked after every run.
            prop_assert_eq!(service.requests.arrived, offered as u64);
        }
        if case.jobs.gangs == GangScheduling::Kueue {
            let held: f64 = first.summary.jobs.iter().map(|jobs| jobs.gpu.held()).sum();
            let reserved: f64 =
                first.summary.queues.iter().map(|queue| queue.reserved_gpu_hours).sum();
            prop_assert!(held <= reserved + 1e-9, "GPUs are held under quota: {held} of {reserved}");
        }
        let second = world(&case).fly().outcome;
        prop_assert_eq!(first.summary, second.summary);
        prop_assert_eq!(first.timeline, second.timeline);
    }
}
