//! The loop as a whole: from observations to plans.

use super::*;
use crate::karpenter::buffer::BufferSize;
use crate::samples::{Cluster, at, node, pending, pod_spec, pool, resources, service};
use contract::{
    DisruptionBudget, EvictionMarks, IntOrPercent, LaunchFailure, LaunchFailureKind, PendingPod,
    PodSpec, Resources, SafeToEvict, ServiceSeen,
};
use std::fmt::Write;

/// GPU pods of 4 cores, 16 GiB and one GPU, made at `second`.
fn gpu_pods(count: u32, second: u64) -> Vec<PendingPod> {
    (0..count).map(|id| pending(id, pod_spec(1), at(second))).collect()
}

/// One pool of nodes with 8 cores, 32 GiB and 2 GPUs.
fn cluster(now: u64, nodes: Vec<NodeSeen>, pods: Vec<PendingPod>) -> Cluster {
    let target = u32::try_from(nodes.len()).unwrap();
    Cluster {
        now: at(now),
        services: vec![service(0, 0)],
        pending: pods,
        nodes,
        pools: vec![pool(0, "l40s", 2, (0, target, 10))],
        provisioning: vec![],
    }
}

fn policy() -> ClusterAutoscaler {
    ClusterAutoscaler::new(Settings::default())
}

#[track_caller]
fn check(policy: &mut ClusterAutoscaler, cluster: &Cluster, expected: &str) {
    assert_eq!(cluster.plan_of(policy), expected);
}

#[test]
fn pods_that_fit_nowhere_get_nodes_once_the_burst_is_complete() {
    let mut policy = policy();
    check(
        &mut policy,
        &cluster(129, vec![], gpu_pods(5, 100)),
        "hold Cluster (pending pods are new, more may follow: pods=5)\n",
    );
    check(
        &mut policy,
        &cluster(130, vec![], gpu_pods(5, 100)),
        "add-nodes pool=0 count=3 (pending pods fit on no node: pods=5, helped=5, options=1)\n",
    );
}

#[test]
fn pods_without_gpus_wait_two_seconds() {
    let pods = |second| vec![pending(0, pod_spec(0), at(second))];
    let mut policy = policy();
    check(
        &mut policy,
        &cluster(101, vec![], pods(100)),
        "hold Cluster (pending pods are new, more may follow: pods=1)\n",
    );
    check(
        &mut policy,
        &cluster(102, vec![], pods(100)),
        "add-nodes pool=0 count=1 (pending pods fit on no node: pods=1, helped=1, options=1)\n",
    );
}

/// A policy that has just asked for three nodes for five pods.
fn policy_that_asked() -> ClusterAutoscaler {
    let mut policy = policy();
    let asked =
        "add-nodes pool=0 count=3 (pending pods fit on no node: pods=5, helped=5, options=1)\n";
    check(&mut policy, &cluster(130, vec![], gpu_pods(5, 100)), asked);
    policy
}

#[test]
fn nodes_on_their_way_count() {
    let on_their_way =
        vec![node(0, NodeStage::Requested, &[]), node(1, NodeStage::AcceleratorStarting, &[])];
    check(
        &mut policy_that_asked(),
        &cluster(200, on_their_way.clone(), gpu_pods(4, 100)),
        "hold Cluster (pending pods fit on nodes that are there or on their way: pods=4)\n",
    );
    check(
        &mut policy_that_asked(),
        &cluster(200, on_their_way, gpu_pods(5, 100)),
        "add-nodes pool=0 count=1 (pending pods fit on no node: pods=1, helped=1, options=1)\n",
    );
}

#[test]
fn an_accelerator_that_never_appears_is_waited_for_as_long_as_the_scale_up_may_take() {
    let mut policy = policy_that_asked();
    let stuck = NodeSeen { since: at(200), ..node(0, NodeStage::AcceleratorStarting, &[]) };
    let now = |second| cluster(second, vec![stuck.clone()], gpu_pods(1, 100));
    check(
        &mut policy,
        &now(1_030),
        "hold Cluster (pending pods fit on nodes that are there or on their way: pods=1)\n",
    );
    check(
        &mut policy,
        &now(1_031),
        "hold Pool(PoolId(0)) (backed off after a failed launch: left-s=300)\n",
    );
    check(
        &mut policy,
        &now(1_331),
        "add-nodes pool=0 count=1 (pending pods fit on no node: pods=1, helped=1, options=1)\n",
    );
}

