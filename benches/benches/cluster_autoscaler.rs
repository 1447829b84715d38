//! One loop of Cluster Autoscaler: pods of many shapes that fit nowhere in a full cluster, and a cluster that is
//! underused. Each loop is that of a policy that has just started.
//!
//! `cargo bench -p benches --bench cluster_autoscaler`

use contract::{
    Bytes, Counts, Instant, JobId, MilliCpu, NodeId, NodeSeen, NodeShape, NodeStage, Observation,
    Owner, PendingPod, PlacedPod, Plan, PodId, PodSpec, Pods, PoolId, PoolSeen, Resources,
    ServiceId, ServiceSeen, UsdPerHour,
};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use policies::NodePolicy;
use std::hint::black_box;
use std::sync::Arc;

struct Parameters {
    name: &'static str,
    nodes: u32,
    /// Pending pods.
    pods: u32,
    /// Different requests among them.
    shapes: u32,
}

const PARAMETERS: [Parameters; 2] = [
    Parameters { name: "small", nodes: 100, pods: 20, shapes: 5 },
    Parameters { name: "large", nodes: 10_000, pods: 1_000, shapes: 50 },
];

/// Pods were made so long before the loop that no wait is on.
const NOW: Instant = Instant(600_000_000);

struct Cluster {
    services: Vec<ServiceSeen>,
    pending: Vec<PendingPod>,
    nodes: Vec<NodeSeen>,
    pools: Vec<PoolSeen>,
}

fn resources(millis: u64, gib: u64) -> Resources {
    Resources { cpu: MilliCpu(millis), memory: Bytes::from_gib(gib), gpus: 0 }
}

fn spec(millis: u64, gib: u64) -> Arc<PodSpec> {
    Arc::new(PodSpec { requests: resources(millis, gib), ..PodSpec::default() })
}

/// Pools of 16, 32, 48 and 64 cores; nodes of the first, each with so many pods of 2 cores and 8 GiB.
fn cluster(parameters: &Parameters, pods_per_node: u32) -> Cluster {
    let shape = |cores: u64| NodeShape {
        allocatable: resources(cores * 1000, cores * 4),
        pod_limit: 110,
        ..NodeShape::default()
    };
    let pool = |id: u32| PoolSeen {
        id: PoolId(id),
        name: format!("pool-{id}").into(),
        shape: Arc::new(shape(16 * u64::from(id + 1))),
        price: UsdPerHour(0.8 * f64::from(id + 1)),
        spot: false,
        min: 0,
        max: 20_000,
        target: if id == 0 { parameters.nodes } else { 0 },
        zones: vec!["a".into()],
        standby: 0,
        failure: None,
    };
    let (zone, resident): (Arc<str>, _) = ("a".into(), spec(2_000, 8));
    let node = |id: u32| NodeSeen {
        id: NodeId(id),
        pool: PoolId(0),
        zone: zone.clone(),
        stage: NodeStage::Ready,
        since: Instant::ZERO,
        created: Instant::ZERO,
        used: resources(2_000 * u64::from(pods_per_node), 8 * u64::from(pods_per_node)),
        cordoned: false,
        softly_tainted: false,
        pods: (0..pods_per_node)
            .map(|pod| PlacedPod {
                id: PodId(id * pods_per_node + pod),
                owner: Owner::Service(ServiceId(0)),
                spec: resident.clone(),
                created: Instant::ZERO,
            })
            .collect(),
        gpus: Vec::new(),
    };
    let shapes: Vec<_> =
        (0..parameters.shapes).map(|shape| spec(1_000 + 250 * u64::from(shape), 4)).collect();
    let pending = |id: u32| {
        let shape = id % parameters.shapes;
        PendingPod {
            id: PodId(u32::MAX / 2 + id),
            owner: Owner::Job(JobId(shape)),
            spec: shapes[shape as usize].clone(),
            created: Instant::ZERO,
            unschedulable_since: Some(Instant::ZERO),
            nominated: None,
        }
    };
    let replicas = parameters.nodes * pods_per_node;
    let service = ServiceSeen {
        id: ServiceId(0),
        name: "web".into(),
        spec: resident.clone(),
        replicas_wanted: replicas,
        replicas: Counts { ready: replicas, ..Counts::default() },
        disruption_budget: None,
        samples: Vec::new(),
        pods: Pods::default(),
    };
    Cluster {
        services: vec![service],
        pending: (0..parameters.pods).map(pending).collect(),
        nodes: (0..parameters.nodes).map(node).collect(),
        pools: (0..4).map(pool).collect(),
    }
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cluster-autoscaler");
    let policy = NodePolicy::ClusterAutoscaler(Box::default());
    for parameters in &PARAMETERS {
        let underused = Parameters { pods: 0, ..*parameters };
        for (kind, cluster) in
            [("scale-up", cluster(parameters, 8)), ("scale-down", cluster(&underused, 3))]
        {
            let seen = Observation {
                now: NOW,
                services: &cluster.services,
                pending: &cluster.pending,
                nodes: &cluster.nodes,
                pools: &cluster.pools,
                provisioning: &[],
            };
            group.bench_function(BenchmarkId::new(kind, parameters.name), |bencher| {
                bencher.iter(|| {
                    let mut plan = Plan::default();
                    policy.build().decide(black_box(&seen), &mut plan);
                    plan
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
