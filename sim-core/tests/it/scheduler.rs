//! kube-scheduler's queue: back-off, what wakes an unschedulable pod, order, flush.

use crate::world::{Flight, World, fixed, pool, replicas, service};
use contract::{Action, GpuRequest, Instant, Micros, PodSpec, PoolId, ServiceId, Sharing};
use sim_core::delay::Delay;
use std::num::NonZeroU32;
use std::sync::Arc;

const ONE_NODE: Action = Action::AddNodes { pool: PoolId(0), count: 1 };

/// Nodes are ready this long after they were asked for.
fn ready_after(world: &mut World, seconds: u64) {
    let none = || Delay::Fixed(Micros::ZERO);
    let stages = &mut world.pool().stages;
    stages.launch = fixed(seconds);
    (stages.boot, stages.register, stages.accelerator) = (none(), none(), none());
}

/// When a pod found its node.
fn bound_at(flight: &Flight, pod: &str) -> Option<String> {
    let life = flight.life(pod);
    let pulling = life.split(", ").find(|stage| stage.starts_with("Pulling"))?;
    Some(pulling.replace("Pulling ", ""))
}

/// A pod that fits nowhere at time zero; whenever a neighbour leaves, once a second, it is tried again as soon as its
/// back-off allows. A node for it is ready after `ready` seconds: when is it bound?
fn bound_among_churn(ready: u64) -> Option<String> {
    let mut world = World::running(1, 2);
    ready_after(&mut world, ready);
    let mut neighbour = service();
    neighbour.initial = 60;
    let mut pod = PodSpec::clone(&neighbour.pod);
    (pod.requests.cpu.0, pod.requests.memory.0, pod.requests.gpus) = (10, 1 << 20, 0);
    neighbour.pod = Arc::new(pod);
    world.spec.services.push(neighbour);
    world.arrivals.push(Vec::new());
    world.act(0, replicas(3));
    world.act(0, ONE_NODE);
    for second in 1..60 {
        let service = ServiceId(1);
        let replicas = u32::try_from(60 - second).expect("small");
        world.act(second, Action::SetReplicas { service, replicas });
    }
    bound_at(&world.fly(), "pod 62")
}

#[test]
fn the_back_off_is_one_second_and_doubles_up_to_ten() {
    // Tried at 0, 1, 3, 7, 15, 25, 35 s: a node that is ready in between has to wait.
    for (ready, bound) in [(2, "3s"), (4, "7s"), (8, "15s"), (16, "25s"), (26, "35s")] {
        assert_eq!(bound_among_churn(ready).as_deref(), Some(bound), "ready at {ready}");
    }
}

#[test]
fn a_ready_node_is_tried_at_once_when_the_back_off_is_over() {
    let mut world = World::new();
    world.act(0, replicas(1));
    world.act(0, ONE_NODE);
    ready_after(&mut world, 17);
    assert_eq!(bound_at(&world.fly(), "pod 0").as_deref(), Some("17s"));
}

#[test]
fn a_node_of_a_pool_that_never_holds_the_pod_wakes_nobody() {
    let mut world = World::new();
    world.act(0, replicas(1));
    let mut small = pool();
    let mut shape = (*small.shape).clone();
    shape.allocatable.gpus = 0;
    small.shape = Arc::new(shape);
    world.spec.pools.push(small);
    // Were the pod tried at 3 s because of the small nodes, it would have to wait until 5 s.
    for pool in &mut world.spec.pools {
        pool.stages.launch = fixed(3);
        let none = || Delay::Fixed(Micros::ZERO);
        (pool.stages.boot, pool.stages.register, pool.stages.accelerator) =
            (none(), none(), none());
    }
    world.act(0, Action::AddNodes { pool: PoolId(1), count: 1 });
    world.act(1, ONE_NODE);
    assert_eq!(bound_at(&world.fly(), "pod 0").as_deref(), Some("4s"));
}