#[test]
fn a_pool_never_grows_past_its_maximum() {
    let nodes = |count| (0..count).map(|id| node(id, NodeStage::Ready, &[resources(8_000, 1, 2)]));
    check(
        &mut policy(),
        &cluster(200, nodes(9).collect(), gpu_pods(5, 100)),
        "add-nodes pool=0 count=1 (pending pods fit on no node: pods=5, helped=2, options=1)\n",
    );
    check(
        &mut policy(),
        &cluster(200, nodes(10).collect(), gpu_pods(5, 100)),
        "hold Pool(PoolId(0)) (pool at its maximum: nodes=10)\n",
    );
}

#[test]
fn pods_that_no_pool_can_hold_are_left_pending() {
    let pods = vec![pending(0, pod_spec(3), at(100))];
    check(
        &mut policy(),
        &cluster(200, vec![], pods),
        "hold Cluster (no pool has nodes for these pods: pods=1)\n",
    );
}

#[test]
fn expendable_pods_get_no_nodes() {
    let mut spec = pod_spec(1);
    spec.priority = -11;
    check(&mut policy(), &cluster(200, vec![], vec![pending(0, spec.clone(), at(100))]), "");
    spec.priority = -10;
    check(
        &mut policy(),
        &cluster(200, vec![], vec![pending(0, spec, at(100))]),
        "add-nodes pool=0 count=1 (pending pods fit on no node: pods=1, helped=1, options=1)\n",
    );
}

#[test]
fn a_pool_that_failed_is_left_alone_and_another_is_used() {
    let mut policy = policy();
    let mut now = cluster(200, vec![], gpu_pods(1, 100));
    now.pools.push(pool(1, "h100", 2, (0, 0, 10)));
    now.pools[0].failure =
        Some(LaunchFailure { at: at(195), kind: LaunchFailureKind::StockOut, count: 1 });
    check(
        &mut policy,
        &now,
        "hold Pool(PoolId(0)) (backed off after a failed launch: left-s=300)\n\
         add-nodes pool=1 count=1 (pending pods fit on no node: pods=1, helped=1, options=1)\n",
    );
    now.now = at(500);
    check(
        &mut policy,
        &now,
        "add-nodes pool=1 count=1 (pending pods fit on no node: pods=1, helped=1, options=2)\n",
    );
}

#[test]
fn a_node_that_does_not_register_in_time_is_given_up() {
    let mut policy = policy();
    let nodes = vec![node(0, NodeStage::Booting, &[])];
    check(&mut policy, &cluster(900, nodes.clone(), vec![]), "");
    check(
        &mut policy,
        &cluster(901, nodes, vec![]),
        "delete node=0 (did not register in time: waited-s=901)\n",
    );
}

/// Ready nodes with pods of these requests, looked at every 10 s for so long; which removals come out, each
/// prefixed with its second?
#[track_caller]
fn check_removals(pods: &[&[Resources]], seconds: u64, expected: &str) {
    let mut policy = policy();
    let mut cluster = cluster(0, vec![], vec![]);
    cluster.nodes = (0..).zip(pods).map(|(id, pods)| node(id, NodeStage::Ready, pods)).collect();
    cluster.pools[0].target = u32::try_from(pods.len()).unwrap();
    let mut removals = String::new();
    for second in (0..=seconds).step_by(10) {
        cluster.now = at(second);
        let plan = cluster.plan_of(&mut policy);
        for line in plan.lines().filter(|line| line.starts_with("retire")) {
            writeln!(removals, "{second}: {line}").expect("text");
        }
        carry_taints_out(&mut cluster, &plan);
        // What is being removed stays visible and in the way, as in a cluster.
        for node in &mut cluster.nodes {
            if removals.contains(&format!("retire node={} ", node.id)) {
                node.stage = NodeStage::Draining;
            }
        }
    }
    assert_eq!(removals, expected);
}

/// Puts soft taints on and takes them off, as a plan says.
fn carry_taints_out(cluster: &mut Cluster, plan: &str) {
    for node in &mut cluster.nodes {
        let asks = |what: &str| {
            plan.lines().any(|line| line.starts_with(&format!("{what} node={} ", node.id)))
        };
        node.softly_tainted =
            (node.softly_tainted || asks("taint-softly")) && !asks("untaint-softly");
    }
}

