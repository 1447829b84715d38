//! Cluster Autoscaler's scale-up and cluster state.

use crate::ca::Amounts;
use crate::case::{Check, inputs, seconds};
use contract::{Bytes, Instant, NodeShape, PodSpec, Taint, TaintEffect, Toleration};
use policies::cluster_autoscaler::PodGroup;
use policies::cluster_autoscaler::cluster_state::{
    Backoff, BackoffRules, HealthLimits, IncorrectSize, Readiness, acceptable_range,
    incorrect_size, is_healthy,
};
use policies::cluster_autoscaler::quota::{Quota, Tracker};
use policies::cluster_autoscaler::scale_up::{
    Increase, Pool, Rules, ScaleUp, Share, Similarity, Situation, Standing, Verdict, balance,
    execute, scale_up, similar_pools,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("acceptable_ranges", acceptable_ranges),
    ("balance_scale_up", balance_scale_up),
    ("group_backoff", group_backoff),
    ("incorrect_group_size", incorrect_group_size),
    ("scale_up", orchestration),
    ("scale_up_balanced", balanced),
    ("scale_up_balanced_quota", balanced_quota),
    ("scale_up_provider_errors", provider_errors),
    ("similar_groups", similar_groups),
];

const GPU_TAINT: &str = "nvidia.com/gpu";

/// A pool of a case, as these write it when they write one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    #[serde(default)]
    name: String,
    #[serde(default = "one")]
    #[expect(dead_code, reason = "minimum sizes matter to removals alone")]
    min: u32,
    #[serde(default = "ten")]
    max: u32,
    target: Option<u32>,
}

fn one() -> u32 {
    1
}

fn ten() -> u32 {
    10
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pick {
    group: String,
    delta: u32,
}

/// An upper limit of a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    groups: Value,
    cpu: Option<u64>,
    memory: Option<u64>,
    nodes: Option<u64>,
}

impl Limit {
    fn quota(&self, number: usize) -> Quota {
        let names = self.groups.as_array().into_iter().flatten();
        Quota {
            name: format!("quota-{number}"),
            pools: names.filter_map(Value::as_str).map(Into::into).collect(),
            cores: self.cpu,
            memory: self.memory.map(Bytes),
            gpus: None,
            nodes: self.nodes,
        }
    }
}

