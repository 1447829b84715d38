use super::*;
use crate::samples::{Cluster, at, node, pending, pod_spec, pool, resources};
use contract::{Action, DoNotDisrupt, NodeId, NodeStage, PoolSeen};
use std::sync::Arc;

fn settings(node_pool: NodePool) -> Settings {
    Settings { node_pools: [("default".to_owned(), node_pool)].into(), ..Settings::default() }
}

fn calm(consolidate_after: u64) -> NodePool {
    NodePool {
        consolidate_after: OrNever(Some(Micros::from_secs(consolidate_after))),
        budgets: vec![disruption::budgets::Budget::always("100%")],
        ..NodePool::default()
    }
}

fn priced(pool: PoolSeen, price: f64) -> PoolSeen {
    PoolSeen { price: contract::UsdPerHour(price), ..pool }
}

/// What is decided second after second, as `second: decision`.
fn fly(
    policy: &mut Karpenter,
    cluster: &mut Cluster,
    seconds: std::ops::RangeInclusive<u64>,
) -> String {
    let mut lines = Vec::new();
    for second in seconds {
        cluster.now = at(second);
        let plan = cluster.plan_of(policy);
        lines.extend(plan.lines().map(|line| format!("{second}: {line}")));
    }
    lines.join("\n")
}

#[test]
fn a_round_begins_a_second_after_the_last_pod() {
    let mut policy = Karpenter::new(Settings::default());
    let mut cluster = Cluster { pools: vec![pool(0, "l40s", 1, (0, 0, 4))], ..Cluster::default() };
    let between = contract::Instant(1_500_000);
    cluster.pending = vec![pending(1, pod_spec(1), at(1)), pending(2, pod_spec(1), between)];
    assert_eq!(
        fly(&mut policy, &mut cluster, 2..=3),
        "3: add-nodes pool=0 zone=a count=1 (pods fit nowhere: pods=1, types=1, cores=8, \
         usd-per-hour=2)\n3: add-nodes pool=0 zone=a count=1 (pods fit nowhere: pods=1, types=1, \
         cores=8, usd-per-hour=2)"
    );
}

#[test]
fn an_offering_that_was_out_of_stock_is_left_alone_for_a_while() {
    let mut policy = Karpenter::new(Settings::default());
    let scarce = priced(pool(0, "scarce", 1, (0, 0, 4)), 1.0);
    let dear = priced(pool(1, "dear", 1, (0, 0, 4)), 5.0);
    let mut cluster = Cluster { pools: vec![scarce, dear], ..Cluster::default() };
    cluster.pending = vec![pending(1, pod_spec(1), at(0))];
    assert!(fly(&mut policy, &mut cluster, 0..=1).contains("pool=0"));
    let kind = contract::LaunchFailureKind::StockOut;
    cluster.pools[0].failure = Some(contract::LaunchFailure { at: at(2), kind, count: 1 });
    let later = fly(&mut policy, &mut cluster, 2..=12);
    assert!(later.contains("pool=1") && !later.contains("pool=0"), "{later}");
}

#[test]
fn an_empty_node_goes_after_it_has_been_checked_twice() {
    let mut policy = Karpenter::new(settings(calm(5)));
    let mut cluster = Cluster { pools: vec![pool(0, "l40s", 1, (0, 1, 4))], ..Cluster::default() };
    cluster.nodes = vec![node(0, NodeStage::Ready, &[])];
    assert_eq!(
        fly(&mut policy, &mut cluster, 0..=30),
        "25: drain node=0 (nothing is on it: nodes=1, cost=1, usd-per-hour=2)"
    );
}

#[test]
fn a_node_whose_pods_fit_elsewhere_goes_and_no_other() {
    let mut policy = Karpenter::new(settings(calm(0)));
    let mut cluster = Cluster { pools: vec![pool(0, "cpu", 0, (0, 2, 4))], ..Cluster::default() };
    let one = resources(1_000, 1, 0);
    cluster.nodes = vec![node(0, NodeStage::Ready, &[one, one]), node(1, NodeStage::Ready, &[one])];
    let found = fly(&mut policy, &mut cluster, 0..=15);
    assert!(found.starts_with("15: drain node=1 (its pods fit on other nodes"), "{found}");
    assert_eq!(found.lines().count(), 1);
}

#[test]
fn a_cheaper_node_is_ready_before_the_dear_one_is_drained() {
    let mut policy = Karpenter::new(settings(calm(0)));
    let mut small = priced(pool(1, "small", 0, (0, 0, 4)), 0.5);
    small.shape = std::sync::Arc::new(contract::NodeShape {
        allocatable: resources(2_000, 8, 0),
        ..(*small.shape).clone()
    });
    let dear = priced(pool(0, "dear", 0, (0, 1, 4)), 5.0);
    let mut cluster = Cluster { pools: vec![dear, small], ..Cluster::default() };
    cluster.nodes = vec![node(0, NodeStage::Ready, &[resources(1_000, 1, 0)])];
    let found = fly(&mut policy, &mut cluster, 0..=15);
    assert!(
        found.contains("15: add-nodes pool=1") && found.contains("15: cordon node=0"),
        "{found}"
    );
    let mut next = node(1, NodeStage::Booting, &[]);
    (next.pool, next.created) = (contract::PoolId(1), at(15));
    cluster.nodes[0].cordoned = true;
    cluster.nodes.push(next);
    assert_eq!(fly(&mut policy, &mut cluster, 16..=20), "");
    cluster.nodes[1].stage = NodeStage::Ready;
    let found = fly(&mut policy, &mut cluster, 21..=21);
    assert!(found.starts_with("21: drain node=0"), "{found}");
}

