//! Drains: whom disruption budgets let go, what is tried again, what is given up; and nodes that pods avoid.

use crate::world::{World, replicas};
use contract::{Action, NodeId};
use sim_core::spec::{DisruptionBudget, IntOrPercent};

/// Two nodes with a replica each, of which both must stay ready; the first node is drained at 10 s.
fn protected() -> World {
    let mut world = World::running(2, 2);
    let budget = DisruptionBudget::MinAvailable(IntOrPercent::Count(2));
    world.service().disruption_budget = Some(budget);
    world.act(10, Action::Drain { node: NodeId(0) });
    world
}

#[test]
fn a_refused_eviction_is_tried_again_every_ten_seconds_until_another_replica_is_ready() {
    let mut world = protected();
    world.act(15, replicas(3));
    let flight = world.fly();
    let ready = flight.life("pod 2");
    assert!(ready.ends_with("Ready 32s"), "{ready}");
    assert_eq!(flight.life("pod 0"), "Ready 0s, Gone 40s");
    assert_eq!(flight.life("node 0"), "Ready 0s, Draining 10s, Terminating 40s, Gone 48s");
}

#[test]
fn without_another_replica_the_node_stays_and_its_pod_serves() {
    let flight = protected().fly();
    assert_eq!(flight.life("pod 0"), "Ready 0s");
    assert_eq!(flight.life("node 0"), "Ready 0s, Draining 10s");
    let service = &flight.seen_at(300).services[0];
    assert_eq!(service.disruptions_allowed(), Some(0));
}

#[test]
fn a_drain_that_is_given_up_leaves_the_node_as_it_was() {
    let mut world = protected();
    world.act(30, Action::Uncordon { node: NodeId(0) });
    world.act(60, replicas(4));
    let flight = world.fly();
    assert_eq!(flight.life("node 0"), "Ready 0s, Draining 10s, Ready 30s");
    let targets = [20, 30].map(|second| flight.seen_at(second).pools[0].target);
    assert_eq!(targets, [1, 2]);
    // It takes new pods, too.
    assert_eq!(flight.seen_at(61).nodes[0].pods.len(), 2);
}

#[test]
fn a_drain_is_not_given_up_once_another_node_has_its_place_in_the_pool() {
    let mut world = protected();
    world.pool().max = 2;
    world.act(20, Action::AddNodes { pool: contract::PoolId(0), count: 1 });
    world.act(30, Action::Uncordon { node: NodeId(0) });
    let flight = world.fly();
    assert_eq!(flight.life("node 0"), "Ready 0s, Draining 10s");
    assert_eq!(flight.seen_at(40).pools[0].target, 2);
}

#[test]
fn pods_go_to_a_softly_tainted_node_only_if_they_must() {
    let mut world = World::running(2, 0);
    world.act(5, Action::TaintSoftly { node: NodeId(0) });
    world.act(10, replicas(3));
    world.act(100, Action::UntaintSoftly { node: NodeId(0) });
    let flight = world.fly();
    let seen = flight.seen_at(12);
    assert_eq!([0, 1].map(|node| seen.nodes[node].pods.len()), [1, 2]);
    assert_eq!([12, 101].map(|at| flight.seen_at(at).nodes[0].softly_tainted), [true, false]);
}
