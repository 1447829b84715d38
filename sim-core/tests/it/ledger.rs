//! Money and GPU time, against sums made by hand. A node costs 3.60 USD/h, a tenth of a cent a second.

use crate::world::{Flight, World, assert_close, replicas, secs};
use contract::{Action, NodeId, PoolId};

const ONE_NODE: Action = Action::AddNodes { pool: PoolId(0), count: 1 };

/// Seconds of nodes billed.
fn billed(flight: &Flight) -> f64 {
    let node_hours = flight.outcome.summary.cost.pools[0].node_hours;
    assert_close(flight.outcome.summary.cost.usd, node_hours * 3.6);
    node_hours * 3600.0
}

/// GPU-seconds: useful, idle, loading, booting, unallocated.
#[track_caller]
fn check_gpus(flight: &Flight, expected: [f64; 5]) {
    let gpu = flight.outcome.summary.gpu;
    let found = [gpu.useful, gpu.idle_ready, gpu.loading, gpu.booting, gpu.unallocated];
    for (found, expected) in found.iter().zip(expected) {
        assert_close(found * 3600.0, expected);
    }
}

#[test]
fn a_steady_fleet_costs_its_nodes_for_the_whole_run() {
    let mut world = World::running(1, 1);
    world.arrive(&[10, 20, 598, 599]);
    let flight = world.fly();
    assert_close(billed(&flight), 600.0);
    assert_close(flight.outcome.summary.cost.usd_per_day, 86.4);
    // Two GPUs for 600 s, one of them under a replica that works for 4 s.
    check_gpus(&flight, [4.0, 596.0, 0.0, 0.0, 600.0]);
}

#[test]
fn a_cold_start_is_paid_from_the_launch_on() {
    let mut world = World::new();
    world.act(0, replicas(1));
    world.act(0, ONE_NODE);
    world.arrive(&[200]);
    let flight = world.fly();
    assert_close(billed(&flight), 590.0);
    // Launched at 10 s, ready at 50 s, the replica ready at 111 s; two GPUs.
    check_gpus(&flight, [1.0, 600.0 - 111.0 - 1.0, 61.0, 2.0 * 40.0, 550.0]);
}

#[test]
fn work_past_the_horizon_is_neither_useful_nor_billed() {
    let mut world = World::running(1, 1);
    world.serve(crate::world::fixed(100), 1);
    world.arrive(&[590]);
    world.act(650, ONE_NODE);
    world.act(650, replicas(2));
    let flight = world.fly();
    assert_eq!(flight.requests().completed, 1, "it finishes in the drain");
    assert_close(billed(&flight), 600.0);
    check_gpus(&flight, [10.0, 590.0, 0.0, 0.0, 600.0]);
    assert_eq!(flight.outcome.summary.fleet.launched, 0);
    assert_eq!(flight.outcome.summary.fleet.nodes_peak, 1);
    let replicas = flight.service().replicas;
    assert_eq!((replicas.created, replicas.wanted_peak, replicas.ready_peak), (1, 1, 1));
    assert_close(replicas.ready_mean, 1.0);
}

#[test]
fn a_node_is_paid_until_it_is_gone_and_counts_as_booting_while_it_goes() {
    let mut world = World::running(1, 0);
    world.act(100, Action::Delete { node: NodeId(0) });
    let flight = world.fly();
    assert_close(billed(&flight), 108.0);
    check_gpus(&flight, [0.0, 0.0, 0.0, 2.0 * 8.0, 2.0 * 100.0]);
}

#[test]
fn a_node_that_goes_past_the_horizon_is_paid_up_to_it() {
    let mut world = World::running(1, 0);
    world.act(595, Action::Delete { node: NodeId(0) });
    let flight = world.fly();
    assert_close(billed(&flight), 600.0);
    check_gpus(&flight, [0.0, 0.0, 0.0, 2.0 * 5.0, 2.0 * 595.0]);
}

#[test]
fn a_short_life_is_billed_at_the_minimum_but_not_past_the_horizon() {
    let billed_after = |asked: u64| {
        let mut world = World::new();
        world.pool().billing_minimum = secs(60);
        world.act(asked, ONE_NODE);
        // Launched 10 s later, deleted 15 s later, gone 23 s later.
        world.act(asked + 15, Action::Delete { node: NodeId(0) });
        billed(&world.fly())
    };
    assert_close(billed_after(100), 60.0);
    assert_close(billed_after(560), 30.0);
}

#[test]
fn the_parts_of_a_busy_life_sum_to_the_whole() {
    let mut world = World::running(2, 3);
    world.arrive(&(0..500).collect::<Vec<_>>());
    world.act(50, Action::Drain { node: NodeId(1) });
    world.act(60, ONE_NODE);
    world.act(200, replicas(1));
    world.act(300, Action::Delete { node: NodeId(0) });
    let flight = world.fly();
    let gpu = flight.outcome.summary.gpu;
    assert_close(gpu.total * 3600.0, 2.0 * billed(&flight));
    assert!(gpu.useful > 0.0 && gpu.loading > 0.0 && gpu.booting > 0.0);
}
