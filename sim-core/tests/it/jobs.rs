//! Jobs: their members, gangs, interruptions, and where their GPU time goes.

use crate::world::{Flight, World, assert_close, at, fixed, secs};
use contract::{
    Action, Bytes, Instant, JobId, MilliCpu, NodeId, Owner, PodSpec, PoolId, Resources,
};
use sim_core::JobArrival;
use sim_core::outcome::JobClassSummary;
use sim_core::spec::{Checkpoint, GangScheduling, JobClassSpec, Paces};
use std::sync::Arc;

/// A gang of pods with one GPU each, submitted at a second, that works for so long.
pub(crate) fn gang(second: u64, width: u32, seconds: u64) -> JobArrival {
    let requests = Resources { cpu: MilliCpu(500), memory: Bytes::from_gib(1), gpus: 1 };
    JobArrival {
        at: at(second),
        width,
        min_count: width,
        pod: Arc::new(PodSpec { requests, ..PodSpec::default() }),
        duration: secs(seconds),
    }
}

/// Nodes of two GPUs, jobs whose containers start in 10 s, and no requests.
fn world(nodes: u32, gangs: GangScheduling, jobs: Vec<JobArrival>) -> World {
    let mut world = World::running(nodes, 0);
    world.spec.batch.gangs = gangs;
    let class = JobClassSpec {
        name: "train".into(),
        startup: fixed(10),
        checkpoint: None,
        paces: Paces::default(),
        queue: None,
        reach: None,
    };
    world.spec.batch.classes = vec![class];
    world.jobs = vec![jobs];
    world
}

fn jobs(flight: &Flight) -> &JobClassSummary {
    &flight.outcome.summary.jobs[0]
}

/// GPU-seconds.
fn gpu_seconds(hours: f64) -> f64 {
    hours * 3600.0
}

#[test]
fn a_job_waits_starts_works_and_gives_its_gpus_back() {
    let flight = world(1, GangScheduling::Off, vec![gang(5, 2, 100)]).fly();
    let found = jobs(&flight);
    assert_eq!((found.arrived, found.started, found.completed), (1, 1, 1));
    assert_close(found.wait_s.mean, 10.0);
    assert_close(found.completion_s.mean, 110.0);
    assert_close(found.slowdown.mean, 1.1);
    assert_close(gpu_seconds(found.gpu.useful), 200.0);
    assert_close(gpu_seconds(found.gpu.starting), 20.0);
    assert_eq!(flight.seen_at(115).nodes[0].used, Resources::default());
    assert_eq!(flight.seen_at(114).nodes[0].pods.len(), 2);
    let gpu = flight.outcome.summary.gpu;
    assert_close(gpu_seconds(gpu.useful), 200.0);
    assert_close(gpu_seconds(gpu.loading), 20.0);
}

#[test]
fn two_gangs_that_each_fit_alone_wait_for_each_other_for_ever_when_pods_go_one_by_one() {
    let together = |gangs| {
        let mut world = world(3, gangs, vec![gang(0, 4, 100), gang(0, 4, 100)]);
        // Each job's pods are made in batches of 1, 2 and 1, a second apart.
        world.spec.control.actuation = fixed(1);
        world.fly()
    };
    let flight = together(GangScheduling::Off);
    let found = jobs(&flight);
    assert_eq!((found.started, found.completed), (0, 0));
    // Three GPUs each, two from the first second on and four from the next, and nobody works.
    let held = 2.0 * 599.0 + 4.0 * 598.0;
    assert_close(gpu_seconds(found.gpu.partial_gangs), held);
    assert_close(gpu_seconds(flight.outcome.summary.gpu.partial_gangs), held);

    let flight = together(GangScheduling::Core);
    let found = jobs(&flight);
    assert_eq!(found.completed, 2);
    assert_close(found.gpu.partial_gangs, 0.0);
    // The second starts when the first is done.
    assert_close(found.completion_s.max, 3.0 + 2.0 * 110.0);
}

