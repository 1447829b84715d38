//! Karpenter: batches, prices, and what is launched for pods.

use crate::case::{Check, inputs, seconds};
use contract::{
    Bytes, Constraints, GpuModel, HOSTNAME_KEY, Instant, MilliCpu, NodeId, NodeShape, PodAffinity,
    PodId, PodSpec, PoolId, Requirement, Resources, Selector, Test, UsdPerHour, ZONE_KEY,
};
use placement::Candidate;
use policies::karpenter::batch::{BatchRules, Window};
use policies::karpenter::buffer::{BufferLimits, BufferSize, Implementation};
use policies::karpenter::instance_type::{CapacityType, InstanceType, Offering, Reservation};
use policies::karpenter::min_values::{MinValuesPolicy, Minimums, satisfied};
use policies::karpenter::overlay::Adjustment;
use policies::karpenter::price;
use policies::karpenter::requirements::{
    CAPACITY_TYPE_KEY, Operator, PoolRequirement, Requirements,
};
use policies::karpenter::simulation::{
    Ask, AskKind, Claim, ExistingNode, Limits, NodePool, Outcome, Place, Refusal, Rules, World,
    in_order, simulate,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("adjusted_price", adjusted_price),
    ("batch_window", batch_window),
    ("capacity_buffer_replicas", capacity_buffer_replicas),
    ("cheapest_offering", cheapest_offering),
    ("provision", provision),
    ("satisfies_min_values", satisfies_min_values),
];

const ARCH_KEY: &str = "kubernetes.io/arch";
const OS_KEY: &str = "kubernetes.io/os";

fn adjusted_price(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        base_price: f64,
        adjustment: Adjustment,
    }
    let case: Inputs = inputs(case)?;
    Ok(json!({ "price": case.adjustment.apply(UsdPerHour(case.base_price)).0 }))
}

fn batch_window(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        idle_s: f64,
        max_s: f64,
        triggers: Vec<(f64, String)>,
    }
    let case: Inputs = inputs(case)?;
    let rules = BatchRules { idle: seconds::length(case.idle_s), max: seconds::length(case.max_s) };
    let mut numbers = BTreeMap::new();
    let mut window: Option<Window> = None;
    for (at, name) in case.triggers {
        let next = u32::try_from(numbers.len()).expect("few pods");
        let pod = PodId(*numbers.entry(name).or_insert(next));
        let at = seconds::instant(at);
        match &mut window {
            Some(window) if at < window.closes(rules) => window.trigger(at, pod),
            Some(_) => break,
            None => window = Some(Window::open(at, pod)),
        }
    }
    let fires_at = window.map(|window| window.closes(rules).as_secs_f64());
    Ok(json!({ "fires_at_s": fires_at }))
}

fn capacity_buffer_replicas(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        r#impl: String,
        replicas: Option<u32>,
        percentage: Option<u32>,
        scalable_replicas: Option<u32>,
        limits: Option<Amounts>,
        pod: Option<Amounts>,
    }
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Amounts {
        cpu_m: Option<u64>,
        mem: Option<u64>,
        gpus: Option<u32>,
    }
    let case: Inputs = inputs(case)?;
    let implementation = match case.r#impl.as_str() {
        "cluster-autoscaler" => Implementation::ClusterAutoscaler,
        "karpenter" => Implementation::Karpenter,
        other => return Err(format!("implementation `{other}` is not known")),
    };
    let limits = case.limits.map(|limits| BufferLimits {
        cpu: limits.cpu_m.map(MilliCpu),
        memory: limits.mem.map(Bytes),
        gpus: limits.gpus,
    });
    let pod = case.pod.unwrap_or_default();
    let chunk = Resources {
        cpu: MilliCpu(pod.cpu_m.unwrap_or(0)),
        memory: Bytes(pod.mem.unwrap_or(0)),
        gpus: pod.gpus.unwrap_or(0),
    };
    let size = BufferSize { replicas: case.replicas, percentage: case.percentage, limits };
    let chunks = size.chunks(implementation, case.scalable_replicas.unwrap_or(0), &chunk);
    Ok(match chunks {
        Ok(chunks) => json!({ "replicas": chunks }),
        Err(error) => json!({ "error": error.to_string() }),
    })
}

