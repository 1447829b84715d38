//! Kueue: jobs of two teams, quotas, borrowing, reclaim, eviction of what does not come up.

use crate::jobs::gang;
use crate::world::{Flight, World, assert_close, fixed, pool, secs};
use contract::{Action, Micros, PodSpec, PoolId};
use placement::quota::{Preemption, Quota, Reclaim, Strategy, WhenCanBorrow};
use sim_core::JobArrival;
use sim_core::outcome::{Evictions, JobClassSummary};
use sim_core::spec::{
    FlavorSpec, GangScheduling, JobClassSpec, JobReach, KueueSpec, Level, Paces, PodsReadySpec,
    PoolSpec, QueueSpec, RackSpec,
};
use std::sync::Arc;

/// A team's queue with so many GPUs of its own, in the cohort of all teams; what was lent is taken back.
pub(crate) fn queue(name: &str, nominal: u64) -> QueueSpec {
    QueueSpec {
        name: name.into(),
        cohort: Some("all".into()),
        quotas: vec![Some(Quota { nominal, ..Quota::default() })],
        strategy: Strategy::default(),
        when_can_borrow: WhenCanBorrow::default(),
        preemption: Preemption { within_queue: true, reclaim_within_cohort: Reclaim::Any },
        provisioning: None,
    }
}

/// Any node.
pub(crate) fn any_flavor() -> FlavorSpec {
    FlavorSpec { name: "gpu".into(), node_labels: [].into() }
}

/// Nodes of two GPUs, and the jobs of two teams, red with so many GPUs of its own and blue with so many.
fn world(nodes: u32, nominal: [u64; 2], red: Vec<JobArrival>, blue: Vec<JobArrival>) -> World {
    let mut world = World::running(nodes, 0);
    let names = ["red", "blue"];
    let class = |place: usize| JobClassSpec {
        name: names[place].into(),
        startup: fixed(10),
        checkpoint: None,
        paces: Paces::default(),
        queue: Some(place),
        reach: None,
    };
    world.spec.batch.gangs = GangScheduling::Kueue;
    world.spec.batch.classes = vec![class(0), class(1)];
    world.spec.batch.kueue = KueueSpec {
        flavors: vec![any_flavor()],
        queues: vec![queue("red", nominal[0]), queue("blue", nominal[1])],
        pods_ready: None,
    };
    world.jobs = vec![red, blue];
    world
}

fn of(flight: &Flight, team: usize) -> &JobClassSummary {
    &flight.outcome.summary.jobs[team]
}

/// What was decided on jobs, a line each.
#[track_caller]
fn check(flight: &Flight, expected: &str) {
    assert_eq!(flight.job_decisions.join("\n"), expected);
}

#[test]
fn a_job_has_no_pods_until_its_queue_has_quota_for_all_of_them() {
    let mut world = world(2, [2, 0], vec![gang(0, 2, 100), gang(0, 2, 100)], vec![]);
    world.spec.batch.kueue.queues[0].cohort = None;
    let flight = world.fly();
    let pods = |second| {
        let seen = flight.seen_at(second);
        (seen.pending.len(), seen.nodes.iter().map(|node| node.pods.len()).sum::<usize>())
    };
    assert_eq!(pods(50), (0, 2), "no node autoscaler sees the one that waits");
    assert_close(of(&flight, 0).quota_wait_s.max, 110.0);
    assert_eq!(of(&flight, 0).completed, 2);
    check(
        &flight,
        "0 s: admit job 0: red has quota of gpu: 2 of its 2 GPUs in use with it\n\
         0 s: job 1: insufficient quota in red: 2 GPUs asked for, 0 available\n\
         110 s: admit job 1: red has quota of gpu: 2 of its 2 GPUs in use with it",
    );
}

