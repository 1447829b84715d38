//! Jobs whose queue asks the node autoscaler for room before they have pods.

use crate::jobs::gang;
use crate::kueue::{any_flavor, queue};
use crate::world::{Flight, World, assert_close, fixed, secs};
use contract::ProvisioningAnswer::{Failed, Found, NotFound, Provisioned};
use contract::{Action, JobId, Micros, ProvisioningAnswer, ProvisioningClass, ProvisioningState};
use sim_core::JobArrival;
use sim_core::spec::{
    GangScheduling, JobClassSpec, KueueSpec, Paces, PodsReadySpec, ProvisioningSpec,
};

/// Two nodes of two GPUs, and a team with quota for one of its jobs at a time, whose queue checks for room.
fn world(jobs: Vec<JobArrival>, answers: &[(u64, u32, ProvisioningAnswer)]) -> World {
    let mut world = World::running(2, 0);
    let check = ProvisioningSpec {
        class: ProvisioningClass::CheckCapacity,
        no_retry: true,
        retries: 1,
        backoff_base: secs(60),
        backoff_max: secs(1800),
    };
    let class = JobClassSpec {
        name: "red".into(),
        startup: fixed(10),
        paces: Paces::default(),
        checkpoint: None,
        queue: Some(0),
        reach: None,
    };
    let mut queue = queue("red", 2);
    (queue.cohort, queue.provisioning) = (None, Some(check));
    world.spec.batch.gangs = GangScheduling::Kueue;
    world.spec.batch.classes = vec![class];
    world.spec.batch.kueue =
        KueueSpec { flavors: vec![any_flavor()], queues: vec![queue], pods_ready: None };
    world.jobs = vec![jobs];
    for &(second, job, answer) in answers {
        world.act(second, Action::AnswerProvisioning { job: JobId(job), answer });
    }
    world
}

#[track_caller]
fn check(flight: &Flight, expected: &[&str]) {
    assert_eq!(flight.job_decisions, expected);
}

const RESERVED: &str = "red has quota of gpu: 2 of its 2 GPUs in use with it";

#[test]
fn a_job_with_quota_has_no_pods_until_its_request_is_answered() {
    let flight = world(vec![gang(0, 2, 100)], &[(30, 0, NotFound), (100, 0, Provisioned)]).fly();
    check(
        &flight,
        &[
            &format!("0 s: reserve job 0: {RESERVED}"),
            "30 s: job 0: check-capacity: no room for its 2 pods, to be looked for again",
            "100 s: admit job 0: check-capacity: provisioned for its 2 pods",
        ],
    );
    let pods = |second| {
        let seen = flight.seen_at(second);
        seen.pending.len() + seen.nodes.iter().map(|node| node.pods.len()).sum::<usize>()
    };
    assert_eq!((pods(99), pods(105)), (0, 2));
    let state = |second| flight.seen_at(second).provisioning[0].state;
    let at = contract::Instant::ZERO;
    assert_eq!(state(10), ProvisioningState::New);
    assert_eq!(state(50), ProvisioningState::NotFound { at: at + secs(30) });
    assert_eq!(state(150), ProvisioningState::Provisioned { at: at + secs(100) });
    assert!(flight.seen_at(220).provisioning.is_empty(), "a job that is done asks for nothing");
    let red = &flight.outcome.summary.jobs[0];
    assert_close(red.completion_s.max, 210.0);
    assert_close(red.quota_wait_s.max, 0.0);
}

#[test]
fn a_failed_request_gives_the_quota_to_others_and_is_made_again_after_a_back_off() {
    let answers = [(30, 0, Failed), (40, 1, Found), (160, 0, Found)];
    let flight = world(vec![gang(0, 2, 100), gang(1, 2, 100)], &answers).fly();
    check(
        &flight,
        &[
            &format!("0 s: reserve job 0: {RESERVED}"),
            "1 s: job 1: insufficient quota in red: 2 GPUs asked for, 0 available",
            "30 s: evict job 0: check-capacity: the script says so; back in line at 1m 30s",
            &format!("30 s: reserve job 1: {RESERVED}"),
            "40 s: admit job 1: check-capacity: found for its 2 pods",
            "90 s: job 0: insufficient quota in red: 2 GPUs asked for, 0 available",
            &format!("150 s: reserve job 0: {RESERVED}"),
            "160 s: admit job 0: check-capacity: found for its 2 pods",
        ],
    );
    assert_eq!(flight.outcome.summary.jobs[0].completed, 2);
}

#[test]
fn a_job_whose_requests_fail_too_often_is_not_tried_again() {
    let flight = world(vec![gang(0, 2, 100)], &[(30, 0, Failed), (100, 0, Failed)]).fly();
    check(
        &flight,
        &[
            &format!("0 s: reserve job 0: {RESERVED}"),
            "30 s: evict job 0: check-capacity: the script says so; back in line at 1m 30s",
            &format!("90 s: reserve job 0: {RESERVED}"),
            "100 s: reject job 0: check-capacity: the script says so; not tried again",
        ],
    );
    let red = &flight.outcome.summary.jobs[0];
    assert_eq!((red.started, red.waiting.room), (0, 1));
    // Quota was held from 0 s to 30 s and from 90 s to 100 s.
    let held = flight.outcome.summary.queues[0].reserved_gpu_hours;
    assert_close(held * 3600.0, 2.0 * 40.0);
}

#[test]
fn the_time_to_get_pods_up_begins_when_they_may_come() {
    let mut world = world(vec![gang(0, 2, 100)], &[(100, 0, Found)]);
    let pods_ready =
        PodsReadySpec { timeout: secs(60), backoff_base: Micros::ZERO, backoff_max: Micros::ZERO };
    world.spec.batch.kueue.pods_ready = Some(pods_ready);
    let flight = world.fly();
    assert_eq!(flight.outcome.summary.jobs[0].evictions.all(), 0);
    assert_close(flight.outcome.summary.jobs[0].completion_s.max, 210.0);
}
