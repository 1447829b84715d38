//! Queueing theory: what a plain service must agree with.

use crate::world::{World, arrival};
use contract::{Instant, Micros};
use sim_core::delay::Delay;
use sim_core::random::Seed;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Requests in one replication.
const REQUESTS: u32 = 20_000;
/// Replications of one case.
const RUNS: u32 = 100;
/// Student's t for 95 % and 99 degrees of freedom.
const T_95: f64 = 1.984;
/// Mean service time.
const MEAN: Micros = Micros::from_millis(100);

/// One replica with `servers` places, Poisson arrivals at `load` times its capacity, all requests served.
fn queue(servers: u32, load: f64, service_time: Delay, run: u32) -> World {
    let mut world = World::running(1, 1);
    world.spec.seed = Seed { seed: 42, run };
    world.serve(service_time, servers);
    let gap = MEAN.as_secs_f64() / load / f64::from(servers);
    let mut luck = world.spec.seed.stream("test-arrivals", 0);
    let mut now = 0.0;
    let mut arrivals = Vec::new();
    for _ in 0..REQUESTS {
        now += luck.exponential() * gap;
        arrivals.push(arrival(Instant::ZERO + Micros::from_secs_f64(now)));
    }
    world.spec.horizon = Micros::from_secs_f64(now + 1.0);
    world.spec.bin = world.spec.horizon;
    world.cadence.every = world.spec.horizon;
    world.arrivals = vec![arrivals];
    world
}

/// The work of each request, as the engine draws it: by name, so a test can draw it again.
fn works(world: &World, service_time: &Delay) -> Vec<Micros> {
    let mut luck = world.spec.seed.stream("service-time", 0);
    (0..REQUESTS).map(|_| service_time.draw(&mut luck)).collect()
}

/// Sum of times in the system, first come, first served, by Kiefer and Wolfowitz's recursion: a request starts when
/// it is there and the place that is free first is free.
fn time_inside(world: &World, works: &[Micros], servers: u32) -> Micros {
    let mut free: BinaryHeap<_> = (0..servers).map(|_| Reverse(Instant::ZERO)).collect();
    let mut sum = Micros::ZERO;
    for (arrival, work) in world.arrivals[0].iter().zip(works) {
        let Reverse(first) = free.pop().expect("at least one server");
        let end = first.max(arrival.at) + *work;
        free.push(Reverse(end));
        sum += end.since(arrival.at);
    }
    sum
}

/// Mean waits over the replications against what theory says, in mean service times.
#[track_caller]
fn check(servers: u32, load: f64, service_time: &Delay, expected: f64) {
    let waits: Vec<f64> = (0..RUNS)
        .map(|run| {
            let world = queue(servers, load, service_time.clone(), run);
            let works = works(&world, service_time);
            let work: f64 = works.iter().map(|work| work.as_millis_f64()).sum();
            let exact = time_inside(&world, &works, servers).as_millis_f64() / f64::from(REQUESTS);
            let service = world.fly().service().clone();
            assert_eq!(service.requests.completed, u64::from(REQUESTS));
            assert!((service.e2e.mean_ms - exact).abs() < 1e-6, "the recursion gives {exact}");
            (service.e2e.mean_ms - work / f64::from(REQUESTS)) / MEAN.as_millis_f64()
        })
        .collect();
    let runs = f64::from(RUNS);
    let mean = waits.iter().sum::<f64>() / runs;
    let variance = waits.iter().map(|wait| (wait - mean).powi(2)).sum::<f64>() / (runs - 1.0);
    let band = T_95 * (variance / runs).sqrt();
    assert!(
        (mean - expected).abs() <= band,
        "{servers} servers at {load}: waits {mean:.4} ± {band:.4}, theory says {expected:.4}"
    );
    assert!(band < 0.25 * expected.max(0.04), "a band of {band:.4} would prove nothing");
}

/// Mean wait in M/M/c in mean service times (Erlang C).
fn erlang_c(servers: u32, load: f64) -> f64 {
    let c = f64::from(servers);
    let offered = c * load;
    let mut term = 1.0;
    let mut sum = 0.0;
    for k in 0..servers {
        sum += term;
        term *= offered / f64::from(k + 1);
    }
    let all_busy = term / (1.0 - load);
    all_busy / (sum + all_busy) / (c * (1.0 - load))
}

/// Mean wait in M/G/1 in mean service times, by the squared coefficient of variation of the service time
/// (Pollaczek and Khinchine).
fn pollaczek_khinchine(load: f64, scv: f64) -> f64 {
    load / (1.0 - load) * (1.0 + scv) / 2.0
}

#[test]
fn erlang_c_knows_its_textbook_values() {
    assert!((erlang_c(1, 0.5) - 1.0).abs() < 1e-12, "M/M/1 waits rho / (1 - rho)");
    // Two servers at 0.75: C = 0.6429, wait 1.2857.
    assert!((erlang_c(2, 0.75) - 9.0 / 7.0).abs() < 1e-12);
}

#[test]
fn one_exponential_server_waits_as_m_m_1_does() {
    for load in [0.3, 0.6, 0.8] {
        check(1, load, &Delay::Exponential { mean: MEAN }, erlang_c(1, load));
    }
}

#[test]
fn several_exponential_servers_wait_as_m_m_c_does() {
    for (servers, load) in [(2, 0.6), (4, 0.8), (16, 0.9)] {
        check(servers, load, &Delay::Exponential { mean: MEAN }, erlang_c(servers, load));
    }
}

#[test]
fn equal_service_times_wait_as_m_d_1_does() {
    for load in [0.5, 0.8] {
        check(1, load, &Delay::Fixed(MEAN), pollaczek_khinchine(load, 0.0));
    }
}

#[test]
fn varied_service_times_wait_as_pollaczek_and_khinchine_say() {
    check(1, 0.6, &Delay::Gamma { shape: 0.5, mean: MEAN }, pollaczek_khinchine(0.6, 2.0));
    // A lognormal of sigma 0.8 has mean exp(0.32) times its median, and variation exp(0.64) - 1.
    let median = Micros::from_secs_f64(MEAN.as_secs_f64() / 0.32_f64.exp());
    let lognormal = Delay::Lognormal { median, sigma: 0.8 };
    check(1, 0.7, &lognormal, pollaczek_khinchine(0.7, 0.64_f64.exp() - 1.0));
}

#[test]
fn no_work_is_lost_and_none_is_done_twice() {
    let service_time = Delay::Exponential { mean: MEAN };
    let mut world = queue(1, 0.9, service_time.clone(), 0);
    // Long enough for the last request, so that all work is done before the books close.
    world.spec.horizon += Micros::from_mins(10);
    let work: f64 = works(&world, &service_time).iter().map(|work| work.as_secs_f64()).sum();
    let useful = world.fly().outcome.summary.gpu.useful * 3600.0;
    assert!((useful - work).abs() < 1e-6, "worked {useful} s, {work} s were brought");
}
