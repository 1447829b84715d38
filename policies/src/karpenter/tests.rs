use super::*;
use crate::samples::{Cluster, at, node, pending, pod_spec, pool, resources};
use contract::{Action, NodeId, NodeStage, PoolSeen};

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
