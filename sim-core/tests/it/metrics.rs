//! What policies see, and when.

use crate::world::{Flight, World, assert_close, at, fixed, metrics_path, secs};
use contract::{Cadence, Instant, Metric, Micros, ObservationRecord, Sample};
use sim_core::Arrival;
use sim_core::llm::{EngineSettings, StepModel, StepTables};
use sim_core::spec::{LlmVariant, Outage, ServiceExporter, ServiceKind};
use std::sync::Arc;

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
    world.metrics().delay = secs(40);
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
    world.metrics().scrape_interval = secs(50);
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
    world.metrics().window = secs(60);
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

/// One replica whose steps take a second and a millisecond a cached token, for one sequence at a time.
fn llm_world(arrivals: &[(u64, u32, u32)]) -> World {
    let tables = StepTables {
        decode_ms: vec![(1, 1000.0)],
        prefill_ms: vec![(1, 1000.0)],
        kv_ms_per_token: 1.0,
        chunk_context_ms: 0.0,
        host_ms: 0.0,
    };
    let engine =
        EngineSettings { max_num_seqs: 1, max_num_batched_tokens: 100, kv_capacity_tokens: 5000 };
    let mut world = World::running(1, 1);
    let gpu = world.pool().shape.gpu.clone().expect("nodes with GPUs");
    let model = Arc::new(StepModel::new(&tables));
    world.service().kind = ServiceKind::Llm { variants: vec![LlmVariant { gpu, model, engine }] };
    let arrival = |&(second, prompt_tokens, output_tokens)| Arrival {
        at: at(second),
        prompt_tokens,
        output_tokens,
    };
    world.arrivals[0] = arrivals.iter().map(arrival).collect();
    world
}

#[test]
fn an_engine_exports_its_cache_its_queue_and_the_step_under_way() {
    let flight = llm_world(&[(0, 50, 500), (1, 70, 10), (2, 90, 10)]).fly();
    let seen = flight.seen_at(60);
    let pod = &seen.services[0].pods[0];
    let value = |metric| pod.sample(metric).expect("a metric of LLM pods").value;
    assert_close(value(Metric::KvCapacity), 5000.0);
    assert_close(value(Metric::WaitingPromptTokens), 160.0);
    assert_close(value(Metric::StepPromptTokens), 0.0);
    let kv = value(Metric::KvTokens);
    assert!((60.0..110.0).contains(&kv), "a token a second and a bit since the prompt: {kv}");
    assert_close(value(Metric::StepKvTokens), kv);
    assert_close(value(Metric::StepTime), 1.0 + kv / 1000.0);
    assert_close(value(Metric::KvUse), kv / 5000.0);
}

#[test]
fn a_gateway_exports_means_of_what_was_completed_between_two_scrapes() {
    let flight = llm_world(&[(31, 50, 3), (32, 70, 5)]).fly();
    let service = |second: u64| &flight.seen_at(second).services[0];
    assert_eq!(service(30).sample(Metric::PromptTokens), None, "nothing was completed yet");
    let first = (32..120).find_map(|second| service(second).sample(Metric::PromptTokens));
    let first = first.expect("two requests are completed");
    let of = |metric| service(first.at.0.div_ceil(1_000_000)).sample(metric).expect("seen").value;
    assert!([50.0, 60.0].contains(&first.value), "one request or both: {}", first.value);
    assert_close(of(Metric::OutputTokens), if first.value > 55.0 { 4.0 } else { 3.0 });
    assert!((0.9..6.0).contains(&of(Metric::Ttft)), "{}", of(Metric::Ttft));
    assert!((1.0..1.1).contains(&of(Metric::Tpot)), "{}", of(Metric::Tpot));
    assert_eq!(service(300).sample(Metric::Ttft), None, "nothing was completed lately");
}

#[test]
fn a_plain_server_exports_no_metric_of_an_engine() {
    let flight = busy_world().fly();
    let pod = &flight.seen_at(300).services[0].pods[0];
    assert_eq!(pod.sample(Metric::KvTokens), None);
    assert_eq!(pod.sample(Metric::StepTime), None);
}

/// When, in whole seconds, the policy saw the busy world's only replica without its share of busy time and
/// without its number of running requests.
fn gaps(flight: &Flight) -> (Vec<u64>, Vec<u64>) {
    let without = |metric| {
        let blind = flight.seen.iter().filter(|seen| {
            let pod = seen.services[0].pods.first();
            at(100) <= seen.now
                && seen.now < at(200)
                && pod.is_some_and(|pod| pod.sample(metric).is_none())
        });
        blind.map(|seen| seen.now.0 / 1_000_000).collect()
    };
    (without(Metric::Busy), without(Metric::Running))
}

