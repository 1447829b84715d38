//! Karpenter on a large cluster: a round of scheduling, and a look for nodes to consolidate.
//!
//! `cargo bench -p benches --bench karpenter`

use contract::{
    Bytes, Instant, Micros, MilliCpu, NodeId, NodeSeen, NodeShape, NodeStage, Observation, Owner,
    PlacedPod, Plan, PodId, PodSpec, PoolId, PoolSeen, Resources, ServiceId, UsdPerHour,
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use policies::NodePolicy;
use policies::karpenter::disruption::budgets::Budget;
use policies::karpenter::instance_type::{CapacityType, InstanceType, Offering};
use policies::karpenter::requirements::Requirements;
use policies::karpenter::simulation::{
    Ask, AskKind, Limits, NodePool, Rules, World, in_order, simulate,
};
use policies::karpenter::{OrNever, Settings};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

/// Pods of a round, and how many kinds of them there are.
const PODS: u32 = 10_000;
const SHAPES: u32 = 50;

/// Instance types: as many as a claim may keep.
const TYPES: u32 = 600;

/// Nodes that are looked at, full with this many pods each.
const NODES: u32 = 2_000;
const PODS_ON_A_NODE: u32 = 4;

/// So many of them hold two pods and have room for two more: of a hundred candidates sixty can go together, and the
/// search has to halve its way there.
const THIN_NODES: u32 = 120;

fn resources(millis: u64, mebibytes: u64, gpus: u32) -> Resources {
    Resources { cpu: MilliCpu(millis), memory: Bytes(mebibytes << 20), gpus }
}

/// Types of 2 to 192 cores with 2, 4 or 8 GiB a core, every fifth with GPUs.
fn instance(number: u32) -> InstanceType {
    let cores = 2 + u64::from(number % 96) * 2;
    let gpus = if number.is_multiple_of(5) { 1 << (number % 4) } else { 0 };
    let capacity = resources(cores * 1_000, cores * 1_024 * (2 << (number % 3)), gpus);
    let offering = |zone: &str, capacity_type, discount: f64| Offering {
        pool: PoolId(number),
        pool_name: format!("type-{number}").into(),
        zone: zone.into(),
        capacity_type,
        price: UsdPerHour(f64::from(number % 96 + 1) * 0.05 * discount + f64::from(gpus)),
        available: true,
        reservation: None,
    };
    let zones = ["a", "b", "c"];
    let on_demand = zones.map(|zone| offering(zone, CapacityType::OnDemand, 1.0));
    let spot = zones.map(|zone| offering(zone, CapacityType::Spot, 0.4));
    let shape = NodeShape { allocatable: capacity, pod_limit: 110, ..NodeShape::default() };
    InstanceType {
        name: format!("type-{number}").into(),
        shape: Arc::new(shape),
        capacity,
        labels: BTreeMap::from([("family".to_owned(), format!("f{}", number % 20))]),
        offerings: on_demand.into_iter().chain(spot).collect(),
    }
}

fn round(bench: &mut Criterion) {
    let types: Vec<_> = (0..TYPES).map(instance).collect();
    let pools = in_order(vec![NodePool {
        name: "default".into(),
        weight: 0,
        requirements: Requirements::default(),
        types: (0..types.len()).collect(),
        remaining: Limits::default(),
        daemons: (Resources::default(), 0),
        is_static: false,
    }]);
    let spec = |shape: u32| {
        let (millis, mebibytes) = (250 + u64::from(shape) * 170, 512 + u64::from(shape) * 300);
        let gpus = u32::from(shape.is_multiple_of(10));
        Arc::new(PodSpec { requests: resources(millis, mebibytes, gpus), ..PodSpec::default() })
    };
    let specs: Vec<_> = (0..SHAPES).map(spec).collect();
    let ask = |id: u32| Ask {
        id: PodId(id),
        spec: specs[(id % SHAPES) as usize].clone(),
        created: Instant::ZERO,
        kind: AskKind::Pending,
    };
    let asks: Vec<_> = (0..PODS).map(ask).collect();
    let world = World { types: &types, pools: &pools, nodes: &[], rules: Rules::default() };
    bench.bench_function("karpenter/round of 10,000 pods over 600 types", |bencher| {
        bencher.iter(|| black_box(simulate(&world, &asks)).claims.len());
    });
}

/// Nodes of one pool, the number of pods on each as `pods` says.
fn nodes(spec: &Arc<PodSpec>, pods: impl Fn(u32) -> u32) -> Vec<NodeSeen> {
    let node = |id: u32| NodeSeen {
        id: NodeId(id),
        pool: PoolId(0),
        zone: "a".into(),
        stage: NodeStage::Ready,
        since: Instant::ZERO,
        created: Instant::ZERO,
        used: (0..pods(id)).fold(Resources::default(), |sum, _| sum + spec.requests),
        cordoned: false,
        softly_tainted: false,
        pods: (0..pods(id))
            .map(|place| PlacedPod {
                id: PodId(id * PODS_ON_A_NODE + place),
                owner: Owner::Service(ServiceId(0)),
                spec: spec.clone(),
                created: Instant::ZERO,
            })
            .collect(),
        gpus: Vec::new(),
    };
    (0..NODES).map(node).collect()
}

fn pool(number: u32) -> PoolSeen {
    let instance = instance(number);
    PoolSeen {
        id: PoolId(number),
        name: instance.name.clone(),
        shape: instance.shape.clone(),
        price: instance.offerings[0].price,
        spot: false,
        zones: vec!["a".into(), "b".into(), "c".into()],
        min: 0,
        max: 10_000,
        target: 0,
        standby: 0,
        failure: None,
    }
}

/// A look for nodes to consolidate, in a cluster whose nodes hold so many pods; `found` is what comes of it: whether
/// anything waits to be checked once more.
fn look(bench: &mut Criterion, name: &str, found: bool, pods: impl Fn(u32) -> u32) {
    let mut pools: Vec<_> = (0..TYPES).map(pool).collect();
    pools[0].shape = Arc::new(NodeShape {
        allocatable: resources(16_000, 64 << 10, 0),
        pod_limit: 110,
        ..NodeShape::default()
    });
    // Nothing is cheaper, so a node goes only if its pods fit on others.
    pools[0].price = UsdPerHour(0.01);
    let requests = resources(3_500, 5 << 10, 0);
    let spec = Arc::new(PodSpec { requests, ..PodSpec::default() });
    let nodes = nodes(&spec, pods);
    let now = Instant::ZERO + Micros::from_mins(10);
    let seen = Observation {
        now,
        services: &[],
        pending: &[],
        nodes: &nodes,
        pools: &pools,
        provisioning: &[],
    };
    let mut settings = Settings::default();
    for pool in settings.node_pools.values_mut() {
        pool.budgets = vec![Budget::always("100%")];
        pool.consolidate_after = OrNever(Some(Micros::from_secs(30)));
    }
    let policy = NodePolicy::Karpenter(Box::new(settings));
    // The first look takes note of all pods, which counts as an event on every node; the second may consolidate.
    let noted = || {
        let mut karpenter = policy.build();
        karpenter.decide(&seen, &mut Plan::default());
        karpenter
    };
    let later = Observation { now: now + Micros::from_mins(1), ..seen };
    let mut karpenter = noted();
    assert!(karpenter.save()["validating"].is_null(), "{name}: found too early");
    karpenter.decide(&later, &mut Plan::default());
    assert_eq!(!karpenter.save()["validating"].is_null(), found, "{name}");
    bench.bench_function(&format!("karpenter/{name}"), |bencher| {
        bencher.iter_batched(
            noted,
            |mut karpenter| karpenter.decide(black_box(&later), &mut Plan::default()),
            BatchSize::PerIteration,
        );
    });
}

fn consolidation(bench: &mut Criterion) {
    let thin = |id: u32| if id < THIN_NODES { 2 } else { PODS_ON_A_NODE };
    look(bench, "multi-node pass over 2,000 nodes, of which 60 can go together", true, thin);
    let full = |_| PODS_ON_A_NODE;
    look(
        bench,
        "multi-node and single-node pass over 2,000 nodes, none of which can go",
        false,
        full,
    );
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = round, consolidation
}
criterion_main!(benches);
