//! Kueue: `[flavor.NAME]`, `[queue.NAME]`, `[wait-for-pods-ready]`. Heeded by stacks whose gangs are Kueue's.

use contract::Micros;
use indexmap::IndexMap;
use placement::quota::{Preemption, Quota, Strategy, WhenCanBorrow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A kind of nodes that quotas are given of (Kueue's `ResourceFlavor`). Admission tries flavors in the order of their
/// tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Flavor {
    /// Labels of its nodes.
    pub node_labels: BTreeMap<String, String>,
}

/// A queue of jobs with a quota (Kueue's `ClusterQueue`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Queue {
    /// Queues of one cohort lend each other what they do not use; a queue without one stands alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohort: Option<String>,
    /// GPUs, by flavor.
    pub quota: IndexMap<String, Quota>,
    /// What it does when the first in it does not fit.
    #[serde(default)]
    pub strategy: Strategy,
    /// Whether it looks for a flavor of its own before it borrows.
    #[serde(default)]
    pub when_can_borrow: WhenCanBorrow,
    /// Whose jobs go for its own.
    #[serde(default)]
    pub preemption: Preemption,
}

/// How long an admitted job may take to get all of its pods up (Kueue's `waitForPodsReady`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct WaitForPodsReady {
    /// From admission to all pods up; a job that takes longer is evicted and gives its quota back.
    pub timeout: Micros,
    /// How long it then waits at least before it is tried again, the first time; doubles each time.
    pub backoff_base: Micros,
    /// Never longer than this.
    pub backoff_max: Micros,
}

impl Default for WaitForPodsReady {
    /// Kueue's own: `timeout` 30 min, `backoffBaseSeconds` 60, `backoffMaxSeconds` 3600.
    fn default() -> Self {
        Self {
            timeout: Micros::from_mins(30),
            backoff_base: Micros::from_secs(60),
            backoff_max: Micros::from_mins(60),
        }
    }
}