#[test]
fn a_path_of_its_own_gives_a_metric_its_own_pace() {
    let mut world = busy_world();
    let mut slow = metrics_path(&[Metric::Busy]);
    (slow.scrape_interval, slow.evaluation_interval) = (secs(30), secs(60));
    (slow.delay, slow.window) = (secs(5), secs(30));
    world.spec.metrics.paths.push(slow);
    let flight = world.fly();
    let changes = |metric| {
        let mut times: Vec<_> =
            samples(&flight).filter(|(_, sample)| sample.metric == metric).collect();
        times.dedup_by_key(|(_, sample)| sample.at);
        times.into_iter().map(|(now, _)| now).filter(|now| *now < at(200)).collect::<Vec<_>>()
    };
    assert_eq!(changes(Metric::Busy), [at(65), at(125), at(185)], "minutes, and the delay");
    assert!(changes(Metric::Running).windows(2).all(|pair| pair[1].since(pair[0]) == secs(15)));
    let slow = samples(&flight).find(|(_, sample)| sample.metric == Metric::Busy).expect("some");
    assert_eq!(slow.1.window, secs(30));
}

#[test]
fn an_outage_hides_its_metrics_from_its_first_scrape_to_the_first_after_it() {
    let mut world = busy_world();
    let (from, until) = (at(120), at(150));
    world.spec.metrics.outages = vec![Outage { from, until, metrics: vec![Metric::Busy] }];
    let flight = world.fly();
    let (busy, running) = gaps(&flight);
    assert_eq!(busy.len(), 30, "two scrapes are lost: {busy:?}");
    assert!((120..135).contains(&busy[0]), "{busy:?}");
    assert!(running.is_empty(), "others are not concerned: {running:?}");
    let share =
        |metric| flight.seen_at(190).services[0].pods[0].sample(metric).expect("back").value;
    assert!((share(Metric::Busy) - 1.0).abs() < 1e-9);
}

#[test]
fn a_share_of_scrapes_fails_and_a_window_bridges_it() {
    let blind = |window| {
        let mut world = busy_world();
        world.spec.metrics.missing = 0.3;
        world.metrics().window = secs(window);
        let flight = world.fly();
        let looks = flight.seen.iter().filter(|seen| at(60) <= seen.now && seen.now < at(600));
        looks.filter(|seen| seen.services[0].sample(Metric::InFlight).is_none()).count()
    };
    // Of 540 looks; a window of four scrapes is empty once in 123.
    assert!((81..243).contains(&blind(0)), "{}", blind(0));
    assert!(blind(60) < 30, "{}", blind(60));
}

#[test]
fn what_replicas_export_is_gone_without_replicas() {
    let seen = |replicas, exporter| {
        let mut world = World::running(1, replicas);
        world.serve(fixed(10_000), 1);
        world.arrive(&[0, 0, 0]);
        world.spec.metrics.service_exporter = exporter;
        let flight = world.fly();
        let service = &flight.seen_at(300).services[0];
        [Metric::GatewayQueue, Metric::QueueLength, Metric::InFlight, Metric::ArrivalRate]
            .map(|metric| service.sample(metric).map(|sample| sample.value))
    };
    assert_eq!(seen(1, ServiceExporter::Replicas), [None, Some(2.0), Some(3.0), None]);
    assert_eq!(seen(0, ServiceExporter::Replicas), [None; 4]);
    assert_eq!(seen(0, ServiceExporter::Gateway), [Some(3.0), Some(3.0), Some(3.0), Some(0.0)]);
}

/// The first turns, each with the requests in flight that are seen, of a policy that looks every 100 s, with a request at 130 s for a service at zero.
fn turns_at_zero(on_held_at_zero: bool) -> Vec<(u64, Option<f64>)> {
    let mut world = World::running(1, 0);
    world.arrive(&[130]);
    world.metrics().delay = secs(1);
    world.cadence = Cadence { on_held_at_zero, ..Cadence::regular(secs(100), Micros::ZERO) };
    let in_flight = |seen: &ObservationRecord| {
        seen.services[0].sample(Metric::InFlight).map(|sample| sample.value)
    };
    let flight = world.fly();
    let turns = flight.seen.iter().map(|seen| (seen.now.0 / 1_000_000, in_flight(seen)));
    turns.take(3).collect()
}

#[test]
fn a_request_held_for_a_service_at_zero_wakes_who_waits_for_that_and_is_seen() {
    assert_eq!(turns_at_zero(false), [(0, None), (100, Some(0.0)), (200, Some(1.0))]);
    assert_eq!(turns_at_zero(true), [(0, None), (100, Some(0.0)), (131, Some(1.0))]);
}