#[test]
fn a_static_pool_keeps_its_number_without_pods() {
    let fixed = NodePool { replicas: Some(2), ..NodePool::default() };
    let mut policy = Karpenter::new(settings(fixed));
    let mut cluster = Cluster { pools: vec![pool(0, "l40s", 1, (0, 0, 4))], ..Cluster::default() };
    let found = fly(&mut policy, &mut cluster, 0..=0);
    assert_eq!(found.matches("a static pool has too few nodes").count(), 2, "{found}");
    cluster.nodes = (0..3).map(|id| node(id, NodeStage::Ready, &[])).collect();
    let found = fly(&mut policy, &mut cluster, 1..=1);
    assert_eq!(found, "1: drain node=0 (a static pool has too many nodes: replicas=2)");
}

#[test]
fn a_restart_between_two_looks_changes_nothing() {
    let cluster = || {
        let pools = vec![pool(0, "l40s", 1, (0, 1, 4))];
        let nodes = vec![node(0, NodeStage::Ready, &[])];
        let pending = vec![pending(9, pod_spec(2), at(3))];
        Cluster { pending, nodes, pools, ..Cluster::default() }
    };
    let (mut one, mut other) = (cluster(), cluster());
    let mut policy = Karpenter::new(settings(calm(5)));
    let unbroken = fly(&mut policy, &mut one, 0..=40);
    let mut policy = Karpenter::new(settings(calm(5)));
    let mut broken = Vec::new();
    for second in 0..=40 {
        let mut next = Karpenter::new(settings(calm(5)));
        next.restore(policy.save()).expect("its own state");
        policy = next;
        broken.push(fly(&mut policy, &mut other, second..=second));
    }
    broken.retain(|line| !line.is_empty());
    assert_eq!(broken.join("\n"), unbroken);
    assert!(unbroken.contains("drain"), "{unbroken}");
}

#[test]
fn a_node_that_does_not_register_is_given_up() {
    let mut policy = Karpenter::new(Settings::default());
    let mut cluster = Cluster { pools: vec![pool(0, "l40s", 1, (0, 1, 4))], ..Cluster::default() };
    cluster.nodes = vec![node(0, NodeStage::Booting, &[])];
    assert_eq!(fly(&mut policy, &mut cluster, 0..=900), "");
    let gone = Action::Delete { node: NodeId(0) };
    let found = fly(&mut policy, &mut cluster, 901..=901);
    assert_eq!(found, format!("901: {gone} (did not register in time: waited-s=901)"));
}

/// What is done in the second after the pool of these nodes was applied anew.
fn drifting(before: NodePool, after: NodePool, nodes: Vec<contract::NodeSeen>) -> String {
    let node_pools = [("default".to_owned(), after)].into();
    let changes = vec![Change { at: Micros::from_secs(10), node_pools }];
    let mut policy = Karpenter::new(Settings { changes, ..settings(before) });
    let mut cluster = Cluster { pools: vec![pool(0, "cpu", 0, (0, 3, 9))], ..Cluster::default() };
    cluster.nodes = nodes;
    fly(&mut policy, &mut cluster, 0..=10)
}

/// A pool that never consolidates, with a budget and nodes of this class.
fn of_class(node_class: &str, budget: &str) -> NodePool {
    NodePool {
        node_class: node_class.into(),
        consolidate_after: OrNever(None),
        budgets: vec![disruption::budgets::Budget::always(budget)],
        ..NodePool::default()
    }
}

/// Nodes that are full, so that a pod of one fits on no other.
fn full(nodes: u32) -> Vec<contract::NodeSeen> {
    (0..nodes).map(|id| node(id, NodeStage::Ready, &[resources(8_000, 8, 0)])).collect()
}

#[test]
fn a_node_of_another_class_drifts_and_another_is_to_take_its_place() {
    assert_eq!(
        drifting(of_class("a", "1"), of_class("b", "1"), full(3)),
        "10: add-nodes pool=0 zone=a count=1 (a node takes the place of one that has drifted: \
         pods=1, types=1, cores=8, usd-per-hour=2)\n10: cordon node=0 (it has drifted, and another \
         is to take its place: nodes=1, cost=2, usd-per-hour=2)"
    );
    assert_eq!(drifting(of_class("a", "1"), of_class("b", "0"), full(3)), "", "no budget");
    assert_eq!(drifting(of_class("a", "1"), of_class("a", "5"), full(3)), "", "no other template");
}

