//! What late requests are said to have waited for, against sums made by hand.

use crate::world::{World, fixed, replicas, secs};
use contract::{Action, Micros, NodeId, PoolId};
use sim_core::spec::{StockOut, ZoneSpec};

const ONE_NODE: Action = Action::AddNodes { pool: PoolId(0), count: 1 };

#[test]
fn every_step_of_a_cold_start_gets_its_seconds() {
    let mut world = World::new();
    world.service().slo.ttft = Some(secs(1));
    world.spec.control.actuation = fixed(2);
    world.spec.control.scheduling = fixed(1);
    world.metrics().scrape_interval = secs(2);
    world.arrive(&[0]);
    world.act(5, replicas(1));
    world.act(10, ONE_NODE);
    let flight = world.fly();
    let sampled = flight.seen_at(5).services[0].samples[0].at;
    let (seen, delay) = (sampled.as_secs_f64(), Micros(5_000_000 - sampled.0).as_secs_f64());
    // Written at 5 s, a pod at 7 s, found unschedulable at 8 s; node asked for at 10 s, up to its accelerator at
    // 45 s, ready at 60 s; bound at 61 s, ready at 122 s.
    let expected = format!(
        "Decision {seen}\nMetricDelay {delay}\nScheduling 4\nNoNode 2\nNodeBoot 35\n\
         Accelerator 15\nImagePull 20\nContainerStart 3\nWeightsLoad 30\nEngineInit 8\nCompute 1\n"
    );
    assert_eq!(flight.blame(), expected);
    assert_eq!(flight.requests().late_ttft, 1);
}

#[test]
fn who_came_in_the_middle_waited_for_the_rest_only() {
    let mut world = World::new();
    world.service().slo.ttft = Some(secs(5));
    world.serve(fixed(1), 10);
    world.act(0, replicas(1));
    world.act(0, ONE_NODE);
    // Ready at 111 s: the first waits for part of the weights, the second is in time.
    world.arrive(&[100, 108]);
    assert_eq!(world.fly().blame(), "WeightsLoad 3\nEngineInit 8\nCompute 1\n");
}

#[test]
fn an_empty_cloud_is_to_blame_from_the_moment_it_was_asked() {
    for stock_out in [StockOut::Refused, StockOut::Waits] {
        let mut world = World::new();
        world.pool().zones = vec![ZoneSpec { name: "a".into(), stock: Some(0) }];
        world.pool().stock_out = stock_out;
        world.service().slo.ttft = Some(secs(1));
        world.arrive(&[20]);
        world.spec.horizon = secs(100);
        world.spec.drain = Micros::ZERO;
        world.act(0, replicas(1));
        world.act(50, ONE_NODE);
        assert_eq!(world.fly().blame(), "NoNode 30\nStockOut 50\n");
    }
}

#[test]
fn a_back_off_that_keeps_a_pod_from_a_ready_node_is_scheduling() {
    let mut world = World::new();
    world.spec.control.queue.backoff_initial = secs(80);
    world.spec.control.queue.backoff_max = secs(80);
    world.service().slo.ttft = Some(secs(1));
    world.arrive(&[0]);
    world.act(0, replicas(1));
    world.act(0, ONE_NODE);
    // The node is ready at 50 s; the pod was tried at 0 s and is not tried again before 80 s.
    assert_eq!(
        world.fly().blame(),
        "Scheduling 30\nNodeBoot 35\nAccelerator 15\nImagePull 20\nContainerStart 3\n\
         WeightsLoad 30\nEngineInit 8\nCompute 1\n"
    );
}

#[test]
fn another_pools_nodes_are_nobodys_excuse() {
    let mut world = World::new();
    let mut other = crate::world::pool();
    let mut shape = (*other.shape).clone();
    shape.allocatable.gpus = 0;
    other.shape = std::sync::Arc::new(shape);
    world.spec.pools.push(other);
    world.service().slo.ttft = Some(secs(1));
    world.arrive(&[0]);
    world.spec.horizon = secs(100);
    world.spec.drain = Micros::ZERO;
    world.act(0, replicas(1));
    world.act(0, Action::AddNodes { pool: PoolId(1), count: 1 });
    assert_eq!(world.fly().blame(), "NoNode 100\n");
}

#[test]
fn a_slow_server_has_only_itself_to_blame() {
    let mut world = World::running(1, 1);
    world.serve(fixed(5), 1);
    world.service().slo.e2e = Some(secs(7));
    world.arrive(&[0, 1]);
    // The first takes 5 s, the second 9 s: 4 s in line while nobody asked for more.
    assert_eq!(world.fly().blame(), "Decision 4\nCompute 5\n");
}

#[test]
fn what_was_lost_with_a_replica_counts_as_well() {
    let mut world = World::running(1, 1);
    world.serve(fixed(50), 1);
    world.service().slo.e2e = Some(secs(60));
    world.spec.drain = Micros::ZERO;
    world.spec.horizon = secs(100);
    world.arrive(&[0]);
    world.act(30, Action::Delete { node: NodeId(0) });
    // Thirty seconds of work are lost; from then on there is no node, and nobody asks for one.
    assert_eq!(world.fly().blame(), "NoNode 70\nCompute 30\n");
}

#[test]
fn a_long_history_keeps_what_somebody_still_waits_through() {
    let mut world = World::new();
    world.spec.horizon = secs(6000);
    world.spec.drain = Micros::ZERO;
    // The cause changes twice a second: far more often than the track of causes keeps.
    for second in 0..6000 {
        world.act(second, replicas(u32::from(second % 2 == 0)));
    }
    world.arrive(&[1000, 4000]);
    let flight = world.fly();
    let blamed: f64 = flight.service().blame.iter().map(|blame| blame.seconds).sum();
    assert!((blamed - 7000.0).abs() < 1e-6, "both waited until the end: {blamed}");
    assert!(flight.blame().contains("NoNode 3500"), "{}", flight.blame());
}

#[test]
fn work_that_never_ends_is_compute_to_the_end() {
    let mut world = World::running(1, 1);
    world.serve(fixed(10_000), 1);
    world.spec.horizon = secs(100);
    world.spec.drain = secs(20);
    world.arrive(&[0]);
    assert_eq!(world.fly().blame(), "Compute 120\n");
}
