//! Karpenter's `NodePool` (karpenter.sh/v1), `NodeOverlay` (karpenter.sh/v1alpha1) and `CapacityBuffer`
//! (autoscaling.x-k8s.io): node policies from the YAML that people have.
//!
//! The nodes themselves are pools of the scenario: labels and taints of their machines stand there, and what a
//! template says of them is refused rather than dropped. `EC2NodeClass` and its like say how a machine is set up,
//! nothing about which one is chosen, and are passed over; by their names nodes drift.

use super::fault::Fault;
use super::file::{Object, Resource};
use super::quantity::Quantity;
use super::{go, node_overlay};
use crate::error::ScenarioError;
use contract::{Bytes, Micros, MilliCpu};
use indexmap::IndexMap;
use policies::karpenter::buffer::{BufferLimits, BufferSize};
use policies::karpenter::disruption::budgets::{Budget, DisruptionReason};
use policies::karpenter::requirements::{Operator, PoolRequirement};
use policies::karpenter::simulation::Limits;
use policies::karpenter::{ConsolidationPolicy, NodePool, OrNever, Settings};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Kinds that stand beside node pools and say nothing about which node is launched.
const BESIDE: [&str; 4] = ["AKSNodeClass", "EC2NodeClass", "GCENodeClass", "KWOKNodeClass"];

