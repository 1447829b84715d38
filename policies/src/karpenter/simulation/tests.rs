use super::*;
use crate::karpenter::instance_type::{CapacityType, Offering};
use contract::{
    Bytes, Constraints, HOSTNAME_KEY, Instant, MilliCpu, NodeShape, PodAffinity, PodId, PoolId,
    Preference, Selector, TopologySpread, UsdPerHour, ZONE_KEY,
};

/// A type with so many cores, twice as many GiB and some GPUs, in zones `a` and `b`, at a price.
fn instance(name: &str, cores: u64, gpus: u32, price: f64) -> InstanceType {
    let capacity =
        Resources { cpu: MilliCpu(cores * 1000), memory: Bytes::from_gib(cores * 2), gpus };
    let offering = |zone: &str| Offering {
        pool: PoolId(0),
        pool_name: name.into(),
        zone: zone.into(),
        capacity_type: CapacityType::OnDemand,
        price: UsdPerHour(price),
        available: true,
        reservation: None,
    };
    let shape = NodeShape { allocatable: capacity, pod_limit: 110, ..NodeShape::default() };
    InstanceType {
        name: name.into(),
        shape: Arc::new(shape),
        capacity,
        labels: BTreeMap::new(),
        offerings: vec![offering("a"), offering("b")],
    }
}

fn pool(name: &str, weight: u32, types: usize) -> NodePool {
    NodePool {
        name: name.into(),
        weight,
        requirements: Requirements::default(),
        types: (0..types).collect(),
        remaining: Limits::default(),
        daemons: (Resources::default(), 0),
        is_static: false,
    }
}

fn pod(cores: u64, gpus: u32, constraints: Constraints) -> Arc<PodSpec> {
    let requests = Resources { cpu: MilliCpu(cores * 1000), memory: Bytes::from_gib(1), gpus };
    let constraints = Some(Arc::new(constraints));
    Arc::new(PodSpec { requests, constraints, ..PodSpec::default() })
}

fn asks(pods: &[(u32, Arc<PodSpec>)]) -> Vec<Ask> {
    let all = pods.iter().flat_map(|(count, spec)| (0..*count).map(move |_| spec.clone()));
    let ask =
        |(id, spec)| Ask { id: PodId(id), spec, created: Instant::ZERO, kind: AskKind::Pending };
    (0..).zip(all).map(ask).collect()
}

/// Claims as `2 pods on small,large`, and pods that found no place.
#[track_caller]
fn check(
    types: &[InstanceType],
    pools: Vec<NodePool>,
    pods: &[(u32, Arc<PodSpec>)],
    expected: &str,
) {
    let pools = in_order(pools);
    let world = World { types, pools: &pools, nodes: &[], rules: Rules::default() };
    let outcome = simulate(&world, &asks(pods));
    let claim = |claim: &Claim| {
        let names: Vec<_> = claim.types.iter().map(|&place| &*types[place].name).collect();
        let zone = claim.requirements.get(ZONE_KEY).and_then(|zone| zone.only());
        let zone = zone.map(|zone| format!(" in {zone}")).unwrap_or_default();
        let pool = &pools[claim.pool].name;
        format!("{pool}: {} on {}{zone}", claim.pods.len(), names.join(","))
    };
    let mut found: Vec<_> = outcome.claims.iter().map(claim).collect();
    let nowhere = outcome.places.iter().filter_map(|place| match place {
        Place::Nowhere(refusal) => Some(refusal.words().to_owned()),
        _ => None,
    });
    found.extend(nowhere);
    assert_eq!(found.join("; "), expected);
}

fn labelled(constraints: Constraints) -> Constraints {
    Constraints { labels: BTreeMap::from([("app".into(), "x".into())]), ..constraints }
}

fn app() -> Selector {
    Selector::of_labels([("app", "x")])
}

#[test]
fn a_claim_grows_to_the_largest_type_whatever_it_costs() {
    let types = [instance("small", 4, 0, 1.0), instance("large", 16, 0, 9.0)];
    check(
        &types,
        vec![pool("p", 0, 2)],
        &[(5, pod(3, 0, Constraints::default()))],
        "p: 5 on large",
    );
}