#[test]
fn what_a_queue_leaves_unused_is_lent_and_taken_back_when_its_owner_comes() {
    let red = vec![gang(0, 2, 200), gang(1, 2, 200)];
    let flight = world(2, [2, 2], red, vec![gang(60, 2, 100)]).fly();
    check(
        &flight,
        "0 s: admit job 0: red has quota of gpu: 2 of its 2 GPUs in use with it\n\
         1 s: admit job 1: red has quota of gpu: 4 of its 2 GPUs in use with it, part of them borrowed\n\
         60 s: evict job 1: job 2 takes back what its queue had lent\n\
         60 s: admit job 2: blue has quota of gpu: 2 of its 2 GPUs in use with it\n\
         60 s: job 1: insufficient quota in red: 2 GPUs asked for, 0 available\n\
         170 s: admit job 1: red has quota of gpu: 4 of its 2 GPUs in use with it, part of them borrowed",
    );
    // The owner waits for nobody.
    assert_close(of(&flight, 1).wait_s.max, 10.0);
    let red = of(&flight, 0);
    assert_eq!(red.evictions, Evictions { reclaimed: 1, ..Evictions::default() });
    assert_eq!((red.completed, red.interruptions), (2, 1));
    // From 11 s to 60 s on two GPUs, without a checkpoint.
    assert_close(red.gpu.lost * 3600.0, 2.0 * 49.0);
    let [red, blue] = &flight.outcome.summary.queues[..] else { panic!("two queues") };
    assert_eq!((red.admitted, red.evicted, blue.admitted, blue.evicted), (3, 1, 1, 0));
    // Two GPUs from 1 s to 60 s and from 170 s to 380 s; after 210 s they are its own.
    assert_close(red.borrowed_gpu_hours * 3600.0, 2.0 * (59.0 + 40.0));
    assert_close(red.reserved_gpu_hours * 3600.0, 2.0 * (210.0 + 59.0 + 210.0));
    assert_close(blue.borrowed_gpu_hours, 0.0);
}

#[test]
fn a_queue_that_may_not_reclaim_waits_until_the_borrower_is_done() {
    let red = vec![gang(0, 2, 200), gang(1, 2, 200)];
    let mut world = world(2, [2, 2], red, vec![gang(60, 2, 100)]);
    world.spec.batch.kueue.queues[1].preemption = Preemption::default();
    let flight = world.fly();
    assert_close(of(&flight, 1).quota_wait_s.max, 150.0);
    assert_eq!(of(&flight, 0).evictions.all(), 0);
}

#[test]
fn a_queue_borrows_no_more_than_its_limit() {
    let red = vec![gang(0, 2, 100), gang(1, 2, 100)];
    let mut world = world(2, [2, 2], red, vec![]);
    let limited = Quota { nominal: 2, borrowing_limit: Some(1), lending_limit: None };
    world.spec.batch.kueue.queues[0].quotas = vec![Some(limited)];
    let flight = world.fly();
    assert_close(of(&flight, 0).quota_wait_s.max, 109.0);
}

#[test]
fn a_higher_priority_takes_the_quota_of_a_lower_one_in_its_own_queue() {
    let urgent = |job: JobArrival| {
        let pod = PodSpec { priority: 10, ..(*job.pod).clone() };
        JobArrival { pod: Arc::new(pod), ..job }
    };
    let red = vec![gang(0, 4, 200), urgent(gang(60, 2, 100))];
    let flight = world(2, [4, 0], red, vec![]).fly();
    assert_eq!(of(&flight, 0).evictions, Evictions { preempted: 1, ..Evictions::default() });
    check(
        &flight,
        "0 s: admit job 0: red has quota of gpu: 4 of its 4 GPUs in use with it\n\
         60 s: evict job 0: job 1 of the same queue has a higher priority\n\
         60 s: admit job 1: red has quota of gpu: 2 of its 4 GPUs in use with it\n\
         60 s: job 0: insufficient quota in red: 4 GPUs asked for, 2 available\n\
         170 s: admit job 0: red has quota of gpu: 4 of its 4 GPUs in use with it",
    );
}

#[test]
fn a_strict_line_waits_for_its_first_and_a_best_effort_line_does_not() {
    let second_waits = |strategy| {
        let red = vec![gang(0, 2, 100), gang(1, 4, 100), gang(2, 2, 100)];
        let mut world = world(2, [4, 0], red, vec![]);
        world.spec.batch.kueue.queues[0].strategy = strategy;
        let flight = world.fly();
        assert_eq!(of(&flight, 0).completed, 3);
        of(&flight, 0).quota_wait_s.p50
    };
    // The wide one waits for both; or the narrow one behind it starts at once.
    assert_close(second_waits(Strategy::StrictFifo), 109.0);
    assert_close(second_waits(Strategy::BestEffortFifo), 0.0);
}

#[test]
fn a_job_whose_pods_do_not_come_up_in_time_gives_its_quota_back_and_tries_again_later() {
    // Quota for four GPUs, of which only two are there until somebody adds a node, up at 200 s.
    let mut world = world(1, [4, 0], vec![gang(0, 4, 100)], vec![]);
    let pods_ready =
        PodsReadySpec { timeout: secs(60), backoff_base: secs(60), backoff_max: secs(3600) };
    world.spec.batch.kueue.pods_ready = Some(pods_ready);
    world.act(150, Action::AddNodes { pool: PoolId(0), count: 1 });
    let flight = world.fly();
    check(
        &flight,
        "0 s: admit job 0: red has quota of gpu: 4 of its 4 GPUs in use with it\n\
         60 s: evict job 0: its pods were not all up 1m after admission; back in line at 2m\n\
         120 s: admit job 0: red has quota of gpu: 4 of its 4 GPUs in use with it\n\
         180 s: evict job 0: its pods were not all up 1m after admission; back in line at 5m\n\
         300 s: admit job 0: red has quota of gpu: 4 of its 4 GPUs in use with it",
    );
    let red = of(&flight, 0);
    assert_eq!(red.evictions, Evictions { not_ready: 2, ..Evictions::default() });
    // Kueue un-gates all pods, and kube-scheduler binds those that fit.
    assert_close(red.gpu.partial_gangs * 3600.0, 2.0 * (60.0 + 60.0));
    assert_close(red.completion_s.max, 410.0);
}

