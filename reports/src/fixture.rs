//! A made-up experiment for tests: smooth curves in place of a simulation, the same every time.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "made-up figures"
)]

use contract::{Instant, Micros};
use sim_core::outcome::{
    Blame, Cause, Cost, DecisionRow, Evictions, Experiment, FleetSummary, GpuHours,
    JobClassSummary, JobGpuHours, JobInfo, JobWaits, Latency, LatencyCurves, Little, PoolCost,
    QueueSummary, ReplicaSummary, RequestCounts, RunSummary, ServiceInfo, ServiceSummary, Spread,
    StackOutcome, TimelineRow, Tokens,
};

/// Width of a timeline bin: five minutes.
const BIN: Micros = Micros::from_mins(5);
/// Bins in a day.
const BINS: u64 = 288;

/// How a made-up stack behaves.
struct Character {
    name: &'static str,
    about: &'static str,
    /// Replicas for each request per second.
    replicas_per_rps: f64,
    /// Replicas that never go away.
    floor: f64,
    /// Hours by which capacity trails demand.
    lag: f64,
}

const CHARACTERS: [Character; 4] = [
    Character {
        name: "static-lean",
        about: "As many replicas as the mean rate needs, all day.",
        replicas_per_rps: 0.0,
        floor: 14.0,
        lag: 0.0,
    },
    Character {
        name: "static-generous",
        about: "As many replicas as the peak needs, and a quarter more.",
        replicas_per_rps: 0.0,
        floor: 30.0,
        lag: 0.0,
    },
    Character {
        name: "hpa-concurrency",
        about: "HorizontalPodAutoscaler on requests in flight, with Cluster Autoscaler below.",
        replicas_per_rps: 0.30,
        floor: 2.0,
        lag: 0.25,
    },
    Character {
        name: "hpa-queue",
        about: "HorizontalPodAutoscaler on queue length as KEDA feeds it, with Cluster Autoscaler below.",
        replicas_per_rps: 0.27,
        floor: 1.0,
        lag: 0.6,
    },
];

/// Four stacks, five replications, one service, a day.
pub(crate) fn day() -> Experiment {
    experiment(4, 5, 1)
}

/// The first `stacks` stacks, each flown `runs` times over `services` services (at most two).
pub(crate) fn experiment(stacks: usize, runs: u32, services: usize) -> Experiment {
    let names = ["chat", "code"];
    Experiment {
        scenario: "chat-day".to_owned(),
        about: "A weekday of chat traffic, with a morning and an evening peak.".to_owned(),
        seed: 7,
        repeat: format!("windtunnel compare chat-day --seed 7 --runs {runs}"),
        horizon: Micros(BIN.0 * BINS),
        bin: BIN,
        services: names[..services].iter().map(|name| service_info(name)).collect(),
        jobs: Vec::new(),
        stacks: CHARACTERS[..stacks].iter().map(|it| stack(it, runs, &names[..services])).collect(),
    }
}

/// Two stacks, one replication, and two gangs at once: with one they wait for each other for ever.
pub(crate) fn with_jobs() -> Experiment {
    let mut experiment = experiment(2, 1, 1);
    experiment.jobs =
        vec![JobInfo { name: "train".to_owned(), about: "gangs of 4 pods of 1 GPU".to_owned() }];
    let stuck = JobClassSummary {
        name: "train".to_owned(),
        arrived: 2,
        started: 0,
        completed: 0,
        interruptions: 0,
        admitted: 0,
        quota_wait_s: Spread::default(),
        evictions: Evictions::default(),
        waiting: JobWaits { rest_of_gang: 2, ..JobWaits::default() },
        wait_s: Spread::default(),
        completion_s: Spread::default(),
        slowdown: Spread::default(),
        gpu: JobGpuHours { partial_gangs: 143.9, ..JobGpuHours::default() },
    };
    let done = JobClassSummary {
        started: 2,
        completed: 2,
        waiting: JobWaits::default(),
        wait_s: Spread::of(&[12.0, 3_624.0]),
        completion_s: Spread::of(&[3_612.0, 7_224.0]),
        slowdown: Spread::of(&[1.003, 2.007]),
        gpu: JobGpuHours { useful: 8.0, ..JobGpuHours::default() },
        ..stuck.clone()
    };
    for (stack, jobs) in experiment.stacks.iter_mut().zip([stuck, done]) {
        stack.runs[0].gpu.partial_gangs = jobs.gpu.partial_gangs;
        stack.runs[0].jobs = vec![jobs];
    }
    experiment
}

