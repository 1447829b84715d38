//! Kueue: `[flavor.NAME]`, `[queue.NAME]`, `[wait-for-pods-ready]`. Heeded by stacks whose gangs are Kueue's.

use contract::{Micros, ProvisioningClass};
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
    /// What a job with quota asks the node autoscaler for before it has pods; nothing unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning: Option<Provisioning>,
}

/// Kueue's admission check by `ProvisioningRequest` (`ProvisioningRequestConfig`): a job with quota has no pods until
/// the node autoscaler has found room for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Provisioning {
    /// What is asked for.
    pub class: ProvisioningClass,
    /// A look that finds no room fails the request and gives the quota back (parameter `noRetry`, for `check-capacity`
    /// alone); else the autoscaler looks again, and the quota stays with the job.
    #[serde(default)]
    pub no_retry: bool,
    /// After so many failed requests in a row, the next that fails is the job's last.
    #[serde(default = "backoff_limit_count")]
    pub retries: u32,
    /// How long a job waits at least after its request failed, the first time; doubles each time.
    #[serde(default = "backoff_base")]
    pub backoff_base: Micros,
    /// Never longer than this.
    #[serde(default = "backoff_max")]
    pub backoff_max: Micros,
}

/// Kueue's `retryStrategy.backoffLimitCount`.
fn backoff_limit_count() -> u32 {
    3
}

/// Kueue's `retryStrategy.backoffBaseSeconds`, 60.
fn backoff_base() -> Micros {
    Micros::from_secs(60)
}

/// Kueue's `retryStrategy.backoffMaxSeconds`, 1800.
fn backoff_max() -> Micros {
    Micros::from_mins(30)
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
