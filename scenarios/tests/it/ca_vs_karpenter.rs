//! What the scenario `ca-vs-karpenter` is there to show: the same pods, other nodes, sooner and later.

use crate::flights::{fly, says, stack};
use contract::{Instant, Micros};
use sim_core::outcome::{DecisionRow, StackOutcome};

/// Decisions about nodes, in order.
fn about_nodes(stack: &StackOutcome) -> impl Iterator<Item = &DecisionRow> {
    let of_nodes = |row: &&DecisionRow| ["cluster-autoscaler", "karpenter"].contains(&&*row.policy);
    stack.decisions.iter().filter(of_nodes)
}

/// From the first time that more replicas are asked for to the nodes that are bought for them.
fn until_nodes(stack: &StackOutcome) -> Micros {
    let up = stack.decisions.iter().find(|row| {
        let replicas = row.action.strip_prefix("set-replicas ");
        replicas.and_then(|count| count.parse::<u32>().ok()).is_some_and(|count| count > 1)
    });
    let up = up.expect("the burst needs replicas").at;
    let bought = |row: &&DecisionRow| row.at >= up && row.action.starts_with("add-nodes");
    about_nodes(stack).find(bought).expect("the burst needs nodes").at.since(up)
}

fn first_drain(stack: &StackOutcome) -> Option<Instant> {
    about_nodes(stack).find(|row| row.action == "drain").map(|row| row.at)
}

#[test]
fn karpenter_buys_seconds_after_the_pods_and_cluster_autoscaler_holds_gpus_back() {
    let experiment = fly("ca-vs-karpenter");
    let ca = stack(&experiment, "hpa-ca");
    assert!(says(ca, "pending pods are new, more may follow"));
    assert!(until_nodes(ca) >= Micros::from_secs(30), "{}", until_nodes(ca));
    for name in ["hpa-karpenter", "hpa-karpenter-calm"] {
        let waited = until_nodes(stack(&experiment, name));
        assert!(waited < Micros::from_secs(10), "`{name}`: {waited}");
    }
}

#[test]
fn karpenter_trades_a_dear_node_for_a_spot_node_and_packs_several_pods_on_large_ones() {
    let experiment = fly("ca-vs-karpenter");
    let karpenter = stack(&experiment, "hpa-karpenter");
    assert!(says(karpenter, "a cheaper node takes the place of others"));
    let bought: Vec<_> = about_nodes(karpenter)
        .filter(|row| row.action.starts_with("add-nodes"))
        .map(|row| row.subject.as_str())
        .collect();
    assert_eq!(bought[0], "pool l40s-spot", "{bought:?}");
    assert!(bought.contains(&"pool l40s-x4"), "{bought:?}");
    assert!(!says(stack(&experiment, "hpa-karpenter-calm"), "a cheaper node takes the place"));
}

#[test]
fn who_consolidates_at_once_drains_first() {
    let experiment = fly("ca-vs-karpenter");
    let eager = first_drain(stack(&experiment, "hpa-karpenter")).expect("it consolidates");
    for name in ["hpa-ca", "hpa-karpenter-calm"] {
        let first = first_drain(stack(&experiment, name));
        assert!(first.is_none_or(|at| eager < at), "`{name}`: {first:?}, {eager}");
    }
}