fn satisfies_min_values(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        instance_types: Vec<BTreeMap<String, String>>,
        min_values: Minimums,
    }
    let case: Inputs = inputs(case)?;
    let label = |row: &&BTreeMap<String, String>, key: &str| {
        let place = case.instance_types.iter().position(|other| std::ptr::eq(other, *row));
        case.instance_types[place.expect("a row of the case")].get(key).map(String::as_str)
    };
    let found = satisfied(case.instance_types.iter(), &case.min_values, label);
    let needed = found.as_ref().map_or(case.instance_types.len(), |&needed| needed);
    Ok(json!({ "ok": found.is_ok(), "needed": needed }))
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Overhead {
    cpu_m: u64,
    mem: u64,
}

impl From<Overhead> for Resources {
    fn from(amount: Overhead) -> Self {
        Self { cpu: MilliCpu(amount.cpu_m), memory: Bytes(amount.mem), gpus: 0 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypeInput {
    name: String,
    #[serde(default)]
    cpu_m: u64,
    #[serde(default)]
    mem: u64,
    #[serde(default)]
    pods: u32,
    #[serde(default)]
    arch: Option<String>,
    #[serde(default)]
    os: Option<String>,
    offerings: Vec<OfferingInput>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    ext: BTreeMap<String, u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfferingInput {
    ct: String,
    #[serde(default)]
    zone: String,
    price: f64,
    #[serde(default = "yes")]
    available: bool,
    reservation_id: Option<String>,
    reservation_capacity: Option<u32>,
}

fn yes() -> bool {
    true
}

pub(crate) fn capacity_type(label: &str) -> Result<CapacityType, String> {
    let known = CapacityType::ALL.into_iter().find(|known| known.label() == label);
    known.ok_or_else(|| format!("capacity type `{label}` is not known"))
}

impl OfferingInput {
    pub(crate) fn build(self) -> Result<Offering, String> {
        let reservation = self.reservation_id.map(|id| Reservation {
            id: id.into(),
            capacity: self.reservation_capacity.unwrap_or(0),
        });
        let has_some = reservation.as_ref().is_none_or(|reserved| reserved.capacity > 0);
        Ok(Offering {
            pool: PoolId(0),
            pool_name: "".into(),
            zone: self.zone.into(),
            capacity_type: capacity_type(&self.ct)?,
            price: UsdPerHour(self.price),
            available: self.available && has_some,
            reservation,
        })
    }
}

impl TypeInput {
    /// Extended resources are GPUs of a model each; the cases have no type with two.
    fn build(self, overhead: Overhead) -> Result<InstanceType, String> {
        let gpus = self.ext.values().sum();
        let capacity = Resources { cpu: MilliCpu(self.cpu_m), memory: Bytes(self.mem), gpus };
        let allocatable = capacity - Resources::from(overhead);
        let mut labels = self.labels;
        labels.insert(ARCH_KEY.into(), self.arch.unwrap_or_else(|| "amd64".into()));
        labels.insert(OS_KEY.into(), self.os.unwrap_or_else(|| "linux".into()));
        let model = self.ext.keys().next();
        labels.extend(model.map(|model| (model.clone(), "present".to_owned())));
        let shape = NodeShape {
            allocatable,
            gpu: model.map(|model| GpuModel(model.as_str().into())),
            pod_limit: self.pods,
            ..NodeShape::default()
        };
        let offerings: Result<_, _> =
            self.offerings.into_iter().map(OfferingInput::build).collect();
        Ok(InstanceType {
            name: self.name.into(),
            shape: Arc::new(shape),
            capacity,
            labels,
            offerings: offerings?,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequirementInput {
    key: String,
    op: Operator,
    #[serde(default)]
    values: Vec<String>,
    #[serde(rename = "minValues")]
    min_values: Option<u32>,
}

impl RequirementInput {
    fn pool(self) -> PoolRequirement {
        PoolRequirement {
            key: self.key,
            operator: self.op,
            values: self.values,
            min_values: self.min_values,
        }
    }

    fn pod(self) -> Requirement {
        let values: BTreeSet<_> = self.values.iter().cloned().collect();
        let number = || self.values.first().and_then(|value| value.parse().ok()).unwrap_or(0);
        let is = match self.op {
            Operator::In => Test::In(values),
            Operator::NotIn => Test::NotIn(values),
            Operator::Exists => Test::Exists,
            Operator::DoesNotExist => Test::DoesNotExist,
            Operator::Gt => Test::Gt(number()),
            Operator::Lt => Test::Lt(number()),
            Operator::Gte => Test::Gt(number() - 1),
            Operator::Lte => Test::Lt(number() + 1),
        };
        Requirement { key: self.key, is }
    }
}

/// Short names of labels, as cases select by them.
fn key(short: &str) -> &str {
    match short {
        "arch" => ARCH_KEY,
        "os" => OS_KEY,
        "zone" => ZONE_KEY,
        "ct" => CAPACITY_TYPE_KEY,
        other => other,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PodInput {
    #[serde(default = "one")]
    count: u32,
    cpu_m: u64,
    mem: u64,
    #[serde(default)]
    ext: BTreeMap<String, u32>,
    #[serde(default)]
    selector: BTreeMap<String, String>,
    #[serde(default)]
    requirements: Vec<RequirementInput>,
    host_anti_affinity: Option<String>,
}

fn one() -> u32 {
    1
}

impl PodInput {
    fn build(self) -> Arc<PodSpec> {
        let mut term: Vec<_> = self.requirements.into_iter().map(RequirementInput::pod).collect();
        // A pod that asks for two kinds of GPU asks for a node that has both.
        term.extend(
            self.ext.keys().map(|model| Requirement { key: model.clone(), is: Test::Exists }),
        );
        let mut constraints = Constraints::default();
        if !term.is_empty() {
            constraints.node_affinity.push(Selector(term));
        }
        if let Some(app) = self.host_anti_affinity {
            constraints.pod_anti_affinity.push(PodAffinity {
                topology_key: HOSTNAME_KEY.into(),
                selector: Selector::of_labels([("app", app.as_str())]),
            });
            constraints.labels.insert("app".into(), app);
        }
        let selector = self.selector.into_iter();
        Arc::new(PodSpec {
            requests: Resources {
                cpu: MilliCpu(self.cpu_m),
                memory: Bytes(self.mem),
                gpus: self.ext.values().sum(),
            },
            node_selector: selector.map(|(short, value)| (key(&short).into(), value)).collect(),
            constraints: Some(Arc::new(constraints)),
            ..PodSpec::default()
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PoolInput {
    name: String,
    #[serde(default)]
    weight: u32,
    #[serde(default)]
    requirements: Vec<RequirementInput>,
    #[serde(default)]
    limits: LimitsInput,
    #[serde(default)]
    usage: LimitsInput,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsInput {
    cpu_m: Option<u64>,
    mem: Option<u64>,
    gpus: Option<u32>,
    nodes: Option<u32>,
}

fn left<T: Default + PartialOrd + std::ops::Sub<Output = T>>(
    limit: Option<T>,
    usage: Option<T>,
) -> Option<T> {
    let usage = usage.unwrap_or_default();
    limit.map(|limit| if limit > usage { limit - usage } else { T::default() })
}

impl PoolInput {
    fn build(self, types: &[InstanceType], daemons: (Resources, u32)) -> NodePool {
        let requirements: Vec<_> =
            self.requirements.into_iter().map(RequirementInput::pool).collect();
        let (limits, usage) = (self.limits, self.usage);
        NodePool {
            name: self.name.into(),
            weight: self.weight,
            requirements: Requirements::of_pool(&requirements),
            types: (0..types.len()).collect(),
            remaining: Limits {
                cpu: left(limits.cpu_m, usage.cpu_m).map(MilliCpu),
                memory: left(limits.mem, usage.mem).map(Bytes),
                gpus: left(limits.gpus, usage.gpus),
                nodes: left(limits.nodes, usage.nodes),
            },
            daemons,
            is_static: false,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeInput {
    cpu_m: u64,
    mem: u64,
    pods: u32,
}

impl NodeInput {
    /// A node that has this much left.
    fn shape(&self) -> NodeShape {
        let (cpu, memory) = (MilliCpu(self.cpu_m), Bytes(self.mem));
        let allocatable = Resources { cpu, memory, gpus: 0 };
        NodeShape { allocatable, pod_limit: self.pods, ..NodeShape::default() }
    }
}

fn node(shape: &NodeShape, place: usize) -> ExistingNode<'_> {
    ExistingNode {
        id: NodeId(u32::try_from(place).expect("few nodes")),
        name: format!("node-{place}").into(),
        origin: PoolId(0),
        initialized: true,
        candidate: Candidate::fresh(shape),
        zone: "",
        capacity_type: CapacityType::OnDemand,
        pool: None,
        pods: &[],
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProvisionInputs {
    overhead: Overhead,
    instance_types: Vec<TypeInput>,
    node_pools: Vec<PoolInput>,
    pods: Vec<PodInput>,
    #[serde(default)]
    existing: Vec<NodeInput>,
    min_values_policy: Option<MinValuesPolicy>,
    #[serde(default)]
    daemons: Vec<Overhead>,
    reserved_mode: Option<String>,
}

fn provision(case: Value) -> Result<Value, String> {
    let case: ProvisionInputs = inputs(case)?;
    if let Some(other) = case.reserved_mode.filter(|mode| mode != "strict") {
        return Err(format!("reserved mode `{other}` is not known"));
    }
    let overhead = case.overhead;
    let types: Result<Vec<_>, _> =
        case.instance_types.into_iter().map(|one| one.build(overhead)).collect();
    let types = types?;
    let daemons = daemons(&case.daemons);
    let pools = case.node_pools.into_iter().map(|pool| pool.build(&types, daemons)).collect();
    let shapes: Vec<_> = case.existing.iter().map(NodeInput::shape).collect();
    let nodes: Vec<_> =
        shapes.iter().enumerate().map(|(place, shape)| node(shape, place)).collect();
    let nodes: Vec<_> = nodes.iter().collect();
    let rules =
        Rules { min_values: case.min_values_policy.unwrap_or_default(), ..Rules::default() };
    let pools = in_order(pools);
    let world = World { types: &types, pools: &pools, nodes: &nodes, rules };
    let outcome = simulate(&world, &asks(case.pods));
    Ok(described(&outcome, &world))
}

fn daemons(daemons: &[Overhead]) -> (Resources, u32) {
    let sum = daemons.iter().fold(Resources::default(), |sum, &one| sum + one.into());
    (sum, u32::try_from(daemons.len()).expect("few daemons"))
}

fn asks(pods: Vec<PodInput>) -> Vec<Ask> {
    let specs = pods.into_iter().flat_map(|pod| {
        let count = pod.count as usize;
        std::iter::repeat_n(pod.build(), count)
    });
    let ask =
        |(id, spec)| Ask { id: PodId(id), spec, created: Instant::ZERO, kind: AskKind::Pending };
    (0..).zip(specs).map(ask).collect()
}

fn described(outcome: &Outcome, world: &World<'_>) -> Value {
    let launches: Vec<_> = outcome.claims.iter().filter_map(|claim| launch(claim, world)).collect();
    let names: Vec<_> = launches.iter().map(|(instance, _)| &*instance.name).collect();
    let pools: Vec<_> = outcome.claims.iter().map(|claim| &*world.pools[claim.pool].name).collect();
    let options = outcome.claims.first().map(|claim| {
        claim.types.iter().map(|&place| &*world.types[place].name).collect::<BTreeSet<_>>()
    });
    let kinds: Vec<_> =
        launches.iter().map(|(_, offering)| offering.capacity_type.label()).collect();
    let reserved = CapacityType::Reserved.label();
    let unused: Vec<_> = [reserved].into_iter().filter(|kind| !kinds.contains(kind)).collect();
    let error = outcome.places.iter().find_map(|place| match place {
        Place::Nowhere(Refusal::MinValues(keys)) => {
            Some(format!("minValues not met for {}", keys.join(", ")))
        }
        Place::Nowhere(refusal) => Some(refusal.words().to_owned()),
        _ => None,
    });
    json!({
        "scheduled": outcome.placed(),
        "nodes": outcome.claims.len(),
        "instance_types": names,
        "options": options,
        "node_pools": pools,
        "min_options": outcome.claims.iter().map(|claim| claim.types.len()).min(),
        "error": error,
        "min_values_relaxed_to": outcome.claims.iter().flat_map(|claim| claim.relaxed.values()).next(),
        "capacity_types": kinds,
        "capacity_types_not": unused,
    })
}

fn launch<'a>(claim: &'a Claim, world: &World<'a>) -> Option<(&'a InstanceType, &'a Offering)> {
    price::launch(
        claim.types.iter().map(|&place| &world.types[place]),
        &claim.requirements,
        0,
        |_| true,
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalog {
    generator: String,
    cpus: Vec<u64>,
    mem_gi: Vec<u64>,
    zones: Vec<String>,
    capacity_types: Vec<String>,
    os: Vec<String>,
    arch: Vec<String>,
    pods: u32,
    price: String,
    one_offering_per_type: bool,
}

impl Catalog {
    /// Every combination is a type of its own, with one offering. `removed` combinations are not sold.
    fn build(
        &self,
        overhead: Overhead,
        removed: &BTreeMap<String, String>,
    ) -> Result<Vec<InstanceType>, String> {
        let known = self.generator == "assorted"
            && self.price == "0.1*cpu + 0.1*mem_bytes/1e9"
            && self.one_offering_per_type;
        if !known {
            return Err(format!("generator `{}` is not known", self.generator));
        }
        let mut types = Vec::new();
        for (cpu, gib) in
            self.cpus.iter().flat_map(|&cpu| self.mem_gi.iter().map(move |&gib| (cpu, gib)))
        {
            for (zone, ct) in pairs(&self.zones, &self.capacity_types) {
                for (os, arch) in pairs(&self.os, &self.arch) {
                    let labels = [("zone", zone), ("ct", ct), ("os", os), ("arch", arch)];
                    let is_removed = !removed.is_empty()
                        && labels.iter().all(|(key, value)| {
                            removed.get(*key).is_none_or(|removed| removed == *value)
                        });
                    if is_removed {
                        continue;
                    }
                    let memory = Bytes::from_gib(gib);
                    #[expect(clippy::cast_precision_loss, reason = "a few cores")]
                    let price = 0.1 * cpu as f64 + 0.1 * memory.as_gb_f64();
                    let offering = OfferingInput {
                        ct: ct.clone(),
                        zone: zone.clone(),
                        price,
                        available: true,
                        reservation_id: None,
                        reservation_capacity: None,
                    };
                    let input = TypeInput {
                        name: format!("{cpu}-cpu-{gib}-mem-{arch}-{os}-{zone}-{ct}"),
                        cpu_m: cpu * 1000,
                        mem: memory.0,
                        pods: self.pods,
                        arch: Some(arch.clone()),
                        os: Some(os.clone()),
                        offerings: vec![offering],
                        labels: BTreeMap::new(),
                        ext: BTreeMap::new(),
                    };
                    types.push(input.build(overhead)?);
                }
            }
        }
        Ok(types)
    }
}

fn pairs<'a>(
    first: &'a [String],
    second: &'a [String],
) -> impl Iterator<Item = (&'a String, &'a String)> {
    first.iter().flat_map(move |one| second.iter().map(move |other| (one, other)))
}

fn cheapest_offering(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        catalog: Catalog,
        constraints: BTreeMap<String, String>,
        overhead: Overhead,
        pod: Overhead,
        #[serde(default)]
        removed: BTreeMap<String, String>,
        #[serde(default = "one")]
        pods: u32,
    }
    let case: Inputs = inputs(case)?;
    let types = case.catalog.build(case.overhead, &case.removed)?;
    let requirement = |(short, value): (&String, &String)| PoolRequirement {
        key: key(short).to_owned(),
        operator: Operator::In,
        values: vec![value.clone()],
        min_values: None,
    };
    let requirements: Vec<_> = case.constraints.iter().map(requirement).collect();
    let pool = NodePool {
        name: "default".into(),
        weight: 0,
        requirements: Requirements::of_pool(&requirements),
        types: (0..types.len()).collect(),
        remaining: Limits::default(),
        daemons: (Resources::default(), 0),
        is_static: false,
    };
    let pod = PodInput {
        count: case.pods,
        cpu_m: case.pod.cpu_m,
        mem: case.pod.mem,
        ext: BTreeMap::new(),
        selector: BTreeMap::new(),
        requirements: Vec::new(),
        host_anti_affinity: None,
    };
    let world = World { types: &types, pools: &[pool], nodes: &[], rules: Rules::default() };
    let outcome = simulate(&world, &asks(vec![pod]));
    let launched = outcome.claims.first().and_then(|claim| launch(claim, &world));
    Ok(json!({
        "price": launched.map(|(_, offering)| offering.price.0),
        "scheduled": outcome.placed() == outcome.places.len(),
        "nodes": outcome.claims.len(),
        "cpu": launched.map(|(instance, _)| instance.capacity.cpu.0 / 1000),
        "mem_gi": launched.map(|(instance, _)| instance.capacity.memory.0 >> 30),
    }))
}
