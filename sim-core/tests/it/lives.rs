//! Lives of nodes and replicas, stage by stage.

use crate::world::{World, arrival, at, fixed, replicas, secs};
use contract::{Action, Bytes, Constraints, Image, Micros, NodeId, PodSpec, PoolId, ServiceId};
use std::sync::Arc;

const ONE_NODE: Action = Action::AddNodes { pool: PoolId(0), count: 1 };

#[test]
fn a_cold_start_takes_the_sum_of_its_stages() {
    let mut world = World::new();
    world.act(0, replicas(1));
    world.act(0, ONE_NODE);
    let flight = world.fly();
    assert_eq!(
        flight.life("node 0"),
        "Requested 0s, Booting 10s, Registering 30s, AcceleratorStarting 35s, Ready 50s"
    );
    assert_eq!(
        flight.life("pod 0"),
        "Pending 0s, Pulling 50s, Starting 1m 10s, Loading 1m 13s, Initialising 1m 43s, \
         Probing 1m 50s, Ready 1m 51s"
    );
}

#[test]
fn two_replicas_share_one_pull_and_the_bandwidth_of_their_loads() {
    let mut world = World::new();
    world.act(0, replicas(2));
    world.act(0, ONE_NODE);
    let flight = world.fly();
    // One pull of 20 s for both; two loads of 30 s each, at half the speed.
    let both = "Pending 0s, Pulling 50s, Starting 1m 10s, Loading 1m 13s, Initialising 2m 13s, \
                Probing 2m 20s, Ready 2m 21s";
    assert_eq!(flight.life("pod 0"), both);
    assert_eq!(flight.life("pod 1"), both);
}

#[test]
fn a_second_replica_finds_the_image_on_the_node_and_the_weights_in_its_page_cache() {
    let mut world = World::new();
    world.act(0, replicas(1));
    world.act(0, ONE_NODE);
    world.act(200, replicas(2));
    assert_eq!(
        world.fly().life("pod 1"),
        "Starting 3m 20s, Loading 3m 23s, Initialising 3m 29s, Probing 3m 36s, Ready 3m 37s"
    );
}

#[test]
fn a_neighbour_pulls_anew_when_the_pod_that_pulled_has_gone() {
    let flight = |run| {
        let mut world = World::new();
        world.spec.seed.run = run;
        world.act(0, replicas(2));
        world.act(0, ONE_NODE);
        world.act(60, replicas(1));
        world.fly()
    };
    // The two are equal, so their UIDs say which one goes: look for a replication where it is the one that pulls.
    let mut flights = (0..10).map(flight);
    let flight = flights.find(|flight| flight.life("pod 0").ends_with("Gone 1m"));
    let other = flight.expect("a coin falls both ways in ten throws").life("pod 1");
    assert!(other.starts_with("Pending 0s, Pulling 50s, Starting 1m 20s"), "{other}");
}

#[test]
fn a_preloaded_image_is_not_pulled() {
    let mut world = World::new();
    world.pool().data.image_preloaded = true;
    world.act(0, replicas(1));
    world.act(0, ONE_NODE);
    assert!(world.fly().life("pod 0").starts_with("Pending 0s, Starting 50s, Loading 53s"));
}

#[test]
fn initial_replicas_are_ready_at_zero_as_far_as_the_initial_nodes_hold_them() {
    let flight = World::running(1, 3).fly();
    assert_eq!(flight.life("node 0"), "Ready 0s");
    assert_eq!(flight.life("pod 0"), "Ready 0s");
    assert_eq!(flight.life("pod 1"), "Ready 0s");
    assert_eq!(flight.life("pod 2"), "Pending 0s");
    assert_eq!(flight.service().replicas.ready_peak, 2);
    assert_eq!(flight.service().replicas.wanted_peak, 3);
}

