//! Karpenter: which nodes go, and what takes their place.

use crate::case::{Check, inputs, seconds};
use crate::karpenter_provision::{OfferingInput, capacity_type};
use contract::{DoNotDisrupt, Micros, NodeShape, PoolId, Resources, UsdPerHour};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use policies::karpenter::disruption::balanced::{self, K, PoolShare, Totals};
use policies::karpenter::disruption::budgets::{Budget, Counted, DisruptionReason, allowed, room};
use policies::karpenter::disruption::candidate::{
    self, Class, NodeGuard, Occupant, PodGuard, is_empty, may_receive,
};
use policies::karpenter::disruption::consolidation::{
    Keep, Rules, Source, Verdict, Without, below_same_type, decide,
};
use policies::karpenter::disruption::cost::{Version, eviction};
use policies::karpenter::disruption::methods::{largest_prefix, within};
use policies::karpenter::instance_type::{CapacityType, InstanceType, Offering};
use policies::karpenter::min_values::Minimums;
use policies::karpenter::price::worst_launch;
use policies::karpenter::repair;
use policies::karpenter::requirements::{
    CAPACITY_TYPE_KEY, INSTANCE_TYPE_KEY, Operator, PoolRequirement, Requirements,
};
use policies::karpenter::static_pool;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("allowed_by_budgets", allowed_by_budgets),
    ("budget_active", budget_active),
    ("candidate_filter", candidate_filter),
    ("candidate_order", candidate_order),
    ("consolidate_after_destination", consolidate_after_destination),
    ("consolidation_decision", consolidation_decision),
    ("disrupt_with_budget", disrupt_with_budget),
    ("disruption_budget_mapping", disruption_budget_mapping),
    ("do_not_disrupt", do_not_disrupt),
    ("evaluate_balanced", evaluate_balanced),
    ("eviction_cost", eviction_cost),
    ("filter_out_same_type", filter_out_same_type),
    ("node_empty", node_empty),
    ("node_repair_allowed", node_repair_allowed),
    ("pool_totals", pool_totals),
    ("savings_ratio", savings_ratio),
    ("score_move", score_move),
    ("static_drift", static_drift),
    ("static_pool", static_pool_change),
    ("worst_launch_price", worst_launch_price),
];

/// The cases describe 1.14.
const VERSION: Version = Version::V1_14;

/// A number, or `"inf"`.
fn number(value: f64) -> Value {
    if value.is_infinite() { json!("inf") } else { json!(value) }
}

