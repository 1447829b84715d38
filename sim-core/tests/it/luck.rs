//! Common random numbers: what chance decides does not depend on what a policy does.

use crate::world::{Flight, World, replicas, secs};
use contract::{Action, Micros, PoolId};
use sim_core::delay::Delay;
use sim_core::random::Seed;
use std::collections::BTreeMap;

fn add(count: u32) -> Action {
    Action::AddNodes { pool: PoolId(0), count }
}

/// Every stage of nodes and replicas takes a random time.
fn random_world(run: u32) -> World {
    let any = |mean| Delay::Exponential { mean: secs(mean) };
    let mut world = World::running(1, 1);
    world.spec.seed = Seed { seed: 5, run };
    let stages = &mut world.pool().stages;
    (stages.launch, stages.boot, stages.accelerator) = (any(20), any(30), any(20));
    let startup = &mut world.service().startup;
    (startup.container, startup.engine, startup.probe) = (any(10), any(20), any(5));
    world.serve(any(3), 8);
    world.arrive(&(0..300).collect::<Vec<_>>());
    world.cadence.every = Micros::from_millis(10);
    world
}

/// How long each stage of each node and pod took, but for those that others have a say in; unfinished and unseen ones
/// left out.
fn lengths(flight: &Flight) -> BTreeMap<(String, String), Micros> {
    let own =
        ["Requested", "Booting", "AcceleratorStarting", "Starting", "Initialising", "Probing"];
    let mut began = BTreeMap::new();
    let mut lengths = BTreeMap::new();
    for seen in &flight.seen {
        let nodes = seen.nodes.iter();
        let nodes = nodes
            .map(|node| (format!("node {}", node.id), format!("{:?}", node.stage), node.since));
        let pods = seen.services[0].pods.iter();
        let pods =
            pods.map(|pod| (format!("pod {}", pod.id), format!("{:?}", pod.stage), pod.since));
        for (who, stage, since) in nodes.chain(pods) {
            let previous = began.insert(who.clone(), (stage.clone(), since));
            if let Some((was, from)) =
                previous.filter(|(was, _)| *was != stage && own.contains(&&**was))
            {
                lengths.insert((who, was), since.since(from));
            }
        }
    }
    lengths
}

#[test]
fn the_nth_node_and_the_nth_pod_have_the_same_luck_under_every_policy() {
    let mut eager = random_world(0);
    eager.act(0, add(3));
    eager.act(0, replicas(8));
    let mut late = random_world(0);
    late.act(100, add(1));
    late.act(130, replicas(3));
    late.act(200, add(2));
    late.act(210, replicas(8));
    let (eager, late) = (lengths(&eager.fly()), lengths(&late.fly()));
    let both: Vec<_> = eager.keys().filter(|key| late.contains_key(*key)).collect();
    assert!(both.len() >= 20, "only {} stages can be compared", both.len());
    for key in both {
        assert_eq!(eager[key], late[key], "{key:?}");
    }
}

#[test]
fn requests_bring_the_same_work_under_every_policy() {
    // Eight at once leave nobody in line, so a response takes as long as its work.
    let e2e = |scale_up: bool| {
        let mut world = random_world(0);
        world.serve(Delay::Exponential { mean: secs(3) }, 1000);
        if scale_up {
            world.act(0, replicas(2));
        }
        world.fly().service().e2e
    };
    assert_eq!(e2e(false), e2e(true));
}

#[test]
fn another_replication_has_other_luck_and_the_same_one_repeats_itself() {
    let flight = |run| {
        let mut world = random_world(run);
        world.act(0, add(2));
        world.act(0, replicas(4));
        world.fly().outcome.summary
    };
    assert_eq!(flight(0), flight(0));
    assert_ne!(flight(0).fingerprint, flight(1).fingerprint);
}