/// The same without services, and with a queue in the second stack, which evicted one of the jobs.
pub(crate) fn with_queues() -> Experiment {
    let mut experiment = with_jobs();
    experiment.services.clear();
    for stack in &mut experiment.stacks {
        stack.timeline.clear();
        stack.curves.clear();
        for run in &mut stack.runs {
            run.services.clear();
        }
    }
    let run = &mut experiment.stacks[1].runs[0];
    run.queues = vec![QueueSummary {
        name: "team".to_owned(),
        nominal_gpus: 4,
        admitted: 3,
        evicted: 1,
        reserved_gpu_hours: 12.0,
        borrowed_gpu_hours: 3.5,
    }];
    let jobs = &mut run.jobs[0];
    jobs.admitted = 2;
    jobs.quota_wait_s = Spread::of(&[0.0, 1_800.0]);
    jobs.evictions.reclaimed = 1;
    experiment
}

/// A run in which nothing happened.
pub(crate) fn run() -> RunSummary {
    RunSummary {
        stack: "idle".to_owned(),
        seed: 0,
        run: 0,
        fingerprint: "0".repeat(32),
        horizon: BIN,
        events: 0,
        services: Vec::new(),
        cost: Cost::default(),
        gpu: GpuHours::default(),
        fleet: FleetSummary::default(),
        jobs: Vec::new(),
        unplaced: Vec::new(),
        queues: Vec::new(),
    }
}

/// A service that no request ever reached.
pub(crate) fn service() -> ServiceSummary {
    ServiceSummary {
        name: "chat".to_owned(),
        requests: RequestCounts::default(),
        goodput_rps: 0.0,
        attainment: 0.0,
        ttft: Latency::default(),
        tpot: Latency::default(),
        e2e: Latency::default(),
        tokens: Tokens::default(),
        replicas: ReplicaSummary::default(),
        blame: Cause::ALL.map(|cause| Blame { cause, seconds: 0.0, requests: 0 }).to_vec(),
        little: Little::default(),
    }
}

fn service_info(name: &str) -> ServiceInfo {
    ServiceInfo {
        name: name.to_owned(),
        about: "Llama-3.1-8B on L40S".to_owned(),
        slo_ttft: Some(Micros::from_millis(2_000)),
        slo_tpot: Some(Micros::from_millis(100)),
        slo_e2e: None,
    }
}

fn stack(character: &Character, runs: u32, services: &[&str]) -> StackOutcome {
    StackOutcome {
        name: character.name.to_owned(),
        about: character.about.to_owned(),
        runs: (0..runs).map(|run| run_of(character, run, services)).collect(),
        timeline: timeline(character, services.len()),
        curves: services.iter().map(|_| curves(character)).collect(),
        decisions: decisions(character, services[0]),
    }
}

fn run_of(character: &Character, run: u32, services: &[&str]) -> RunSummary {
    // Weather that all stacks share, and a little luck of each stack's own.
    let weather = (f64::from(run) * 2.4).sin();
    let luck = (f64::from(run) * 1.7 + character.floor).sin();
    let nodes_mean = mean_ready(character) * (1.0 + 0.02 * weather + 0.005 * luck);
    let miss = missed(character) * (1.0 + 0.1 * weather + 0.03 * luck);
    let total = 24.0 * nodes_mean * services.len() as f64;
    let usd = total * 1.861;
    let useful = total * (12.5 / nodes_mean).min(0.93);
    let starting = total * 0.04 * character.lag;
    let idle = total - useful - starting;
    RunSummary {
        stack: character.name.to_owned(),
        seed: 7,
        run,
        fingerprint: format!("{:032x}", u128::from(run) << 64 | u128::from(total.to_bits())),
        horizon: Micros(BIN.0 * BINS),
        events: 12_000_000 + u64::from(run),
        services: services.iter().map(|name| service_of(name, miss)).collect(),
        cost: Cost {
            usd,
            usd_per_day: usd,
            usd_per_million_tokens: Some(usd / 4200.0),
            pools: vec![
                pool("l40s", "g6e.xlarge", total * 0.8, 1.861),
                pool("l40s-spot", "g6e.xlarge (spot)", total * 0.2, 0.744),
            ],
        },
        gpu: GpuHours {
            total,
            useful,
            idle_ready: idle * 0.8,
            loading: starting * 0.6,
            booting: starting * 0.4,
            unallocated: idle * 0.2,
            ..GpuHours::default()
        },
        fleet: FleetSummary {
            nodes_mean,
            nodes_peak: (nodes_mean * 1.8) as u32,
            launched: (character.lag * 120.0) as u64,
            launch_failures: (character.lag * 3.0) as u64,
            reclaimed: 2,
        },
        jobs: Vec::new(),
        unplaced: Vec::new(),
        queues: Vec::new(),
    }
}

