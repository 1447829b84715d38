//! Settings of Karpenter: its options, and the objects that people write for it.

use super::batch::BatchRules;
use super::buffer::BufferSize;
use super::disruption::budgets::Budget;
use super::disruption::cost::Version;
use super::min_values::MinValuesPolicy;
use super::overlay::Overlay;
use super::requirements::{POOL_KEY, PoolRequirement};
use super::simulation::{Limits, Preferences};
use crate::Invalid;
use crate::invalid::ensure;
use contract::Micros;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Settings, as they stand under `[stack.nodes.karpenter]`; options and defaults of 1.14.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// Which Karpenter: the order in which nodes are considered for consolidation changed in 1.14.
    pub version: Version,
    /// Kinds of nodes that it may launch, by name.
    pub node_pools: BTreeMap<String, NodePool>,
    /// A round of scheduling begins this long after the last new pod.
    pub batch_idle_duration: Micros,
    /// A round begins this long after the first pod, whatever comes.
    pub batch_max_duration: Micros,
    /// What becomes of preferred affinities.
    pub preference_policy: Preferences,
    /// What happens when `min-values` cannot be met.
    pub min_values_policy: MinValuesPolicy,
    /// Spot nodes may be replaced by cheaper spot nodes (a feature gate).
    pub spot_to_spot_consolidation: bool,
    /// Nodes whose GPUs do not appear within 10 minutes are replaced (a feature gate).
    pub node_repair: bool,
    /// Pools of the scenario that are capacity reservations: paid for, so as good as free.
    pub reserved_pools: Vec<String>,
    /// `NodeOverlay` objects: prices in place of the cloud's (a feature gate).
    pub overlays: Vec<Overlay>,
    /// `CapacityBuffer` objects by the service whose pods they make room for (a feature gate).
    pub buffers: BTreeMap<String, BufferSize>,
    /// An offering that the cloud had none of is not tried for this long.
    pub unavailable_offering_ttl: Micros,
    /// A claim that has no instance after this long is given up (a constant upstream).
    pub launch_timeout: Micros,
    /// A node that has not registered after this long is given up (a constant upstream).
    pub registration_timeout: Micros,
    /// Time between two looks at what could be disrupted (a constant upstream).
    pub disruption_poll: Micros,
    /// A consolidation waits this long and is checked once more (a constant upstream).
    pub validation_delay: Micros,
    /// The moment at which the run begins, which schedules of budgets need.
    pub run_begins: String,
    /// `NodePool`s that are applied in the course of the run, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: Version::default(),
            node_pools: BTreeMap::from([("default".to_owned(), NodePool::default())]),
            batch_idle_duration: Micros::from_secs(1),
            batch_max_duration: Micros::from_secs(10),
            preference_policy: Preferences::default(),
            min_values_policy: MinValuesPolicy::default(),
            spot_to_spot_consolidation: false,
            node_repair: false,
            reserved_pools: Vec::new(),
            overlays: Vec::new(),
            buffers: BTreeMap::new(),
            unavailable_offering_ttl: Micros::from_mins(3),
            launch_timeout: Micros::from_mins(5),
            registration_timeout: Micros::from_mins(15),
            disruption_poll: Micros::from_secs(10),
            validation_delay: Micros::from_secs(15),
            run_begins: "2024-01-01T00:00:00Z".to_owned(),
            changes: Vec::new(),
        }
    }
}

/// `NodePool`s as somebody applies them while it runs. Nodes that their pool would make otherwise by then drift.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Change {
    /// When, from the beginning of the run.
    pub at: Micros,
    /// What takes the place of pools of the same names, whole.
    pub node_pools: BTreeMap<String, NodePool>,
}

/// A `NodePool`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct NodePool {
    /// Greater goes first; of equal weights the name that sorts last.
    pub weight: u32,
    /// What its nodes may be like, by their labels; the label `pool` names pools of the scenario.
    pub requirements: Vec<PoolRequirement>,
    /// What its nodes are set up by: the name of a node class, a version of its image, a hash of both. Nodes that
    /// were set up by another one drift.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub node_class: String,
    /// What its nodes may have together.
    pub limits: Limits,
    /// A fixed number of nodes, whatever the pods do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// Nodes of this age go, whatever budgets say.
    pub expire_after: OrNever,
    /// How long a node that is to go waits for its pods; as long as they take unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_grace_period: Option<Micros>,
    /// Which nodes may go for a saving.
    pub consolidation_policy: ConsolidationPolicy,
    /// How long no pod must have come or gone before a node may go for a saving.
    pub consolidate_after: OrNever,
    /// How many nodes may be disrupted at a time.
    pub budgets: Vec<Budget>,
}

impl Default for NodePool {
    fn default() -> Self {
        Self {
            weight: 0,
            requirements: Vec::new(),
            node_class: String::new(),
            limits: Limits::default(),
            replicas: None,
            expire_after: OrNever(Some(Micros::from_mins(720 * 60))),
            termination_grace_period: None,
            consolidation_policy: ConsolidationPolicy::default(),
            consolidate_after: OrNever(Some(Micros::ZERO)),
            budgets: vec![Budget::always("10%")],
        }
    }
}

/// What nodes of a pool are made from, as far as they keep it for life. (Requirements are compared with the labels of
/// nodes instead; what a pool says of disruption, limits and weight is its own business.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Template {
    pub(super) node_class: String,
    pub(super) expire_after: OrNever,
    pub(super) termination_grace_period: Option<Micros>,
}

/// Which nodes may go for a saving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConsolidationPolicy {
    /// Empty ones.
    WhenEmpty,
    /// Also those whose pods could be elsewhere, for less.
    #[default]
    WhenEmptyOrUnderutilized,
    /// The same, if the saving is worth the disruption.
    Balanced,
}