fn one_gpu() -> Resources {
    pod_spec(1).requests
}

#[test]
fn an_empty_node_goes_after_more_than_the_unneeded_time() {
    check_removals(
        &[&[], &[one_gpu(), one_gpu()]],
        610,
        "610: retire node=0 after=5s (empty for the unneeded time: unneeded-s=610)\n",
    );
}

#[test]
fn empty_nodes_go_together_and_nodes_with_pods_one_by_one() {
    check_removals(
        &[&[], &[], &[one_gpu()], &[one_gpu()], &[one_gpu()], &[one_gpu()]],
        610,
        "610: retire node=0 after=5s (empty for the unneeded time: unneeded-s=610)\n\
         610: retire node=1 after=5s (empty for the unneeded time: unneeded-s=610)\n\
         610: retire node=2 after=5s (underused for the unneeded time: unneeded-s=610, utilization=0.5, pods=1)\n",
    );
}

#[test]
fn a_node_with_half_its_gpus_in_use_is_underused_whatever_its_cpu() {
    let busy = resources(8_000, 32, 1);
    let idle = resources(0, 0, 1);
    check_removals(
        &[&[busy], &[idle]],
        610,
        "610: retire node=0 after=5s (underused for the unneeded time: unneeded-s=610, utilization=0.5, pods=1)\n",
    );
}

#[test]
fn a_node_whose_pods_fit_nowhere_else_stays() {
    check_removals(&[&[one_gpu()], &[one_gpu(), one_gpu()]], 1_200, "");
}

#[test]
fn a_node_that_a_pending_pod_is_about_to_take_is_needed() {
    let mut policy = policy();
    let empty = || vec![node(0, NodeStage::Ready, &[])];
    let unneeded = "hold Node(NodeId(0)) (unneeded from now on: utilization=0)\n\
                    taint-softly node=0 (may go)\n";
    check(&mut policy, &cluster(0, empty(), vec![]), unneeded);
    check(
        &mut policy,
        &cluster(610, empty(), gpu_pods(1, 610)),
        "hold Cluster (pending pods fit on nodes that are there or on their way: pods=1)\n\
         hold Node(NodeId(0)) (underused, but its pods fit nowhere else: utilization=0.5)\n",
    );
    // What was found unremovable is not looked at again for five minutes.
    check(&mut policy, &cluster(909, empty(), vec![]), "");
    check(&mut policy, &cluster(910, empty(), vec![]), unneeded);
}

#[test]
fn a_pool_keeps_its_minimum() {
    let mut cluster = cluster(0, vec![node(0, NodeStage::Ready, &[])], vec![]);
    cluster.pools[0].min = 1;
    check(&mut policy(), &cluster, "");
}

#[test]
fn nothing_goes_for_ten_minutes_after_nodes_were_added() {
    let mut policy = policy();
    check(
        &mut policy,
        &cluster(200, vec![], gpu_pods(1, 100)),
        "add-nodes pool=0 count=1 (pending pods fit on no node: pods=1, helped=1, options=1)\n",
    );
    let idle = |now| cluster(now, vec![node(0, NodeStage::Ready, &[])], vec![]);
    check(
        &mut policy,
        &idle(210),
        "hold Node(NodeId(0)) (unneeded from now on: utilization=0)\n\
         hold Cluster (cooling down after adding nodes: left-s=590)\n",
    );
    check(&mut policy, &idle(799), "hold Cluster (cooling down after adding nodes: left-s=1)\n");
    check(
        &mut policy,
        &idle(811),
        "retire node=0 after=5s (empty for the unneeded time: unneeded-s=601)\n",
    );
}

