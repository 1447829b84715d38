//! Provisioning requests: one a loop, all pods or none, room that is kept.

use crate::cluster_autoscaler::{ClusterAutoscaler, Settings};
use crate::samples::{Cluster, at, node, pending, pod_spec, pool, resources};
use contract::ProvisioningClass::{BestEffortAtomicScaleUp, CheckCapacity};
use contract::{
    JobId, NodeSeen, NodeStage, Owner, PendingPod, PlacedPod, PodId, Policy, ProvisioningClass,
    ProvisioningRequest, ProvisioningState,
};
use std::sync::Arc;

fn request(job: u32, class: ProvisioningClass, pods: u32, second: u64) -> ProvisioningRequest {
    ProvisioningRequest {
        job: JobId(job),
        class,
        no_retry: false,
        pods,
        spec: Arc::new(pod_spec(1)),
        created: at(second),
        state: ProvisioningState::New,
    }
}

fn policy() -> ClusterAutoscaler {
    let flags = vec!["--enable-provisioning-requests".to_owned()];
    ClusterAutoscaler::new(Settings { flags, ..Settings::default() })
}

/// A pool of up to four nodes with 8 cores, 32 GiB and 2 GPUs: room for two pods each.
fn cluster(now: u64, nodes: Vec<NodeSeen>, provisioning: Vec<ProvisioningRequest>) -> Cluster {
    let target = u32::try_from(nodes.len()).expect("few nodes");
    let pools = vec![pool(0, "l40s", 2, (0, target, 4))];
    Cluster { now: at(now), nodes, pools, provisioning, ..Cluster::default() }
}

fn idle_nodes(count: u32) -> Vec<NodeSeen> {
    (0..count).map(|id| node(id, NodeStage::Ready, &[])).collect()
}

#[track_caller]
fn check(policy: &mut ClusterAutoscaler, cluster: &Cluster, expected: &str) {
    let plan = cluster.plan_of(policy);
    let of_requests: Vec<_> = plan
        .lines()
        .filter(|line| line.starts_with("add-nodes") || line.starts_with("answer"))
        .collect();
    assert_eq!(of_requests.join("\n"), expected, "{plan}");
}

#[test]
fn an_atomic_request_gets_nodes_for_all_its_pods_or_none() {
    let asks = |pods| cluster(130, vec![], vec![request(0, BestEffortAtomicScaleUp, pods, 100)]);
    check(
        &mut policy(),
        &asks(8),
        "add-nodes pool=0 count=4 (requested pods fit on no node: pods=8, helped=8, options=1)\n\
         answer-provisioning job=0 answer=provisioned (nodes for all requested pods: pods=8)",
    );
    let none =
        "answer-provisioning job=0 answer=not-found (no room for all requested pods: pods=9)";
    check(&mut policy(), &asks(9), none);
}

#[test]
fn an_atomic_request_gets_nodes_for_what_does_not_fit_yet() {
    let asks = |pods| {
        let requests = vec![request(0, BestEffortAtomicScaleUp, pods, 100)];
        cluster(130, idle_nodes(1), requests)
    };
    check(
        &mut policy(),
        &asks(4),
        "add-nodes pool=0 count=1 (requested pods fit on no node: pods=2, helped=2, options=1)\n\
         answer-provisioning job=0 answer=provisioned (nodes for all requested pods: pods=4)",
    );
    let fits = "requested pods fit on nodes that are there or on their way";
    let found = format!("answer-provisioning job=0 answer=found ({fits}: pods=2)");
    check(&mut policy(), &asks(2), &found);
}

#[test]
fn a_request_is_as_new_as_its_pods_would_be_and_heeded_only_if_that_is_switched_on() {
    let asks = |now| cluster(now, idle_nodes(1), vec![request(0, CheckCapacity, 1, 100)]);
    check(&mut policy(), &asks(129), "");
    check(&mut ClusterAutoscaler::new(Settings::default()), &asks(130), "");
}

#[test]
fn a_capacity_check_never_adds_nodes_and_fails_if_it_is_not_to_be_tried_again() {
    let mut asks = cluster(130, idle_nodes(1), vec![request(0, CheckCapacity, 3, 100)]);
    let none = |answer| {
        format!(
            "answer-provisioning job=0 answer={answer} (no room for all requested pods: pods=3)"
        )
    };
    check(&mut policy(), &asks, &none("not-found"));
    asks.provisioning[0].no_retry = true;
    check(&mut policy(), &asks, &none("failed"));
}

