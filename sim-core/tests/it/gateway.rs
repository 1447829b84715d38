//! The gateway and its clients: holding, refusing, patience, retries.

use crate::world::{World, fixed, replicas, secs};
use contract::{Action, NodeId, PoolId};
use sim_core::spec::Routing;

#[test]
fn requests_are_held_until_a_replica_is_ready() {
    let mut world = World::new();
    world.serve(fixed(1), 10);
    world.arrive(&[0, 50, 111]);
    world.act(0, replicas(1));
    world.act(0, Action::AddNodes { pool: PoolId(0), count: 1 });
    let flight = world.fly();
    assert_eq!(flight.requests().completed, 3);
    // Ready at 111 s, then a second each: 112, 62 and 1 s.
    assert!((flight.service().e2e.mean_ms - 175_000.0 / 3.0).abs() < 1e-6);
}

#[test]
fn a_full_queue_refuses() {
    let mut world = World::new();
    world.gateway().queue_limit = 2;
    world.arrive(&[0, 1, 2, 3]);
    let requests = world.fly().requests();
    assert_eq!((requests.rejected, requests.unfinished), (2, 2));
}

#[test]
fn a_client_that_gave_up_makes_room_in_the_queue() {
    let mut world = World::new();
    world.gateway().queue_limit = 1;
    world.gateway().timeout = Some(secs(10));
    world.arrive(&[0, 9, 11]);
    let requests = world.fly().requests();
    assert_eq!((requests.timed_out, requests.rejected), (2, 1));
}

#[test]
fn clients_try_again_after_pauses_that_double() {
    let mut world = World::new();
    world.gateway().timeout = Some(secs(10));
    world.gateway().retries = 3;
    world.gateway().retry_backoff = secs(2);
    world.arrive(&[0]);
    let flight = world.fly();
    assert_eq!((flight.requests().timed_out, flight.requests().attempts), (1, 4));
    // Four times 10 s in line, pauses of 2, 4 and 8 s between.
    assert_eq!(flight.blame(), "Decision 40\nRetryBackoff 14\n");
}

#[test]
fn a_retry_is_served_when_a_replica_has_come_meanwhile() {
    let mut world = World::new();
    world.gateway().queue_limit = 0;
    world.gateway().retries = 1;
    world.gateway().retry_backoff = secs(120);
    world.arrive(&[0]);
    world.act(0, replicas(1));
    world.act(0, Action::AddNodes { pool: PoolId(0), count: 1 });
    let flight = world.fly();
    assert_eq!((flight.requests().completed, flight.requests().attempts), (1, 2));
    assert!((flight.service().e2e.mean_ms - 121_000.0).abs() < 1e-6);
}

#[test]
fn patience_that_ends_during_a_pause_changes_nothing() {
    let mut world = World::new();
    world.gateway().queue_limit = 0;
    world.gateway().retries = 1;
    world.gateway().retry_backoff = secs(60);
    world.gateway().timeout = Some(secs(10));
    world.arrive(&[0]);
    let flight = world.fly();
    assert_eq!((flight.requests().rejected, flight.requests().attempts), (1, 2));
    assert_eq!(flight.blame(), "RetryBackoff 60\n");
}

#[test]
fn a_request_in_work_is_dropped_when_its_client_gives_up() {
    let mut world = World::running(1, 1);
    world.serve(fixed(100), 1);
    world.gateway().timeout = Some(secs(30));
    world.arrive(&[0, 1]);
    let flight = world.fly();
    assert_eq!(flight.requests().timed_out, 2);
    // The first is worked on for 30 s; the second waits 29 s and is worked on for 1 s.
    assert_eq!(flight.blame(), "Decision 29\nCompute 31\n");
    assert!((flight.outcome.summary.gpu.useful - 31.0 / 3600.0).abs() < 1e-12);
}

#[test]
fn retries_turn_an_overload_into_a_bigger_one() {
    let attempts = |retries| {
        let mut world = World::running(1, 1);
        world.serve(fixed(2), 1);
        world.gateway().timeout = Some(secs(5));
        world.gateway().retries = retries;
        world.arrive(&(0..100).collect::<Vec<_>>());
        world.fly().requests()
    };
    let (meek, stubborn) = (attempts(0), attempts(3));
    assert_eq!(meek.attempts, 100);
    assert!(stubborn.attempts > 180, "tried {} times", stubborn.attempts);
    assert!(stubborn.timed_out + stubborn.completed == 100 && stubborn.timed_out > 0);
}

#[test]
fn a_client_does_not_notice_that_its_replica_died_except_by_the_clock() {
    let mut world = World::running(1, 2);
    world.serve(fixed(100), 1);
    world.gateway().timeout = Some(secs(50));
    world.arrive(&[0]);
    world.act(20, Action::Delete { node: NodeId(0) });
    let flight = world.fly();
    let requests = flight.requests();
    assert_eq!((requests.timed_out, requests.lost_with_replica, requests.attempts), (1, 1, 1));
    let inside = flight.service().little.rate_times_time;
    let length = flight.service().little.inside_mean / inside;
    assert!((length - 1.0).abs() < 1e-9);
    assert_eq!(flight.blame().lines().last(), Some("Compute 20"));
    let blamed: f64 = flight.service().blame.iter().map(|blame| blame.seconds).sum();
    assert!((blamed - 50.0).abs() < 1e-9, "gave up at 50 s, not at 70 s: {blamed}");
}

#[test]
fn clients_go_on_trying_after_the_last_arrival() {
    let mut world = World::running(1, 1);
    world.spec.horizon = secs(100);
    world.serve(fixed(8), 1);
    world.gateway().timeout = Some(secs(10));
    world.gateway().retries = 5;
    world.arrive(&[99, 99]);
    let requests = world.fly().requests();
    assert_eq!((requests.completed, requests.attempts), (2, 3));
}

#[test]
fn round_robin_and_least_loaded_spread_and_two_choices_do_too() {
    for routing in [Routing::RoundRobin, Routing::LeastLoaded, Routing::PowerOfTwo] {
        let mut world = World::running(5, 10);
        world.serve(fixed(5), 1);
        world.gateway().routing = routing;
        world.arrive(&(0..500).collect::<Vec<_>>());
        let flight = world.fly();
        assert_eq!(flight.requests().completed, 500);
        // Half of the ten are busy at any time. Turns never meet a busy replica; two draws sometimes do.
        let mean = flight.service().e2e.mean_ms;
        let longest = if routing == Routing::PowerOfTwo { 6_500.0 } else { 5_000.1 };
        assert!((5_000.0..longest).contains(&mean), "{routing:?}: {mean} ms");
    }
}
