//! Cluster Autoscaler's scale-down.

use crate::ca::Amounts;
use crate::case::{Check, inputs, seconds};
use contract::{
    Instant, Micros, NodeId, NodeShape, Owner, PlacedPod, PodId, PodSpec, SafeToEvict, ServiceId,
};
use placement::Candidate;
use policies::cluster_autoscaler::quota::{Amounts as Total, Minimum};
use policies::cluster_autoscaler::scale_down::{
    Bucket, Budget, Controller, DevicePool, Disruptions, DrainRules, Drainability, Eligibility,
    Extent, NoUtilization, NodeUse, PodFacts, PodUse, PoolCounts, PoolSize, Removable,
    UnneededNode, UnneededTimes, Unremovable, Utilization, find_unneeded, nodes_to_delete,
    still_to_place, unneeded_limit, unneeded_since,
};
use policies::cluster_autoscaler::snapshot::{Guest, SimNode, Snapshot};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("crop_to_budget", crop_to_budget),
    ("find_unneeded", unneeded),
    ("node_utilization", node_utilization),
    ("node_utilization_dra", node_utilization_dra),
    ("nodes_to_delete", deletion),
    ("pod_drainability", pod_drainability),
    ("removable_counts", removable_counts),
    ("scale_down_eligibility", scale_down_eligibility),
    ("unneeded_limit", limit),
    ("unneeded_since", since),
    ("unremovable_reason", unremovable_reason),
];

#[derive(Deserialize)]
struct Pod {
    #[serde(flatten)]
    amounts: Amounts,
    #[serde(default)]
    daemonset: bool,
    #[serde(default)]
    mirror: bool,
    terminating_for_s: Option<f64>,
    #[serde(default)]
    grace_s: f64,
    node: Option<String>,
}

impl Pod {
    fn part(&self) -> PodUse {
        let is_gone = |terminating| {
            PodUse::is_long_gone(seconds::length(terminating), seconds::length(self.grace_s))
        };
        PodUse {
            requests: self.amounts.resources(),
            daemon: self.daemonset,
            mirror: self.mirror,
            long_gone: self.terminating_for_s.is_some_and(is_gone),
        }
    }
}

fn described(found: &Result<Utilization, NoUtilization>) -> Value {
    match found {
        Err(_) => json!({ "error": true }),
        Ok(found) => json!({
            "utilization": found.share,
            "cpu": found.cpu,
            "memory": found.memory,
            "resource": found.resource,
            "below_threshold_0.5": found.share <= 0.5,
        }),
    }
}

fn node_utilization(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        allocatable: Amounts,
        pods: Vec<Pod>,
        #[serde(default)]
        ignore_daemonsets: bool,
        #[serde(default)]
        ignore_mirror: bool,
        #[serde(default)]
        gpu_node: bool,
    }
    let case: Inputs = inputs(case)?;
    let node = NodeUse {
        allocatable: case.allocatable.resources(),
        has_gpus: case.gpu_node,
        devices: &[],
        ignore_daemons: case.ignore_daemonsets,
        ignore_mirrors: case.ignore_mirror,
    };
    Ok(described(&node.utilization(case.pods.iter().map(Pod::part))))
}

fn node_utilization_dra(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        cpu_m: u64,
        pods_cpu_m: Vec<u64>,
        pool_devices: BTreeMap<String, Value>,
        allocated: BTreeMap<String, u32>,
        dra_enabled: bool,
        gpu_config: Option<String>,
    }
    let case: Inputs = inputs(case)?;
    let pool = |(name, devices): (&String, &Value)| DevicePool {
        name: name.clone(),
        // Words in place of a number describe a pool that is not complete.
        devices: devices.as_u64().map(|count| u32::try_from(count).expect("few devices")),
        allocated: case.allocated.get(name).copied().unwrap_or(0),
    };
    let devices: Vec<_> = case.pool_devices.iter().map(pool).collect();
    // Cases are about CPU; memory is there, and nobody asks for it.
    let amounts = |cpu_m, memory| Amounts { cpu_m, memory, gpu: 0 }.resources();
    let node = NodeUse {
        allocatable: amounts(case.cpu_m, 1),
        has_gpus: case.gpu_config.as_deref() == Some("extended_resource"),
        devices: if case.dra_enabled { &devices } else { &[] },
        ignore_daemons: false,
        ignore_mirrors: false,
    };
    let pods = case.pods_cpu_m.iter();
    let pods = pods.map(|&cpu| PodUse { requests: amounts(cpu, 0), ..PodUse::default() });
    Ok(described(&node.utilization(pods)))
}