/// Runs a scale-up in which the expander picks what the case says, or else the first option.
fn run(
    pools: &[Pool<'_>],
    pods: &[PodGroup<'_>],
    quotas: Tracker<'_>,
    cluster_nodes: u32,
    rules: &Rules<'_>,
    pick: Option<&Pick>,
) -> ScaleUp {
    let situation = Situation { pools, pods, quotas, cluster_nodes, around: None };
    scale_up(&situation, rules, |options| {
        let Some(pick) = pick else { return Some(0) };
        options.iter().position(|option| {
            pools[option.pool].name == pick.group && option.estimate.nodes == pick.delta
        })
    })
}

fn rules(balance: Option<&Similarity>) -> Rules<'_> {
    Rules {
        max_nodes_total: 0,
        all_or_nothing: false,
        balance,
        fastpath: false,
        // Upstream's tests estimate without a limit.
        max_per_estimate: None,
    }
}

fn orchestration(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        nodes: Vec<Node>,
        #[expect(dead_code, reason = "the scale-up itself looks at no running pod")]
        running_pods: Vec<Value>,
        pending_pods: Vec<Pod>,
        expander_picks: Option<Pick>,
        #[serde(default)]
        groups: Vec<Group>,
        #[serde(default)]
        templates: BTreeMap<String, Amounts>,
        #[serde(default)]
        options: Options,
        #[serde(default)]
        quotas: Vec<Limit>,
    }
    #[derive(Deserialize)]
    struct Node {
        #[serde(flatten)]
        amounts: Amounts,
        group: String,
        ready: bool,
    }
    #[derive(Deserialize)]
    struct Pod {
        name: String,
        #[serde(flatten)]
        amounts: Amounts,
        #[serde(default)]
        tolerates_gpu_taint: bool,
    }
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        #[serde(default)]
        zero_or_max: bool,
        #[serde(default)]
        all_or_nothing: bool,
        max_cores: Option<u64>,
        max_memory_bytes: Option<u64>,
        #[serde(default)]
        max_nodes_total: u32,
        ok_total_unready: Option<u32>,
        max_total_unready_pct: Option<f64>,
    }
    let case: Inputs = inputs(case)?;
    let options = &case.options;
    let shape = |amounts: Amounts| {
        let effect = TaintEffect::NoSchedule;
        let taint = Taint { key: GPU_TAINT.into(), value: String::new(), effect };
        let taints = if amounts.gpu > 0 { vec![taint] } else { Vec::new() };
        NodeShape { taints, ..amounts.shape() }
    };
    let specs: Vec<_> = case
        .pending_pods
        .iter()
        .map(|pod| {
            let toleration = Toleration { key: Some(GPU_TAINT.into()), value: None, effect: None };
            let tolerations = if pod.tolerates_gpu_taint { vec![toleration] } else { Vec::new() };
            PodSpec { tolerations, ..pod.amounts.spec() }
        })
        .collect();
    // Pods without a controller each stand alone.
    let pods: Vec<_> = specs.iter().map(|spec| PodGroup { spec, count: 1 }).collect();

    let mut groups = case.groups.clone();
    for node in case.nodes.iter().filter(|node| !node.group.is_empty()) {
        if !groups.iter().any(|group| group.name == node.group) {
            groups.push(Group { name: node.group.clone(), min: 1, max: 10, target: None });
        }
    }
    let nodes_of = |group: &Group| {
        case.nodes.iter().filter(|node| node.group == group.name).collect::<Vec<_>>()
    };
    let shapes: Vec<_> = groups
        .iter()
        .map(|group| {
            let given = case.templates.get(&group.name).copied();
            given
                .or_else(|| nodes_of(group).first().map(|node| node.amounts))
                .map(|amounts| Arc::new(shape(amounts)))
        })
        .collect();
    let limits = HealthLimits {
        count: options.ok_total_unready.unwrap_or(3),
        percentage: options.max_total_unready_pct.unwrap_or(45.0),
    };
    let pools = groups.iter().zip(&shapes).filter_map(|(group, shape)| {
        let nodes = nodes_of(group);
        let registered = u32::try_from(nodes.len()).expect("few nodes");
        let ready = nodes.iter().filter(|node| node.ready).map(|_| 1).sum();
        let readiness =
            Readiness { registered, ready, unready: registered - ready, ..Readiness::default() };
        let target = group.target.unwrap_or(registered);
        let healthy = is_healthy(&readiness, &acceptable_range(target, 0, 0, 0), target, limits);
        Some(Pool {
            name: &group.name,
            shape: shape.as_ref()?,
            max: group.max,
            target,
            zero_or_max: options.zero_or_max,
            standing: if healthy { Standing::Good } else { Standing::Unhealthy },
            price: None,
        })
    });
    let pools: Vec<_> = pools.collect();
    let cluster = Quota {
        name: "cluster-wide".into(),
        cores: Some(options.max_cores.unwrap_or(320_000)),
        memory: Some(options.max_memory_bytes.map_or(Bytes::from_gib(6_400_000), Bytes)),
        ..Quota::default()
    };
    let quotas: Vec<_> = std::iter::once(cluster)
        .chain(case.quotas.iter().enumerate().map(|(place, limit)| limit.quota(place + 1)))
        .collect();
    let node_shapes: Vec<_> = case.nodes.iter().map(|node| shape(node.amounts)).collect();
    let counted = case.nodes.iter().zip(&node_shapes);
    let counted = counted.map(|(node, shape)| {
        (Some(node.group.as_str()).filter(|group| !group.is_empty()), shape, 1)
    });
    let tracker = Tracker::new(&quotas, &counted);
    let rules = Rules {
        max_nodes_total: options.max_nodes_total,
        all_or_nothing: options.all_or_nothing,
        ..rules(None)
    };
    let cluster_nodes = u32::try_from(case.nodes.len()).expect("few nodes");
    let found = run(&pools, &pods, tracker, cluster_nodes, &rules, case.expander_picks.as_ref());
    let names: Vec<_> = case.pending_pods.iter().map(|pod| &*pod.name).collect();
    Ok(described(&found, &pools, &names))
}