/// A length of time, or `"Never"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrNever(pub Option<Micros>);

impl fmt::Display for OrNever {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(length) => length.fmt(f),
            None => f.write_str("Never"),
        }
    }
}

impl Serialize for OrNever {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OrNever {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "Never" {
            return Ok(Self(None));
        }
        text.parse().map(|length| Self(Some(length))).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for OrNever {
    fn schema_name() -> Cow<'static, str> {
        "OrNever".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "A length of time, or `Never`." })
    }
}

impl Settings {
    /// Checks what types cannot; `pools` are the names of the cluster's pools.
    pub fn validate(&self, pools: &[&str]) -> Result<(), Invalid> {
        ensure(!self.node_pools.is_empty(), "node-pools", "none", "at least one")?;
        let (idle, max) = (self.batch_idle_duration, self.batch_max_duration);
        ensure(idle > Micros::ZERO, "batch-idle-duration", idle, "more than no time")?;
        let expected = format!("at least `batch-idle-duration`, which is {idle}");
        ensure(idle <= max, "batch-max-duration", max, expected)?;
        let poll = self.disruption_poll;
        ensure(poll > Micros::ZERO, "disruption-poll", poll, "more than no time")?;
        let begins = self.run_begins.parse::<Timestamp>().is_ok();
        let expected = "a moment such as `2024-01-01T00:00:00Z`";
        ensure(begins, "run-begins", &self.run_begins, expected)?;
        for pool in &self.reserved_pools {
            known_pool("reserved-pools", pool, pools)?;
        }
        for (service, buffer) in &self.buffers {
            let is_sized =
                buffer.replicas.or(buffer.percentage).is_some() || buffer.limits.is_some();
            let key = format!("buffers.{service}");
            ensure(is_sized, &key, "no size", "`replicas`, `percentage` or `limits`")?;
        }
        for (name, pool) in &self.node_pools {
            pool.validate(pools).map_err(|invalid| invalid.inside(format!("node-pools.{name}")))?;
        }
        for (place, change) in self.changes.iter().enumerate() {
            let inside = format!("changes.{place}");
            self.validate_change(change, pools).map_err(|invalid| invalid.inside(inside))?;
        }
        let in_order = self.changes.is_sorted_by_key(|change| change.at);
        ensure(in_order, "changes", "a later one before an earlier one", "the earliest first")
    }

    fn validate_change(&self, change: &Change, pools: &[&str]) -> Result<(), Invalid> {
        for (name, pool) in &change.node_pools {
            let inside = || format!("node-pools.{name}");
            pool.validate(pools).map_err(|invalid| invalid.inside(inside()))?;
            let expected = "the name of a pool in `node-pools`";
            let Some(before) = self.node_pools.get(name) else {
                return ensure(false, "node-pools", name, expected);
            };
            let same_kind = before.replicas.is_some() == pool.replicas.is_some();
            let expected = "`replicas` before and after a change, or never";
            ensure(same_kind, "replicas", "a change of kind", expected)
                .map_err(|invalid| invalid.inside(inside()))?;
        }
        Ok(())
    }

    /// What nodes of a pool are made from.
    pub(super) fn template(&self, node_pool: &str) -> Template {
        self.node_pools.get(node_pool).map(NodePool::template).unwrap_or_default()
    }

    /// The batching window.
    pub(super) fn batch(&self) -> BatchRules {
        BatchRules { idle: self.batch_idle_duration, max: self.batch_max_duration }
    }

    /// How long pods are expected on a node that was chosen for them (`nominationWindow`: twice the batch, at
    /// least 10 s).
    pub(super) fn nomination(&self) -> Micros {
        let twice = self.batch_max_duration + self.batch_max_duration;
        twice.max(Micros::from_secs(10))
    }

    /// The moment of the day at this point of the run.
    pub(super) fn moment(&self, now: contract::Instant) -> DateTime {
        let begins = self.run_begins.parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let since = jiff::SignedDuration::from_micros(i64::try_from(now.0).unwrap_or(i64::MAX));
        TimeZone::UTC.to_datetime(begins.checked_add(since).unwrap_or(begins))
    }
}

fn known_pool(key: &str, pool: &str, pools: &[&str]) -> Result<(), Invalid> {
    let expected = format!("one of the pools `{}`", pools.join("`, `"));
    ensure(pools.contains(&pool), key, pool, expected)
}

/// The greatest weight of a `NodePool` (its schema).
const MOST_WEIGHT: u32 = 100;

impl NodePool {
    /// What its nodes are made from.
    pub(super) fn template(&self) -> Template {
        Template {
            node_class: self.node_class.clone(),
            expire_after: self.expire_after,
            termination_grace_period: self.termination_grace_period,
        }
    }

    fn validate(&self, pools: &[&str]) -> Result<(), Invalid> {
        let weight = self.weight;
        ensure(weight <= MOST_WEIGHT, "weight", weight, format!("at most {MOST_WEIGHT}"))?;
        for requirement in &self.requirements {
            requirement.validate().map_err(|invalid| invalid.inside("requirements"))?;
            if requirement.key == POOL_KEY {
                for pool in &requirement.values {
                    known_pool("requirements.values", pool, pools)?;
                }
            }
        }
        for budget in &self.budgets {
            budget.validate().map_err(|invalid| invalid.inside("budgets"))?;
        }
        if self.replicas.is_some() {
            let limits = Limits { nodes: self.limits.nodes, ..Limits::default() };
            let expected = "`limits.nodes` alone in a pool with `replicas`";
            ensure(self.limits == limits, "limits", "more", expected)?;
            ensure(self.weight == 0, "weight", self.weight, "none in a pool with `replicas`")?;
        }
        Ok(())
    }
}