#[test]
fn of_drifted_nodes_empty_ones_go_first_and_leave_no_gap() {
    let mut nodes = full(2);
    nodes.push(node(2, NodeStage::Ready, &[]));
    let found = drifting(of_class("a", "1"), of_class("b", "1"), nodes);
    assert_eq!(found, "10: drain node=2 (it has drifted: nodes=1, cost=1, usd-per-hour=2)");
}

#[test]
fn a_node_whose_labels_the_pool_lets_in_no_more_drifts() {
    let zones = |zone: &str| {
        let requirement = requirements::PoolRequirement {
            key: contract::ZONE_KEY.into(),
            operator: requirements::Operator::NotIn,
            values: vec![zone.to_owned()],
            min_values: None,
        };
        NodePool { requirements: vec![requirement], ..of_class("a", "1") }
    };
    let empty = || vec![node(0, NodeStage::Ready, &[])];
    assert_eq!(drifting(zones("b"), zones("c"), empty()), "");
    let found = drifting(zones("b"), zones("a"), empty());
    assert!(found.starts_with("10: drain node=0 (it has drifted"), "{found}");
}

#[test]
fn a_static_pool_replaces_drifted_nodes_one_for_one_as_budget_and_limit_allow() {
    let fixed = |node_class: &str, budget: &str, limit: u32| NodePool {
        replicas: Some(3),
        limits: simulation::Limits { nodes: Some(limit), ..simulation::Limits::default() },
        ..of_class(node_class, budget)
    };
    let replaced = |budget: &str, limit: u32| {
        let found = drifting(fixed("a", "1", 9), fixed("b", budget, limit), full(3));
        found.matches("10: add-nodes").count()
    };
    assert_eq!(replaced("100%", 9), 3);
    assert_eq!(replaced("1", 9), 1);
    assert_eq!(replaced("100%", 5), 2);
    assert_eq!(replaced("100%", 3), 0);
}

/// An old node with a pod of the service `chat`, whose pods must not be disrupted; what is done by then.
fn expiring(grace: Option<u64>, seconds: std::ops::RangeInclusive<u64>) -> String {
    let old = NodePool {
        expire_after: OrNever(Some(Micros::from_secs(10))),
        termination_grace_period: grace.map(Micros::from_secs),
        ..NodePool::default()
    };
    let mut policy = Karpenter::new(settings(old));
    let mut cluster = Cluster { pools: vec![pool(0, "cpu", 0, (0, 1, 1))], ..Cluster::default() };
    cluster.nodes = vec![node(0, NodeStage::Ready, &[resources(1_000, 1, 0)])];
    let spec = &mut cluster.nodes[0].pods[0].spec;
    let for_a_while = Some(DoNotDisrupt::For(Micros::from_secs(20)));
    Arc::make_mut(spec).eviction.do_not_disrupt = for_a_while;
    cluster.services = vec![crate::samples::service(1, 1)];
    fly(&mut policy, &mut cluster, seconds)
}

#[test]
fn an_expired_node_waits_for_protected_pods_and_not_longer_than_its_grace_period() {
    let expired = "10: cordon node=0 (has expired: age-s=10)";
    assert_eq!(expiring(None, 0..=19), expired);
    let drained = format!("{expired}\n20: drain node=0 (nothing protects its pods now)");
    assert_eq!(expiring(None, 0..=21), drained);
    let ended = format!("{expired}\n15: delete node=0 (its grace period is over: grace-s=5)");
    assert_eq!(expiring(Some(5), 0..=15), ended);
}

#[test]
fn a_budget_for_one_node_still_lets_every_node_be_the_one() {
    let budgets = vec![disruption::budgets::Budget::always("1")];
    let mut policy = Karpenter::new(settings(NodePool { budgets, ..calm(0) }));
    let mut cluster = Cluster { pools: vec![pool(0, "cpu", 0, (0, 3, 3))], ..Cluster::default() };
    let half = resources(4_000, 4, 0);
    // The first in the order would need a node of its own; the second fits beside the third.
    cluster.nodes = full(1);
    cluster.nodes.push(node(1, NodeStage::Ready, &[half]));
    cluster.nodes.push(node(2, NodeStage::Ready, &[half]));
    let found = fly(&mut policy, &mut cluster, 0..=15);
    assert!(found.starts_with("15: drain node=1 (its pods fit on other nodes"), "{found}");
}

#[test]
fn a_disruption_budget_without_room_keeps_a_node_and_one_with_room_does_not() {
    let drained = |ready: u32| {
        let mut policy = Karpenter::new(settings(calm(0)));
        let pools = vec![pool(0, "cpu", 0, (0, 2, 2))];
        let mut cluster = Cluster { pools, ..Cluster::default() };
        let one = resources(1_000, 1, 0);
        cluster.nodes = vec![node(0, NodeStage::Ready, &[one]), node(1, NodeStage::Ready, &[one])];
        let mut service = crate::samples::service(2, ready);
        let kept = contract::IntOrPercent::Count(1);
        service.disruption_budget = Some(contract::DisruptionBudget::MinAvailable(kept));
        cluster.services = vec![service];
        fly(&mut policy, &mut cluster, 0..=15)
    };
    assert_eq!(drained(1), "");
    assert!(drained(2).starts_with("15: drain node=0 (its pods fit on other nodes"));
}