/// A pod of job 0 that no node holds.
fn waiting_member(id: u32) -> PendingPod {
    PendingPod { owner: Owner::Job(JobId(0)), ..pending(id, pod_spec(1), at(0)) }
}

/// A request that was granted at 1,000 s.
fn granted(pods: u32) -> ProvisioningRequest {
    let state = ProvisioningState::Provisioned { at: at(1_000) };
    ProvisioningRequest { state, ..request(0, CheckCapacity, pods, 900) }
}

#[test]
fn room_is_kept_for_ten_minutes_or_until_all_pods_are_there() {
    let later =
        |now, nodes| cluster(now, nodes, vec![granted(2), request(1, CheckCapacity, 1, 950)]);
    let answers = |cluster: &Cluster, answer: &str| {
        let plan = cluster.plan_of(&mut policy());
        assert!(plan.contains(&format!("job=1 answer={answer}")), "{plan}");
    };
    answers(&later(1_600, idle_nodes(1)), "not-found");
    answers(&later(1_601, idle_nodes(1)), "found");
    // Both pods on a node of their own leave the other to others; one there, and room for two is still kept.
    let mut nodes = idle_nodes(2);
    let place = |node: &mut NodeSeen, id| {
        let (owner, spec) = (Owner::Job(JobId(0)), Arc::new(pod_spec(1)));
        node.pods.push(PlacedPod { id: PodId(id), owner, spec, created: at(1_010) });
        node.used += resources(4_000, 16, 1);
    };
    place(&mut nodes[0], 0);
    answers(&later(1_100, nodes.clone()), "found");
    nodes.remove(1);
    answers(&later(1_100, nodes.clone()), "not-found");
    let mut nodes = idle_nodes(2);
    place(&mut nodes[0], 0);
    place(&mut nodes[0], 1);
    answers(&later(1_100, nodes), "found");
}

#[test]
fn pods_of_a_granted_request_get_no_nodes_of_their_own() {
    let mut cluster = cluster(2_000, vec![], vec![granted(2)]);
    cluster.pending = vec![waiting_member(0), waiting_member(1)];
    check(&mut policy(), &cluster, "");
    cluster.provisioning.clear();
    let bought =
        "add-nodes pool=0 count=1 (pending pods fit on no node: pods=2, helped=2, options=1)";
    check(&mut policy(), &cluster, bought);
}

#[test]
fn pods_and_requests_take_turns() {
    let mut cluster = cluster(130, vec![], vec![request(1, CheckCapacity, 3, 100)]);
    cluster.pending = vec![waiting_member(0)];
    let mut policy = policy();
    check(
        &mut policy,
        &cluster,
        "answer-provisioning job=1 answer=not-found (no room for all requested pods: pods=3)",
    );
    cluster.now = at(131);
    let bought =
        "add-nodes pool=0 count=1 (pending pods fit on no node: pods=1, helped=1, options=1)";
    check(&mut policy, &cluster, bought);
}

/// When a request that finds no room is looked at, for fifty minutes; the policy is restarted from its state in every
/// loop if that is asked for.
fn looks(restarts: bool) -> Vec<u64> {
    let mut cluster = cluster(0, vec![], vec![request(0, CheckCapacity, 3, 0)]);
    let mut policy = policy();
    let mut looks = Vec::new();
    for second in (30..3_000).step_by(10) {
        cluster.now = at(second);
        if cluster.plan_of(&mut policy).contains("answer=not-found") {
            looks.push(second);
            cluster.provisioning[0].state = ProvisioningState::NotFound { at: at(second) };
        }
        if restarts {
            let state = policy.save();
            policy = self::policy();
            policy.restore(state).expect("its own state");
        }
    }
    looks
}

#[test]
fn a_request_without_room_is_looked_at_ever_less_often() {
    let found = looks(false);
    let waits: Vec<_> = found.windows(2).map(|two| two[1] - two[0]).collect();
    // Longer than 1, 2, 4, 8 and 10 minutes, in loops of ten seconds.
    assert_eq!((found[0], &waits[..]), (30, &[70, 130, 250, 490, 610, 610, 610][..]));
    assert_eq!(looks(true), found, "a saved and restored policy goes on");
}

#[test]
fn a_request_fails_after_a_week() {
    let week = 7 * 24 * 3_600;
    let asks = |now| cluster(now, vec![], vec![request(0, CheckCapacity, 3, 0)]);
    let answer =
        |answer, words| format!("answer-provisioning job=0 answer={answer} ({words}: pods=3)");
    check(&mut policy(), &asks(week), &answer("not-found", "no room for all requested pods"));
    check(&mut policy(), &asks(week + 1), &answer("failed", "provisioning request expired"));
}
