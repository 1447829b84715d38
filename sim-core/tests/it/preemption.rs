//! Pods of higher priority take the place of lower ones: whom they evict, when they get there, and what is held for
//! them meanwhile.

use crate::world::{Flight, World, at, replicas, service};
use contract::{Action, Constraints, NodeId, PodSpec, ServiceId};
use sim_core::spec::{DisruptionBudget, IntOrPercent, ServiceSpec};
use std::sync::Arc;

/// Replicas that are ready at the start, with this many GPUs each.
fn ready(replicas: u32, gpus: u32, priority: i32) -> ServiceSpec {
    let mut service = service();
    let mut pod = PodSpec { priority, ..PodSpec::clone(&service.pod) };
    pod.requests.gpus = gpus;
    service.pod = Arc::new(pod);
    service.initial = replicas;
    service
}

/// One node of two GPUs, these services beside the first, whose pods of two GPUs and priority 10 are yet to come.
fn world(others: &[ServiceSpec]) -> World {
    let mut world = World::running(1, 0);
    world.spec.services = vec![ready(0, 2, 10)];
    for other in others {
        world.spec.services.push(other.clone());
        world.arrivals.push(Vec::new());
    }
    world
}

/// The stages of a pod of the first service: the pods of the others come first.
fn life(flight: &Flight, pod: u32) -> String {
    flight.life(&format!("pod {pod}"))
}

/// How many pods of a service are ready and pending at a second.
fn counts(flight: &Flight, second: u64, service: usize) -> (u32, u32) {
    let counts = flight.seen_at(second).services[service].replicas;
    (counts.ready, counts.pending)
}

#[test]
fn placeholders_make_way_and_their_replacements_wait_for_room() {
    // Two pause pods hold the node warm; the pod that needs it evicts both, and is bound after its back-off.
    let mut world = world(&[ready(2, 1, -20)]);
    world.act(10, replicas(1));
    world.act(200, replicas(0));
    let flight = world.fly();
    assert_eq!((counts(&flight, 9, 1), counts(&flight, 12, 1)), ((2, 0), (0, 2)));
    assert!(life(&flight, 2).starts_with("Pending 10s, Pulling 11s"), "{}", life(&flight, 2));
    // When it has gone, the placeholders come back.
    assert_eq!(counts(&flight, 500, 1), (2, 0));
}

#[test]
fn only_as_many_as_needed_go_and_nobody_of_the_same_priority() {
    let mut smaller = world(&[ready(2, 1, 0)]);
    smaller.spec.services[0] = ready(0, 1, 10);
    smaller.act(10, replicas(1));
    assert_eq!(counts(&smaller.fly(), 12, 1), (1, 1));
    let mut equal = world(&[ready(2, 1, 10)]);
    equal.act(10, replicas(1));
    let flight = equal.fly();
    assert_eq!((counts(&flight, 300, 0), counts(&flight, 300, 1)), ((0, 1), (2, 0)));
}

#[test]
fn a_victim_finishes_its_work_while_the_node_is_held() {
    let mut world = world(&[ready(1, 2, 0), ready(0, 1, 5)]);
    // The victim works until 25 s. A pod of middling priority comes at 12 s and would fit first at 25 s.
    world.spec.services[1].kind = sim_core::spec::ServiceKind::Plain {
        service_time: crate::world::fixed(20),
        concurrency: 1,
        paces: sim_core::spec::Paces::default(),
    };
    world.arrivals[1] = vec![crate::world::arrival(at(5))];
    world.act(10, replicas(1));
    world.act(12, Action::SetReplicas { service: ServiceId(2), replicas: 1 });
    let flight = world.fly();
    let waiting = flight.seen_at(20).pending.iter().find(|pod| pod.id.0 == 1);
    assert_eq!(waiting.map(|pod| pod.nominated), Some(Some(NodeId(0))));
    assert!(life(&flight, 1).starts_with("Pending 10s, Pulling 25s"), "{}", life(&flight, 1));
    assert_eq!(counts(&flight, 300, 2), (0, 1));
}