fn score_move(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        savings: f64,
        disruption: f64,
        pool_cost: f64,
        pool_disruption: f64,
        k: f64,
    }
    let case: Inputs = inputs(case)?;
    let pool = Totals { cost: case.pool_cost, disruption: case.pool_disruption };
    let score = balanced::score(case.savings, case.disruption, pool);
    Ok(json!({ "score": number(score), "approved": balanced::approves(score, case.k) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CostedNode {
    price: f64,
    pod_costs: Vec<f64>,
}

impl CostedNode {
    fn totals(&self) -> Totals {
        let disruption = VERSION.disruption(self.pod_costs.iter().copied(), 1.0);
        Totals { cost: self.price, disruption }
    }
}

fn evaluate_balanced(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        pools: BTreeMap<String, Pool>,
        delete: Vec<(String, usize)>,
        #[serde(default)]
        replacement_price: f64,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pool {
        policy: String,
        nodes: Vec<CostedNode>,
    }
    let case: Inputs = inputs(case)?;
    let mut shares = Vec::new();
    for (name, pool) in &case.pools {
        let going: Vec<_> =
            case.delete.iter().filter(|(of, _)| of == name).map(|&(_, place)| place).collect();
        if !going.is_empty() {
            shares.push(PoolShare {
                name: name.as_str().into(),
                is_balanced: pool.policy == "Balanced",
                all: Totals::of(pool.nodes.iter().map(CostedNode::totals)),
                going: Totals::of(going.into_iter().map(|place| pool.nodes[place].totals())),
            });
        }
    }
    let replacements = UsdPerHour(case.replacement_price);
    let (approved, scores) = balanced::evaluate(&shares, replacements, K);
    let scores: BTreeMap<_, _> =
        scores.iter().map(|(name, &score)| (name.to_string(), number(score))).collect();
    Ok(json!({ "approved": approved, "scores": scores }))
}

fn savings_ratio(case: Value) -> Result<Value, String> {
    let node: CostedNode = inputs(case)?;
    let totals = node.totals();
    Ok(json!({ "ratio": totals.cost / totals.disruption }))
}

fn pool_totals(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        candidates: Vec<CostedNode>,
    }
    let case: Inputs = inputs(case)?;
    let totals = Totals::of(case.candidates.iter().map(CostedNode::totals));
    Ok(json!({ "cost": totals.cost, "disruption": totals.disruption }))
}

fn candidate_order(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        candidates: Vec<Candidate>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Candidate {
        name: String,
        price: f64,
        cost: f64,
    }
    let mut case: Inputs = inputs(case)?;
    case.candidates.sort_by(|a, b| VERSION.order((a.price, a.cost), (b.price, b.cost)));
    let order: Vec<_> = case.candidates.into_iter().map(|candidate| candidate.name).collect();
    Ok(json!({ "order": order }))
}

fn eviction_cost(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        #[serde(default)]
        deletion_cost: Value,
        #[serde(default)]
        priority: i32,
    }
    let case: Inputs = inputs(case)?;
    let deletion_cost = match &case.deletion_cost {
        Value::String(text) => text.parse().unwrap_or(0),
        other => other.as_i64().unwrap_or(0),
    };
    Ok(json!({ "cost": eviction(deletion_cost, case.priority) }))
}

fn moment(text: &str) -> Result<DateTime, String> {
    let at: Timestamp = text.parse().map_err(|error| format!("`{text}`: {error}"))?;
    Ok(TimeZone::UTC.to_datetime(at))
}

fn allowed_by_budgets(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        now: String,
        nodes: u32,
        budgets: Vec<Budget>,
        reason: DisruptionReason,
    }
    let case: Inputs = inputs(case)?;
    let now = moment(&case.now)?;
    Ok(json!({ "allowed": allowed(&case.budgets, case.nodes, case.reason, now) }))
}

fn budget_active(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        now: String,
        schedule: Option<String>,
        duration: Option<Micros>,
    }
    let case: Inputs = inputs(case)?;
    let (schedule, duration) = (case.schedule, case.duration);
    let budget = Budget { schedule, duration, ..Budget::always("1") };
    Ok(match budget.is_active(moment(&case.now)?) {
        Some(active) => json!({ "active": active }),
        None => json!({ "active": false, "error": "schedule" }),
    })
}

fn disruption_budget_mapping(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        pool_nodes: u32,
        /// Beside them: nodes that do not count.
        #[serde(default, rename = "uninitialized")]
        _uninitialized: u32,
        #[serde(default, rename = "instance_terminating")]
        _instance_terminating: u32,
        budget: String,
        #[serde(default)]
        not_ready: u32,
    }
    let case: Inputs = inputs(case)?;
    let counted = Counted { nodes: case.pool_nodes, going: case.not_ready };
    let budgets = [Budget::always(&case.budget)];
    let allowed = room(&budgets, counted, DisruptionReason::Underutilized, any_moment());
    Ok(json!({ "allowed": allowed }))
}

/// For budgets without a schedule.
fn any_moment() -> DateTime {
    jiff::civil::date(2024, 1, 1).at(0, 0, 0, 0)
}

