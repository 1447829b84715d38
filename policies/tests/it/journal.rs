//! The promise "the same code": a journal fed to a fresh policy gives the same plans, byte for byte.

use contract::{
    Bytes, Counts, GpuModel, Instant, JournalEntry, Metric, Micros, MilliCpu, NodeId, NodeSeen,
    NodeShape, NodeStage, ObservationRecord, Owner, PendingPod, PlacedPod, Plan, PodId, PodSeen,
    PodSpec, PodStage, Policy, PoolId, PoolSeen, Resources, Sample, ServiceId, ServiceSeen,
    UsdPerHour,
};
use policies::{NodePolicy, ReplicaPolicy};
use proptest::prelude::*;
use std::sync::Arc;

fn policies() -> Vec<Box<dyn Policy>> {
    let replicas = [
        r#"{ "static-replicas": { "replicas": 3 } }"#,
        r#"{ "hpa": { "max-replicas": 9, "behavior": {}, "metrics": [
            { "pods": { "metric": "concurrency", "average-value": 8 } },
            { "external": { "metric": "in-flight", "value": 40 } }] } }"#,
        r#"{ "keda": { "max-replica-count": 9, "cooldown-period": "1m",
            "triggers": [{ "metric": "queue-length", "threshold": 4 }] } }"#,
        r#"{ "kpa": { "target": 20, "window": "30s", "scale-down-delay": "30s" } }"#,
        r#"{ "naive-ratio": { "metric": "concurrency", "target": 8, "max-replicas": 9 } }"#,
        r#"{ "aibrix-kpa": { "metric": "in-flight", "target-value": 20, "max-replicas": 9 } }"#,
        r#"{ "aibrix-apa": { "metric": "concurrency", "target-value": 8, "max-replicas": 9 } }"#,
        r#"{ "wva": { "version": { "v1": {} }, "max-replicas": 9 } }"#,
        r#"{ "wva": { "version": { "v2": {} }, "max-replicas": 9 } }"#,
        r#"{ "dynamo-planner": { "throughput-adjustment-interval": "15s" } }"#,
        r#"{ "dynamo-planner": { "throughput-adjustment-interval": "15s", "load-predictor": { "kalman": {} },
            "enable-load-scaling": false } }"#,
        r#"{ "dynamo-planner": { "optimization-target": "latency", "load-predictor": "constant" } }"#,
    ];
    let nodes = [
        r#"{ "fixed-nodes": { "nodes": { "l40s": 3 } } }"#,
        r#"{ "cluster-autoscaler": { "scale-down-unneeded-time": "1m", "scale-down-delay-after-add": "1m" } }"#,
    ];
    let replicas = replicas.into_iter().map(|text| {
        let policy: ReplicaPolicy = serde_json::from_str(text).expect("settings");
        policy.validate().expect("settings that work");
        policy.build(vec![ServiceId(0)])
    });
    let nodes = nodes.into_iter().map(|text| {
        let policy: NodePolicy = serde_json::from_str(text).expect("settings");
        policy.validate(&["l40s"]).expect("settings that work");
        policy.build()
    });
    replicas.chain(nodes).collect()
}

/// What is seen at one turn.
#[derive(Clone, Debug)]
struct Turn {
    replicas: u32,
    load: f64,
    pending: u32,
    pods_by_node: Vec<u32>,
    failures: u32,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = (0_u32..9, 0.0..200.0, 0_u32..6, prop::collection::vec(0_u32..3, 0..5), 0_u32..2);
    let turn = turn.prop_map(|(replicas, load, pending, pods_by_node, failures)| Turn {
        replicas,
        load,
        pending,
        pods_by_node,
        failures,
    });
    prop::collection::vec(turn, 1..40)
}

fn spec() -> Arc<PodSpec> {
    let requests = Resources { cpu: MilliCpu(4_000), memory: Bytes::from_gib(16), gpus: 1 };
    Arc::new(PodSpec { requests, ..PodSpec::default() })
}

fn record(number: u64, turn: &Turn) -> ObservationRecord {
    let now = Instant(number * 15_000_000);
    ObservationRecord {
        now,
        services: vec![service(turn, now)],
        pending: (0..turn.pending).map(|id| pending(id, now)).collect(),
        nodes: (0..).zip(&turn.pods_by_node).map(|(id, &pods)| node(id, pods)).collect(),
        pools: vec![pool(turn, now)],
        provisioning: Vec::new(),
    }
}