fn scale_down_eligibility(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        nodes: Vec<Node>,
        pods: Vec<Pod>,
        options: Options,
    }
    #[derive(Deserialize)]
    struct Node {
        name: String,
        #[serde(flatten)]
        amounts: Amounts,
        #[serde(default)]
        ready: bool,
        to_be_deleted_for_s: Option<f64>,
        #[serde(default)]
        scale_down_disabled: bool,
        #[serde(default = "yes")]
        in_group: bool,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        utilization_threshold: f64,
        gpu_utilization_threshold: f64,
        ignore_daemonsets: bool,
        scale_down_unready: bool,
    }
    let case: Inputs = inputs(case)?;
    let (mut eligible, mut ineligible) = (Vec::new(), BTreeMap::new());
    for node in &case.nodes {
        let on_it = |pod: &&Pod| pod.node.as_deref() == Some(&*node.name);
        let counts = NodeUse {
            allocatable: node.amounts.resources(),
            has_gpus: node.amounts.gpu > 0,
            devices: &[],
            ignore_daemons: case.options.ignore_daemonsets,
            ignore_mirrors: false,
        };
        let utilization = counts.utilization(case.pods.iter().filter(on_it).map(Pod::part));
        let eligibility = Eligibility {
            told_to_go_for: node.to_be_deleted_for_s.map(seconds::length),
            disabled: node.scale_down_disabled,
            in_pool: node.in_group,
            ready: node.ready,
            unready_may_go: case.options.scale_down_unready,
            utilization: utilization.as_ref().map_err(|error| *error),
            threshold: if node.amounts.gpu > 0 {
                case.options.gpu_utilization_threshold
            } else {
                case.options.utilization_threshold
            },
        };
        match eligibility.check() {
            Ok(()) => eligible.push(&node.name),
            Err(reason) => {
                ineligible.insert(&node.name, reason.word());
            }
        }
    }
    Ok(json!({ "eligible": eligible, "ineligible": ineligible }))
}

fn yes() -> bool {
    true
}

fn since(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        unneeded_time_s: f64,
        unready_time_s: f64,
        first_update: Update,
        second_update: Update,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Update {
        at_s: f64,
        /// Ready, by name.
        nodes: BTreeMap<String, bool>,
    }
    let case: Inputs = inputs(case)?;
    let times = times(case.unneeded_time_s, case.unready_time_s);
    let mut unneeded: BTreeMap<String, Instant> = BTreeMap::new();
    for update in [&case.first_update, &case.second_update] {
        let found = update.nodes.keys().cloned();
        unneeded = unneeded_since(&unneeded, found, seconds::instant(update.at_s));
    }
    let ready = &case.second_update.nodes;
    let since: BTreeMap<_, _> =
        unneeded.iter().map(|(node, since)| (node, since.as_secs_f64())).collect();
    let thresholds: BTreeMap<_, _> =
        ready.iter().map(|(node, ready)| (node, times.threshold(*ready).as_secs_f64())).collect();
    Ok(json!({ "since_s": since, "threshold_s": thresholds }))
}

fn times(unneeded_s: f64, unready_s: f64) -> UnneededTimes {
    UnneededTimes { ready: seconds::length(unneeded_s), unready: seconds::length(unready_s) }
}