fn disrupt_with_budget(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        method: String,
        pools: u32,
        nodes_per_pool: u32,
        budget: String,
        #[serde(default)]
        pod_cpu_m: u64,
        #[serde(default)]
        node_cpu_m: u64,
    }
    let case: Inputs = inputs(case)?;
    let budgets = [Budget::always(&case.budget)];
    let counted = Counted { nodes: case.nodes_per_pool, going: 0 };
    let reason = match case.method.as_str() {
        "Emptiness" => DisruptionReason::Empty,
        "MultiNode" => DisruptionReason::Underutilized,
        other => return Err(format!("method `{other}` is not known")),
    };
    let room = room(&budgets, counted, reason, any_moment());
    let name = |pool: u32| -> Arc<str> { format!("pool-{pool}").into() };
    let left = (0..case.pools).map(|pool| (name(pool), room)).collect();
    let nodes = (0..case.pools).flat_map(|pool| (0..case.nodes_per_pool).map(move |_| pool));
    let candidates = within(nodes, left, |&pool| name(pool));
    let all = case.pools * case.nodes_per_pool;
    let disrupted = if case.method == "Emptiness" {
        candidates.len()
    } else {
        // One pod a node: the pods of those that go must fit on those that stay.
        let fits = |going: usize| {
            let stay = u64::from(all) - going as u64;
            (stay > 0 && case.pod_cpu_m * u64::from(all) <= case.node_cpu_m * stay).then_some(())
        };
        largest_prefix(candidates.len(), fits).map_or(0, |(count, ())| count)
    };
    Ok(json!({ "disrupted": disrupted, "remaining": all as usize - disrupted }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeInput {
    name: String,
    capacity_type: String,
    price: f64,
    #[serde(rename = "zone")]
    _zone: String,
    pods: u32,
    r#type: Option<String>,
}

impl NodeInput {
    fn source(&self) -> Result<Source, String> {
        Ok(Source {
            instance: self
                .r#type
                .clone()
                .unwrap_or_else(|| format!("type of {}", self.name))
                .into(),
            capacity_type: capacity_type(&self.capacity_type)?,
            price: UsdPerHour(self.price),
        })
    }

    /// Every pod costs one.
    fn disruption(&self) -> f64 {
        VERSION.disruption((0..self.pods).map(|_| eviction(0, 0)), 1.0)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypeInput {
    name: String,
    offerings: Vec<OfferingInput>,
}

impl TypeInput {
    fn build(self) -> Result<InstanceType, String> {
        let offerings: Result<_, _> =
            self.offerings.into_iter().map(OfferingInput::build).collect();
        Ok(InstanceType {
            name: self.name.into(),
            shape: Arc::new(NodeShape::default()),
            capacity: Resources::default(),
            labels: BTreeMap::new(),
            offerings: offerings?,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionInputs {
    nodes: Vec<NodeInput>,
    #[serde(default)]
    types_that_fit: Vec<TypeInput>,
    #[serde(default)]
    required_capacity_types: Vec<String>,
    #[serde(default)]
    spot_to_spot: bool,
    new_nodes_needed: Option<usize>,
    /// `true`, `false`, or `only_uninitialized`.
    #[serde(default)]
    pods_fit_on_existing: Value,
    /// Pods that were pending before do not matter.
    #[serde(default, rename = "unschedulable_already_pending")]
    _unschedulable_already_pending: u32,
    multi: Option<bool>,
    policy: Option<String>,
    min_values_instance_type: Option<u32>,
    /// Consolidation never lowers minimums.
    #[serde(default, rename = "min_values_policy")]
    _min_values_policy: Option<String>,
}

fn consolidation_decision(case: Value) -> Result<Value, String> {
    let mut case: DecisionInputs = inputs(case)?;
    let sources: Result<Vec<_>, _> = case.nodes.iter().map(NodeInput::source).collect();
    let sources = sources?;
    let types: Result<Vec<_>, _> =
        std::mem::take(&mut case.types_that_fit).into_iter().map(TypeInput::build).collect();
    let types = types?;
    let listed: Vec<_> = types.iter().collect();
    let requirements = requirements(&case.required_capacity_types);
    let minimum = |least| (INSTANCE_TYPE_KEY.to_owned(), least);
    let minimums: Minimums = case.min_values_instance_type.map(minimum).into_iter().collect();
    let on_existing = case.pods_fit_on_existing == json!(true);
    let on_uninitialized = case.pods_fit_on_existing == json!("only_uninitialized");
    let without = Without {
        homeless: 0,
        on_uninitialized: usize::from(on_uninitialized),
        new_nodes: case.new_nodes_needed.unwrap_or(usize::from(!on_existing && !on_uninitialized)),
        types: &listed,
        requirements: &requirements,
        minimums: &minimums,
    };
    let multi_node = case.multi.unwrap_or(sources.len() > 1);
    let rules = Rules { spot_to_spot: case.spot_to_spot, multi_node };
    let verdict = decide(&sources, without, rules);
    if verdict == Verdict::Keep(Keep::SameType) {
        // One node of that type holds all the pods, so single-node consolidation, which is next, finds that those
        // of the first candidate fit on another.
        let mut order: Vec<_> = case.nodes.iter().collect();
        order.sort_by(|a, b| VERSION.order((a.price, a.disruption()), (b.price, b.disruption())));
        let rules = Rules { multi_node: false, ..rules };
        let single = decide(&[order[0].source()?], Without { new_nodes: 0, ..without }, rules);
        return Ok(described(&single, &case, &json!([order[0].name])));
    }
    Ok(described(&verdict, &case, &json!(sources.len())))
}

fn requirements(capacity_types: &[String]) -> Requirements {
    let requirement = PoolRequirement {
        key: CAPACITY_TYPE_KEY.into(),
        operator: Operator::In,
        values: capacity_types.to_vec(),
        min_values: None,
    };
    Requirements::of_pool(if capacity_types.is_empty() {
        &[]
    } else {
        std::slice::from_ref(&requirement)
    })
}

fn described(verdict: &Verdict<'_>, case: &DecisionInputs, candidates: &Value) -> Value {
    let keep = |reason: &str| json!({ "decision": "no-op", "reason": reason });
    match verdict {
        Verdict::Keep(why) => keep(match why {
            Keep::SpotToSpotDisabled => "spot_to_spot_disabled",
            Keep::MinValues => "minValues",
            other => other.word(),
        }),
        Verdict::Delete => json!({ "decision": "delete", "candidates": candidates }),
        Verdict::Replace(replacement) => {
            let first = replacement.types[0];
            let offered = first.suitable(&replacement.requirements).map(|one| one.price.0);
            let price = offered.fold(f64::INFINITY, f64::min);
            if case.policy.as_deref() == Some("Balanced") && !is_worth_it(case, price) {
                return keep("not worth its disruption");
            }
            let names: Vec<_> = replacement.types.iter().map(|instance| &*instance.name).collect();
            json!({
                "decision": "replace",
                "count": names.len(),
                "replacement_types": names,
                "capacity_type": replacement.capacity_type.map(CapacityType::label),
                "candidates": candidates,
            })
        }
    }
}

/// The pool of a case has no nodes beside those that go.
fn is_worth_it(case: &DecisionInputs, replacement: f64) -> bool {
    let totals = |node: &NodeInput| Totals { cost: node.price, disruption: node.disruption() };
    let all = Totals::of(case.nodes.iter().map(totals));
    let share = PoolShare { name: "default".into(), is_balanced: true, all, going: all };
    balanced::evaluate(&[share], UsdPerHour(replacement), K).0
}

fn filter_out_same_type(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        existing: Vec<Existing>,
        options: Vec<Named>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Existing {
        r#type: String,
        price: f64,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Named {
        name: String,
        price: f64,
    }
    let case: Inputs = inputs(case)?;
    let source = |node: Existing| Source {
        instance: node.r#type.into(),
        capacity_type: CapacityType::OnDemand,
        price: UsdPerHour(node.price),
    };
    let sources: Vec<_> = case.existing.into_iter().map(source).collect();
    let options: Vec<_> =
        case.options.iter().map(|option| (option.name.as_str(), option.price)).collect();
    Ok(json!({ "kept": below_same_type(&sources, &options) }))
}

fn worst_launch_price(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        offerings: Vec<Sold>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sold {
        ct: String,
        price: f64,
    }
    let case: Inputs = inputs(case)?;
    let build = |sold: Sold| {
        Ok(Offering {
            pool: PoolId(0),
            pool_name: "".into(),
            zone: "z".into(),
            capacity_type: capacity_type(&sold.ct)?,
            price: UsdPerHour(sold.price),
            available: true,
            reservation: None,
        })
    };
    let offerings: Result<Vec<_>, String> = case.offerings.into_iter().map(build).collect();
    Ok(json!({ "price": worst_launch(offerings?.iter()).map(|price| price.0) }))
}

fn candidate_filter(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        pod: Option<String>,
        #[serde(default)]
        tgp: bool,
        class: Option<String>,
        pod_kind: Option<String>,
        node: Option<String>,
    }
    let case: Inputs = inputs(case)?;
    let class = match case.class.as_deref() {
        Some("eventual") => Class::Eventual,
        Some("graceful") | None => Class::Graceful,
        Some(other) => return Err(format!("class `{other}` is not known")),
    };
    let pod = pod_guard(case.pod.as_deref().unwrap_or(""), case.pod_kind.as_deref().unwrap_or(""));
    let node =
        NodeGuard { has_grace_period: case.tgp, ..node_guard(case.node.as_deref().unwrap_or("")) };
    Ok(json!({ "candidate": candidate::check(&node, &[pod], class).is_ok() }))
}

/// A pod in a word or two: what protects it, and whether it is finished or going.
fn pod_guard(pod: &str, kind: &str) -> PodGuard {
    let says = |word: &str| pod.contains(word) || kind.contains(word);
    PodGuard {
        is_leaving: says("terminal") || says("terminating") || says("succeeded") || says("failed"),
        is_mirror: says("mirror"),
        do_not_disrupt: says("do-not-disrupt"),
        budget_exhausted: says("pdb-blocked"),
        several_budgets: says("two-pdbs"),
    }
}

/// A node in a word or two. Labels about prices matter to consolidation only.
fn node_guard(node: &str) -> NodeGuard {
    let says = |word: &str| node.contains(word);
    NodeGuard {
        is_managed: !(says("-only") || says("nodepool")),
        is_initialized: !says("uninitialized"),
        is_nominated: says("nominated"),
        is_going: says("deleting") || says("deletion") || says("in-disruption-queue"),
        do_not_disrupt: says("do-not-disrupt"),
        has_grace_period: false,
    }
}

fn do_not_disrupt(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        value: String,
        #[serde(default)]
        pod_age_s: f64,
    }
    let case: Inputs = inputs(case)?;
    let age = seconds::length(case.pod_age_s);
    let mark = DoNotDisrupt::try_from(case.value);
    Ok(json!({ "blocks": mark.is_ok_and(|mark| mark.holds(age)) }))
}

fn consolidate_after_destination(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        consolidate_after_s: Value,
        destination_initialized_age_s: f64,
        /// The rule is the same for both kinds.
        #[serde(rename = "kind")]
        _kind: String,
    }
    let case: Inputs = inputs(case)?;
    let after = case.consolidate_after_s.as_f64().map(seconds::length);
    let age = seconds::length(case.destination_initialized_age_s);
    Ok(json!({ "allowed": may_receive(after, age) }))
}

fn node_empty(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        pods: Vec<String>,
        #[serde(default)]
        buffer_pods: u32,
        #[serde(default)]
        static_pool: bool,
    }
    let case: Inputs = inputs(case)?;
    let occupant = |pod: &String| match pod.as_str() {
        "daemonset" | "mirror" => Occupant::Daemon,
        "statefulset-terminating" => Occupant::TerminatingStateful,
        pod if pod.ends_with("-terminating") => Occupant::Terminating,
        _ => Occupant::Movable,
    };
    let occupants: Vec<_> = case.pods.iter().map(occupant).collect();
    Ok(json!({ "empty": is_empty(&occupants, case.buffer_pods, case.static_pool) }))
}

fn node_repair_allowed(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        nodes: u32,
        unhealthy: u32,
    }
    let case: Inputs = inputs(case)?;
    Ok(json!({ "allowed": repair::allowed(case.nodes, case.unhealthy) }))
}

fn static_pool_change(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        replicas: u32,
        running: u32,
        node_limit: Option<u32>,
        #[serde(default)]
        deleting: u32,
    }
    let case: Inputs = inputs(case)?;
    let change = static_pool::change(case.replicas, case.running, case.deleting, case.node_limit);
    Ok(json!({ "create": change.create, "delete": change.delete }))
}

fn static_drift(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        replicas: u32,
        running: u32,
        drifted: u32,
        node_limit: Option<u32>,
        budget: String,
    }
    let case: Inputs = inputs(case)?;
    let counted = Counted { nodes: case.running, going: 0 };
    let budgets = [Budget::always(&case.budget)];
    let budget = room(&budgets, counted, DisruptionReason::Drifted, any_moment());
    let commands = static_pool::drift_commands(
        case.replicas,
        case.running,
        case.drifted,
        case.node_limit,
        budget,
    );
    Ok(json!({ "commands": commands }))
}
