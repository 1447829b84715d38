//! The two loops together: from observations to plans.

use super::*;
use crate::samples::{Cluster, at, sample, service};

fn settings(more: &str) -> Settings {
    let settings: Settings = serde_json::from_str(&format!("{{ {more} }}")).expect("settings");
    settings.validate().expect("settings that work");
    settings
}

/// Engines with steps of 10 ms, 50 µs a prompt token and 0.2 µs a cached one, as seen at a second.
fn loaded(second: u64, wanted: u32, ready: u32, waiting: f64, rate: f64) -> ServiceSeen {
    let mut seen = service(wanted, ready);
    let fresh = |metric, value| contract::Sample { at: at(second), ..sample(metric, value) };
    for place in 0..seen.pods.len() {
        seen.pods.edit(place, |pod| {
            let turn = second / 5 + u64::from(pod.id.0);
            let (prompt, kv) = (
                [0.0, 400.0, 900.0][(turn % 3) as usize],
                [20_000.0, 30_000.0][(turn % 2) as usize],
            );
            pod.samples.push(fresh(Metric::WaitingPromptTokens, waiting));
            pod.samples.push(fresh(Metric::KvCapacity, 190_000.0));
            pod.samples.push(fresh(Metric::StepTime, 0.010 + 5e-5 * prompt + 2e-7 * kv));
            pod.samples.push(fresh(Metric::StepPromptTokens, prompt));
            pod.samples.push(fresh(Metric::StepKvTokens, kv));
        });
    }
    seen.samples.push(fresh(Metric::ArrivalRate, rate));
    seen.samples.push(fresh(Metric::PromptTokens, 1000.0));
    seen.samples.push(fresh(Metric::OutputTokens, 200.0));
    seen
}

/// The last plan after looks every 5 s up to `until`, of a service that does not change.
#[track_caller]
fn check(
    more: &str,
    until: u64,
    (wanted, ready): (u32, u32),
    (waiting, rate): (f64, f64),
    expected: &str,
) {
    let mut policy = DynamoPlanner::new(settings(more), vec![ServiceId(0)]);
    let mut last = String::new();
    for second in (5..=until).step_by(5) {
        let seen = loaded(second, wanted, ready, waiting, rate);
        let cluster = Cluster { now: at(second), services: vec![seen], ..Cluster::default() };
        last = cluster.plan_of(&mut policy);
    }
    assert_eq!(last, expected);
}

#[test]
fn late_engines_get_one_more_and_nothing_happens_while_it_starts() {
    check(
        "",
        60,
        (2, 2),
        (20_000.0, 1.0),
        "set-replicas service=0 replicas=3 (all engines are late with the first token: replicas=2, ready=2, waiting-tokens=20000, cache-use=0.132, floor=0)\n",
    );
    check(
        "",
        60,
        (3, 2),
        (20_000.0, 1.0),
        "hold Service(ServiceId(0)) (load: a change is under way: replicas=3, ready=2)\n",
    );
}

/// A batch of 85 takes 10 ms + 85·(5·50 + 1100·0.2) µs = 49.95 ms a step: 85 / (200 · 49.95 ms) = 8.509 requests/s.
#[test]
fn predicted_traffic_is_the_floor_of_the_fast_loop() {
    check(
        r#""load-predictor": "constant""#,
        180,
        (2, 2),
        (0.0, 20.0),
        "hold Service(ServiceId(0)) (throughput: predicted traffic: predicted-req/s=20, engine-req/s=8.509, prompt-tokens=1000, output-tokens=200, proposed=3)
set-replicas service=0 replicas=3 (load: lifted to the predicted traffic: replicas=2, ready=2, waiting-tokens=0, cache-use=0.132, floor=3)\n",
    );
}

#[test]
fn without_the_fast_loop_predicted_traffic_is_the_count_within_the_budget() {
    check(
        r#""load-predictor": "constant", "enable-load-scaling": false"#,
        180,
        (2, 2),
        (0.0, 100.0),
        "set-replicas service=0 replicas=8 (throughput: predicted traffic: predicted-req/s=100, engine-req/s=8.509, prompt-tokens=1000, output-tokens=200, proposed=12)\n",
    );
}

#[test]
fn by_cache_alone_nothing_has_to_be_learned() {
    check(
        r#""optimization-target": "throughput""#,
        5,
        (2, 2),
        (170_000.0, 1.0),
        "set-replicas service=0 replicas=3 (an engine's cache is over the threshold: replicas=2, ready=2, waiting-tokens=170000, cache-use=0.132, floor=0)\n",
    );
}

#[test]
fn settings_that_cannot_work_are_named() {
    let broken = Settings {
        optimization_target: OptimizationTarget::Latency,
        enable_load_scaling: false,
        ..Settings::default()
    };
    assert_eq!(
        broken.validate().expect_err("cannot work").to_string(),
        "`enable-load-scaling`: found `false`, expected true, or `enable-throughput-scaling` with `optimization-target = \"sla\"`"
    );
}