fn removable_counts(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        empty: u32,
        drain: u32,
        min_size: u32,
        target_size: u32,
        ongoing_deletions: u32,
    }
    let case: Inputs = inputs(case)?;
    let mut pool = PoolSize {
        min: case.min_size,
        size: case.target_size,
        ongoing_deletions: case.ongoing_deletions,
    };
    let shape = NodeShape::default();
    let node = UnneededNode {
        ready: true,
        unneeded_for: Micros::from_secs(1),
        disabled: false,
        shape: &shape,
    };
    let mut count = |nodes| {
        let mut minimum = Minimum::default();
        let go = (0..nodes)
            .filter(|_| node.remove(Some(&mut pool), times(0.0, 0.0), &mut minimum).is_ok());
        go.count()
    };
    Ok(json!({ "empty_removable": count(case.empty), "drain_removable": count(case.drain) }))
}

fn unremovable_reason(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        ready: bool,
        unneeded_for_s: f64,
        unneeded_time_s: f64,
        unready_time_s: f64,
        min_size: u32,
        target_size: u32,
        in_group: bool,
        scale_down_disabled: bool,
        #[serde(default)]
        cluster_min_nodes: u64,
    }
    let case: Inputs = inputs(case)?;
    let mut pool = PoolSize { min: case.min_size, size: case.target_size, ongoing_deletions: 0 };
    let shape = NodeShape::default();
    let node = UnneededNode {
        ready: case.ready,
        unneeded_for: seconds::length(case.unneeded_for_s),
        disabled: case.scale_down_disabled,
        shape: &shape,
    };
    let nodes = |nodes| Total { nodes, ..Total::default() };
    let mut minimum =
        Minimum { least: nodes(case.cluster_min_nodes), left: nodes(case.target_size.into()) };
    let times = times(case.unneeded_time_s, case.unready_time_s);
    let found = node.remove(case.in_group.then_some(&mut pool), times, &mut minimum);
    Ok(json!({ "reason": found.map_or_else(Unremovable::word, |()| "NoReason") }))
}

