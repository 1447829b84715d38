//! The policy as a whole: from observations to plans.

use super::*;
use crate::samples::{Cluster, at, sample, service};
use contract::Metric;
use std::fmt::Write;

fn settings(more: &str) -> Settings {
    let text = format!(
        r#"{{ "triggers": [{{ "metric": "queue-length", "threshold": 4 }}], "max-replica-count": 20 {more} }}"#
    );
    let settings: Settings = serde_json::from_str(&text).expect("settings");
    settings.validate().expect("settings that work");
    settings
}

/// Turns of `(second, queue)`, from a number of replicas; each line is prefixed with its second. Replicas are
/// ready as soon as they are asked for.
fn plans(policy: &mut Keda, mut wanted: u32, turns: &[(u64, Option<f64>)]) -> String {
    let mut text = String::new();
    for &(second, queue) in turns {
        let mut seen = service(wanted, wanted);
        seen.samples.extend(queue.map(|queue| sample(Metric::QueueLength, queue)));
        let cluster = Cluster { now: at(second), services: vec![seen], ..Cluster::default() };
        for line in cluster.plan_of(policy).lines() {
            if let Some(count) = line.strip_prefix("set-replicas service=0 replicas=") {
                wanted = count.split(' ').next().unwrap().parse().unwrap();
            }
            writeln!(text, "{second}: {line}").expect("text");
        }
    }
    text
}

#[track_caller]
fn check(more: &str, start: u32, turns: &[(u64, Option<f64>)], expected: &str) {
    let mut policy = Keda::new(settings(more), vec![ServiceId(0)]);
    assert_eq!(plans(&mut policy, start, turns), expected);
}

#[test]
fn a_queue_wakes_a_service_and_the_hpa_sizes_it() {
    check(
        "",
        0,
        &[(0, Some(0.0)), (15, Some(30.0)), (30, Some(30.0)), (45, Some(30.0))],
        "15: hold Service(ServiceId(0)) (at zero, which this autoscaler does not leave)\n\
         30: set-replicas service=0 replicas=1 (woken by a trigger: replicas=0)\n\
         30: set-replicas service=0 replicas=4 (above target, as fast as allowed: queue-length=30, target=4, replicas=1, proposed=8)\n\
         45: set-replicas service=0 replicas=8 (above target: queue-length=7.5, target=4, replicas=4, proposed=8)\n",
    );
}

#[test]
fn a_silent_service_rests_after_the_cooldown() {
    check(
        r#", "cooldown-period": "60s", "controller": { "sync-period": "5m" }"#,
        3,
        &[(0, Some(1.0)), (30, Some(0.0)), (60, Some(0.0)), (90, Some(0.0))],
        "30: hold Service(ServiceId(0)) (inactive, cooling down: replicas=3, inactive-s=30)\n\
         60: hold Service(ServiceId(0)) (inactive, cooling down: replicas=3, inactive-s=60)\n\
         90: set-replicas service=0 replicas=0 (inactive for the cooldown, to rest: replicas=3, inactive-s=90)\n",
    );
}

#[test]
fn a_metric_that_is_missing_reads_as_zero_unless_told_otherwise() {
    check(
        r#", "min-replica-count": 2"#,
        2,
        &[(15, None)],
        "15: hold Service(ServiceId(0)) (below target, waiting for the window: queue-length=0, target=4, replicas=2, proposed=0)\n",
    );
}

#[test]
fn a_trigger_that_cannot_be_read_falls_back_after_the_threshold() {
    let text = r#"{ "triggers": [{ "metric": "queue-length", "threshold": 4, "ignore-null-values": false }],
        "min-replica-count": 1, "fallback": { "failure-threshold": 1, "replicas": 6 },
        "polling-interval": "1h" }"#;
    let mut policy = Keda::new(serde_json::from_str(text).unwrap(), vec![ServiceId(0)]);
    assert_eq!(
        plans(&mut policy, 4, &[(15, None), (30, None)]),
        "15: hold Service(ServiceId(0)) (a trigger cannot be read, falling back: replicas=4)\n\
         15: hold Service(ServiceId(0)) (the service has no sample: replicas=4)\n\
         30: set-replicas service=0 replicas=6 (above target: queue-length=6, target=4, replicas=4, proposed=6)\n"
    );
}