/// What came of a scale-up of pods that each stand alone.
fn described(found: &ScaleUp, pools: &[Pool<'_>], names: &[&str]) -> Value {
    let pick = |keep: &dyn Fn(usize) -> bool| -> Vec<&str> {
        (0..names.len()).filter(|&pod| keep(pod)).map(|pod| names[pod]).collect()
    };
    let option = |option: &policies::cluster_autoscaler::scale_up::ScaleUpOption| json!({ "group": pools[option.pool].name, "delta": option.estimate.nodes });
    // The option that was picked comes first, as upstream's tests list them.
    let mut options: Vec<_> = found.options.iter().collect();
    options.sort_by_key(|option| found.chosen() != Some(option));
    let options: Vec<_> = options.into_iter().map(option).collect();
    let not_all = found.verdict == Verdict::NotAll;
    let remaining = pick(&|pod| not_all || !found.helps(pod));
    let skipped = found.skipped.iter().map(|(pool, skip)| format!("{}: {skip}", pools[*pool].name));
    let mut reasons: Vec<_> = skipped.collect();
    if not_all {
        reasons.push("all-or-nothing scale-up strategy".into());
    }
    match (&found.verdict, found.chosen()) {
        (Verdict::Grow { increases, .. }, Some(chosen)) => {
            let own = increases.iter().find(|increase| increase.pool == chosen.pool);
            let takes = found.takes[chosen.pool].as_ref().expect("it may grow");
            json!({
                "result": "success",
                "group": pools[chosen.pool].name,
                "delta": own.map_or(0, |increase| increase.by),
                "pods_triggered": pick(&|pod| chosen.estimate.placed[pod] > 0),
                "pods_remaining": remaining,
                "pods_awaiting": pick(&|pod| found.helps(pod) && !takes.contains(&pod)),
                "options": options,
            })
        }
        (Verdict::ClusterFull, _) => json!({
            "result": "error",
            "reason": "max node total count already reached",
            "options": options,
        }),
        _ => json!({
            "result": "no_options",
            "reason": reasons.join("; "),
            "pods_remaining": remaining,
            "options": options,
        }),
    }
}

fn balance_scale_up(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        groups: Vec<Group>,
        new_nodes: u32,
    }
    let case: Inputs = inputs(case)?;
    let shares: Vec<_> = case
        .groups
        .iter()
        .enumerate()
        .map(|(pool, group)| Share { pool, size: group.target.unwrap_or(0), max: group.max })
        .collect();
    let found = balance(&shares, case.new_nodes);
    let sizes: BTreeMap<_, _> =
        found.iter().map(|share| (&case.groups[share.pool].name, share.size)).collect();
    let mut multiset: Vec<_> = sizes.values().copied().collect();
    multiset.sort_unstable();
    Ok(json!({
        "new_sizes": sizes,
        "changed_groups": sizes.keys().collect::<Vec<_>>(),
        "sizes_multiset": multiset,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    #[serde(flatten)]
    amounts: Amounts,
    count: u32,
}

/// Targets after a scale-up of equal pools that share new nodes.
fn targets_after(
    groups: &[(String, Group)],
    node: Amounts,
    pending: &[Pending],
    quotas: &[Quota],
    pick: Option<&Pick>,
) -> BTreeMap<String, u32> {
    let shape = Arc::new(node.shape());
    let pools: Vec<_> = groups
        .iter()
        .map(|(name, group)| Pool {
            name,
            shape: &shape,
            max: group.max,
            target: group.target.unwrap_or(1),
            zero_or_max: false,
            standing: Standing::Good,
            price: None,
        })
        .collect();
    let specs: Vec<_> = pending.iter().map(|pods| pods.amounts.spec()).collect();
    let pods: Vec<_> = specs
        .iter()
        .zip(pending)
        .map(|(spec, pods)| PodGroup { spec, count: pods.count })
        .collect();
    let tracker = Tracker::new(
        quotas,
        &pools.iter().map(|pool| (Some(pool.name), &**pool.shape, pool.target)),
    );
    let nodes = pools.iter().map(|pool| pool.target).sum();
    let similarity = Similarity::default();
    let found = run(&pools, &pods, tracker, nodes, &rules(Some(&similarity)), pick);
    let mut targets: BTreeMap<_, _> =
        pools.iter().map(|pool| (pool.name.to_owned(), pool.target)).collect();
    if let Verdict::Grow { increases, .. } = &found.verdict {
        for increase in increases {
            *targets.get_mut(pools[increase.pool].name).expect("its own pool") += increase.by;
        }
    }
    targets
}

fn balanced(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        groups: Vec<Group>,
        node: Amounts,
        #[expect(dead_code, reason = "the scale-up itself looks at no running pod")]
        pod_per_existing_node_cpu_m: u64,
        pending: Vec<Pending>,
    }
    let case: Inputs = inputs(case)?;
    let groups: Vec<_> = case.groups.into_iter().map(|group| (group.name.clone(), group)).collect();
    let targets = targets_after(&groups, case.node, &case.pending, &[], None);
    Ok(json!({ "group_targets": targets }))
}

fn balanced_quota(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        groups: BTreeMap<String, Group>,
        node: Amounts,
        pending: Vec<Pending>,
        expander_picks: Pick,
        quota: Limit,
    }
    let case: Inputs = inputs(case)?;
    let groups: Vec<_> = case.groups.into_iter().collect();
    let quotas = [case.quota.quota(1)];
    let pick = Some(&case.expander_picks);
    let targets = targets_after(&groups, case.node, &case.pending, &quotas, pick);
    Ok(json!({ "group_targets": targets }))
}

fn similar_groups(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        group: String,
        similar_by_shape: Vec<String>,
        #[expect(dead_code, reason = "pools of another shape never come into question")]
        others: Vec<String>,
        balance_similar: bool,
        schedulable_pod_groups: BTreeMap<String, Vec<String>>,
    }
    let case: Inputs = inputs(case)?;
    let names: BTreeSet<_> = case.schedulable_pod_groups.values().flatten().collect();
    let number = |name: &String| names.iter().position(|known| *known == name).expect("listed");
    let pools: Vec<_> = std::iter::once(&case.group).chain(&case.similar_by_shape).collect();
    let takes: Vec<Option<Vec<usize>>> = pools
        .iter()
        .map(|pool| Some(case.schedulable_pod_groups.get(*pool)?.iter().map(number).collect()))
        .collect();
    let alike = if case.balance_similar { 1..pools.len() } else { 1..1 };
    let found = similar_pools(0, alike, |pool| takes[pool].as_deref());
    Ok(json!({ "similar": found.into_iter().map(|pool| pools[pool]).collect::<Vec<_>>() }))
}

