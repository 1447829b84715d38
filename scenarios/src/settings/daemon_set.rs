//! A daemon set: `[daemon-set.NAME]`, a pod of it on every node.

use contract::{Bytes, MilliCpu};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A pod on every node: log collectors, GPU exporters, network plug-ins. It takes its part of the node for the node's
/// whole life; node autoscalers see it and do not wait for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DaemonSet {
    /// What it asks of a node.
    pub requests: DaemonRequests,
    /// Pools on whose nodes it runs; all unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<String>,
}

/// What a daemon asks of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DaemonRequests {
    /// CPU.
    pub cpu: MilliCpu,
    /// Memory.
    pub memory: Bytes,
}