#[test]
fn the_cheapest_type_that_is_left_comes_first() {
    let types = [instance("dear", 16, 0, 9.0), instance("cheap", 16, 0, 1.0)];
    let one = [(1, pod(3, 0, Constraints::default()))];
    check(&types, vec![pool("p", 0, 2)], &one, "p: 1 on cheap,dear");
}

#[test]
fn of_equal_weights_the_name_that_sorts_last_is_tried_first() {
    let types = [instance("one", 4, 0, 1.0)];
    let one = [(1, pod(1, 0, Constraints::default()))];
    check(&types, vec![pool("aa", 0, 1), pool("bb", 0, 1)], &one, "bb: 1 on one");
    check(&types, vec![pool("aa", 1, 1), pool("bb", 0, 1)], &one, "aa: 1 on one");
}

#[test]
fn limits_are_charged_with_the_largest_type_when_a_claim_opens() {
    let types = [instance("one", 4, 1, 1.0), instance("eight", 32, 8, 9.0)];
    let limits = Limits { gpus: Some(8), ..Limits::default() };
    let limited = NodePool { remaining: limits, ..pool("p", 0, 2) };
    let apart = labelled(Constraints {
        pod_anti_affinity: vec![PodAffinity { topology_key: HOSTNAME_KEY.into(), selector: app() }],
        ..Constraints::default()
    });
    // Both would end on one GPU each, and yet the second finds no room.
    let expected = "p: 1 on one,eight; limits of the node pools leave no room";
    check(&types, vec![limited], &[(2, pod(3, 1, apart))], expected);
}

#[test]
fn pods_that_spread_over_zones_pin_their_claims() {
    let types = [instance("large", 64, 0, 1.0)];
    let spread = labelled(Constraints {
        topology_spread: vec![TopologySpread {
            max_skew: 1,
            min_domains: 1,
            topology_key: ZONE_KEY.into(),
            selector: app(),
        }],
        ..Constraints::default()
    });
    let expected = "p: 5 on large in a; p: 4 on large in b";
    check(&types, vec![pool("p", 0, 1)], &[(9, pod(1, 0, spread))], expected);
}

#[test]
fn a_preference_that_cannot_be_met_is_given_up() {
    let types = [instance("one", 4, 0, 1.0)];
    let prefers = |zone: &str| Constraints {
        preferred_nodes: vec![Preference {
            weight: 1,
            term: Selector::of_labels([(ZONE_KEY, zone)]),
        }],
        ..Constraints::default()
    };
    check(&types, vec![pool("p", 0, 1)], &[(1, pod(1, 0, prefers("b")))], "p: 1 on one in b");
    check(&types, vec![pool("p", 0, 1)], &[(1, pod(1, 0, prefers("c")))], "p: 1 on one");
}

#[test]
fn the_queue_goes_by_cpu_and_does_not_see_gpus() {
    let types = [instance("one", 8, 1, 1.0)];
    let pods = [(1, pod(1, 1, Constraints::default())), (1, pod(8, 0, Constraints::default()))];
    check(&types, vec![pool("p", 0, 1)], &pods, "p: 1 on one; p: 1 on one");
}

#[test]
fn a_pod_that_fits_nowhere_is_tried_until_nothing_moves() {
    let types = [instance("one", 4, 0, 1.0)];
    let pods = [(2, pod(5, 0, Constraints::default())), (1, pod(1, 0, Constraints::default()))];
    let expected = "p: 1 on one; no instance type fits; no instance type fits";
    check(&types, vec![pool("p", 0, 1)], &pods, expected);
}

#[test]
fn a_soft_taint_keeps_pods_off_until_no_other_place_is_left() {
    let tainted = |name, cores, price| {
        let mut tainted = instance(name, cores, 0, price);
        let taint = contract::Taint {
            key: "dedicated".into(),
            value: String::new(),
            effect: TaintEffect::PreferNoSchedule,
        };
        tainted.shape = Arc::new(NodeShape { taints: vec![taint], ..(*tainted.shape).clone() });
        tainted
    };
    let types = [tainted("soft", 16, 1.0), instance("plain", 4, 0, 9.0)];
    let small = [(1, pod(3, 0, Constraints::default()))];
    check(&types, vec![pool("p", 0, 2)], &small, "p: 1 on plain");
    let large = [(1, pod(8, 0, Constraints::default()))];
    check(&types, vec![pool("p", 0, 2)], &large, "p: 1 on soft");
}
