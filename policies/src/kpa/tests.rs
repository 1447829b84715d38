//! The policy as a whole: from observations to plans.

use super::*;
use crate::samples::{Cluster, at, service};
use std::fmt::Write;

fn settings(text: &str) -> Settings {
    let settings: Settings = serde_json::from_str(text).expect("settings");
    settings.validate().expect("settings that work");
    settings
}

fn policy(text: &str) -> Kpa {
    Kpa::new(settings(text), vec![ServiceId(0)])
}

/// Two-second ticks from the first second to the last, with a demand by second that is scraped every second.
/// Replicas are ready `start_s` after they are asked for. Gives each change with its second, and the count at
/// the end.
fn changes(
    policy: &mut Kpa,
    start: u32,
    start_s: u64,
    seconds: std::ops::Range<u64>,
    demand: impl Fn(u64) -> f64,
) -> (String, u32) {
    let (mut wanted, mut asked, mut text) = (start, vec![(0, start)], String::new());
    for second in seconds.step_by(2) {
        let up = asked.iter().rev().find(|(since, _)| since + start_s <= second);
        let ready = up.map_or(start, |&(_, count)| count).min(wanted);
        let mut seen = service(wanted, ready);
        let value = demand(second);
        let sample =
            Sample { metric: Metric::InFlight, value, at: at(second), window: Micros::ZERO };
        seen.samples.push(sample);
        let cluster = Cluster { now: at(second), services: vec![seen], ..Cluster::default() };
        for line in cluster.plan_of(policy).lines().filter(|line| line.starts_with("set")) {
            let (action, reason) = line.split_once(" (").expect("a reason");
            wanted = action.rsplit('=').next().unwrap().parse().unwrap();
            asked.push((second, wanted));
            let words = reason.split(':').next().unwrap();
            writeln!(text, "{second}: {wanted} {words}").expect("text");
        }
    }
    (text, wanted)
}

#[track_caller]
fn check(text: &str, start: u32, start_s: u64, demand: impl Fn(u64) -> f64, expected: &str) {
    let (found, _) = changes(&mut policy(text), start, start_s, 0..301, demand);
    assert_eq!(found, expected);
}

#[test]
fn steady_demand_above_the_target_adds_pods() {
    check(
        r#"{ "target": 10, "target-utilization-percentage": 100 }"#,
        5,
        0,
        |second| if second < 100 { 50.0 } else { 56.0 },
        "100: 6 more demand than the target\n",
    );
}

#[test]
fn a_burst_during_a_cold_start_becomes_a_flood_that_is_held() {
    // knative/serving issue 13284: pods take two minutes, the backlog grows meanwhile.
    let (text, _) = changes(
        &mut policy(r#"{ "target": 10, "target-utilization-percentage": 100, "max-scale": 40 }"#),
        1,
        120,
        0..121,
        |second| f64::from(u32::try_from(second.saturating_sub(20)).unwrap() * 3),
    );
    assert!(text.starts_with("28: 2 panic, more pods\n"), "{text}");
    assert!(text.ends_with(" panic, more pods\n"), "{text}");
    let counts: Vec<u32> =
        text.lines().filter_map(|line| line.split(' ').nth(1)?.parse().ok()).collect();
    assert!(counts.is_sorted() && counts.last() >= Some(&25), "{text}");
}

#[test]
fn a_silent_service_goes_to_one_pod_and_then_to_zero() {
    check(
        r#"{ "target": 10, "target-utilization-percentage": 100 }"#,
        1,
        0,
        |second| if second < 60 { 5.0 } else { 0.0 },
        "122: 0 idle for the window and the grace, to zero\n",
    );
}

#[test]
fn demand_at_zero_brings_pods_back() {
    check(
        r#"{ "target": 10, "target-utilization-percentage": 100, "activation-scale": 3 }"#,
        0,
        10,
        |second| if second < 40 { 0.0 } else { 4.0 },
        "40: 3 more demand than the target\n",
    );
}

#[test]
fn a_pipeline_slower_than_a_second_is_read_as_if_its_newest_sample_stood() {
    let mut memory = policy("{}").start(&service(1, 1), at(0));
    let sample = |second, value| Sample {
        metric: Metric::InFlight,
        value,
        at: at(second),
        window: Micros::ZERO,
    };
    memory.record(Some(&sample(0, 6.0)), at(2));
    memory.record(Some(&sample(3, 2.0)), at(4));
    let values: Vec<_> =
        memory.stable.buckets(at(4)).into_iter().map(|(_, value)| value).take(5).collect();
    assert_eq!(values, [2.0, 2.0, 6.0, 6.0, 6.0]);
}

#[test]
fn a_saved_and_restored_policy_goes_on_as_if_nothing_had_happened() {
    let text = r#"{ "target": 10, "scale-down-delay": "20s" }"#;
    let demand = |second: u64| f64::from(u32::try_from(second * 37 % 200).unwrap());
    let (unbroken, _) = changes(&mut policy(text), 2, 0, 0..201, demand);
    assert!(unbroken.lines().count() > 2, "{unbroken}");
    for restart_at in (2..200).step_by(18) {
        let mut before = policy(text);
        let (first, wanted) = changes(&mut before, 2, 0, 0..restart_at, demand);
        let mut after = policy(text);
        after.restore(before.save()).expect("its own state");
        let (second, _) = changes(&mut after, wanted, 0, restart_at..201, demand);
        assert_eq!(first + &second, unbroken, "restarted before {restart_at} s");
    }
}

#[track_caller]
fn check_invalid(text: &str, expected: &str) {
    let settings: Settings = serde_json::from_str(text).expect("settings");
    assert_eq!(settings.validate().unwrap_err().to_string(), expected);
}

#[test]
fn settings_that_cannot_work_are_named() {
    check_invalid(
        r#"{ "window": "5s" }"#,
        "`window`: found `5s`, expected whole seconds from `6s` to `1h`",
    );
    check_invalid(
        r#"{ "min-scale": 3, "max-scale": 2 }"#,
        "`min-scale`: found `3`, expected at most `max-scale` (2)",
    );
    check_invalid(
        r#"{ "config": { "max-scale-down-rate": 1 } }"#,
        "`config.max-scale-down-rate`: found `1`, expected a number above 1",
    );
}

/// Ticks at even seconds, none of them due, and a poke at one second.
fn poked(samples: &[(u64, f64)], poke: u64) -> String {
    let mut policy = policy(r#"{ "target": 10, "phase": "0s" }"#);
    let mut text = String::new();
    for second in 0..=poke {
        let newest = samples.iter().rev().find(|(at, _)| *at <= second);
        let &(taken, value) = newest.expect("a sample");
        let mut seen = service(0, 0);
        let sample =
            Sample { metric: Metric::InFlight, value, at: at(taken), window: Micros::ZERO };
        seen.samples.push(sample);
        if second % 2 == 0 || second == poke {
            let cluster = Cluster { now: at(second), services: vec![seen], ..Cluster::default() };
            text = cluster.plan_of(&mut policy);
        }
    }
    text
}

#[test]
fn a_poke_in_a_second_that_was_recorded_as_empty_wakes_a_service_at_zero() {
    assert!(poked(&[(0, 0.0)], 101).contains("at zero"));
    let text = poked(&[(0, 0.0), (100, 1.0)], 100);
    assert!(text.starts_with("set-replicas") && text.contains("=1 ("), "{text}");
}
