//! Cluster Autoscaler's expanders.

use crate::ca::{Amounts, named};
use crate::case::{Check, inputs};
use contract::{MilliCpu, Resources};
use policies::cluster_autoscaler::expander::{
    Expander, GrpcReply, Offer, Preferences, PriorityTier, chain, preferred_cpu, unfitness, waste,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("chain_of_filters", chain_of_filters),
    ("grpc_expander", grpc_expander),
    ("least_nodes", least_nodes),
    ("least_waste", least_waste),
    ("most_pods", most_pods),
    ("price", price),
    ("price_node_unfitness", price_node_unfitness),
    ("price_preferred_node", price_preferred_node),
    ("priority", priority),
];

const NO_GRPC: GrpcReply = GrpcReply::Error;

fn preferences<'a>(priorities: &'a [PriorityTier], grpc: &'a GrpcReply) -> Preferences<'a> {
    Preferences { priorities, grpc, stabilisation: None, preferred_cpu: MilliCpu(0) }
}

fn offer(pool: &str) -> Offer<'_> {
    Offer {
        pool,
        nodes: 0,
        pods: 0,
        requests: Resources::default(),
        capacity: None,
        has_gpus: false,
        exists: true,
        node_price: None,
        pods_price: None,
    }
}

/// Names of what one expander keeps.
fn kept<'a>(
    expander: Expander,
    offers: &[Offer<'a>],
    preferences: &Preferences<'_>,
) -> Vec<&'a str> {
    let names: Vec<_> = offers.iter().map(|offer| offer.pool).collect();
    named(&names, expander.keep(offers, (0..offers.len()).collect(), preferences))
}

fn least_waste(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        nodes: BTreeMap<String, Amounts>,
        options: Vec<Choice>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Choice {
        group: String,
        node_count: u32,
        pods: Vec<Amounts>,
    }
    let case: Inputs = inputs(case)?;
    let offers = case.options.iter().map(|option| Offer {
        nodes: option.node_count,
        requests: option.pods.iter().fold(Resources::default(), |sum, pod| sum + pod.resources()),
        capacity: case.nodes.get(&option.group).map(|node| node.resources()),
        ..offer(&option.group)
    });
    let offers: Vec<_> = offers.collect();
    let scores: BTreeMap<_, _> =
        offers.iter().filter_map(|offer| Some((offer.pool, waste(offer)?))).collect();
    let best = kept(Expander::LeastWaste, &offers, &preferences(&[], &NO_GRPC));
    Ok(json!({ "best": best, "scores": scores }))
}

/// Options of `most_pods` and `least_nodes`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    options: Vec<CountedChoice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CountedChoice {
    group: String,
    #[serde(default)]
    pod_count: u32,
    #[serde(default)]
    node_count: u32,
}

fn by_count(case: Value, expander: Expander) -> Result<Value, String> {
    let case: Counted = inputs(case)?;
    let offers: Vec<_> = case
        .options
        .iter()
        .map(|option| Offer {
            nodes: option.node_count,
            pods: option.pod_count,
            ..offer(&option.group)
        })
        .collect();
    Ok(json!({ "best": kept(expander, &offers, &preferences(&[], &NO_GRPC)) }))
}

fn most_pods(case: Value) -> Result<Value, String> {
    by_count(case, Expander::MostPods)
}

fn least_nodes(case: Value) -> Result<Value, String> {
    by_count(case, Expander::LeastNodes)
}

fn price(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        preferred_node_cpu_m: u64,
        pod_price: BTreeMap<String, f64>,
        node_price: BTreeMap<String, f64>,
        options: Vec<Choice>,
        node_cpu_m: BTreeMap<String, u64>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Choice {
        group: String,
        node_count: u32,
        pods: Vec<String>,
        exists: bool,
        has_gpu: bool,
    }
    let case: Inputs = inputs(case)?;
    let offers = case.options.iter().map(|option| Offer {
        nodes: option.node_count,
        capacity: case
            .node_cpu_m
            .get(&option.group)
            .map(|&cpu_m| Amounts { cpu_m, ..Amounts::default() }.resources()),
        has_gpus: option.has_gpu,
        exists: option.exists,
        node_price: case.node_price.get(&option.group).copied(),
        pods_price: option.pods.iter().map(|pod| case.pod_price.get(pod)).sum(),
        ..offer(&option.group)
    });
    let offers: Vec<_> = offers.collect();
    let preferences = Preferences {
        stabilisation: case.pod_price.get("stabilize").copied(),
        preferred_cpu: MilliCpu(case.preferred_node_cpu_m),
        ..preferences(&[], &NO_GRPC)
    };
    Ok(json!({ "best": kept(Expander::Price, &offers, &preferences) }))
}

fn price_preferred_node(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        cluster_nodes: u32,
    }
    let case: Inputs = inputs(case)?;
    Ok(json!({ "cpu": preferred_cpu(case.cluster_nodes).0 / 1000 }))
}

fn price_node_unfitness(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        preferred_cpu_m: u64,
        node_cpu_m: u64,
    }
    let case: Inputs = inputs(case)?;
    let found = unfitness(MilliCpu(case.preferred_cpu_m), MilliCpu(case.node_cpu_m));
    Ok(json!({ "unfitness": found }))
}

fn priority(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        config: Value,
        options: Vec<String>,
    }
    let case: Inputs = inputs(case)?;
    let tiers = PriorityTier::of_config(&case.config).unwrap_or_default();
    let offers: Vec<_> = case.options.iter().map(|name| offer(name)).collect();
    let best = kept(Expander::Priority, &offers, &preferences(&tiers, &NO_GRPC));
    Ok(json!({ "best": best }))
}

fn chain_of_filters(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        filters: Vec<Filter>,
        fallback: Fallback,
        options: Vec<String>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        keep_if_contains: String,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fallback {
        pick_first_containing: String,
    }
    let case: Inputs = inputs(case)?;
    let keep = |filter: &Filter, mut left: Vec<usize>| {
        left.retain(|&place| case.options[place].contains(&filter.keep_if_contains));
        left
    };
    let left = chain(&case.filters, (0..case.options.len()).collect(), keep);
    let picks =
        |&&place: &&usize| case.options[place].contains(&case.fallback.pick_first_containing);
    let best = if let [only] = &left[..] { Some(only) } else { left.iter().find(picks) };
    Ok(json!({ "best": best.map(|&place| &case.options[place]) }))
}

fn grpc_expander(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        options: Vec<String>,
        server_reply: Reply,
    }
    #[derive(Deserialize)]
    struct Reply {
        options: Option<Vec<Option<String>>>,
    }
    let case: Inputs = inputs(case)?;
    let reply = match case.server_reply.options {
        Some(names) if names.is_empty() => GrpcReply::Pools(Vec::new()),
        // A reply of null entries alone names no option.
        Some(names) => GrpcReply::Pools(names.into_iter().map(Option::unwrap_or_default).collect()),
        None => GrpcReply::Error,
    };
    let offers: Vec<_> = case.options.iter().map(|name| offer(name)).collect();
    let best = kept(Expander::Grpc, &offers, &preferences(&[], &reply));
    Ok(json!({ "best": if best.is_empty() { None } else { Some(best) } }))
}