#[test]
fn what_ran_out_of_time_stands_behind_what_came_later() {
    let mut world = world(1, [4, 0], vec![gang(0, 4, 100), gang(30, 2, 100)], vec![]);
    let pods_ready =
        PodsReadySpec { timeout: secs(60), backoff_base: Micros::ZERO, backoff_max: Micros::ZERO };
    world.spec.batch.kueue.pods_ready = Some(pods_ready);
    let flight = world.fly();
    // The wide one never fits, and is admitted again when the narrow one is done.
    let order: Vec<_> =
        flight.job_decisions.iter().filter(|line| line.contains("admit")).take(3).collect();
    assert!(order[1].starts_with("60 s: admit job 1"), "{order:?}");
    assert!(order[2].starts_with("170 s: admit job 0"), "{order:?}");
    assert_eq!(of(&flight, 0).waiting.rest_of_gang, 1);
}

/// The same pool under a name that its nodes carry as a label.
fn labelled(name: &str, nodes: u32) -> PoolSpec {
    let mut pool = PoolSpec { name: name.into(), initial: nodes, ..pool() };
    let mut shape = (*pool.shape).clone();
    shape.labels = [("pool".to_owned(), name.to_owned())].into();
    pool.shape = Arc::new(shape);
    pool
}

#[test]
fn flavors_are_tried_in_order_and_pods_go_to_the_nodes_of_theirs() {
    let mut world = world(0, [2, 0], vec![gang(0, 2, 100), gang(1, 2, 100)], vec![]);
    world.spec.pools = vec![labelled("spot", 1), labelled("steady", 1)];
    let flavor = |name: &str| FlavorSpec {
        name: name.into(),
        node_labels: [("pool".to_owned(), name.to_owned())].into(),
    };
    let quota = Some(Quota { nominal: 2, ..Quota::default() });
    let kueue = &mut world.spec.batch.kueue;
    kueue.flavors = vec![flavor("steady"), flavor("spot")];
    kueue.queues[0].quotas = vec![quota, quota];
    kueue.queues[1].quotas = vec![None, None];
    let flight = world.fly();
    check(
        &flight,
        "0 s: admit job 0: red has quota of steady: 2 of its 2 GPUs in use with it\n\
         1 s: admit job 1: red has quota of spot: 2 of its 2 GPUs in use with it",
    );
    let owners: Vec<_> = flight.seen_at(20).nodes.iter().map(|node| node.pods[0].owner).collect();
    assert_eq!(owners.iter().map(|owner| owner.job().unwrap().0).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn kueue_leaves_jobs_without_a_queue_alone() {
    let mut world = world(1, [0, 0], vec![gang(0, 2, 100)], vec![gang(0, 2, 100)]);
    world.spec.batch.classes[1].queue = None;
    let flight = world.fly();
    assert_eq!((of(&flight, 0).completed, of(&flight, 1).completed), (0, 1));
    assert_eq!((of(&flight, 0).admitted, of(&flight, 1).admitted), (0, 0));
    assert_eq!(of(&flight, 0).waiting.quota, 1);
}

#[test]
fn a_job_that_wants_one_rack_gets_its_places_at_once_after_its_quota() {
    let mut world = world(3, [6, 0], vec![gang(0, 1, 100), gang(1, 4, 100)], vec![]);
    world.pool().racks = Some(RackSpec { nodes_per_rack: 2, racks_per_block: 1 });
    world.spec.batch.classes[0].reach = Some(JobReach::Required(Level::Rack));
    let flight = world.fly();
    // The small one is in the small rack, where it is in nobody's way.
    check(
        &flight,
        "0 s: admit job 0: red has quota of gpu: 1 of its 6 GPUs in use with it\n\
         1 s: admit job 1: red has quota of gpu: 5 of its 6 GPUs in use with it",
    );
    let pods: Vec<_> = flight.seen_at(20).nodes.iter().map(|node| node.pods.len()).collect();
    assert_eq!(pods, [2, 2, 1]);
}
