//! The policy as a whole: from an observation to a plan.

use super::*;
use crate::samples::{Cluster, at, pod, sample, service};
use contract::{Metric, PodStage};

fn settings(text: &str) -> Settings {
    let settings: Settings = serde_json::from_str(text).expect("settings");
    settings.validate().expect("settings that work");
    settings
}

fn on_concurrency() -> Settings {
    settings(
        r#"{ "max-replicas": 10,
             "metrics": [{ "pods": { "metric": "concurrency", "average-value": 8 } }] }"#,
    )
}

fn on_queue() -> Settings {
    settings(
        r#"{ "max-replicas": 10,
             "metrics": [{ "external": { "metric": "queue-length", "average-value": 4 } }] }"#,
    )
}

/// What is decided at 15 s of a service that asks for as many replicas as have a concurrency here.
#[track_caller]
fn check_concurrency(concurrency: &[f64], others: &[PodStage], expected: &str) {
    let wanted = u32::try_from(concurrency.len() + others.len()).unwrap();
    let mut seen = service(wanted, u32::try_from(concurrency.len()).unwrap());
    for (place, &value) in concurrency.iter().enumerate() {
        seen.pods.edit(place, |pod| pod.samples.push(sample(Metric::Concurrency, value)));
    }
    seen.pods.extend(others.iter().map(|&stage| pod(100, stage)));
    let cluster = Cluster { now: at(15), services: vec![seen], ..Cluster::default() };
    let mut policy = Hpa::new(on_concurrency(), vec![ServiceId(0)]);
    assert_eq!(cluster.plan_of(&mut policy), expected);
}

#[test]
fn load_above_the_tolerance_adds_pods() {
    check_concurrency(
        &[8.8, 8.8],
        &[],
        "hold Service(ServiceId(0)) (on target: concurrency=8.8, target=8, replicas=2, proposed=2)\n",
    );
    check_concurrency(
        &[8.8, 8.81],
        &[],
        "set-replicas service=0 replicas=3 (above target: concurrency=8.805, target=8, replicas=2, proposed=3)\n",
    );
}

#[test]
fn a_scale_down_waits_for_the_window() {
    check_concurrency(
        &[1.0, 1.0],
        &[],
        "hold Service(ServiceId(0)) (below target, waiting for the window: concurrency=1, target=8, replicas=2, proposed=1)\n",
    );
}

#[test]
fn a_pod_that_is_pulled_damps_and_a_draining_one_does_not_count() {
    check_concurrency(
        &[16.0, 16.0],
        &[PodStage::Pulling, PodStage::Pulling],
        "hold Service(ServiceId(0)) (on target: concurrency=16, target=8, replicas=4, proposed=4)\n",
    );
    check_concurrency(
        &[16.0, 16.0],
        &[PodStage::Draining],
        "set-replicas service=0 replicas=4 (above target: concurrency=16, target=8, replicas=3, proposed=4)\n",
    );
}

#[test]
fn a_model_that_loads_has_no_sample_and_damps_as_well() {
    check_concurrency(
        &[16.0, 16.0],
        &[PodStage::Loading],
        "set-replicas service=0 replicas=4 (above target: concurrency=16, target=8, replicas=3, proposed=4)\n",
    );
}

#[test]
fn without_samples_nothing_is_decided() {
    check_concurrency(
        &[],
        &[PodStage::Loading, PodStage::Pending],
        "hold Service(ServiceId(0)) (no ready pod has a sample: replicas=2)\n",
    );
}

#[test]
fn a_queue_asks_for_what_it_holds_whatever_is_ready() {
    let mut seen = service(3, 1);
    seen.replicas.starting = 2;
    seen.samples.push(sample(Metric::QueueLength, 22.0));
    let cluster = Cluster { now: at(15), services: vec![seen], ..Cluster::default() };
    let mut policy = Hpa::new(on_queue(), vec![ServiceId(0)]);
    assert_eq!(
        cluster.plan_of(&mut policy),
        "set-replicas service=0 replicas=6 (above target: queue-length=7.334, target=4, replicas=3, proposed=6)\n"
    );
}

