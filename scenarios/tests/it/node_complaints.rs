//! What users of node autoscalers complain of, flown: each `node-complaint-…` scenario shows its effect, beside what
//! cures it.

use crate::flights::{fly, says, stack};
use contract::Micros;
use sim_core::outcome::{Cause, DecisionRow, Experiment, RunSummary, StackOutcome};

/// The only replication of a stack.
fn run<'a>(experiment: &'a Experiment, name: &str) -> &'a RunSummary {
    &stack(experiment, name).runs[0]
}

/// Share of the chat's requests that kept the SLO.
fn in_time(experiment: &Experiment, name: &str) -> f64 {
    run(experiment, name).services[0].attainment
}

/// Decisions that act, and whose action and subject begin with these words.
fn acts<'a>(
    stack: &'a StackOutcome,
    action: &'a str,
    subject: &'a str,
) -> impl Iterator<Item = &'a DecisionRow> {
    let rows = stack.decisions.iter();
    rows.filter(move |row| row.action.starts_with(action) && row.subject.starts_with(subject))
}

/// Time that late requests waited for a cause, in seconds.
fn waited(experiment: &Experiment, name: &str, cause: Cause) -> f64 {
    let blame = &run(experiment, name).services[0].blame;
    blame.iter().filter(|row| row.cause == cause).map(|row| row.seconds).sum()
}

#[test]
fn consolidation_takes_away_what_the_next_surge_needs_warm() {
    let experiment = fly("node-complaint-01-churn");
    let launched = |name| run(&experiment, name).fleet.launched;
    let loading = |name| run(&experiment, name).gpu.loading;
    assert!(says(stack(&experiment, "underutilized"), "its pods fit on other nodes"));
    assert!(launched("underutilized") > 3 * launched("settled"));
    assert!(loading("underutilized") > 2.0 * loading("settled"), "{}", loading("underutilized"));
    for calm in ["settled", "when-empty"] {
        let lead = in_time(&experiment, calm) - in_time(&experiment, "underutilized");
        assert!(lead > 0.05, "`{calm}`: {lead}");
        assert!(run(&experiment, calm).cost.usd > run(&experiment, "underutilized").cost.usd);
    }
    assert!(!says(stack(&experiment, "when-empty"), "its pods fit on other nodes"));
}

#[test]
fn a_node_whose_gpu_never_appears_keeps_its_pod_waiting_until_somebody_gives_it_up() {
    let experiment = fly("node-complaint-02-gpu-never-appears");
    let waits = in_time(&experiment, "karpenter");
    for gives_up in ["karpenter-repair", "cluster-autoscaler-hasty"] {
        let lead = in_time(&experiment, gives_up) - waits;
        assert!(lead > 0.3, "`{gives_up}`: {lead}");
    }
    assert!(says(stack(&experiment, "karpenter-repair"), "its accelerator does not come up"));
    assert!(says(stack(&experiment, "cluster-autoscaler"), "too many nodes are unready"));
    assert!(waited(&experiment, "karpenter", Cause::Accelerator) > 10_000.0);
}

#[test]
fn one_scarce_type_is_asked_for_again_every_three_minutes_and_nothing_else_is_tried() {
    let experiment = fly("node-complaint-03-capacity-errors");
    let failures = |name| run(&experiment, name).fleet.launch_failures;
    assert!(failures("one-type") > 2 * failures("diverse"), "{}", failures("one-type"));
    assert!(acts(stack(&experiment, "one-type"), "add-nodes", "pool l40s-2x").next().is_none());
    assert!(acts(stack(&experiment, "diverse"), "add-nodes", "pool l40s-2x").next().is_some());
    assert!(in_time(&experiment, "diverse") > in_time(&experiment, "one-type") + 0.1);
    let waited = |name| waited(&experiment, name, Cause::StockOut);
    assert!(waited("one-type") > 2.0 * waited("diverse"), "{}", waited("one-type"));
}

/// From the first order of spot nodes to the first one of others.
fn until_fallback(stack: &StackOutcome) -> Micros {
    let first = |pool| acts(stack, "add-nodes", pool).next().expect("an order").at;
    first("pool on-demand").since(first("pool spot"))
}