fn pool(name: &str, instance: &str, node_hours: f64, usd_per_hour: f64) -> PoolCost {
    PoolCost {
        pool: name.to_owned(),
        instance: instance.to_owned(),
        node_hours,
        standby_hours: 0.0,
        standby_usd: 0.0,
        usd: node_hours * usd_per_hour,
    }
}

fn service_of(name: &str, miss: f64) -> ServiceSummary {
    let arrived = 4_000_000_u64;
    let missed = (arrived as f64 * miss) as u64;
    let timed_out = missed / 5;
    let rejected = missed / 50;
    let completed = arrived - timed_out - rejected;
    let ttft = latency(completed, 180.0 + 4_000.0 * miss, 1.0 + 12.0 * miss.sqrt());
    ServiceSummary {
        name: name.to_owned(),
        requests: RequestCounts {
            arrived,
            completed,
            timed_out,
            rejected,
            attained: arrived - missed,
            late_ttft: (missed - timed_out - rejected) * 3 / 4,
            late_rest: (missed - timed_out - rejected) / 4,
            attempts: arrived + timed_out * 2,
            lost_with_replica: 12,
            preemptions: 340,
            ..RequestCounts::default()
        },
        goodput_rps: (arrived - missed) as f64 / 86_400.0,
        attainment: 1.0 - missed as f64 / arrived as f64,
        ttft,
        tpot: latency(completed, 28.0 + 60.0 * miss, 0.8),
        e2e: latency(completed, 6_400.0 + 9_000.0 * miss, 1.2),
        tokens: Tokens { prompt: 3_600_000_000, output: 600_000_000 },
        replicas: ReplicaSummary {
            ready_mean: 15.2,
            ready_peak: 31,
            wanted_peak: 33,
            created: 120,
            start_mean_s: 214.0,
            start_max_s: 611.0,
        },
        blame: blame(missed),
        little: Little { inside_mean: 310.2, rate_times_time: 310.2 },
    }
}

fn latency(count: u64, median_ms: f64, spread: f64) -> Latency {
    let at = |normal: f64| median_ms * (spread * normal * 0.5).exp();
    Latency {
        count,
        mean_ms: median_ms * (spread * spread / 8.0).exp(),
        p50_ms: median_ms,
        p90_ms: at(1.282),
        p95_ms: at(1.645),
        p99_ms: at(2.326),
        p999_ms: at(3.09),
        max_ms: at(4.5),
    }
}

fn blame(missed: u64) -> Vec<Blame> {
    let weights = [22, 6, 3, 0, 4, 15, 9, 18, 2, 25, 14, 1, 12];
    let parts = Cause::ALL.iter().zip(weights);
    let of = |(cause, weight): (&Cause, u64)| Blame {
        cause: *cause,
        seconds: missed as f64 * weight as f64 * 0.04,
        requests: missed * weight / 131,
    };
    parts.map(of).collect()
}

/// Requests per second at an hour of the day: a morning and an evening peak.
fn demand_rps(hour: f64) -> f64 {
    let hump = |centre: f64, width: f64| (-((hour - centre) / width).powi(2)).exp();
    8.0 + 62.0 * hump(11.0, 3.0) + 78.0 * hump(19.5, 2.4)
}

fn wanted(character: &Character, hour: f64) -> f64 {
    (demand_rps(hour) * character.replicas_per_rps).max(character.floor).ceil()
}

fn ready(character: &Character, hour: f64) -> f64 {
    let now = wanted(character, hour);
    now.min(wanted(character, hour - character.lag))
}

