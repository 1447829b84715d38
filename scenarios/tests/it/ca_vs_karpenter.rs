//! What the scenario `ca-vs-karpenter` is there to show: the same pods, other nodes, sooner and later.

use crate::flights::{fly, says, stack};
use contract::Instant;
use sim_core::outcome::{DecisionRow, StackOutcome};

/// Decisions about nodes, in order.
fn about_nodes(stack: &StackOutcome) -> impl DoubleEndedIterator<Item = &DecisionRow> {
    let of_nodes = |row: &&DecisionRow| ["cluster-autoscaler", "karpenter"].contains(&&*row.policy);
    stack.decisions.iter().filter(of_nodes)
}

fn first_purchase(stack: &StackOutcome) -> Instant {
    let bought = about_nodes(stack).find(|row| row.action.starts_with("add-nodes"));
    bought.expect("the burst needs nodes").at
}

fn drained(stack: &StackOutcome) -> Vec<Instant> {
    let drains = about_nodes(stack).filter(|row| matches!(&*row.action, "drain" | "delete"));
    drains.map(|row| row.at).collect()
}

#[test]
fn karpenter_buys_seconds_after_the_pods_and_cluster_autoscaler_holds_gpus_back() {
    let experiment = fly("ca-vs-karpenter");
    let [ca, karpenter] = ["hpa-ca", "hpa-karpenter"].map(|name| stack(&experiment, name));
    assert!(says(ca, "pending pods are new, more may follow"));
    let sooner = first_purchase(ca).since(first_purchase(karpenter));
    assert!((25.0..=35.0).contains(&sooner.as_secs_f64()), "{sooner}");
}

#[test]
fn karpenter_tries_what_is_cheapest_and_falls_back_when_there_is_none() {
    let experiment = fly("ca-vs-karpenter");
    let karpenter = stack(&experiment, "hpa-karpenter");
    let pools: Vec<_> = about_nodes(karpenter)
        .filter(|row| row.action.starts_with("add-nodes"))
        .map(|row| row.subject.as_str())
        .collect();
    assert_eq!(pools[0], "pool l40s-spot", "{pools:?}");
    assert!(pools.contains(&"pool l40s"), "{pools:?}");
}

#[test]
fn who_consolidates_at_once_gives_nodes_back_first_and_who_waits_keeps_them_longest() {
    let experiment = fly("ca-vs-karpenter");
    let first = |name| drained(stack(&experiment, name)).into_iter().next();
    let eager = first("hpa-karpenter").expect("it consolidates");
    let ca = first("hpa-ca").expect("ten minutes unneeded");
    assert!(eager < ca, "{eager} {ca}");
    let calm = first("hpa-karpenter-calm").expect("ten minutes empty");
    assert!(eager < calm, "{eager} {calm}");
}