#[test]
fn a_saved_and_restored_policy_goes_on_as_if_nothing_had_happened() {
    let steps: Vec<_> = (0..90)
        .map(|step| {
            let pods = if step == 20 { gpu_pods(5, 100) } else { vec![] };
            let nodes = vec![
                node(0, NodeStage::Ready, &[]),
                node(1, NodeStage::Ready, &[one_gpu()]),
                node(2, NodeStage::Ready, &[one_gpu(), one_gpu()]),
            ];
            let mut cluster = cluster(step * 10, nodes, pods);
            let failed = LaunchFailure { at: at(300), kind: LaunchFailureKind::StockOut, count: 1 };
            cluster.pools[0].failure = (step > 30).then_some(failed);
            cluster
        })
        .collect();
    let run = |restart_at: usize| {
        let mut policy = policy();
        let mut plans = String::new();
        for (step, cluster) in steps.iter().enumerate() {
            if step == restart_at {
                let state = policy.save();
                policy = super::tests::policy();
                policy.restore(state).expect("its own state");
            }
            plans.push_str(&cluster.plan_of(&mut policy));
        }
        plans
    };
    let unbroken = run(usize::MAX);
    assert!(unbroken.contains("retire node=0") && unbroken.contains("add-nodes"));
    for restart_at in 0..steps.len() {
        assert_eq!(run(restart_at), unbroken, "restarted before step {restart_at}");
    }
}

#[track_caller]
fn check_invalid(text: &str, expected: &str) {
    let settings: Settings = serde_json::from_str(text).expect("settings");
    assert_eq!(settings.validate(&["l40s", "h100"]).unwrap_err().to_string(), expected);
}

#[test]
fn settings_that_cannot_work_are_named() {
    check_invalid(
        r#"{ "scale-down-utilization-threshold": 1.5 }"#,
        "`scale-down-utilization-threshold`: found `1.5`, expected a share from 0 to 1",
    );
    check_invalid(
        r#"{ "max-drain-parallelism": 11 }"#,
        "`max-drain-parallelism`: found `11`, expected at most `max-scale-down-parallelism` (10)",
    );
    check_invalid(
        r#"{ "expander": ["priority"] }"#,
        "`priorities`: found `[]`, expected at least one tier for expander `priority`",
    );
    check_invalid(
        r#"{ "priorities": [{ "priority": 1, "pools": ["l4s"] }] }"#,
        "`priorities[0].pools`: found `l4s`, expected a pattern that matches one of the pools `l40s`, `h100`",
    );
}

#[test]
fn nodes_that_may_go_are_softly_tainted_ten_at_a_time_and_no_longer_when_they_are_needed() {
    let mut policy = policy();
    let mut now = cluster(0, (0..12).map(|id| node(id, NodeStage::Ready, &[])).collect(), vec![]);
    let mut changes = Vec::new();
    for second in [0, 10, 20] {
        now.now = at(second);
        if second == 20 {
            now.nodes[0] = NodeSeen {
                softly_tainted: true,
                ..node(0, NodeStage::Ready, &[one_gpu(), one_gpu()])
            };
        }
        let plan = now.plan_of(&mut policy);
        let of = |what: &str| plan.lines().filter(|line| line.starts_with(what)).count();
        changes.push((of("taint-softly"), of("untaint-softly")));
        carry_taints_out(&mut now, &plan);
    }
    assert_eq!(changes, [(10, 0), (2, 0), (0, 1)]);
}

/// Two nodes with a pod each of a service that wants two replicas, all ready.
fn protected(budget: Option<DisruptionBudget>, marks: EvictionMarks) -> Cluster {
    let pods = [node(0, NodeStage::Ready, &[one_gpu()]), node(1, NodeStage::Ready, &[one_gpu()])];
    let mut cluster = cluster(0, pods.to_vec(), vec![]);
    cluster.services = vec![ServiceSeen { disruption_budget: budget, ..service(2, 2) }];
    for node in &mut cluster.nodes {
        for pod in &mut node.pods {
            let spec = PodSpec { eviction: marks, ..PodSpec::clone(&pod.spec) };
            pod.spec = spec.into();
        }
    }
    cluster
}

/// What becomes of the two nodes?
#[track_caller]
fn check_protection(settings: Settings, cluster: &Cluster, unneeded: usize, blocked: usize) {
    let plan = cluster.plan_of(&mut ClusterAutoscaler::new(settings));
    let of = |words: &str| plan.lines().filter(|line| line.contains(words)).count();
    let blocks = "one of its pods may not be moved";
    assert_eq!((of("unneeded from now on"), of(blocks)), (unneeded, blocked), "{plan}");
}