#[test]
fn a_formula_makes_one_metric_of_two_triggers() {
    let text = r#"{ "triggers": [{ "metric": "queue-length", "threshold": 4 },
                                 { "metric": "in-flight", "name": "flying", "threshold": 4 }],
        "scaling-modifiers": { "formula": "queue_length + flying / 2", "target": 10 },
        "min-replica-count": 1 }"#;
    let settings: Settings = serde_json::from_str(text).unwrap();
    settings.validate().expect("settings that work");
    let mut policy = Keda::new(settings, vec![ServiceId(0)]);
    let mut seen = service(2, 2);
    seen.samples.push(sample(Metric::QueueLength, 5.0));
    seen.samples.push(sample(Metric::InFlight, 50.0));
    let cluster = Cluster { now: at(15), services: vec![seen], ..Cluster::default() };
    assert_eq!(
        cluster.plan_of(&mut policy),
        "set-replicas service=0 replicas=3 (above target: queue-length=15, target=10, replicas=2, proposed=3)\n"
    );
}

#[test]
fn a_fallback_beside_a_formula_asks_for_its_replicas_once() {
    // kedacore/keda issue 5371: not once for each trigger.
    let text = r#"{ "triggers": [{ "metric": "queue-length", "threshold": 4, "ignore-null-values": false },
                                 { "metric": "in-flight", "threshold": 8, "ignore-null-values": false }],
        "scaling-modifiers": { "formula": "queue_length + in_flight", "target": 2 },
        "fallback": { "failure-threshold": 0, "replicas": 5 }, "min-replica-count": 1 }"#;
    let mut policy = Keda::new(serde_json::from_str(text).unwrap(), vec![ServiceId(0)]);
    assert_eq!(
        plans(&mut policy, 4, &[(15, None)]),
        "15: hold Service(ServiceId(0)) (a trigger cannot be read, falling back: replicas=4)\n\
         15: set-replicas service=0 replicas=5 (above target: queue-length=2.5, target=2, replicas=4, proposed=5)\n"
    );
}

#[test]
fn paused_scale_in_keeps_the_hpa_from_scaling_in() {
    check(
        r#", "min-replica-count": 1, "annotations": { "paused-scale-in": true },
            "behavior": { "scale-down": { "stabilization-window": "0s" } }"#,
        5,
        &[(15, Some(4.0)), (30, Some(4.0))],
        "15: hold Service(ServiceId(0)) (below target, no faster allowed: queue-length=0.8, target=4, replicas=5, proposed=1)\n\
         30: hold Service(ServiceId(0)) (below target, no faster allowed: queue-length=0.8, target=4, replicas=5, proposed=1)\n",
    );
}

#[test]
fn a_saved_and_restored_policy_goes_on_as_if_nothing_had_happened() {
    let turns: Vec<_> =
        (0..40).map(|turn| (turn * 15, Some(if turn % 17 < 5 { 20.0 } else { 0.0 }))).collect();
    let make = || Keda::new(settings(r#", "cooldown-period": "2m""#), vec![ServiceId(0)]);
    let unbroken = plans(&mut make(), 0, &turns);
    for restart_at in 1..turns.len() {
        let mut before = make();
        let first = plans(&mut before, 0, &turns[..restart_at]);
        let mut after = make();
        after.restore(before.save()).expect("its own state");
        let second = plans(&mut after, last_count(&first), &turns[restart_at..]);
        assert_eq!(first + &second, unbroken, "restarted before turn {restart_at}");
    }
}

/// The last count that was written, or zero.
fn last_count(text: &str) -> u32 {
    let written = text.rsplit("set-replicas service=0 replicas=").next();
    written.and_then(|rest| rest.split(' ').next()?.parse().ok()).unwrap_or(0)
}

#[track_caller]
fn check_invalid(more: &str, expected: &str) {
    let text = format!(r#"{{ "max-replica-count": 3, {more} }}"#);
    let settings: Settings = serde_json::from_str(&text).expect("settings");
    assert_eq!(settings.validate().unwrap_err().to_string(), expected);
}

#[test]
fn settings_that_cannot_work_are_named() {
    check_invalid(
        r#""triggers": [{ "metric": "in-flight", "threshold": 4 }],
            "scaling-modifiers": { "formula": "in_flight > 3", "target": 1 }"#,
        "`scaling-modifiers.formula`: found `in_flight > 3`, expected a number made of the triggers \
         `in_flight`: gives `false`, not a number",
    );
    check_invalid(
        r#""triggers": [{ "metric": "running", "threshold": 4 }]"#,
        "`triggers[0].metric`: found `running`, expected a metric of the service, such as `queue-length`",
    );
    check_invalid(
        r#""triggers": [{ "metric": "queue-length", "threshold": 4 }], "min-replica-count": 4"#,
        "`min-replica-count`: found `4`, expected at most `max-replica-count` (3)",
    );
    check_invalid(
        r#""triggers": [{ "metric": "queue-length", "threshold": 4 }], "min-replica-count": 1, "idle-replica-count": 1"#,
        "`idle-replica-count`: found `1`, expected less than `min-replica-count` (1)",
    );
}
