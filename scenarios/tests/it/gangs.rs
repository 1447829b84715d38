//! Jobs: two gangs at once, with and without gang scheduling; two teams that share GPUs by quota.

use crate::flights::{fly, says, stack};
use scenarios::{Options, Scenario, compare};
use sim_core::outcome::{JobClassSummary, StackOutcome};
use std::path::Path;

fn jobs(stack: &StackOutcome) -> &JobClassSummary {
    &stack.runs[0].jobs[0]
}

#[test]
fn two_gangs_that_each_fit_alone_do_not_deadlock_when_gangs_are_scheduled_whole() {
    let experiment = fly("gangs-two-at-once");
    let [one_by_one, whole] = &experiment.stacks[..] else { panic!("two stacks") };
    let (stuck, done) = (jobs(one_by_one), jobs(whole));
    assert_eq!((stuck.arrived, stuck.started, stuck.completed), (2, 0, 0));
    // All eight GPUs, from the first minute to the end of four hours.
    assert!((31.7..31.9).contains(&stuck.gpu.partial_gangs), "{}", stuck.gpu.partial_gangs);
    assert_eq!((done.arrived, done.completed), (2, 2));
    assert!(done.gpu.partial_gangs.abs() < 1e-9, "a partial gang holds no GPU");
    let fleet = whole.runs[0].gpu;
    assert!((fleet.useful - 12.0).abs() < 1e-3, "two jobs of six GPUs and an hour: {fleet:?}");
    assert!((1.9..2.2).contains(&done.slowdown.max), "the second waits for the first");
}

#[test]
fn lent_quota_comes_back_when_its_owner_does_and_is_not_idle_until_then() {
    let experiment = fly("kueue-borrowing");
    let run = |name| &stack(&experiment, name).runs[0];
    let (core, kueue) = (run("gangs"), run("kueue"));
    let day = |jobs: &[JobClassSummary]| jobs[1].clone();
    // Whoever comes first keeps the GPUs: the owners wait for hours. With quotas they wait for their own jobs at most.
    assert!(day(&core.jobs).wait_s.mean > 3600.0, "{:?}", day(&core.jobs).wait_s);
    assert!(day(&kueue.jobs).wait_s.max < 300.0, "{:?}", day(&kueue.jobs).wait_s);
    assert_eq!((day(&kueue.jobs).arrived, day(&kueue.jobs).completed), (8, 8));
    let night = &kueue.jobs[0];
    assert!(night.evictions.reclaimed >= 1 && night.evictions.all() == night.evictions.reclaimed);
    let [lender, owner] = &kueue.queues[..] else { panic!("two queues") };
    assert!(lender.borrowed_gpu_hours > 24.0, "quiet hours are used: {lender:?}");
    assert!(owner.borrowed_gpu_hours.abs() < 1e-9 && owner.evicted == 0);
    // What that costs: work since the last checkpoint, half an hour of four GPUs for each eviction at most.
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let most = 2.0 * night.evictions.reclaimed as f64;
    assert!((0.0..=most).contains(&night.gpu.lost), "{:?}", night.gpu);
    assert!(kueue.jobs.iter().all(|jobs| jobs.gpu.partial_gangs.abs() < 0.1));
    let decisions = stack(&experiment, "kueue");
    assert!(decisions.decisions.iter().any(|row| row.policy == "kueue" && row.action == "evict"));
    assert!(says(
        decisions,
        "night has quota of gpu: 8 of its 4 GPUs in use with it, part of them"
    ));
    assert!(says(decisions, "insufficient quota in night: 4 GPUs asked for, 0 available"));
}

/// Two nodes of four GPUs at most, none at first; a gang that needs three, then one that needs both.
const WIDE: &str = r#"
name = "wide"
about = "Ten pods that no nodes of the pool hold together, then eight that they do."
horizon = "4h"
[pool.gpu]
instance = "g6e.12xlarge"
max = 2
[flavor.gpu]
node-labels = { pool = "gpu" }
[queue.team]
quota = { gpu = { nominal = 20 } }
provisioning = { class = "best-effort-atomic-scale-up" }
[job.wide]
width = [{ pods = 10 }]
duration = { fixed = "30m" }
submit = { at = ["1m"] }
queue = "team"
[job.narrow]
width = [{ pods = 8 }]
duration = { fixed = "30m" }
submit = { at = ["2h"] }
queue = "team"
[[stack]]
name = "pods"
about = "Nodes for pods that are pending."
gangs = "core"
[stack.nodes.cluster-autoscaler]
[[stack]]
name = "requests"
about = "Nodes for whole jobs."
gangs = "kueue"
[stack.nodes.cluster-autoscaler]
flags = ["--enable-provisioning-requests"]
"#;

