//! The two loops together: from an observation to a plan.

use super::*;
use crate::samples::{Cluster, at, sample, service};

fn settings(version: &str) -> Settings {
    let text = format!(r#"{{ "version": {{ "{version}": {{}} }}, "max-replicas": 30 }}"#);
    let settings: Settings = serde_json::from_str(&text).expect("settings");
    settings.validate().expect("settings that work");
    settings
}

/// A service whose replicas have this many tokens of a cache of 1,000 and this many waiting requests each.
fn loaded(replicas: u32, tokens: f64, queue: f64) -> ServiceSeen {
    let mut seen = service(replicas, replicas);
    for place in 0..seen.pods.len() {
        seen.pods.edit(place, |pod| {
            pod.samples.push(sample(Metric::KvUse, tokens / 1000.0));
            pod.samples.push(sample(Metric::KvTokens, tokens));
            pod.samples.push(sample(Metric::KvCapacity, 1000.0));
            pod.samples.push(sample(Metric::Waiting, queue));
        });
    }
    seen.samples.push(sample(Metric::PromptTokens, 100.0));
    seen.samples.push(sample(Metric::OutputTokens, 50.0));
    seen
}

/// The plans at these seconds, of a service that does not change.
#[track_caller]
fn check(version: &str, seen: &ServiceSeen, seconds: &[u64], expected: &str) {
    let mut policy = Wva::new(settings(version), vec![ServiceId(0)]);
    let plan = |&second: &u64| {
        let cluster =
            Cluster { now: at(second), services: vec![seen.clone()], ..Cluster::default() };
        cluster.plan_of(&mut policy)
    };
    assert_eq!(seconds.iter().map(plan).collect::<String>(), expected);
}

#[test]
fn v1_publishes_one_more_and_the_hpa_writes_it_a_scrape_later() {
    check(
        "v1",
        &loaded(2, 750.0, 0.0),
        &[15, 30, 45],
        "hold Service(ServiceId(0)) (the service has no sample: replicas=2)
hold Service(ServiceId(0)) (wva v1: too little to spare, one more: spare-kv=0.05, spare-queue=5, unsaturated=2, reporting=2, replicas=2, published=3)
hold Service(ServiceId(0)) (the service has no sample: replicas=2)
set-replicas service=0 replicas=3 (above target: wva-desired-a-replica=1.5, target=1, replicas=2, proposed=3)
",
    );
}

#[test]
fn v1_above_ten_replicas_waits_for_an_hpa_that_tolerates_one_more() {
    check(
        "v1",
        &loaded(11, 750.0, 0.0),
        &[30, 45, 60],
        "hold Service(ServiceId(0)) (wva v1: too little to spare, one more: spare-kv=0.05, spare-queue=5, unsaturated=11, reporting=11, replicas=11, published=12)
hold Service(ServiceId(0)) (the service has no sample: replicas=11)
hold Service(ServiceId(0)) (on target: wva-desired-a-replica=1.091, target=1, replicas=11, proposed=11)
hold Service(ServiceId(0)) (wva v1: pods of an earlier decision are still to come: spare-kv=0.05, spare-queue=5, unsaturated=11, reporting=11, replicas=11, published=12)
hold Service(ServiceId(0)) (on target: wva-desired-a-replica=1.091, target=1, replicas=11, proposed=11)
",
    );
}

#[test]
fn v2_asks_for_all_that_is_missing_at_once() {
    // Each replica holds 700 tokens while 10 requests of 100 tokens wait: 3,400 tokens, 700 a replica at most.
    check(
        "v2",
        &loaded(2, 700.0, 10.0),
        &[30, 45],
        "hold Service(ServiceId(0)) (wva v2: more tokens than replicas hold: demand-tokens=3400, tokens-a-replica=700, ready=2, replicas=2, published=6)
hold Service(ServiceId(0)) (the service has no sample: replicas=2)
set-replicas service=0 replicas=4 (above target, as fast as allowed: wva-desired-a-replica=3, target=1, replicas=2, proposed=6)
",
    );
}

#[test]
fn settings_that_cannot_work_are_named() {
    let mut broken = settings("v2");
    if let Version::V2(v2) = &mut broken.version {
        v2.scale_down_boundary = 0.9;
    }
    assert_eq!(
        broken.validate().expect_err("cannot work").to_string(),
        "`version.v2.scale-down-boundary`: found `0.9`, expected above 0, below `scale-up-threshold` (0.85)"
    );
}
