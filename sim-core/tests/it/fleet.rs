//! The cloud: zones, stock, failed launches, reclaims.

use crate::world::{Flight, World, at, fixed, replicas, secs};
use contract::{Action, Instant, LaunchFailureKind, Micros, NodeId, NodeStage, PoolId};
use sim_core::spec::{SpotSpec, StockOut, ZoneSpec};

fn add(count: u32) -> Action {
    Action::AddNodes { pool: PoolId(0), count }
}

/// Zones a, b, ... with these stocks.
fn zones(stocks: &[Option<u32>]) -> Vec<ZoneSpec> {
    let names = ["a", "b", "c"];
    let zone =
        |(name, stock): (&&str, &Option<u32>)| ZoneSpec { name: (*name).into(), stock: *stock };
    names.iter().zip(stocks).map(zone).collect()
}

/// Where the nodes are at a second.
fn zones_at(flight: &Flight, second: u64) -> String {
    flight.seen_at(second).nodes.iter().map(|node| &*node.zone).collect()
}

/// The newest failed launch at a second: when, what, how many.
fn failure(flight: &Flight, second: u64) -> Option<(Instant, LaunchFailureKind, u32)> {
    let failure = flight.seen_at(second).pools[0].failure?;
    Some((failure.at, failure.kind, failure.count))
}

#[test]
fn nodes_go_to_zones_in_turn() {
    let mut world = World::new();
    world.pool().zones = zones(&[None, None, None]);
    world.act(0, add(4));
    world.act(5, add(1));
    assert_eq!(zones_at(&world.fly(), 5), "abcab");
}

#[test]
fn a_zone_without_stock_is_passed_over_and_none_left_is_a_stock_out() {
    let mut world = World::new();
    world.pool().zones = zones(&[Some(0), Some(2), Some(1)]);
    world.act(0, add(5));
    let flight = world.fly();
    assert_eq!(zones_at(&flight, 0)[..3], *"bbc", "two more are asked for in vain");
    assert_eq!(flight.seen_at(9).pools[0].target, 5, "nobody knows yet");
    assert_eq!(failure(&flight, 9), None);
    assert_eq!(failure(&flight, 10), Some((at(10), LaunchFailureKind::StockOut, 2)));
    assert_eq!(flight.seen_at(10).pools[0].target, 3);
    assert_eq!(zones_at(&flight, 10), "bbc");
    let fleet = &flight.outcome.summary.fleet;
    assert_eq!((fleet.launched, fleet.launch_failures), (3, 2));
}

#[test]
fn stock_comes_back_when_the_instance_is_gone() {
    let launched = |second| {
        let mut world = World::new();
        world.pool().zones = zones(&[Some(1)]);
        world.act(0, add(1));
        // It shuts down for 8 s.
        world.act(60, Action::Delete { node: NodeId(0) });
        world.act(second, add(1));
        world.fly().outcome.summary.fleet.launched
    };
    assert_eq!((launched(67), launched(68)), (1, 2));
}

#[test]
fn a_failed_launch_costs_time_and_no_money() {
    let mut world = World::new();
    world.pool().launch_failure = 1.0;
    world.act(0, add(2));
    world.act(20, add(1));
    let flight = world.fly();
    assert_eq!(failure(&flight, 20), Some((at(10), LaunchFailureKind::LaunchFailed, 2)));
    assert_eq!(failure(&flight, 30), Some((at(30), LaunchFailureKind::LaunchFailed, 3)));
    assert!(flight.seen_at(30).nodes.is_empty());
    let usd = flight.outcome.summary.cost.usd;
    assert!(usd.abs() < 1e-12, "cost {usd}");
}

#[test]
fn a_pool_never_grows_past_its_maximum() {
    let mut world = World::new();
    world.pool().max = 3;
    world.act(0, add(2));
    world.act(1, add(99));
    assert_eq!(world.fly().seen_at(1).nodes.len(), 3);
}

#[test]
fn a_launch_that_is_called_back_never_becomes_an_instance() {
    let mut world = World::new();
    world.act(0, add(2));
    world.act(5, Action::Delete { node: NodeId(0) });
    world.act(5, Action::Drain { node: NodeId(1) });
    let flight = world.fly();
    assert_eq!(flight.life("node 0"), "Requested 0s, Gone 5s");
    assert_eq!(flight.life("node 1"), "Requested 0s, Gone 5s");
    assert_eq!(flight.outcome.summary.fleet.launched, 0);
}

