//! kube-scheduler's scores, which the scheduler and the node autoscalers share.

use crate::case::{Check, inputs, seconds};
use placement::Queue;
use placement::score::{
    Load, ShapePoint, balance_change, evenness, least_allocated, most_allocated, piecewise,
    requested_to_capacity_ratio,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("balanced_allocation", balanced_allocation),
    ("broken_linear", broken_linear),
    ("node_resources_score", node_resources_score),
    ("pod_backoff", pod_backoff),
    ("unschedulable_flush", unschedulable_flush),
];

type Amounts = BTreeMap<String, u64>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    alloc: Amounts,
    requested: Amounts,
}

fn amount(amounts: &Amounts, resource: &str) -> u64 {
    amounts.get(resource).copied().unwrap_or(0)
}

/// What a node's resources would carry. Left out: what it does not have, and extended resources that the pod
/// does not ask for.
fn loads(node: &Node, pod: &Amounts, resources: &[(String, u64)]) -> Vec<Load> {
    let load = |(name, weight): &(String, u64)| {
        let request = amount(pod, name);
        let allocatable = amount(&node.alloc, name);
        let counts = matches!(name.as_str(), "cpu" | "memory") || request > 0;
        let used = amount(&node.requested, name);
        let load = Load { used, request, allocatable, weight: *weight };
        (counts && allocatable > 0).then_some(load)
    };
    resources.iter().filter_map(load).collect()
}

fn points(shape: &[(i64, i64)]) -> Vec<ShapePoint> {
    shape.iter().map(|&(utilization, score)| ShapePoint { utilization, score }).collect()
}

fn node_resources_score(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        strategy: String,
        resources: Vec<Resource>,
        pod: Amounts,
        nodes: Vec<Node>,
        #[serde(default)]
        shape: Vec<(i64, i64)>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Resource {
        name: String,
        weight: u64,
    }
    let case: Inputs = inputs(case)?;
    let resources: Vec<_> =
        case.resources.into_iter().map(|resource| (resource.name, resource.weight)).collect();
    let shape = points(&case.shape);
    let mut scores = Vec::new();
    for node in &case.nodes {
        let loads = loads(node, &case.pod, &resources).into_iter();
        scores.push(match case.strategy.as_str() {
            "LeastAllocated" => least_allocated(loads),
            "MostAllocated" => most_allocated(loads),
            "RequestedToCapacityRatio" => requested_to_capacity_ratio(loads, &shape),
            other => return Err(format!("strategy `{other}` is not known")),
        });
    }
    Ok(json!({ "scores": scores }))
}

fn broken_linear(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        shape: Vec<(i64, i64)>,
        p: i64,
    }
    let case: Inputs = inputs(case)?;
    Ok(json!({ "value": piecewise(&points(&case.shape), case.p, 1) }))
}

fn balanced_allocation(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        variant: String,
        resources: Vec<String>,
        pod: Amounts,
        nodes: Vec<Node>,
    }
    let case: Inputs = inputs(case)?;
    if case.pod.values().all(|&request| request == 0) {
        return Ok(json!({ "skip": true }));
    }
    let resources: Vec<_> = case.resources.into_iter().map(|name| (name, 1)).collect();
    let score = |node: &Node| {
        let loads = loads(node, &case.pod, &resources).into_iter();
        match case.variant.as_str() {
            "classic" => evenness(loads.map(|load| load.fraction_with_pod())),
            _ => balance_change(loads),
        }
    };
    Ok(json!({ "scores": case.nodes.iter().map(score).collect::<Vec<_>>() }))
}

fn pod_backoff(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        attempts: u32,
        initial_s: f64,
        max_s: f64,
    }
    let case: Inputs = inputs(case)?;
    let queue = Queue {
        backoff_initial: seconds::length(case.initial_s),
        backoff_max: seconds::length(case.max_s),
        ..Queue::default()
    };
    Ok(json!({ "backoff_s": queue.backoff(case.attempts).as_secs_f64() }))
}

fn unschedulable_flush(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        in_unschedulable_s: f64,
        limit_s: f64,
        check_interval_s: f64,
    }
    let case: Inputs = inputs(case)?;
    let queue = Queue {
        unschedulable_flush: seconds::length(case.limit_s),
        flush_interval: seconds::length(case.check_interval_s),
        ..Queue::default()
    };
    let now = seconds::instant(case.in_unschedulable_s);
    Ok(json!({ "flushed": queue.is_flushed(contract::Instant::ZERO, now) }))
}
