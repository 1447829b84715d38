//! Services whose replicas may have one of several shapes.

use crate::world::{World, fixed, replicas, secs};
use contract::{Action, PodSpec, PoolId};
use sim_core::spec::{Alternatives, Paces, ReplicaShape, ServiceKind};
use std::sync::Arc;

/// A first shape that asks for more GPUs than a node has, and one that fits and takes `seconds` for a request.
fn world(seconds: u64) -> World {
    let mut world = World::new();
    let service = world.service();
    let small = service.pod.clone();
    let mut large = PodSpec::clone(&small);
    large.requests.gpus = 100;
    service.pod = Arc::new(large);
    let kind =
        ServiceKind::Plain { service_time: fixed(1), concurrency: 1, paces: Paces::default() };
    let mut startup = service.startup.clone();
    startup.engine = fixed(seconds);
    let shapes = vec![ReplicaShape { pod: small, kind, startup }];
    service.alternatives = Alternatives { shapes, fallback_after: secs(60) };
    world
}

#[test]
fn a_replica_that_fits_nowhere_makes_way_for_one_of_the_next_shape() {
    let mut world = world(20);
    world.act(0, replicas(1));
    world.act(0, Action::AddNodes { pool: PoolId(0), count: 1 });
    let flight = world.fly();
    assert_eq!(flight.life("pod 0"), "Pending 0s, Gone 1m");
    // Its own image, weights and engine: 20 s, 3 s, 30 s, 20 s and the probe.
    assert_eq!(
        flight.life("pod 1"),
        "Pulling 1m, Starting 1m 20s, Loading 1m 23s, Initialising 1m 53s, Probing 2m 13s, Ready 2m 14s"
    );
    assert_eq!(flight.service().replicas.ready_peak, 1);
}

#[test]
fn after_the_last_shape_comes_the_first_again() {
    let mut world = world(20);
    world.act(0, replicas(1));
    // No node ever: at every full minute another pod, of the one shape and the other in turns.
    let flight = world.fly();
    let gpus = [30, 90, 150, 210].map(|second| {
        let pending = &flight.seen_at(second).pending;
        assert_eq!(pending.len(), 1);
        pending[0].spec.requests.gpus
    });
    assert_eq!(gpus, [100, 1, 100, 1]);
}