#[test]
fn a_node_that_boots_can_be_deleted_and_shuts_down() {
    let mut world = World::new();
    world.act(0, add(1));
    world.act(15, Action::Delete { node: NodeId(0) });
    assert_eq!(world.fly().life("node 0"), "Requested 0s, Booting 10s, Terminating 15s, Gone 23s");
}

#[test]
fn a_cordoned_node_gets_no_pods_until_it_is_let_on_again() {
    let mut world = World::running(1, 0);
    world.act(0, Action::Cordon { node: NodeId(0) });
    world.act(1, replicas(1));
    world.act(50, Action::Uncordon { node: NodeId(0) });
    let flight = world.fly();
    assert!(flight.life("pod 0").starts_with("Pending 1s, Pulling 50s"));
}

#[test]
fn a_reclaimed_node_drains_during_its_notice_and_is_taken_at_its_end() {
    let mut world = World::running(1, 1);
    world.pool().spot = Some(SpotSpec { reclaims_per_hour: 60.0, notice: secs(20) });
    world.cadence.every = Micros::from_millis(10);
    world.serve(fixed(1000), 1);
    world.service().grace = secs(1000);
    world.arrive(&[0]);
    let flight = world.fly();
    let gone = flight.seen.iter().position(|seen| seen.nodes.is_empty()).expect("it is reclaimed");
    let node = &flight.seen[gone - 1].nodes[0];
    assert_eq!(node.stage, NodeStage::Draining);
    let taken = flight.seen[gone].now.since(node.since);
    let late = taken - secs(20);
    assert!(secs(20) <= taken && late < Micros::from_millis(10), "taken after {taken}");
    let fleet = &flight.outcome.summary.fleet;
    assert_eq!((fleet.reclaimed, flight.requests().lost_with_replica), (1, 1));
    assert_eq!(flight.seen[gone].pools[0].target, 0, "the pool has one less");
    // The instance is gone at once: what is billed ends there.
    let alive = (node.since + secs(20)).as_secs_f64();
    assert!((flight.outcome.summary.cost.usd - 3.6 * alive / 3600.0).abs() < 1e-9);
}

#[test]
fn a_deleted_nodes_work_goes_to_the_gateway_and_not_to_its_neighbours_on_the_node() {
    let mut world = World::running(1, 2);
    world.serve(fixed(100), 1);
    world.arrive(&[0, 0]);
    world.act(5, Action::Delete { node: NodeId(0) });
    let flight = world.fly();
    assert_eq!(flight.requests().lost_with_replica, 2, "each once");
    assert_eq!(flight.requests().unfinished, 2);
    assert_eq!(flight.life("node 0"), "Ready 0s, Terminating 5s, Gone 13s");
}

#[test]
fn a_launch_that_waits_is_taken_on_when_stock_comes_back_and_nobody_is_told_before() {
    let mut world = World::new();
    world.pool().zones = zones(&[Some(1)]);
    world.pool().stock_out = StockOut::Waits;
    world.act(0, add(3));
    // It shuts down for 8 s; the second is given up before that.
    world.act(60, Action::Delete { node: NodeId(0) });
    world.act(65, Action::Delete { node: NodeId(1) });
    let flight = world.fly();
    let waiting = |second| {
        let nodes = flight.seen_at(second).nodes.iter();
        let ids = nodes.filter(|node| node.stage == NodeStage::Requested).map(|node| node.id.0);
        ids.collect::<Vec<_>>()
    };
    assert_eq!(waiting(59), [1, 2]);
    assert_eq!(flight.seen_at(59).pools[0].target, 3);
    assert_eq!(waiting(77), [2], "taken on at 68 s, launched for 10 s");
    assert_eq!(waiting(78), [0_u32; 0]);
    assert_eq!(failure(&flight, 78), None);
    let fleet = &flight.outcome.summary.fleet;
    assert_eq!((fleet.launched, fleet.launch_failures), (2, 0));
}