fn provider_errors(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        groups: BTreeMap<String, Group>,
        balance_similar: bool,
        parallel: bool,
        provider_fails: String,
        pending: Vec<Pending>,
    }
    let case: Inputs = inputs(case)?;
    // Nodes of upstream's test hold one of its pods.
    let shape = Arc::new(Amounts { cpu_m: 1500, memory: 1000, gpu: 0 }.shape());
    let pools: Vec<_> = case
        .groups
        .iter()
        .map(|(name, group)| Pool {
            name,
            shape: &shape,
            max: group.max,
            target: group.target.unwrap_or(1),
            zero_or_max: false,
            standing: Standing::Good,
            price: None,
        })
        .collect();
    let specs: Vec<_> = case.pending.iter().map(|pods| pods.amounts.spec()).collect();
    let pods: Vec<_> = specs
        .iter()
        .zip(&case.pending)
        .map(|(spec, pods)| PodGroup { spec, count: pods.count })
        .collect();
    let similarity = Similarity::default();
    let balance = case.balance_similar.then_some(&similarity);
    let tracker = Tracker::new(&[], &std::iter::empty());
    let nodes = pools.iter().map(|pool| pool.target).sum();
    let found = run(&pools, &pods, tracker, nodes, &rules(balance), None);
    let Verdict::Grow { increases, .. } = &found.verdict else {
        return Err("nothing grows".into());
    };
    let mut targets: Vec<_> = pools.iter().map(|pool| pool.target).collect();
    let mut calls = 0;
    let executed = execute(increases, case.parallel, |increase: &Increase| {
        // The provider of upstream's test raises the target before it fails.
        targets[increase.pool] += increase.by;
        calls += 1;
        let fails = match case.provider_fails.as_str() {
            "always" => true,
            "once" => calls == 1,
            _ => false,
        };
        if fails { Err("cloud provider error") } else { Ok(()) }
    });
    let wanted: u32 = pods.iter().map(|group| group.count).sum();
    let remaining = if executed.helps() { 0 } else { wanted };
    Ok(json!({
        "total_target": targets.iter().sum::<u32>(),
        "pods_remaining": remaining,
        "error": executed.refused.first().map(|(_, error)| error),
    }))
}