fn unneeded(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        nodes: Vec<Node>,
        pods: Vec<Owned>,
        eligible: Vec<String>,
        recently_evicted: Vec<Owned>,
        replica_sets: Option<Replicas>,
        #[serde(default)]
        simulation_times_out_after_first: bool,
    }
    #[derive(Deserialize)]
    struct Node {
        name: String,
        #[serde(flatten)]
        amounts: Amounts,
        #[serde(default)]
        deleting: bool,
    }
    #[derive(Deserialize)]
    struct Owned {
        #[serde(flatten)]
        amounts: Amounts,
        owner: String,
        node: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Replicas {
        desired: u32,
        current: u32,
    }
    let case: Inputs = inputs(case)?;
    let shapes: Vec<_> = case.nodes.iter().map(|node| node.amounts.shape()).collect();
    let kind = |owner: &str| match owner {
        "ReplicaSet" => Some(Owner::Service(ServiceId(0))),
        _ => None,
    };
    let placed = |(number, pod): (usize, &Owned)| PlacedPod {
        id: PodId(u32::try_from(number).expect("few pods")),
        owner: kind(&pod.owner).unwrap_or(Owner::Service(ServiceId(1))),
        spec: Arc::new(pod.amounts.spec()),
        created: contract::Instant::ZERO,
    };
    let by_node: Vec<Vec<PlacedPod>> = case
        .nodes
        .iter()
        .map(|node| {
            let on_it = |(_, pod): &(usize, &Owned)| pod.node.as_deref() == Some(&*node.name);
            case.pods.iter().enumerate().filter(on_it).map(placed).collect()
        })
        .collect();
    let mut nodes = Vec::new();
    for (place, shape) in shapes.iter().enumerate() {
        let mut candidate = Candidate::fresh(shape);
        by_node[place].iter().for_each(|pod| candidate.add(&pod.spec));
        nodes.push(SimNode {
            id: Some(NodeId(u32::try_from(place).expect("few nodes"))),
            pool: 0,
            closed: case.nodes[place].deleting,
            removed: false,
            candidate,
            residents: &by_node[place],
            guests: Vec::new(),
        });
    }
    let mut snapshot = Snapshot::new(nodes);
    let specs: Vec<PodSpec> = case.recently_evicted.iter().map(|pod| pod.amounts.spec()).collect();
    let evicted = case.recently_evicted.iter().zip(&specs).filter_map(|(pod, spec)| {
        // Daemons and mirrors belong to the node that went.
        let recreatable = !matches!(pod.owner.as_str(), "DaemonSet" | "mirror");
        recreatable.then_some((kind(&pod.owner), Guest { spec, pod: None }))
    });
    let replicas = case.replica_sets.as_ref();
    let short = |_| replicas.map_or(u32::MAX, |sets| sets.desired.saturating_sub(sets.current));
    for guest in still_to_place(evicted, short) {
        let _ = snapshot.place(guest, |_| true);
    }
    let facts = |guest: &Guest<'_>| {
        let unowned = guest.pod.is_some_and(|pod| case.pods[pod.id.index()].owner == "none");
        let facts = PodFacts::replicated(Micros::ZERO);
        if unowned { PodFacts { controller: Controller::None, ..facts } } else { facts }
    };
    let place_of = |name: &String| case.nodes.iter().position(|node| node.name == *name);
    let eligible: Vec<_> = case.eligible.iter().filter_map(place_of).collect();
    let time_for = if case.simulation_times_out_after_first { 1 } else { usize::MAX };
    let extent = Extent { limit: usize::MAX, time_for };
    let rules = default_rules();
    let found = find_unneeded(
        &mut snapshot,
        &eligible,
        &rules,
        extent,
        &mut Disruptions::default(),
        &facts,
        &|_| false,
    );
    let names = |places: Vec<usize>| -> Vec<&String> {
        places.into_iter().map(|place| &case.nodes[place].name).collect()
    };
    let unneeded: Vec<_> = found.unneeded.iter().map(|node| node.place).collect();
    let mut unremovable: Vec<_> = found.unremovable.iter().map(|(place, _)| *place).collect();
    unremovable.extend((0..shapes.len()).filter(|place| !eligible.contains(place)));
    unremovable.sort_unstable();
    Ok(json!({ "unneeded": names(unneeded), "unremovable": names(unremovable) }))
}

fn default_rules() -> DrainRules {
    DrainRules {
        skip_system: true,
        system_timeout: Micros::from_mins(60),
        skip_local_storage: true,
        skip_custom_controllers: true,
        min_replicas: 0,
    }
}

fn limit(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        previously_unneeded: usize,
        empty_nodes: usize,
        max_parallelism: u32,
        unneeded_time_s: f64,
        loop_interval_s: f64,
        atomic_group: bool,
    }
    let case: Inputs = inputs(case)?;
    let limit = unneeded_limit(
        case.previously_unneeded,
        case.max_parallelism,
        seconds::length(case.unneeded_time_s),
        seconds::length(case.loop_interval_s),
    );
    let shape = NodeShape::default();
    let node = |place| SimNode { id: Some(NodeId(place)), ..SimNode::upcoming(0, &shape) };
    let count = u32::try_from(case.empty_nodes).expect("few nodes");
    let mut snapshot = Snapshot::new((0..count).map(node).collect());
    let all: Vec<_> = (0..case.empty_nodes).collect();
    let extent = Extent { limit, time_for: usize::MAX };
    let facts = |_: &Guest<'_>| PodFacts::replicated(Micros::ZERO);
    let whole = |_| case.atomic_group;
    let found = find_unneeded(
        &mut snapshot,
        &all,
        &default_rules(),
        extent,
        &mut Disruptions::default(),
        &facts,
        &whole,
    );
    Ok(json!({ "unneeded": found.unneeded.len() }))
}