#[test]
fn a_gang_that_does_not_fit_holds_no_gpu_and_all_of_it_is_unschedulable() {
    let flight = world(1, GangScheduling::Core, vec![gang(0, 3, 100)]).fly();
    let seen = flight.seen_at(1);
    assert!(seen.nodes[0].pods.is_empty());
    assert_eq!(seen.pending.len(), 3);
    assert!(seen.pending.iter().all(|pod| pod.unschedulable_since.is_some()));
    assert_close(flight.outcome.summary.gpu.unallocated, 2.0 * 600.0 / 3600.0);
}

#[test]
fn members_of_a_gang_are_kept_back_until_enough_exist() {
    // Batches of 1, 2 and 4 pods, each 5 s after the one before.
    let mut world = world(0, GangScheduling::Core, vec![gang(0, 4, 100)]);
    world.spec.control.actuation = fixed(5);
    let flight = world.fly();
    let kept_back = |second| {
        let pending = &flight.seen_at(second).pending;
        let unschedulable = pending.iter().filter(|pod| pod.unschedulable_since.is_some());
        (pending.len(), unschedulable.count())
    };
    let found = [4, 6, 14, 16].map(kept_back);
    assert_eq!(found, [(0, 0), (1, 0), (3, 0), (4, 4)], "no node autoscaler sees a part of a gang");
}

#[test]
fn volcano_makes_no_pods_of_a_job_that_the_cluster_has_no_room_for() {
    let mut world = world(1, GangScheduling::Volcano, vec![gang(0, 3, 100)]);
    world.act(20, Action::AddNodes { pool: PoolId(0), count: 1 });
    let flight = world.fly();
    // A node autoscaler would wait for ever: there is nothing to see. Here somebody adds a node, ready at 70 s.
    assert!(flight.seen_at(69).pending.is_empty());
    assert_eq!(flight.seen_at(71).nodes.iter().map(|node| node.pods.len()).sum::<usize>(), 3);
    assert_close(jobs(&flight).wait_s.mean, 80.0);
    assert_close(jobs(&flight).gpu.partial_gangs, 0.0);
}

#[test]
fn volcano_lets_jobs_in_up_to_a_fifth_more_than_the_cluster_has() {
    let all = vec![gang(0, 10, 300), gang(10, 3, 100), gang(10, 2, 100)];
    let flight = world(5, GangScheduling::Volcano, all).fly();
    let pending: Vec<_> = flight.seen_at(20).pending.iter().map(|pod| pod.owner).collect();
    assert_eq!(
        pending,
        [Owner::Job(JobId(2)); 2],
        "12 GPUs for 10 in use, 2 asked for and 3 kept out"
    );
    assert_eq!(jobs(&flight).completed, 3);
}

#[test]
fn pods_of_their_own_are_jobs_of_one_and_run_as_they_fit() {
    let mut world = world(1, GangScheduling::Core, (0..3).map(|_| gang(0, 1, 50)).collect());
    world.act(20, Action::AddNodes { pool: PoolId(0), count: 1 });
    let flight = world.fly();
    let found = jobs(&flight);
    // Two at once on two GPUs; the third when they are done, before the node of the pool is up at 70 s.
    assert_eq!(found.completed, 3);
    assert_close(found.completion_s.max, 120.0);
}

#[test]
fn a_job_that_needs_fewer_than_all_members_begins_with_those_and_takes_longer() {
    let job = JobArrival { min_count: 1, ..gang(0, 4, 100) };
    let flight = world(1, GangScheduling::Core, vec![job]).fly();
    let found = jobs(&flight);
    assert_eq!(found.completed, 1);
    assert_close(found.wait_s.mean, 10.0);
    assert_close(found.completion_s.mean, 210.0);
    assert_close(found.gpu.partial_gangs, 0.0);
}

/// A gang of four on two nodes is interrupted at 60 s, 50 s into its work.
fn interrupted(checkpoint: Option<Checkpoint>, gangs: GangScheduling) -> Flight {
    let mut world = world(3, gangs, vec![gang(0, 4, 100)]);
    world.spec.batch.classes[0].checkpoint = checkpoint;
    world.act(60, Action::Delete { node: NodeId(0) });
    world.fly()
}