fn acceptable_ranges(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        target: BTreeMap<String, u32>,
        readiness: BTreeMap<String, BTreeMap<String, u32>>,
        scale_up_increase: BTreeMap<String, u32>,
        nodes_being_deleted: BTreeMap<String, u32>,
    }
    let case: Inputs = inputs(case)?;
    let of = |counts: &BTreeMap<String, u32>, name: &str| counts.get(name).copied().unwrap_or(0);
    let range = |(name, &target): (&String, &u32)| {
        let long = case.readiness.get(name).map_or(0, |counts| of(counts, "long_unregistered"));
        let (increase, deleted) =
            (of(&case.scale_up_increase, name), of(&case.nodes_being_deleted, name));
        let range = acceptable_range(target, long, increase, deleted);
        (name.clone(), json!({ "min": range.start(), "max": range.end(), "target": target }))
    };
    let ranges: BTreeMap<_, _> = case.target.iter().map(range).collect();
    Ok(json!({ "ranges": ranges }))
}

/// Times of `incorrect_group_size` are about now, some before it: its clock starts a day earlier.
const NOW_S: f64 = 86_400.0;

fn incorrect_group_size(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        target: BTreeMap<String, u32>,
        registered: BTreeMap<String, u32>,
        unregistered_total: BTreeMap<String, u32>,
        previous: BTreeMap<String, Wrong>,
    }
    #[derive(Clone, Copy, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wrong {
        current: u32,
        expected: u32,
        since_s: f64,
    }
    let case: Inputs = inputs(case)?;
    let at = |second: f64| seconds::instant(NOW_S + second);
    let mut incorrect = BTreeMap::new();
    for (name, &registered) in &case.registered {
        let previous = case.previous.get(name).map(|old| IncorrectSize {
            current: old.current,
            expected: old.expected,
            since: at(old.since_s),
        });
        let unregistered = case.unregistered_total.get(name).copied().unwrap_or(0);
        let target = case.target.get(name).copied().unwrap_or(0);
        if let Some(wrong) = incorrect_size(registered, target, unregistered, previous, at(0.0)) {
            let since = wrong.since.as_secs_f64() - NOW_S;
            let IncorrectSize { current, expected, .. } = wrong;
            let wrong = json!({ "current": current, "expected": expected, "since_s": since });
            incorrect.insert(name, wrong);
        }
    }
    Ok(json!({ "incorrect": incorrect }))
}

fn group_backoff(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        initial_s: f64,
        max_s: f64,
        reset_s: f64,
        steps: Vec<Step>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Step {
        at_s: f64,
        query: Option<String>,
        fail: Option<String>,
        #[serde(default)]
        purge: bool,
    }
    let case: Inputs = inputs(case)?;
    let rules = BackoffRules {
        initial: seconds::length(case.initial_s),
        max: seconds::length(case.max_s),
        reset: seconds::length(case.reset_s),
    };
    let mut backoffs: BTreeMap<String, Backoff> = BTreeMap::new();
    let mut observed = Vec::new();
    for step in case.steps {
        let now: Instant = seconds::instant(step.at_s);
        if let Some(group) = step.fail {
            let previous = backoffs.get(&group).copied();
            backoffs.insert(group, Backoff::after_failure(previous, now, rules));
        }
        if let Some(group) = step.query {
            observed.push(json!(backoffs.get(&group).is_some_and(|found| found.blocks(now))));
        }
        if step.purge {
            backoffs.retain(|_, backoff| !backoff.is_stale(now, rules));
            observed.push(json!(format!("entries:{}", backoffs.len())));
        }
    }
    Ok(json!({ "observed": observed }))
}