fn hours() -> impl Iterator<Item = f64> {
    (0..BINS).map(|bin| bin as f64 * 24.0 / BINS as f64)
}

fn mean_ready(character: &Character) -> f64 {
    hours().map(|hour| ready(character, hour)).sum::<f64>() / BINS as f64
}

/// Share of the demand above four requests per second and replica: what comes late.
fn missed(character: &Character) -> f64 {
    let excess = |hour| (demand_rps(hour) - 4.2 * ready(character, hour)).max(0.0);
    let late: f64 = hours().map(excess).sum();
    (late / hours().map(demand_rps).sum::<f64>()).max(0.0004)
}

fn timeline(character: &Character, services: usize) -> Vec<TimelineRow> {
    let bins = (0_u64..).zip(hours());
    bins.flat_map(|(bin, hour)| {
        (0..services as u32).map(move |service| timeline_row(character, bin, hour, service))
    })
    .collect()
}

fn timeline_row(character: &Character, bin: u64, hour: f64, service: u32) -> TimelineRow {
    let noise = 1.0 + 0.04 * ((bin * 7919 % 97) as f64 / 48.0 - 1.0);
    let rps = demand_rps(hour) * noise;
    let ready = ready(character, hour);
    let wanted = wanted(character, hour);
    let queue = ((rps - 4.2 * ready).max(0.0) * 40.0) as u32;
    let arrived = (rps * 300.0) as u32;
    let failed = queue / 8;
    TimelineRow {
        at: Instant(bin * BIN.0),
        service,
        arrived,
        completed: arrived - failed,
        attained: arrived.saturating_sub(queue * 6),
        failed,
        wanted: wanted as u32,
        ready: ready as u32,
        starting: (wanted - ready) as u32,
        queue,
        inside: queue + (rps * 3.0) as u32,
        ttft_mean_ms: 200.0 + f64::from(queue) * 9.0,
        nodes: wanted as u32 + 1,
        nodes_starting: (wanted - ready) as u32 / 2,
        usd_per_hour: (wanted + 1.0) * 1.861,
    }
}

fn curves(character: &Character) -> LatencyCurves {
    let miss = missed(character);
    LatencyCurves {
        ttft: curve(180.0 + 4_000.0 * miss, 1.0 + 12.0 * miss.sqrt()),
        tpot: curve(28.0 + 60.0 * miss, 0.8),
        e2e: curve(6_400.0 + 9_000.0 * miss, 1.2),
    }
}

/// A log-logistic curve: its quantiles are closed forms. Finer towards the tail, as the engine's.
fn curve(median_ms: f64, spread: f64) -> Vec<(f64, f64)> {
    let body = (0..99).map(|percent| f64::from(percent) / 100.0);
    let tail = (0..100).map(|step| 0.99 + f64::from(step) / 10_000.0);
    let inside = |q: f64| q.clamp(1e-4, 1.0 - 1e-6);
    let at = |q: f64| median_ms * (inside(q) / (1.0 - inside(q))).powf(spread * 0.3);
    body.chain(tail).chain([0.99999, 1.0]).map(|q| (q, at(q))).collect()
}

fn decisions(character: &Character, service: &str) -> Vec<DecisionRow> {
    let mut previous = 0.0;
    let mut rows = Vec::new();
    for (bin, hour) in (0_u64..).zip(hours()) {
        let wanted = wanted(character, hour);
        let row = |policy: &str, subject: String, action: String, reason: String| DecisionRow {
            stack: character.name.to_owned(),
            run: 0,
            at: Instant(bin * BIN.0),
            policy: policy.to_owned(),
            subject,
            action,
            reason,
        };
        if (wanted - previous).abs() > 0.5 {
            let action = format!("set-replicas {wanted}");
            let reason = format!(
                "in flight per replica off target: inflight={:.1} target=12 now={previous}",
                demand_rps(hour) * 3.0
            );
            rows.push(row("hpa", format!("service {service}"), action, reason));
        } else if bin % 24 == 0 {
            let reason = "pods pending < 1: nothing to do <hold>".to_owned();
            rows.push(row("cluster-autoscaler", "pool l40s".to_owned(), String::new(), reason));
        }
        previous = wanted;
    }
    rows
}