/// `spec` of a `NodePool`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PoolSpec {
    template: Template,
    #[serde(default)]
    disruption: Disruption,
    #[serde(default)]
    limits: IndexMap<String, Quantity>,
    weight: Option<u32>,
    replicas: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Template {
    #[serde(default)]
    metadata: TemplateMetadata,
    spec: TemplateSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct TemplateMetadata {
    labels: IndexMap<String, String>,
    #[serde(rename = "annotations")]
    _annotations: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TemplateSpec {
    node_class_ref: NodeClassRef,
    #[serde(default)]
    requirements: Vec<RequirementText>,
    #[serde(default)]
    taints: Vec<IgnoredAny>,
    #[serde(default)]
    startup_taints: Vec<IgnoredAny>,
    expire_after: Option<String>,
    termination_grace_period: Option<String>,
}

/// How a machine is set up: nothing about which one is chosen, but nodes of another class have drifted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "a name is enough among the classes of a manifest")]
struct NodeClassRef {
    group: Option<String>,
    kind: String,
    name: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RequirementText {
    key: String,
    operator: Operator,
    #[serde(default)]
    values: Vec<String>,
    min_values: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Disruption {
    consolidation_policy: ConsolidationPolicy,
    consolidate_after: Option<String>,
    budgets: Option<Vec<BudgetText>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct BudgetText {
    nodes: String,
    schedule: Option<String>,
    duration: Option<String>,
    #[serde(default)]
    reasons: Vec<DisruptionReason>,
}

/// `spec` of a `CapacityBuffer`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct BufferSpec {
    provisioning_strategy: Option<String>,
    scalable_ref: Option<ScalableRef>,
    pod_template_ref: Option<IgnoredAny>,
    replicas: Option<u32>,
    percentage: Option<u32>,
    #[serde(default)]
    limits: IndexMap<String, Quantity>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "a name is enough among the services of a scenario")]
struct ScalableRef {
    api_group: Option<String>,
    kind: String,
    name: String,
}

/// Karpenter as the objects describe it.
pub(super) fn settings(objects: &[Object]) -> Result<Settings, ScenarioError> {
    let mut settings = Settings::default();
    settings.node_pools.clear();
    for object in objects {
        match object.kind()? {
            ("karpenter.sh/v1", "NodePool") => {
                let pool = convert(object.read()?).map_err(|fault| object.error(fault))?;
                settings.node_pools.insert(object.name().to_owned(), pool);
            }
            ("karpenter.sh/v1alpha1", "NodeOverlay") => {
                let overlay = node_overlay::convert(object.read()?);
                settings.overlays.push(overlay.map_err(|fault| object.error(fault))?);
            }
            (version, "NodeOverlay") => {
                let fault = Fault::expected(["apiVersion"], version, "`karpenter.sh/v1alpha1`");
                return Err(object.error(fault));
            }
            (group, "CapacityBuffer") if group.starts_with("autoscaling.x-k8s.io/") => {
                let (service, size) =
                    buffer(object.read()?).map_err(|fault| object.error(fault))?;
                settings.buffers.insert(service, size);
            }
            (_, kind) if BESIDE.contains(&kind) => {}
            (version, "NodePool") => {
                let fault = Fault::expected(["apiVersion"], version, "`karpenter.sh/v1`");
                return Err(object.error(fault));
            }
            (_, kind) => {
                let expected = "`NodePool`, `NodeOverlay`, `CapacityBuffer` or a node class";
                return Err(object.error(Fault::expected(["kind"], kind, expected)));
            }
        }
    }
    Ok(settings)
}

fn convert(object: Resource<PoolSpec>) -> Result<NodePool, Fault> {
    let PoolSpec { template, disruption, limits, weight, replicas } = object.spec;
    let spec = template.spec;
    let machines = "none: labels and taints of nodes stand in the scenario's pools";
    if let Some(label) = template.metadata.labels.keys().next() {
        let path = ["spec", "template", "metadata", "labels", label];
        return Err(Fault::expected(path, label, machines).hint("write it in `[pool.NAME.labels]`"));
    }
    for (field, taints) in [("taints", &spec.taints), ("startupTaints", &spec.startup_taints)] {
        if !taints.is_empty() {
            let path = ["spec", "template", "spec", field];
            let fault = Fault::expected(path, field, machines);
            return Err(fault.hint("write `taints` in `[pool.NAME]`"));
        }
    }
    let defaults = NodePool::default();
    let template = ["spec", "template", "spec"];
    let expire_after = optional(spec.expire_after.as_deref(), or_never)
        .map_err(|fault| fault.inside("expireAfter").under(template))?;
    let grace = optional(spec.termination_grace_period.as_deref(), length)
        .map_err(|fault| fault.inside("terminationGracePeriod").under(template))?;
    let consolidate_after = optional(disruption.consolidate_after.as_deref(), or_never)
        .map_err(|fault| fault.under(["spec", "disruption", "consolidateAfter"]))?;
    Ok(NodePool {
        weight: weight.unwrap_or(0),
        requirements: spec.requirements.into_iter().map(Into::into).collect(),
        node_class: spec.node_class_ref.name,
        limits: pool_limits(&limits).map_err(|fault| fault.under(["spec", "limits"]))?,
        replicas,
        expire_after: expire_after.unwrap_or(defaults.expire_after),
        termination_grace_period: grace,
        consolidation_policy: disruption.consolidation_policy,
        consolidate_after: consolidate_after.unwrap_or(defaults.consolidate_after),
        budgets: match disruption.budgets {
            Some(budgets) => all_budgets(budgets)?,
            None => defaults.budgets,
        },
    })
}

fn all_budgets(budgets: Vec<BudgetText>) -> Result<Vec<Budget>, Fault> {
    let budget = |(place, text): (usize, BudgetText)| {
        let duration = optional(text.duration.as_deref(), length).map_err(|fault| {
            let place = place.to_string();
            fault.under(["spec", "disruption", "budgets", &place, "duration"])
        })?;
        Ok(Budget { nodes: text.nodes, schedule: text.schedule, duration, reasons: text.reasons })
    };
    budgets.into_iter().enumerate().map(budget).collect()
}

impl From<RequirementText> for PoolRequirement {
    fn from(text: RequirementText) -> Self {
        let RequirementText { key, operator, values, min_values } = text;
        Self { key, operator, values, min_values }
    }
}

fn buffer(object: Resource<BufferSpec>) -> Result<(String, BufferSize), Fault> {
    let spec = object.spec;
    let active = "buffer.x-k8s.io/active-capacity";
    if let Some(other) = spec.provisioning_strategy.filter(|strategy| strategy != active) {
        let expected = format!("`{active}`");
        return Err(Fault::expected(["spec", "provisioningStrategy"], &other, &expected));
    }
    let Some(target) = spec.scalable_ref.filter(|_| spec.pod_template_ref.is_none()) else {
        let expected = "`scalableRef` alone: room is made for the pods of a service";
        return Err(Fault::expected(["spec"], "podTemplateRef", expected));
    };
    let limits = buffer_limits(&spec.limits).map_err(|fault| fault.under(["spec", "limits"]))?;
    let (replicas, percentage) = (spec.replicas, spec.percentage);
    Ok((target.name, BufferSize { replicas, percentage, limits }))
}

fn optional<T>(
    text: Option<&str>,
    read: impl Fn(&str) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    text.map(read).transpose()
}

fn length(text: &str) -> Result<Micros, Fault> {
    let expected = "a length of time such as `720h` or `1m30s`";
    go::duration(text).ok_or_else(|| Fault::expected([], text, expected))
}

fn or_never(text: &str) -> Result<OrNever, Fault> {
    if text == "Never" {
        Ok(OrNever(None))
    } else {
        length(text).map(|length| OrNever(Some(length)))
    }
}

fn pool_limits(limits: &IndexMap<String, Quantity>) -> Result<Limits, Fault> {
    let mut found = Limits::default();
    for (resource, &amount) in limits {
        match resource.as_str() {
            "cpu" => found.cpu = Some(MilliCpu(milli(resource, amount)?)),
            "memory" => found.memory = Some(Bytes(milli(resource, amount)? / 1000)),
            "nvidia.com/gpu" => found.gpus = Some(count(resource, amount)?),
            "nodes" => found.nodes = Some(count(resource, amount)?),
            _ => return Err(unlimited(resource)),
        }
    }
    Ok(found)
}

fn buffer_limits(limits: &IndexMap<String, Quantity>) -> Result<Option<BufferLimits>, Fault> {
    let mut found = BufferLimits::default();
    for (resource, &amount) in limits {
        match resource.as_str() {
            "cpu" => found.cpu = Some(MilliCpu(milli(resource, amount)?)),
            "memory" => found.memory = Some(Bytes(milli(resource, amount)? / 1000)),
            "nvidia.com/gpu" => found.gpus = Some(count(resource, amount)?),
            _ => return Err(unlimited(resource)),
        }
    }
    Ok((!limits.is_empty()).then_some(found))
}

fn unlimited(resource: &str) -> Fault {
    let expected = "`cpu`, `memory`, `nvidia.com/gpu` or, for a node pool, `nodes`";
    Fault::expected([resource], resource, expected)
}

fn milli(resource: &str, amount: Quantity) -> Result<u64, Fault> {
    let negative = |_| Fault::new([resource], "found a negative amount, expected one that is not");
    u64::try_from(amount.milli).map_err(negative)
}

fn count(resource: &str, amount: Quantity) -> Result<u32, Fault> {
    let count = milli(resource, amount)? / 1000;
    u32::try_from(count).map_err(|_| Fault::new([resource], "found too large a number"))
}
