//! Instances that stand by, and accelerators that never come up.

use crate::world::{Flight, World, assert_close, at, fixed, replicas};
use contract::{Action, NodeStage, PoolId, UsdPerHour};
use sim_core::spec::StandbySpec;

/// Resume 6 s instead of launch 10 s and boot 20 s; 40 s to boot and prepare another.
fn world(nodes: u32, keeps_memory: bool) -> World {
    let mut world = World::new();
    world.pool().standby = Some(StandbySpec {
        nodes,
        resume: fixed(6),
        prepare: fixed(60),
        holding: UsdPerHour(0.36),
        keeps_memory,
    });
    world
}

fn ready_at(flight: &Flight, node: usize) -> u64 {
    let is_ready = |seen: &&contract::ObservationRecord| {
        seen.nodes.get(node).is_some_and(|node| node.stage == NodeStage::Ready)
    };
    flight.seen.iter().find(is_ready).expect("it comes up").now.0 / 1_000_000
}

#[test]
fn a_node_resumes_while_there_is_one_on_standby_and_is_launched_after_that() {
    let mut world = world(1, false);
    world.act(0, Action::AddNodes { pool: PoolId(0), count: 2 });
    let flight = world.fly();
    // Registration 5 s and driver 15 s are the same.
    assert_eq!((ready_at(&flight, 0), ready_at(&flight, 1)), (26, 50));
}

#[test]
fn what_is_taken_is_prepared_anew() {
    let mut world = world(2, false);
    world.act(0, Action::AddNodes { pool: PoolId(0), count: 1 });
    let flight = world.fly();
    let standby = |second| flight.seen_at(second).pools[0].standby;
    // Launch 10 s, boot 20 s, registration 5 s, driver 15 s, image 60 s.
    assert_eq!((standby(0), standby(109), standby(110)), (1, 1, 2));
}

#[test]
fn standby_costs_its_holding_and_a_running_node_while_one_is_prepared() {
    let mut world = world(2, false);
    world.act(0, Action::AddNodes { pool: PoolId(0), count: 1 });
    let cost = world.fly().outcome.summary.cost;
    let pool = &cost.pools[0];
    // One all the 600 s, the other from 110 s on; it was prepared from 10 s on.
    assert_close(pool.standby_hours, (600.0 + 490.0) / 3600.0);
    assert_close(pool.standby_usd, pool.standby_hours * 0.36 + 100.0 / 3600.0 * 3.6);
    assert_close(cost.usd, pool.node_hours * 3.6 + pool.standby_usd);
}

#[test]
fn a_prepared_node_has_the_image_and_the_weights_too_if_memory_survives() {
    let ready = |keeps_memory| {
        let mut world = world(1, keeps_memory);
        world.act(0, Action::AddNodes { pool: PoolId(0), count: 1 });
        world.act(0, replicas(1));
        let flight = world.fly();
        let is_ready = |seen: &&contract::ObservationRecord| seen.services[0].replicas.ready == 1;
        flight.seen.iter().find(is_ready).expect("it comes up").now
    };
    // The node 26 s, container 3 s, weights 30 s (6 s from the page cache), engine 7 s, probe 1 s.
    assert_eq!((ready(false), ready(true)), (at(67), at(43)));
}

#[test]
fn standby_takes_from_the_stock_when_it_is_resumed() {
    let mut world = world(2, false);
    world.pool().zones[0].stock = Some(1);
    world.act(0, Action::AddNodes { pool: PoolId(0), count: 2 });
    let flight = world.fly();
    assert_eq!(flight.seen_at(30).nodes.len(), 1, "switched off, but not ours to start");
    assert_eq!(flight.seen_at(30).pools[0].standby, 1);
}

#[test]
fn an_accelerator_that_never_comes_up_is_billed_and_serves_nobody() {
    let mut world = World::new();
    world.pool().accelerator_failure = 1.0;
    world.act(0, Action::AddNodes { pool: PoolId(0), count: 1 });
    world.act(0, replicas(1));
    let flight = world.fly();
    let node = &flight.seen_at(599).nodes[0];
    assert_eq!((node.stage, node.pods.len()), (NodeStage::AcceleratorStarting, 0));
    let hours = flight.outcome.summary.cost.pools[0].node_hours;
    assert_close(hours, (600.0 - 10.0) / 3600.0);
}