#[test]
fn a_replica_that_is_told_to_go_finishes_its_work_within_its_grace() {
    let mut world = World::running(1, 1);
    world.serve(fixed(20), 1);
    world.arrive(&[5]);
    world.act(6, replicas(0));
    let flight = world.fly();
    assert_eq!(flight.life("pod 0"), "Ready 0s, Draining 6s, Gone 25s");
    assert_eq!(flight.requests().completed, 1);
    assert_eq!(flight.requests().lost_with_replica, 0);
}

#[test]
fn what_outlasts_the_grace_is_lost_and_goes_back_to_the_gateway() {
    let mut world = World::running(2, 2);
    world.pool().shape = std::sync::Arc::new(contract::NodeShape {
        allocatable: contract::Resources { gpus: 1, ..world.pool().shape.allocatable },
        ..(*world.pool().shape).clone()
    });
    world.serve(fixed(100), 1);
    world.arrive(&[5, 5]);
    world.act(6, Action::Drain { node: NodeId(0) });
    let flight = world.fly();
    assert_eq!(flight.life("node 0"), "Ready 0s, Draining 6s, Terminating 36s, Gone 44s");
    let requests = flight.requests();
    assert_eq!((requests.completed, requests.lost_with_replica), (2, 1));
    assert_eq!(requests.attempts, 2, "the client did not try again: the gateway did");
    // Lost at 36 s, it waits for the other replica until 105 s, and is served at 205 s.
    assert!((flight.service().e2e.max_ms - 200_000.0).abs() < 200.0, "right to three digits");
}

#[test]
fn a_retired_node_is_cordoned_first_and_drains_later_unless_it_is_let_off() {
    let mut world = World::running(2, 2);
    let after = secs(5);
    world.act(10, Action::Retire { node: NodeId(0), after });
    world.act(10, Action::Retire { node: NodeId(1), after });
    world.act(12, Action::Uncordon { node: NodeId(1) });
    let flight = world.fly();
    assert_eq!(flight.life("node 0"), "Ready 0s, Terminating 15s, Gone 23s", "its pod was idle");
    assert_eq!(flight.life("node 1"), "Ready 0s");
}

#[test]
fn an_idle_replica_goes_at_once() {
    let mut world = World::running(1, 2);
    world.act(10, replicas(0));
    let flight = world.fly();
    assert_eq!(flight.life("pod 0"), "Ready 0s, Gone 10s");
    assert_eq!(flight.life("pod 1"), "Ready 0s, Gone 10s");
}

#[test]
fn a_draining_replica_goes_when_the_last_client_gives_up() {
    let mut world = World::running(1, 1);
    world.serve(fixed(1000), 1);
    world.service().grace = secs(500);
    world.gateway().timeout = Some(secs(50));
    world.arrive(&[5]);
    world.act(6, replicas(0));
    assert_eq!(world.fly().life("pod 0"), "Ready 0s, Draining 6s, Gone 55s");
}

#[test]
fn a_drained_nodes_pods_are_replaced_elsewhere() {
    let mut world = World::running(2, 1);
    world.act(10, Action::Cordon { node: NodeId(0) });
    world.act(10, Action::Drain { node: NodeId(0) });
    world.act(10, Action::Drain { node: NodeId(1) });
    world.act(10, ONE_NODE);
    let flight = world.fly();
    assert_eq!(flight.life("pod 0"), "Ready 0s, Gone 10s");
    assert!(flight.life("pod 1").starts_with("Pending 10s, Pulling 1m,"), "on the new node");
}

#[test]
fn a_scale_down_takes_what_has_no_node_before_what_serves() {
    let mut world = World::running(1, 2);
    world.act(10, replicas(3));
    world.act(20, replicas(2));
    let flight = world.fly();
    assert_eq!(flight.life("pod 2"), "Pending 10s, Gone 20s");
    assert_eq!(flight.life("pod 1"), "Ready 0s");
}