#[test]
fn the_flush_tries_again_what_has_waited_for_strictly_more_than_five_minutes() {
    let bound = |ready| {
        let mut world = World::new();
        world.act(0, replicas(1));
        world.act(0, ONE_NODE);
        ready_after(&mut world, ready);
        bound_at(&world.fly(), "pod 0")
    };
    // Flushes come every 30 s. At 300 s the pod has waited for exactly five minutes: left alone.
    assert_eq!(bound(301).as_deref(), Some("5m 1s"));
    // At 330 s it is tried, in vain, and has to back off for the second time: 2 s.
    assert_eq!(bound(331).as_deref(), Some("5m 32s"));
}

/// Two services with pods of two GPUs ask for one replica each, the second a second later; one node comes. Whose pod
/// gets it?
fn winner(priorities: [i32; 2]) -> Vec<Option<String>> {
    let mut world = World::new();
    world.spec.services = priorities
        .iter()
        .map(|&priority| {
            let mut service = service();
            let mut pod = PodSpec { priority, ..PodSpec::clone(&service.pod) };
            pod.requests.gpus = 2;
            service.pod = Arc::new(pod);
            service
        })
        .collect();
    world.arrivals.push(Vec::new());
    world.act(0, replicas(1));
    world.act(0, ONE_NODE);
    world.act(1, Action::SetReplicas { service: ServiceId(1), replicas: 1 });
    let flight = world.fly();
    ["pod 0", "pod 1"].iter().map(|pod| bound_at(&flight, pod)).collect()
}

#[test]
fn priority_goes_before_age() {
    assert_eq!(winner([0, 1]), [None, Some("50s".to_owned())]);
}

#[test]
fn age_decides_among_equals() {
    assert_eq!(winner([1, 1]), [Some("50s".to_owned()), None]);
}

#[test]
fn an_attempt_takes_its_time_and_a_pod_is_unschedulable_from_its_first_failure_on() {
    let mut world = World::new();
    world.spec.control.scheduling = fixed(2);
    world.act(10, replicas(1));
    let flight = world.fly();
    let since = |second: u64| flight.seen_at(second).pending[0].unschedulable_since;
    assert_eq!((since(11), since(12)), (None, Some(Instant::ZERO + Micros::from_secs(12))));
    assert_eq!(since(400), since(12), "later failures do not move it");
}

#[test]
fn an_unschedulable_pod_calls_the_policy_that_waits_for_one_but_not_more_than_once_a_second() {
    let mut world = World::new();
    world.cadence.every = Micros::from_secs(100);
    world.cadence.on_unschedulable = true;
    world.spec.control.scheduling =
        Delay::Uniform { low: Micros::ZERO, high: Micros::from_secs(3) };
    world.act(0, replicas(200));
    let turns = world.fly().turns;
    assert!(turns.len() < 16, "two hundred pods in three seconds are not two hundred turns");
    assert!(turns.windows(2).all(|pair| pair[1].since(pair[0]) >= Micros::from_secs(1)));
    assert!(turns.iter().any(|turn| (1..4).contains(&(turn.0 / 1_000_000))));
}

#[test]
fn pods_without_a_node_at_the_end_say_why_in_the_words_of_the_scheduler() {
    let mut world = World::running(1, 2);
    world.act(10, replicas(5));
    let flight = world.fly();
    let unplaced = &flight.outcome.summary.unplaced;
    let said: Vec<_> =
        unplaced.iter().map(|it| (&*it.owner, it.pods, it.waited, &*it.message)).collect();
    let message = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.";
    assert_eq!(said, [("service service", 3, Micros::from_secs(590), message)]);
}

#[test]
fn parts_of_gpus_that_are_short_are_named_too() {
    let mut world = World::running(1, 2);
    let mut shape = (*world.pool().shape).clone();
    shape.sharing = Sharing::TimeSliced { replicas: NonZeroU32::MIN };
    world.pool().shape = Arc::new(shape);
    let mut pod = PodSpec::clone(&world.service().pod);
    pod.requests.gpus = 0;
    pod.gpu_parts = Some(GpuRequest::Shares(NonZeroU32::MIN));
    world.service().pod = Arc::new(pod);
    world.act(10, replicas(3));
    let flight = world.fly();
    let said: Vec<_> = flight.outcome.summary.unplaced.iter().map(|it| &*it.message).collect();
    assert_eq!(said, ["0/1 nodes are available: 1 Insufficient nvidia.com/gpu.shared."]);
}