#[test]
fn a_budget_that_allows_no_eviction_keeps_the_nodes() {
    let marks = EvictionMarks::default();
    let keep = |count| Some(DisruptionBudget::MinAvailable(IntOrPercent::Count(count)));
    let settings = Settings::default;
    // Of two half-empty nodes one can go: its pod moves to the other.
    check_protection(settings(), &protected(None, marks), 1, 0);
    check_protection(settings(), &protected(keep(1), marks), 1, 1);
    check_protection(settings(), &protected(keep(2), marks), 0, 2);
}

#[test]
fn pods_keep_their_node_by_their_marks_unless_flags_say_otherwise() {
    let none = EvictionMarks::default();
    let storage = EvictionMarks { local_storage: true, ..none };
    let system = EvictionMarks { system: true, ..none };
    let custom = EvictionMarks { custom_controller: true, ..none };
    let unsafe_to_evict = EvictionMarks { safe_to_evict: SafeToEvict::No, ..none };
    let lenient = Settings {
        skip_nodes_with_local_storage: false,
        skip_nodes_with_system_pods: false,
        skip_nodes_with_custom_controller_pods: false,
        ..Settings::default()
    };
    for marks in [storage, system, custom] {
        check_protection(Settings::default(), &protected(None, marks), 0, 2);
        check_protection(lenient.clone(), &protected(None, marks), 1, 0);
    }
    check_protection(lenient, &protected(None, unsafe_to_evict), 0, 2);
    // An hour old, pods of the system may be moved.
    let mut old = protected(None, system);
    old.now = at(3_600);
    check_protection(Settings::default(), &old, 1, 0);
}

#[test]
fn a_drain_that_a_budget_holds_up_is_given_up_after_two_minutes() {
    let mut policy = policy();
    let mut now = protected(None, EvictionMarks::default());
    for second in (0..=610).step_by(10) {
        now.now = at(second);
        let plan = now.plan_of(&mut policy);
        carry_taints_out(&mut now, &plan);
    }
    // The first node drains; a budget came that protects its pod.
    (now.nodes[0].stage, now.nodes[0].since) = (NodeStage::Draining, at(615));
    now.nodes[0].pods[0].id = contract::PodId(0);
    let keep = DisruptionBudget::MinAvailable(IntOrPercent::Count(2));
    now.services[0].disruption_budget = Some(keep);
    let given_up = |plan: &str| plan.contains("uncordon node=0");
    for (second, expected) in [(734, false), (735, true), (736, false)] {
        now.now = at(second);
        assert_eq!(given_up(&now.plan_of(&mut policy)), expected, "at {second} s");
    }
}

#[test]
fn room_is_bought_for_a_buffer_and_bought_again_when_pods_take_it() {
    let buffer = BufferSize { replicas: Some(3), ..BufferSize::default() };
    let buffers = [("chat".to_owned(), buffer)].into();
    let mut policy = ClusterAutoscaler::new(Settings { buffers, ..Settings::default() });
    let plan =
        "add-nodes pool=0 count=2 (pending pods fit on no node: pods=3, helped=3, options=1)\n";
    check(&mut policy, &cluster(10, vec![], vec![]), plan);
    // Two nodes of two GPUs hold three chunks, and a fourth pod takes the last GPU.
    let empty = || (0..2).map(|id| node(id, NodeStage::Ready, &[])).collect::<Vec<_>>();
    let held = "hold Node(NodeId(1)) (underused, but its pods fit nowhere else: utilization=0.5)\n";
    check(&mut policy, &cluster(20, empty(), vec![]), held);
    let mut taken = empty();
    taken[0] = node(0, NodeStage::Ready, &[one_gpu(), one_gpu()]);
    let plan =
        "add-nodes pool=0 count=1 (pending pods fit on no node: pods=1, helped=1, options=1)\n";
    check(&mut policy, &cluster(30, taken, vec![]), plan);
}

#[test]
fn pools_that_are_no_node_group_are_left_alone() {
    let nodes = vec!["0:10:h100".parse().expect("a group")];
    let mut policy = ClusterAutoscaler::new(Settings { nodes, ..Settings::default() });
    let mut now = cluster(200, vec![node(0, NodeStage::Ready, &[])], gpu_pods(3, 100));
    now.pools.push(pool(1, "h100", 2, (0, 0, 10)));
    let plan = now.plan_of(&mut policy);
    assert!(plan.contains("add-nodes pool=1 count=1"), "{plan}");
    assert!(!plan.contains("may go"), "{plan}");
}
