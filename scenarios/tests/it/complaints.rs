//! What users complain of, flown: each `complaint-…` scenario shows its effect, beside the setting that cures it.

use crate::flights::{fly, says, service, written};
use sim_core::outcome::{Experiment, StackOutcome};

/// The two stacks of a complaint: what causes it, and what cures it.
fn cause_and_cure(experiment: &Experiment) -> [&StackOutcome; 2] {
    let [cause, cure] = &experiment.stacks[..] else { panic!("two stacks") };
    [cause, cure]
}

/// Replicas asked for at the end of the bin that begins at this minute.
fn wanted_at(stack: &StackOutcome, minute: u64) -> u32 {
    let row = stack.timeline.iter().find(|row| row.at.0 == minute * 60_000_000);
    row.expect("a bin").wanted
}

#[test]
fn a_queue_that_grows_while_a_replica_loads_asks_for_more_at_every_sync() {
    let experiment = fly("complaint-01-more-while-loading");
    let [keda, naive, paced] = &experiment.stacks[..] else { panic!("three stacks") };
    for runaway in [keda, naive] {
        let before_the_second = runaway.timeline.iter().take_while(|row| row.ready == 1);
        let most = before_the_second.map(|row| row.wanted).max().expect("one is ready at first");
        assert_eq!(most, 10, "the maximum, before the first new replica is up");
        let counts: Vec<_> = written(runaway).into_iter().map(|(replicas, _)| replicas).collect();
        assert!(counts.iter().take_while(|count| **count < 10).count() >= 2, "{counts:?}");
        assert!(runaway.runs[0].cost.usd > 2.0 * paced.runs[0].cost.usd);
    }
    let peak = service(paced).replicas.wanted_peak;
    assert!((2..=3).contains(&peak), "{peak}");
    assert_eq!(service(paced).requests.unfinished, 0, "two replicas carry it");
}

#[test]
fn the_backlog_of_a_cold_start_is_a_flood_of_pods_for_kpa() {
    let experiment = fly("complaint-02-panic-flood");
    let [flood, capped] = cause_and_cure(&experiment);
    let (flooded, spared) = (service(flood), service(capped));
    assert!(flooded.replicas.wanted_peak >= 50, "{}", flooded.replicas.wanted_peak);
    assert_eq!(spared.replicas.wanted_peak, 3);
    assert!(says(flood, "panic, more pods"));
    // Twenty times the fleet, and hardly anybody is served sooner: the first replica comes when it comes.
    assert!(flood.runs[0].cost.usd > 5.0 * capped.runs[0].cost.usd);
    assert!((flooded.attainment - spared.attainment).abs() < 0.05);
}

#[test]
fn a_start_longer_than_the_progress_deadline_is_given_up_and_serves_nobody() {
    let experiment = fly("complaint-04-progress-deadline");
    let [given_up, patient] = cause_and_cure(&experiment);
    assert!(says(given_up, "not up by the progress deadline, given up"));
    assert_eq!(service(given_up).requests.completed, 0);
    assert!(given_up.runs[0].gpu.loading > 0.5, "{:?}", given_up.runs[0].gpu);
    assert!(!says(patient, "not up by the progress deadline, given up"));
    assert!(service(patient).requests.completed > 30, "the second wave is served");
}

#[test]
fn a_cooldown_shorter_than_a_start_removes_the_replica_before_it_served() {
    let experiment = fly("complaint-06-cooldown-while-loading");
    let [keda, patient] = cause_and_cure(&experiment);
    assert!(written(keda).iter().any(|(replicas, _)| *replicas == 0));
    assert_eq!((service(keda).replicas.ready_peak, service(keda).requests.completed), (0, 0));
    assert_eq!(service(patient).replicas.ready_peak, 1);
    assert!(service(patient).requests.attained > 30, "the second minute finds it ready");
}

#[test]
fn the_step_to_zero_passes_by_the_scale_down_policy() {
    let experiment = fly("complaint-07-cooldown-cliff");
    let [cliff, stairs] = cause_and_cure(&experiment);
    let steps_down = |stack: &StackOutcome| {
        let counts: Vec<_> =
            std::iter::once(6).chain(written(stack).into_iter().map(|(to, _)| to)).collect();
        let falls = counts.windows(2).filter(|pair| pair[1] < pair[0]);
        falls.map(|pair| (pair[0], pair[1])).collect::<Vec<_>>()
    };
    let (from, to) = *steps_down(cliff).iter().max_by_key(|(from, to)| from - to).expect("falls");
    assert!(from >= 4 && to == 0, "{from} to {to}");
    assert!(says(cliff, "inactive for the cooldown, to rest"));
    let stairs_down = steps_down(stairs);
    assert!(
        stairs_down.len() >= 3 && stairs_down.iter().all(|(from, to)| from - to == 1),
        "{stairs_down:?}"
    );
    assert!(service(stairs).attainment > service(cliff).attainment + 0.05);
}

