//! Cluster Autoscaler's bin-packing estimator and its limits.

use crate::ca::{Amounts, named};
use crate::case::{Check, inputs, seconds};
use contract::{Constraints, Micros, NodeId, NodeShape, PodSpec, Selector, TopologySpread};
use placement::Cluster;
use policies::cluster_autoscaler::PodGroup;
use policies::cluster_autoscaler::estimator::{
    Limiter, Surroundings, Threshold, cluster_limit, decreasing_order, estimate, fastpath_group,
    similar_pools_limit, stricter,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("binpacking_estimate", binpacking_estimate),
    ("cluster_capacity_limit", cluster_capacity_limit),
    ("combine_limits", combine_limits),
    ("decreasing_order", order),
    ("estimation_limiter", estimation_limiter),
    ("fastpath_group_choice", fastpath_group_choice),
    ("similar_groups_capacity_limit", similar_groups_capacity_limit),
];

#[derive(Deserialize)]
struct Node {
    #[serde(flatten)]
    amounts: Amounts,
    pods: u32,
    zone: Option<String>,
}

impl Node {
    fn zone(&self) -> Option<Arc<str>> {
        self.zone.as_deref().map(Arc::from)
    }

    fn shape(&self) -> NodeShape {
        NodeShape { pod_limit: self.pods, ..self.amounts.shape() }
    }
}

#[derive(Deserialize)]
struct Group {
    #[serde(flatten)]
    amounts: Amounts,
    count: u32,
    topology_spread: Option<Spread>,
}

#[derive(Deserialize)]
struct Spread {
    key: String,
    max_skew: u32,
    min_domains: u32,
}

impl Group {
    /// Pods of a group spread among themselves.
    fn spec(&self) -> PodSpec {
        let constraints = self.topology_spread.as_ref().map(|spread| {
            let labels = BTreeMap::from([("app".to_owned(), "estimatee".to_owned())]);
            let spread = TopologySpread {
                max_skew: spread.max_skew,
                min_domains: spread.min_domains,
                topology_key: spread.key.clone(),
                selector: Selector::of_labels([("app", "estimatee")]),
            };
            Arc::new(Constraints {
                labels,
                topology_spread: vec![spread],
                ..Constraints::default()
            })
        });
        PodSpec { constraints, ..self.amounts.spec() }
    }
}

fn specs(groups: &[Group]) -> Vec<PodSpec> {
    groups.iter().map(Group::spec).collect()
}

fn pod_groups<'a>(groups: &[Group], specs: &'a [PodSpec]) -> Vec<PodGroup<'a>> {
    let groups = groups.iter().zip(specs);
    groups.map(|(group, spec)| PodGroup { spec, count: group.count }).collect()
}

fn binpacking_estimate(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    struct Inputs {
        template: Node,
        max_nodes: i64,
        pod_groups: Vec<Group>,
        #[serde(default)]
        existing_nodes: Vec<Node>,
    }
    let case: Inputs = inputs(case)?;
    let specs = specs(&case.pod_groups);
    let groups = pod_groups(&case.pod_groups, &specs);
    let limiter = Limiter::of(&[Threshold::nodes(case.max_nodes)]);
    let mut cluster = Cluster::default();
    let mut nodes = Vec::new();
    for (id, node) in (0..).map(NodeId).zip(&case.existing_nodes) {
        cluster.add_node(id, &Arc::new(node.shape()), node.zone().as_ref());
        nodes.push(id);
    }
    let around = Surroundings { cluster, nodes, zone: case.template.zone() };
    let shape = Arc::new(case.template.shape());
    let found = estimate(&shape, &groups, limiter, false, Some(&around));
    Ok(json!({ "node_count": found.nodes, "scheduled_pods": found.pods() }))
}

fn fastpath_group_choice(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    struct Inputs {
        template: Node,
        pod_groups: Vec<Group>,
    }
    let case: Inputs = inputs(case)?;
    let specs = specs(&case.pod_groups);
    let groups = pod_groups(&case.pod_groups, &specs);
    let found = fastpath_group(&groups, &case.template.amounts.resources());
    Ok(json!({ "index": found.map_or(-1, |place| i64::try_from(place).expect("few groups")) }))
}

fn order(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    struct Inputs {
        node: Amounts,
        groups: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        name: String,
        #[serde(flatten)]
        amounts: Amounts,
    }
    let case: Inputs = inputs(case)?;
    let specs: Vec<_> = case.groups.iter().map(|group| group.amounts.spec()).collect();
    let groups: Vec<_> = specs.iter().map(|spec| PodGroup { spec, count: 1 }).collect();
    let names: Vec<_> = case.groups.iter().map(|group| &*group.name).collect();
    let order = decreasing_order(&groups, &case.node.resources());
    Ok(json!({ "order": named(&names, order) }))
}

fn estimation_limiter(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        thresholds: Vec<Limit>,
        elapsed_at_start_s: f64,
        operations: Vec<String>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Limit {
        nodes: i64,
        duration_s: i64,
    }
    let case: Inputs = inputs(case)?;
    let threshold =
        |limit: &Limit| Threshold { nodes: limit.nodes, micros: limit.duration_s * 1_000_000 };
    let thresholds: Vec<_> = case.thresholds.iter().map(threshold).collect();
    let mut limiter = Limiter::of(&thresholds);
    let mut elapsed = seconds::length(case.elapsed_at_start_s);
    let mut grants = Vec::new();
    for operation in &case.operations {
        match operation.as_str() {
            "ask" => grants.push(limiter.grant(elapsed)),
            "reset" | "restart" | "start" | "end" => {
                limiter = Limiter::of(&thresholds);
                elapsed = Micros::ZERO;
            }
            other => return Err(format!("operation `{other}` is not known")),
        }
    }
    Ok(json!({ "grants": grants, "nodes_granted": limiter.granted() }))
}

fn combine_limits(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        base: i64,
        target: i64,
    }
    let case: Inputs = inputs(case)?;
    Ok(json!({ "limit": stricter(case.base, case.target) }))
}

fn similar_groups_capacity_limit(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        similar: Vec<Size>,
        group: Size,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Size {
        max: u32,
        target: u32,
    }
    let case: Inputs = inputs(case)?;
    let pools = std::iter::once(&case.group).chain(&case.similar);
    Ok(json!({ "limit": similar_pools_limit(pools.map(|size| (size.max, size.target))) }))
}

fn cluster_capacity_limit(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        max_nodes_total: i64,
        current_nodes: i64,
    }
    let case: Inputs = inputs(case)?;
    Ok(json!({ "limit": cluster_limit(case.max_nodes_total, case.current_nodes) }))
}