fn deletion(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        groups: BTreeMap<String, Group>,
        #[serde(default)]
        cluster_min: Least,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Group {
        target: u32,
        zero_or_max: bool,
        removable: BTreeMap<String, Node>,
        other_registered: usize,
    }
    #[derive(Deserialize)]
    struct Node {
        pods: usize,
        #[serde(default)]
        on_completion: usize,
        #[serde(default)]
        risky: bool,
    }
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Least {
        #[serde(default)]
        cores: u64,
        #[serde(default)]
        memory: u64,
        #[serde(default)]
        nodes: u64,
    }
    let case: Inputs = inputs(case)?;
    // Nodes of these cases have one core and 10 bytes.
    let shape = Amounts { cpu_m: 1000, memory: 10, gpu: 0 }.shape();
    let registered = |group: &Group| group.removable.len() + group.other_registered;
    let all = case.groups.values().map(registered).sum::<usize>();
    let Least { cores, memory, nodes } = case.cluster_min;
    let mut minimum = Minimum {
        least: Total { cores, memory, nodes, ..Total::default() },
        left: Total::of_node(&shape).times(u64::try_from(all).expect("few nodes")),
    };
    let mut pools = Vec::new();
    let mut unneeded = Vec::new();
    for (pool, group) in case.groups.values().enumerate() {
        pools.push(PoolCounts {
            target: group.target,
            registered: u32::try_from(registered(group)).expect("few nodes"),
            zero_or_max: group.zero_or_max,
        });
        for (name, node) in &group.removable {
            let Node { pods, on_completion, risky } = *node;
            unneeded.push(Removable { node: name, pool, pods, on_completion, risky });
        }
    }
    unneeded.sort_by_key(|node| node.pods > 0);
    let one = UnneededNode {
        ready: true,
        unneeded_for: Micros::from_secs(1),
        disabled: false,
        shape: &shape,
    };
    let mut sizes: Vec<_> = pools
        .iter()
        .map(|pool| PoolSize { min: 0, size: pool.target, ongoing_deletions: 0 })
        .collect();
    unneeded.retain(|node| {
        one.remove(Some(&mut sizes[node.pool]), times(0.0, 0.0), &mut minimum).is_ok()
    });
    let (empty, drain) = nodes_to_delete(unneeded, &pools);
    let names = |nodes: Vec<Removable<&String>>| -> Vec<String> {
        nodes.into_iter().map(|node| node.node.clone()).collect()
    };
    Ok(json!({ "empty": names(empty), "drain": names(drain) }))
}

fn crop_to_budget(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        max_parallelism: u32,
        max_drain_parallelism: u32,
        empty_in_progress: u32,
        drain_in_progress: u32,
        empty: Vec<Nodes>,
        drain: Vec<Nodes>,
        #[serde(default)]
        other_registered: Vec<Nodes>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nodes {
        group: String,
        count: usize,
    }
    let case: Inputs = inputs(case)?;
    let lists = [&case.empty, &case.drain, &case.other_registered];
    let mut groups: Vec<&str> =
        lists.iter().flat_map(|list| list.iter()).map(|n| &*n.group).collect();
    groups.sort_unstable();
    groups.dedup();
    let counts = groups.iter().map(|group| {
        let of_group = lists.iter().flat_map(|list| list.iter()).filter(|n| n.group == *group);
        let registered = of_group.map(|nodes| nodes.count).sum::<usize>();
        let registered = u32::try_from(registered).expect("few nodes");
        // The name says how many nodes a group has that goes whole.
        let whole = group.strip_prefix("atomic-").and_then(|size| size.parse().ok());
        PoolCounts { target: whole.unwrap_or(registered), registered, zero_or_max: whole.is_some() }
    });
    let counts: Vec<_> = counts.collect();
    let place_of = |name: &str| groups.iter().position(|group| *group == name).expect("listed");
    let to_buckets = |list: &[Nodes]| -> Vec<Bucket<()>> {
        let bucket =
            |nodes: &Nodes| Bucket { pool: place_of(&nodes.group), nodes: vec![(); nodes.count] };
        list.iter().map(bucket).collect()
    };
    let budget = Budget::new(
        case.max_parallelism,
        case.max_drain_parallelism,
        case.empty_in_progress,
        case.drain_in_progress,
    );
    let (empty, drain) = budget.crop(to_buckets(&case.empty), to_buckets(&case.drain), &counts);
    let described = |buckets: Vec<Bucket<()>>| -> Vec<Value> {
        let one = |bucket: Bucket<()>| json!({ "group": groups[bucket.pool], "count": bucket.nodes.len() });
        buckets.into_iter().map(one).collect()
    };
    Ok(json!({ "empty": described(empty), "drain": described(drain) }))
}

