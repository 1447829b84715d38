//! What policies see, and when.

use crate::world::{Flight, World, at, fixed, secs};
use contract::{Instant, Metric, Micros, Sample};

/// Every service and pod sample that the policy saw, with when it saw it.
fn samples(flight: &Flight) -> impl Iterator<Item = (Instant, &Sample)> {
    flight.seen.iter().flat_map(|seen| {
        let service = &seen.services[0];
        let pods = service.pods.iter().flat_map(|pod| &pod.samples);
        service.samples.iter().chain(pods).map(|sample| (seen.now, sample))
    })
}

/// One replica that works on one request all the time while another waits; a request a second is refused.
fn busy_world() -> World {
    let mut world = World::running(1, 1);
    world.serve(fixed(10_000), 1);
    world.arrive(&[0, 0]);
    world
}

#[test]
fn a_sample_is_as_old_as_the_pipeline_at_least_and_a_scrape_older_at_most() {
    let mut world = busy_world();
    world.spec.metrics.delay = secs(40);
    let flight = world.fly();
    assert!(samples(&flight).count() > 1000);
    for (now, sample) in samples(&flight) {
        let age = now.since(sample.at);
        assert!(secs(40) <= age && age < secs(55), "a sample of {} at {now}", sample.at);
    }
    let first = samples(&flight).map(|(now, _)| now).min().expect("some");
    assert!(first >= at(40), "nothing is seen at {first}");
}

#[test]
fn metrics_say_what_is_the_case() {
    let flight = busy_world().fly();
    let service = &flight.seen_at(300).services[0];
    let pod = |metric| service.pods[0].sample(metric).expect("a pod metric").value;
    let of_service = |metric| service.sample(metric).expect("a service metric").value;
    assert!((pod(Metric::Running) - 1.0).abs() < 1e-12);
    assert!((pod(Metric::Waiting) - 1.0).abs() < 1e-12);
    assert!((pod(Metric::Concurrency) - 2.0).abs() < 1e-12);
    assert!((pod(Metric::Busy) - 1.0).abs() < 1e-12);
    assert!(pod(Metric::KvUse).abs() < 1e-12);
    assert!((of_service(Metric::InFlight) - 2.0).abs() < 1e-12);
    assert!((of_service(Metric::QueueLength) - 1.0).abs() < 1e-12);
    assert!(of_service(Metric::GatewayQueue).abs() < 1e-12);
    assert!(of_service(Metric::ArrivalRate).abs() < 1e-12);
}

#[test]
fn a_rate_needs_two_scrapes_and_counts_what_came_between_them() {
    let mut world = World::running(1, 1);
    world.serve(fixed(1), 100);
    world.arrive(&(0..600).flat_map(|second| [second; 3]).collect::<Vec<_>>());
    let flight = world.fly();
    let rates: Vec<_> =
        samples(&flight).filter(|(_, sample)| sample.metric == Metric::ArrivalRate).collect();
    assert!(rates.iter().all(|(now, _)| *now >= at(15)), "one scrape is no rate");
    assert!(rates.iter().all(|(_, sample)| (sample.value - 3.0).abs() < 1e-9));
    assert!(rates.len() > 500);
}

#[test]
fn clients_that_pause_are_out_of_sight_and_their_retries_count_as_arrivals() {
    let mut world = World::running(1, 0);
    world.gateway().queue_limit = 0;
    world.gateway().retries = 5;
    world.arrive(&[100; 30]);
    world.spec.metrics.scrape_interval = secs(50);
    let flight = world.fly();
    let mut arrived = 0.0;
    let mut last = Instant::ZERO;
    for (_, sample) in samples(&flight) {
        if sample.metric == Metric::InFlight {
            assert!(sample.value.abs() < 1e-12, "all are refused: nobody is inside");
        }
        if sample.metric == Metric::ArrivalRate && sample.at > last {
            arrived += sample.value * 50.0;
            last = sample.at;
        }
    }
    // Thirty clients try at 100, 101, 103, 107, 115 and 131 s.
    assert!((arrived - 180.0).abs() < 1e-6, "{arrived}");
}

#[test]
fn a_window_takes_the_mean_of_its_scrapes() {
    let mut world = World::running(1, 1);
    world.serve(fixed(10_000), 1000);
    world.spec.metrics.window = secs(60);
    // One more inside every second: the mean over four scrapes lags 22.5 s behind the newest.
    world.arrive(&(0..600).collect::<Vec<_>>());
    let flight = world.fly();
    let service = &flight.seen_at(300).services[0];
    let sample = service.sample(Metric::InFlight).expect("there is one");
    let newest = sample.at.as_secs_f64().floor() + 1.0;
    assert!((sample.value - (newest - 22.5)).abs() < 1e-9, "{sample:?}");
    assert_eq!(sample.window, secs(60));
}

#[test]
fn a_share_of_busy_time_is_that_since_the_last_scrape() {
    let mut world = World::running(1, 1);
    world.serve(fixed(3), 1);
    // 3 s of every 15 s.
    world.arrive(&(0..40).map(|round| round * 15).collect::<Vec<_>>());
    let flight = world.fly();
    let pod = &flight.seen_at(300).services[0].pods[0];
    let busy = pod.sample(Metric::Busy).expect("there is one").value;
    assert!((busy - 0.2).abs() < 1e-9, "{busy}");
}

#[test]
fn a_pod_that_is_not_ready_has_no_metrics() {
    let mut world = World::running(1, 1);
    world.act(100, crate::world::replicas(2));
    let flight = world.fly();
    assert!(flight.seen_at(110).services[0].pods[1].samples.is_empty());
    assert!(!flight.seen_at(140).services[0].pods[1].samples.is_empty());
}

#[test]
fn a_policy_that_only_looks_leaves_no_trace() {
    let fingerprint = |every| {
        let mut world = busy_world();
        world.cadence.every = every;
        world.fly().outcome.summary.fingerprint
    };
    assert_eq!(fingerprint(secs(1)), fingerprint(Micros::from_millis(1700)));
}
