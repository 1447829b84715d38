//! Clusters for tests.

use contract::{
    Bytes, Counts, GpuModel, Instant, Metric, Micros, MilliCpu, NodeId, NodeSeen, NodeShape,
    NodeStage, ObservationRecord, Owner, PendingPod, PlacedPod, Plan, PodId, PodSeen, PodSpec,
    PodStage, Policy, PoolId, PoolSeen, ProvisioningRequest, Resources, Sample, ServiceId,
    ServiceSeen, UsdPerHour,
};
use std::sync::Arc;

/// A cluster that tests change field by field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) now: Instant,
    pub(crate) services: Vec<ServiceSeen>,
    pub(crate) pending: Vec<PendingPod>,
    pub(crate) nodes: Vec<NodeSeen>,
    pub(crate) pools: Vec<PoolSeen>,
    pub(crate) provisioning: Vec<ProvisioningRequest>,
}

impl Cluster {
    /// What the policy decides now, as text.
    pub(crate) fn plan_of(&self, policy: &mut dyn Policy) -> String {
        let mut plan = Plan::default();
        policy.decide(&self.record().view(), &mut plan);
        plan.to_string()
    }

    /// The same as a journal holds it.
    pub(crate) fn record(&self) -> ObservationRecord {
        ObservationRecord {
            now: self.now,
            services: self.services.clone(),
            pending: self.pending.clone(),
            nodes: self.nodes.clone(),
            pools: self.pools.clone(),
            provisioning: self.provisioning.clone(),
        }
    }
}

/// Seconds on the run's clock.
pub(crate) fn at(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000)
}

/// A service that asks for `wanted` replicas and has `ready`.
pub(crate) fn service(wanted: u32, ready: u32) -> ServiceSeen {
    ServiceSeen {
        id: ServiceId(0),
        name: "chat".into(),
        spec: Arc::new(pod_spec(1)),
        replicas_wanted: wanted,
        replicas: Counts { ready, ..Counts::default() },
        disruption_budget: None,
        samples: Vec::new(),
        pods: (0..ready).map(|id| pod(id, PodStage::Ready)).collect(),
    }
}

/// A pod without metrics.
pub(crate) fn pod(id: u32, stage: PodStage) -> PodSeen {
    PodSeen {
        id: PodId(id),
        stage,
        since: Instant::ZERO,
        created: Instant::ZERO,
        node: None,
        samples: Vec::new(),
    }
}

/// A sample, fresh.
pub(crate) fn sample(metric: Metric, value: f64) -> Sample {
    Sample { metric, value, at: Instant::ZERO, window: Micros::ZERO }
}

/// A pod of 4 cores and 16 GiB with GPUs.
pub(crate) fn pod_spec(gpus: u32) -> PodSpec {
    PodSpec { requests: resources(4_000, 16, gpus), ..PodSpec::default() }
}

/// An amount.
pub(crate) fn resources(millis: u64, gib: u64, gpus: u32) -> Resources {
    Resources { cpu: MilliCpu(millis), memory: Bytes::from_gib(gib), gpus }
}

/// A pool of nodes with 8 cores, 32 GiB and GPUs each, from `min` to `max`, with `target` asked for.
pub(crate) fn pool(
    id: u32,
    name: &str,
    gpus: u32,
    (min, target, max): (u32, u32, u32),
) -> PoolSeen {
    let gpu = (gpus > 0).then(|| GpuModel("L40S".into()));
    let shape = NodeShape {
        allocatable: resources(8_000, 32, gpus),
        gpu,
        pod_limit: 110,
        ..NodeShape::default()
    };
    PoolSeen {
        id: PoolId(id),
        name: name.into(),
        shape: Arc::new(shape),
        price: UsdPerHour(2.0),
        spot: false,
        zones: vec!["a".into()],
        min,
        max,
        target,
        standby: 0,
        failure: None,
    }
}

/// A node of pool 0 with pods of service 0 that ask for this much each.
pub(crate) fn node(id: u32, stage: NodeStage, pods: &[Resources]) -> NodeSeen {
    let first = id * 1_000;
    let place = |(offset, &requests)| PlacedPod {
        id: PodId(first + offset),
        owner: Owner::Service(ServiceId(0)),
        spec: Arc::new(PodSpec { requests, ..PodSpec::default() }),
        created: Instant::ZERO,
    };
    NodeSeen {
        id: NodeId(id),
        pool: PoolId(0),
        zone: "a".into(),
        stage,
        since: Instant::ZERO,
        created: Instant::ZERO,
        used: pods.iter().fold(Resources::default(), |sum, &requests| sum + requests),
        cordoned: false,
        softly_tainted: false,
        pods: (0..).zip(pods).map(place).collect(),
        gpus: Vec::new(),
    }
}

/// An unschedulable pod of service 0.
pub(crate) fn pending(id: u32, spec: PodSpec, created: Instant) -> PendingPod {
    PendingPod {
        id: PodId(id),
        owner: Owner::Service(ServiceId(0)),
        spec: Arc::new(spec),
        created,
        unschedulable_since: Some(created),
        nominated: None,
    }
}