#[test]
fn the_way_to_the_fallback_group_takes_the_provision_time() {
    let experiment = fly("node-complaint-04-stock-out");
    for (name, minutes) in [("defaults", 15), ("impatient", 3)] {
        let took = until_fallback(stack(&experiment, name));
        let least = Micros::from_mins(minutes);
        assert!((least..least + Micros::from_secs(30)).contains(&took), "`{name}`: {took}");
        assert!(says(stack(&experiment, name), "scale-up timed out"));
        assert!(waited(&experiment, name, Cause::StockOut) > 0.0);
    }
    assert!(in_time(&experiment, "impatient") > in_time(&experiment, "defaults") + 0.1);
}

#[test]
fn a_group_at_zero_whose_template_lacks_its_gpus_never_grows() {
    let experiment = fly("node-complaint-06-from-zero");
    let blind = stack(&experiment, "no-gpus");
    assert!(says(blind, "no pool has nodes for these pods"));
    assert_eq!(run(&experiment, "no-gpus").fleet.launched, 0);
    assert_eq!(run(&experiment, "no-gpus").services[0].requests.completed, 0);
    for sees in ["no-gpus-one-kept", "complete"] {
        assert!(run(&experiment, sees).fleet.launched > 0, "`{sees}`");
        assert!(run(&experiment, sees).services[0].requests.completed > 500, "`{sees}`");
    }
}

#[test]
fn room_that_is_kept_is_paid_for_and_there_at_once() {
    let experiment = fly("node-complaint-08-headroom");
    let nothing = in_time(&experiment, "nothing");
    let usd = |name| run(&experiment, name).cost.usd;
    for kept in ["pause-pods", "buffer"] {
        assert!(in_time(&experiment, kept) > nothing + 0.03, "`{kept}`");
        assert!(usd(kept) > 1.5 * usd("nothing"), "`{kept}`");
    }
    for stands_by in ["stopped", "hibernated-what-if"] {
        assert!(usd(stands_by) < 1.2 * usd("nothing"), "`{stands_by}`: {}", usd(stands_by));
        assert!(run(&experiment, stands_by).cost.pools[0].standby_usd > 0.0);
    }
    assert!(in_time(&experiment, "hibernated-what-if") > in_time(&experiment, "stopped"));
    // They boot, and their GPUs appear no sooner than those of new nodes.
    assert!((in_time(&experiment, "stopped") - nothing).abs() < 0.03);
}

#[test]
fn nodes_that_expire_under_training_cost_its_work_or_wait_for_it() {
    let experiment = fly("node-complaint-09-do-not-disrupt");
    let jobs = |name| &run(&experiment, name).jobs[0];
    for cut_short in ["evicted", "protected-for-an-hour"] {
        assert!(jobs(cut_short).interruptions >= 10, "`{cut_short}`");
        assert!(jobs(cut_short).gpu.lost > 20.0, "`{cut_short}`: {}", jobs(cut_short).gpu.lost);
    }
    for left_alone in ["protected", "no-expiry"] {
        assert_eq!(jobs(left_alone).interruptions, 0, "`{left_alone}`");
    }
    // An expired node takes nobody new while it waits: there are more nodes, and they are emptier.
    let nodes = |name| run(&experiment, name).fleet.launched;
    assert!(nodes("protected") >= 2 * nodes("no-expiry"), "{}", nodes("protected"));
    let empty = |name| run(&experiment, name).gpu.unallocated;
    assert!(empty("protected") > empty("no-expiry"), "{}", empty("protected"));
}

/// From the first time that more replicas are asked for to the first order of nodes.
fn until_order(stack: &StackOutcome) -> Micros {
    let first = |action, subject| acts(stack, action, subject).next().expect("a surge").at;
    first("add-nodes", "pool").since(first("set-replicas", "service"))
}

#[test]
fn gpu_pods_are_held_back_for_half_a_minute_by_cluster_autoscaler_alone() {
    let experiment = fly("node-complaint-10-gpu-hold-back");
    assert!(until_order(stack(&experiment, "hold-back")) >= Micros::from_secs(30));
    // A loop after the 2 s of all other pods.
    for (name, soon) in [("at-once", 12), ("karpenter", 3)] {
        let took = until_order(stack(&experiment, name));
        assert!(took < Micros::from_secs(soon), "`{name}`: {took}");
        assert!(in_time(&experiment, name) > in_time(&experiment, "hold-back") + 0.02, "`{name}`");
    }
}