#[test]
fn the_loss_of_a_node_restarts_the_job_and_loses_the_work_since_the_last_checkpoint() {
    let flight = interrupted(None, GangScheduling::Core);
    let found = jobs(&flight);
    assert_eq!((found.completed, found.interruptions), (1, 1));
    assert_close(gpu_seconds(found.gpu.lost), 200.0);
    assert_close(gpu_seconds(flight.outcome.summary.gpu.lost), 200.0);
    assert_close(found.completion_s.mean, 170.0);

    let checkpoint = Checkpoint { interval: secs(20), cost: secs(2), restart: secs(5) };
    let flight = interrupted(Some(checkpoint), GangScheduling::Core);
    let found = jobs(&flight);
    // 50 s: two checkpoints of 22 s and 6 s of work on top, which are lost; then 5 s to read and 60 s with two more.
    assert_close(gpu_seconds(found.gpu.lost), 4.0 * 6.0);
    assert_close(gpu_seconds(found.gpu.overhead), 4.0 * (2.0 * 2.0 + 5.0 + 2.0 * 2.0));
    assert_close(found.completion_s.mean, 70.0 + 5.0 + 60.0 + 4.0);
    assert_close(gpu_seconds(found.gpu.useful), 400.0);
}

#[test]
fn a_gang_that_lost_its_room_waits_whole_and_one_by_one_it_holds_what_is_left() {
    let lost = |gangs| {
        let mut world = world(2, gangs, vec![gang(0, 4, 100)]);
        world.act(60, Action::Delete { node: NodeId(0) });
        world.fly()
    };
    let whole = lost(GangScheduling::Core);
    assert_eq!(jobs(&whole).interruptions, 1);
    assert!(whole.seen_at(61).nodes.iter().all(|node| node.pods.is_empty()));
    assert_close(jobs(&whole).gpu.partial_gangs, 0.0);
    let one_by_one = lost(GangScheduling::Off);
    assert_close(gpu_seconds(jobs(&one_by_one).gpu.partial_gangs), 2.0 * 540.0);
}

#[test]
fn a_higher_priority_goes_first() {
    let urgent = |job: JobArrival| {
        let pod = PodSpec { priority: 10, ..(*job.pod).clone() };
        JobArrival { pod: Arc::new(pod), ..job }
    };
    let all = vec![gang(0, 2, 100), gang(1, 2, 100), urgent(gang(2, 2, 100))];
    let flight = world(1, GangScheduling::Core, all).fly();
    let order: Vec<_> = [100, 200, 300]
        .map(|second| flight.seen_at(second).nodes[0].pods[0].owner)
        .iter()
        .map(|owner| owner.job().expect("a job's pod").0)
        .collect();
    assert_eq!(order, [0, 2, 1]);
}

#[test]
fn jobs_meet_the_same_luck_whatever_schedules_them() {
    let arrivals = || vec![gang(0, 2, 100), gang(7, 2, 30)];
    let runs = |gangs| {
        let mut world = world(2, gangs, arrivals());
        world.spec.batch.classes[0].startup =
            sim_core::delay::Delay::Exponential { mean: secs(20) };
        let flight = world.fly();
        (jobs(&flight).wait_s, flight.outcome.summary.fingerprint)
    };
    let (off, core) = (runs(GangScheduling::Off), runs(GangScheduling::Core));
    assert_eq!(off.0, core.0);
    assert_eq!(core, runs(GangScheduling::Core));
}

#[test]
fn jobs_after_the_horizon_are_not_submitted_and_unfinished_ones_are_counted_up_to_it() {
    let flight = world(1, GangScheduling::Off, vec![gang(0, 1, 2000), gang(600, 1, 1)]).fly();
    let found = jobs(&flight);
    assert_eq!((found.arrived, found.started, found.completed), (1, 1, 0));
    assert_close(gpu_seconds(found.gpu.useful), 590.0);
    assert_eq!(flight.outcome.summary.horizon, secs(600));
    assert!(flight.seen.iter().all(|seen| seen.now <= Instant::ZERO + secs(600)));
}