#[test]
fn cpu_of_a_young_pod_counts_once_it_is_ready_for_a_whole_sample() {
    let settings = settings(
        r#"{ "max-replicas": 10, "metrics": [{ "resource": { "name": "cpu", "average-utilization": 50 } }] }"#,
    );
    let mut seen = service(2, 2);
    for place in 0..2 {
        seen.pods.edit(place, |pod| pod.samples.push(sample(Metric::Busy, 1.0)));
    }
    seen.pods.edit(1, |pod| (pod.created, pod.since) = (at(500), at(590)));
    let mut policy = Hpa::new(settings, vec![ServiceId(0)]);
    let cluster = Cluster { now: at(600), services: vec![seen], ..Cluster::default() };
    // One busy pod at twice its target, the other taken to be idle.
    assert_eq!(
        cluster.plan_of(&mut policy),
        "hold Service(ServiceId(0)) (on target: busy=1, target=0.5, replicas=2, proposed=2)\n"
    );
}

#[test]
fn a_saved_and_restored_policy_goes_on_as_if_nothing_had_happened() {
    let steps = [40.0, 4.0, 80.0, 2.0, 2.0, 2.0, 60.0, 0.0, 0.0, 0.0];
    let run = |restart_at: usize| {
        let mut policy = Hpa::new(on_queue(), vec![ServiceId(0)]);
        let (mut wanted, mut plans) = (2, String::new());
        for (step, &queue) in steps.iter().enumerate() {
            if step == restart_at {
                let state = policy.save();
                policy = Hpa::new(on_queue(), vec![ServiceId(0)]);
                policy.restore(state).expect("its own state");
            }
            let mut seen = service(wanted, wanted);
            seen.samples.push(sample(Metric::QueueLength, queue));
            let now = at(60 * (step as u64 + 1));
            let cluster = Cluster { now, services: vec![seen], ..Cluster::default() };
            let plan = cluster.plan_of(&mut policy);
            if let Some(count) = plan.split("replicas=").nth(1).filter(|_| plan.starts_with("set"))
            {
                wanted = count.split(' ').next().unwrap().parse().unwrap();
            }
            plans.push_str(&plan);
        }
        plans
    };
    let unbroken = run(usize::MAX);
    for restart_at in 0..steps.len() {
        assert_eq!(run(restart_at), unbroken, "restarted before step {restart_at}");
    }
}

#[track_caller]
fn check_invalid(text: &str, expected: &str) {
    let settings: Settings = serde_json::from_str(text).expect("settings");
    assert_eq!(settings.validate().unwrap_err().to_string(), expected);
}

#[test]
fn settings_that_cannot_work_are_named() {
    let metrics = r#""metrics": [{ "pods": { "metric": "concurrency", "average-value": 8 } }]"#;
    check_invalid(
        &format!(r#"{{ "min-replicas": 5, "max-replicas": 3, {metrics} }}"#),
        "`min-replicas`: found `5`, expected at most `max-replicas` (3)",
    );
    check_invalid(
        &format!(r#"{{ "min-replicas": 0, "max-replicas": 3, {metrics} }}"#),
        "`min-replicas`: found `0`, expected at least 1, or `controller.scale-to-zero` and an `external` metric",
    );
    check_invalid(
        r#"{ "max-replicas": 3, "metrics": [{ "pods": { "metric": "queue-length", "average-value": 8 } }] }"#,
        "`metrics[0].pods.metric`: found `queue-length`, expected a metric of pods, such as `concurrency`",
    );
    check_invalid(
        r#"{ "max-replicas": 3, "metrics": [{ "external": { "metric": "queue-length" } }] }"#,
        "`metrics[0].external.average-value`: found `nothing`, expected a target here or in `value`",
    );
    check_invalid(
        &format!(
            r#"{{ "max-replicas": 3, {metrics}, "behavior": {{ "scale-down": {{ "policies":
               [{{ "type": "pods", "value": 1, "period": "31m" }}] }} }} }}"#
        ),
        "`behavior.scale-down.policies[0].period`: found `31m`, expected more than none, at most `30m`",
    );
}