#[test]
fn a_written_replica_count_takes_its_time_to_take_effect() {
    let mut world = World::running(1, 1);
    world.spec.control.actuation = fixed(4);
    world.act(10, replicas(2));
    world.act(12, replicas(0));
    let flight = world.fly();
    // At 14 s the newest count is what counts: the one of 12 s.
    assert_eq!(flight.life("pod 0"), "Ready 0s, Gone 14s");
    assert_eq!(flight.life("pod 1"), "");
    assert_eq!(flight.service().replicas.wanted_peak, 2);
}

#[test]
fn an_eviction_does_not_bring_a_replica_count_forward() {
    let mut world = World::running(2, 1);
    world.spec.control.actuation = fixed(30);
    world.act(10, replicas(3));
    for node in [0, 1] {
        world.act(11, Action::Delete { node: NodeId(node) });
    }
    let flight = world.fly();
    assert_eq!(flight.seen_at(20).services[0].pods.len(), 1, "the one that was evicted");
    assert_eq!(flight.seen_at(40).services[0].pods.len(), 3);
}

#[test]
fn pods_without_gpus_run_before_the_accelerator_is_up() {
    let mut world = World::new();
    let mut pod = (*world.service().pod).clone();
    pod.requests.gpus = 0;
    world.service().pod = std::sync::Arc::new(pod);
    world.act(0, replicas(1));
    world.act(0, ONE_NODE);
    world.act(36, Action::Drain { node: NodeId(0) });
    let flight = world.fly();
    assert_eq!(flight.life("pod 0"), "Pending 0s, Pulling 35s, Gone 36s");
    assert!(flight.life("node 0").ends_with("AcceleratorStarting 35s, Terminating 36s, Gone 44s"));
}

#[test]
fn start_times_are_those_of_the_pods_made_during_the_run() {
    let mut world = World::running(1, 1);
    world.arrivals = vec![vec![arrival(at(1))]];
    world.act(100, replicas(2));
    let replicas = world.fly().service().replicas;
    // Container 3 s, cached weights 6 s, engine 7 s, probe 1 s.
    assert_eq!((replicas.created, replicas.start_mean_s, replicas.start_max_s), (2, 17.0, 17.0));
    let ready_seconds = 600.0 + 600.0 - 117.0;
    assert!((replicas.ready_mean - ready_seconds / 600.0).abs() < 1e-12);
    assert_eq!(Micros::from_secs(117), at(117).since(at(0)));
}

/// Replicas of the first service say by what name nodes know their image.
fn name_the_image(world: &mut World) {
    let images = vec![Image { name: "vllm".into(), size: Bytes(10_000_000_000) }];
    let constraints = Some(Arc::new(Constraints { images, ..Constraints::default() }));
    let pod = PodSpec { constraints, ..PodSpec::clone(&world.service().pod) };
    world.service().pod = Arc::new(pod);
}

/// Two empty nodes and a replica of an image on one of them; on which node is the second replica a minute later?
fn second_home(named: bool) -> NodeId {
    let mut world = World::running(2, 1);
    if named {
        name_the_image(&mut world);
    }
    world.act(0, replicas(2));
    let flight = world.fly();
    let pods = &flight.seen_at(60).services[0].pods;
    pods.iter().last().and_then(|pod| pod.node).expect("there is room")
}

#[test]
fn a_node_that_has_the_image_by_name_goes_before_an_emptier_one() {
    assert_eq!(second_home(false), NodeId(1));
    assert_eq!(second_home(true), NodeId(0));
}

#[test]
fn services_that_run_the_same_image_pull_it_once() {
    let mut world = World::new();
    name_the_image(&mut world);
    let other = world.service().clone();
    world.spec.services.push(other);
    world.arrivals.push(Vec::new());
    world.act(0, replicas(1));
    world.act(0, ONE_NODE);
    world.act(60, Action::SetReplicas { service: ServiceId(1), replicas: 1 });
    let flight = world.fly();
    // The first pulls from 50 s to 70 s; the second comes at 60 s and waits for the rest of it. Weights are its own.
    assert!(flight.life("pod 1").contains("Pulling 1m, Starting 1m 10s, Loading 1m 13s"));
}