#[test]
fn grace_ends_a_victims_work() {
    let mut world = world(&[ready(1, 2, 0)]);
    world.spec.services[1].kind = sim_core::spec::ServiceKind::Plain {
        service_time: crate::world::fixed(300),
        concurrency: 1,
        paces: sim_core::spec::Paces::default(),
    };
    world.arrivals[1] = vec![crate::world::arrival(at(5))];
    world.act(10, replicas(1));
    let flight = world.fly();
    assert!(life(&flight, 1).starts_with("Pending 10s, Pulling 40s"), "{}", life(&flight, 1));
}

#[test]
fn a_budget_moves_the_eviction_to_whom_it_does_not_protect() {
    let evicted = |budgets: [Option<DisruptionBudget>; 2]| {
        let mut world = world(&[ready(1, 1, 0), ready(1, 1, 0)]);
        world.spec.services[0] = ready(0, 1, 10);
        world.spec.services[1].disruption_budget = budgets[0];
        world.spec.services[2].disruption_budget = budgets[1];
        world.act(10, replicas(1));
        let flight = world.fly();
        [1, 2].map(|service| counts(&flight, 12, service).1)
    };
    let keep_one = Some(DisruptionBudget::MinAvailable(IntOrPercent::Count(1)));
    let lose_any = Some(DisruptionBudget::MaxUnavailable(IntOrPercent::Percent(100)));
    assert_eq!(evicted([None, None]), [0, 1], "of equals the newer goes");
    assert_eq!(evicted([None, keep_one]), [1, 0], "unless it is protected");
    assert_eq!(evicted([None, lose_any]), [0, 1], "by a budget that is used up");
    assert_eq!(evicted([keep_one, keep_one]), [0, 1], "which only holds if there is another way");
}

#[test]
fn a_pod_that_never_preempts_waits_its_turn_ahead_of_lower_ones() {
    let mut world = world(&[ready(2, 1, 0)]);
    let polite = Constraints { never_preempts: true, ..Constraints::default() };
    let pod = PodSpec::clone(&world.service().pod);
    let pod = PodSpec { constraints: Some(Arc::new(polite)), ..pod };
    world.service().pod = Arc::new(pod);
    world.act(10, replicas(1));
    world.act(100, Action::SetReplicas { service: ServiceId(1), replicas: 0 });
    let flight = world.fly();
    assert_eq!(counts(&flight, 99, 1), (2, 0));
    assert!(life(&flight, 2).starts_with("Pending 10s, Pulling 1m 40s"), "{}", life(&flight, 2));
}

#[test]
fn a_pod_with_rules_about_others_is_tried_again_when_one_is_bound() {
    use contract::{HOSTNAME_KEY, PodAffinity, Selector};
    let mut world = world(&[ready(0, 1, 0)]);
    let near = PodAffinity {
        topology_key: HOSTNAME_KEY.into(),
        selector: Selector::of_labels([("app", "cache")]),
    };
    let follower = Constraints { pod_affinity: vec![near], ..Constraints::default() };
    let mut labelled = Constraints::default();
    labelled.labels.insert("app".into(), "cache".into());
    for (service, constraints) in [(0, follower), (1, labelled)] {
        let spec = &mut world.spec.services[service];
        let mut pod =
            PodSpec { constraints: Some(Arc::new(constraints)), ..PodSpec::clone(&spec.pod) };
        pod.requests.gpus = 1;
        spec.pod = Arc::new(pod);
    }
    world.act(10, replicas(1));
    world.act(30, Action::SetReplicas { service: ServiceId(1), replicas: 1 });
    let flight = world.fly();
    assert!(life(&flight, 0).starts_with("Pending 10s, Pulling 30s"), "{}", life(&flight, 0));
}