fn service(turn: &Turn, now: Instant) -> ServiceSeen {
    let sample = |metric, value| Sample { metric, value, at: now, window: Micros::ZERO };
    let pod = |id| PodSeen {
        id: PodId(id),
        stage: if id % 4 == 3 { PodStage::Loading } else { PodStage::Ready },
        since: Instant::ZERO,
        created: Instant::ZERO,
        node: None,
        samples: if id % 4 == 3 {
            vec![]
        } else {
            vec![
                sample(Metric::Concurrency, turn.load / 3.0),
                sample(Metric::Waiting, turn.load / 20.0),
                sample(Metric::KvUse, turn.load / 200.0),
                sample(Metric::KvTokens, turn.load * 100.0),
                sample(Metric::KvCapacity, 20_000.0),
                sample(Metric::WaitingPromptTokens, turn.load * 20.0),
                sample(Metric::StepTime, 0.01 + turn.load / 1e4),
                sample(Metric::StepPromptTokens, f64::from(id) * 100.0),
                sample(Metric::StepKvTokens, turn.load * 90.0),
            ]
        },
    };
    ServiceSeen {
        id: ServiceId(0),
        name: "chat".into(),
        spec: spec(),
        replicas_wanted: turn.replicas,
        replicas: Counts { ready: turn.replicas, ..Counts::default() },
        disruption_budget: None,
        samples: vec![
            sample(Metric::QueueLength, turn.load / 7.0),
            sample(Metric::InFlight, turn.load),
            sample(Metric::ArrivalRate, turn.load / 10.0),
            sample(Metric::PromptTokens, 400.0),
            sample(Metric::OutputTokens, 50.0 + turn.load),
        ],
        pods: (0..turn.replicas).map(pod).collect(),
    }
}

fn pending(id: u32, now: Instant) -> PendingPod {
    let created = Instant(now.0.saturating_sub(u64::from(id) * 20_000_000));
    PendingPod {
        id: PodId(id),
        owner: Owner::Service(ServiceId(0)),
        spec: spec(),
        created,
        unschedulable_since: (id % 3 != 2).then_some(created),
        nominated: None,
    }
}

fn node(id: u32, pods: u32) -> NodeSeen {
    let requests = spec().requests;
    let owner = Owner::Service(ServiceId(0));
    let created = Instant::ZERO;
    let placed = |offset| PlacedPod { id: PodId(id * 100 + offset), owner, spec: spec(), created };
    NodeSeen {
        id: NodeId(id),
        pool: PoolId(0),
        zone: "a".into(),
        stage: NodeStage::Ready,
        since: Instant::ZERO,
        created: Instant::ZERO,
        used: (0..pods).fold(Resources::default(), |sum, _| sum + requests),
        cordoned: false,
        softly_tainted: false,
        pods: (0..pods).map(placed).collect(),
        gpus: Vec::new(),
    }
}

fn pool(turn: &Turn, now: Instant) -> PoolSeen {
    let shape = NodeShape {
        allocatable: Resources { cpu: MilliCpu(8_000), memory: Bytes::from_gib(32), gpus: 2 },
        gpu: Some(GpuModel("L40S".into())),
        pod_limit: 110,
        ..NodeShape::default()
    };
    let kind = contract::LaunchFailureKind::StockOut;
    let failure = contract::LaunchFailure { at: now, kind, count: turn.failures };
    PoolSeen {
        id: PoolId(0),
        name: "l40s".into(),
        shape: Arc::new(shape),
        price: UsdPerHour(1.861),
        spot: false,
        zones: vec!["a".into()],
        min: 0,
        max: 8,
        target: u32::try_from(turn.pods_by_node.len()).expect("few nodes"),
        standby: 0,
        failure: (turn.failures > 0).then_some(failure),
    }
}

/// The journal of a policy that lives through the turns, one JSON line a turn.
fn journal(policy: &mut dyn Policy, turns: &[Turn]) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, turn) in (1..).zip(turns) {
        let seen = record(number, turn);
        let mut plan = Plan::default();
        policy.decide(&seen.view(), &mut plan);
        let entry = JournalEntry { policy: policy.name().to_owned(), seen, plan };
        lines.push(serde_json::to_string(&entry).expect("a line"));
    }
    lines
}

/// The same journal, its plans made again by another policy of the same settings.
fn replay(policy: &mut dyn Policy, lines: &[String]) -> Vec<String> {
    let again = |line: &String| {
        let mut entry: JournalEntry = serde_json::from_str(line).expect("a line");
        entry.plan.clear();
        policy.decide(&entry.seen.view(), &mut entry.plan);
        serde_json::to_string(&entry).expect("a line")
    };
    lines.iter().map(again).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_journal_fed_to_a_fresh_policy_gives_the_same_plans(turns in turns()) {
        for (mut recorded, mut fresh) in policies().into_iter().zip(policies()) {
            let lines = journal(&mut *recorded, &turns);
            prop_assert_eq!(replay(&mut *fresh, &lines), lines);
        }
    }

    #[test]
    fn a_restart_from_a_saved_state_changes_no_plan(turns in turns(), cut in 0_usize..40) {
        let cut = cut.min(turns.len());
        for (mut recorded, (mut before, mut after)) in
            policies().into_iter().zip(policies().into_iter().zip(policies()))
        {
            let lines = journal(&mut *recorded, &turns);
            replay(&mut *before, &lines[..cut]);
            let state = serde_json::to_string(&before.save()).expect("state as text");
            after.restore(serde_json::from_str(&state).expect("state")).expect("its own state");
            prop_assert_eq!(replay(&mut *after, &lines[cut..]), &lines[cut..]);
        }
    }
}