fn pod_drainability(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        pod: Facts,
        options: Options,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Facts {
        owner: Option<String>,
        owner_replicas: Option<u32>,
        replicas: Option<u32>,
        #[serde(default = "yes")]
        owner_exists: bool,
        #[serde(default = "yes")]
        controller_exists: bool,
        #[serde(default)]
        mirror: bool,
        #[serde(default)]
        namespace: String,
        #[serde(default)]
        age_s: f64,
        pdb: Option<Pdb>,
        #[serde(default)]
        volumes: Vec<String>,
        safe_local_volumes: Option<Value>,
        terminating_for_s: Option<f64>,
        #[serde(default)]
        grace_s: f64,
        safe_to_evict: Option<String>,
        #[serde(default)]
        phase: String,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pdb {
        allowed: u32,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        skip_local_storage: bool,
        skip_system_pods: bool,
        skip_custom_controllers: bool,
        system_pod_timeout_s: f64,
        min_replicas: u32,
    }
    let case: Inputs = inputs(case)?;
    let pod = case.pod;
    let controller = match pod.owner.as_deref() {
        None | Some("none") => Controller::None,
        Some("DaemonSet") => Controller::DaemonSet,
        Some("ReplicaSet" | "ReplicationController" | "StatefulSet" | "Job") => Controller::Known {
            replicas: pod.replicas.or(pod.owner_replicas),
            exists: pod.owner_exists && pod.controller_exists,
        },
        Some(_) => Controller::Custom,
    };
    let keeps_data = |(place, volume): (usize, &String)| {
        let given_up = match &pod.safe_local_volumes {
            Some(Value::String(all)) => all == "all",
            Some(Value::Array(names)) => {
                let own = [json!(volume), json!(place), json!(format!("v{}", place + 1))];
                names.iter().any(|name| own.contains(name))
            }
            _ => false,
        };
        matches!(volume.as_str(), "hostPath" | "emptyDir") && !given_up
    };
    let facts = PodFacts {
        controller,
        mirror: pod.mirror,
        overdue: pod.terminating_for_s.map(|time| seconds::length((time - pod.grace_s).max(0.0))),
        finished: matches!(pod.phase.as_str(), "Succeeded" | "Failed"),
        safe_to_evict: match pod.safe_to_evict.as_deref() {
            None => SafeToEvict::Unsaid,
            Some("true") => SafeToEvict::Yes,
            Some("false") => SafeToEvict::No,
            Some("on-completion") => SafeToEvict::OnCompletion,
            Some(other) => return Err(format!("`safe_to_evict`: `{other}` is not known")),
        },
        system: pod.namespace == "kube-system",
        age: seconds::length(pod.age_s),
        local_storage: pod.volumes.iter().enumerate().any(keeps_data),
        budget: pod.pdb.map(|pdb| pdb.allowed),
    };
    let rules = DrainRules {
        skip_system: case.options.skip_system_pods,
        system_timeout: seconds::length(case.options.system_pod_timeout_s),
        skip_local_storage: case.options.skip_local_storage,
        skip_custom_controllers: case.options.skip_custom_controllers,
        min_replicas: case.options.min_replicas,
    };
    let outcome = match facts.drainability(&rules) {
        Drainability::Skip => "skip".to_owned(),
        Drainability::DaemonSet => "daemonset".to_owned(),
        Drainability::Move => "move".to_owned(),
        Drainability::Wait => "wait".to_owned(),
        Drainability::Block(blocker) => format!("block:{}", blocker.word()),
    };
    Ok(json!({ "outcome": outcome }))
}