#[test]
fn a_gang_that_asks_for_all_its_nodes_at_once_gets_none_where_a_part_is_all_there_is() {
    let scenario = Scenario::parse(WIDE, "wide.toml", Path::new("")).expect("valid");
    let options = Options { seed: 1, runs: 1, stacks: Vec::new(), threads: 0 };
    let experiment = compare(&scenario, &options, &|_| ()).expect("it flies");
    let [pods, requests] = &experiment.stacks[..] else { panic!("two stacks") };
    // Whose pods are pending gets two nodes of the three that it needs, and they idle until the other gang comes.
    let first_nodes = |stack: &StackOutcome| {
        let added = stack.decisions.iter().find(|row| row.action.starts_with("add-nodes"));
        let added = added.expect("both stacks add nodes");
        (added.action.clone(), added.at.as_secs_f64() / 60.0)
    };
    let (action, minutes) = first_nodes(pods);
    assert!(action == "add-nodes 2" && minutes < 5.0, "{action} at {minutes} min");
    let (action, minutes) = first_nodes(requests);
    assert!(action == "add-nodes 2" && minutes > 120.0, "{action} at {minutes} min");
    for stack in [pods, requests] {
        let [wide, narrow] = &stack.runs[0].jobs[..] else { panic!("two classes") };
        assert_eq!((wide.started, wide.waiting.room, narrow.completed), (0, 1, 1));
    }
    assert!(requests.runs[0].cost.usd < pods.runs[0].cost.usd);
    assert!(says(requests, "best-effort-atomic-scale-up: no room for its 10 pods"));
    assert!(says(requests, "best-effort-atomic-scale-up: provisioned for its 8 pods"));
}

/// Four nodes of four GPUs, two to a rack: sixteen GPUs in all, eight in a rack.
const RACKS: &str = r#"
name = "racks"
about = "Ten pods that fit in no rack, beside eight that do."
horizon = "2h"
[pool.gpu]
instance = "g6e.12xlarge"
min = 4
max = 4
racks = { nodes-per-rack = 2, racks-per-block = 2 }
[job.wide]
width = [{ pods = 10 }]
topology = { required = "rack" }
duration = { fixed = "30m" }
submit = { at = ["1m"] }
[job.narrow]
width = [{ pods = 8 }]
topology = { required = "rack" }
duration = { fixed = "30m" }
submit = { at = ["2m", "3m"] }
[[stack]]
name = "core"
about = "PodGroup."
gangs = "core"
[stack.nodes.fixed-nodes]
"#;

#[test]
fn a_gang_that_fits_in_no_rack_pends_with_a_reason_and_is_in_nobodys_way() {
    let fly = |text: &str| {
        let scenario = Scenario::parse(text, "racks.toml", Path::new("")).expect("valid");
        let options = Options { seed: 1, runs: 1, stacks: Vec::new(), threads: 0 };
        let experiment = compare(&scenario, &options, &|_| ()).expect("it flies");
        experiment.stacks.into_iter().next().expect("a stack")
    };
    let required = fly(RACKS);
    let [wide, narrow] = &required.runs[0].jobs[..] else { panic!("two classes") };
    assert_eq!((wide.completed, wide.waiting.room, narrow.completed), (0, 1, 2));
    assert!(narrow.wait_s.max < 300.0, "a rack each: {:?}", narrow.wait_s);
    let why = "no rack has room for its 10 pods: 8 fit in the roomiest, 16 in all";
    assert!(says(&required, why), "{:?}", required.decisions);
    let preferred = fly(&RACKS.replacen("required", "preferred", 1));
    assert_eq!(preferred.runs[0].jobs[0].completed, 1);
}