#[test]
fn a_metric_that_only_replicas_export_never_wakes_a_service_at_zero() {
    let experiment = fly("complaint-09-metric-gone-at-zero");
    let [asleep, minimum] = cause_and_cure(&experiment);
    assert_eq!((service(asleep).replicas.created, service(asleep).requests.completed), (0, 0));
    assert!(asleep.decisions.iter().all(|row| row.action.is_empty()), "and nothing says so");
    assert!(service(minimum).requests.completed > 300);
}

#[test]
fn an_outage_of_the_metrics_at_the_peak_scales_to_the_minimum_unless_a_fallback_stands_in() {
    let experiment = fly("complaint-09-metric-outage");
    let [blind, fallback] = cause_and_cure(&experiment);
    assert!(wanted_at(blind, 5) >= 3, "{}", wanted_at(blind, 5));
    assert_eq!(wanted_at(blind, 14), 1);
    assert!((6..16).all(|minute| wanted_at(fallback, minute) >= 3));
    assert!(service(fallback).attainment > 0.95, "{}", service(fallback).attainment);
    assert!(service(blind).attainment < service(fallback).attainment - 0.3);
}

#[test]
fn gpu_utilisation_scales_to_the_maximum_for_the_load_of_one_replica() {
    let experiment = fly("complaint-11-gpu-utilization");
    let [utilization, concurrency] = cause_and_cure(&experiment);
    assert_eq!(service(utilization).replicas.wanted_peak, 10);
    assert_eq!(wanted_at(utilization, 24), 10, "and it stays there");
    assert_eq!(service(concurrency).replicas.wanted_peak, 1);
    assert!(service(concurrency).attainment > 0.99, "{}", service(concurrency).attainment);
}

#[test]
fn scale_down_cuts_generations_that_outlast_the_grace() {
    let experiment = fly("complaint-13-cut-generations");
    let [short, long] = &experiment.stacks[0].runs[0].services[..] else { panic!("two services") };
    assert!(short.requests.lost_with_replica >= 10, "{}", short.requests.lost_with_replica);
    assert_eq!(long.requests.lost_with_replica, 0);
    assert!(
        experiment.stacks[0].decisions.iter().any(|row| row.reason.starts_with("below target"))
    );
}

#[test]
fn a_target_of_type_value_proposes_nothing_while_no_pod_is_ready() {
    let experiment = fly("complaint-15-value-without-ready-pods");
    let [value, average] = cause_and_cure(&experiment);
    let (first, reason) = written(value)[0];
    assert_eq!(first, 1, "down from two, at full load: {reason}");
    assert!(reason.contains("proposed=0"), "{reason}");
    let queue = value.timeline.iter().find(|row| row.wanted == 1).expect("at the minimum").queue;
    assert!(queue > 300, "{queue} wait");
    assert!(written(average)[0].0 > 2);
    assert!(service(average).attainment > service(value).attainment + 0.1);
}

#[test]
fn one_missing_metric_freezes_the_way_down() {
    let experiment = fly("complaint-18-broken-metric");
    let [frozen, free] = cause_and_cure(&experiment);
    assert_eq!(wanted_at(frozen, 39), wanted_at(frozen, 10), "half an hour without the load");
    assert!(says(frozen, "the service has no sample"));
    assert!(wanted_at(free, 39) <= 2, "{}", wanted_at(free, 39));
    assert!(frozen.runs[0].cost.usd > 1.5 * free.runs[0].cost.usd);
}

#[test]
fn seven_tenths_of_one_request_a_pod_keep_a_gpu_idle_while_requests_queue() {
    let experiment = fly("complaint-20-target-below-one");
    let [seventy, hundred] = cause_and_cure(&experiment);
    let ready = |stack: &StackOutcome| service(stack).replicas.ready_mean;
    assert!(ready(seventy) > ready(hundred) + 0.3, "{} {}", ready(seventy), ready(hundred));
    let gpu = seventy.runs[0].gpu;
    assert!(gpu.idle_ready > gpu.useful, "{gpu:?}");
    assert!(service(seventy).ttft.p90_ms > 1000.0, "{}", service(seventy).ttft.p90_ms);
}
