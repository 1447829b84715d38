//! `ProvisioningRequest`: pods that do not exist until a node autoscaler has said that there is room for all of them.

use crate::{Instant, JobId, PodSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What a request asks of the node autoscaler (`spec.provisioningClassName`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProvisioningClass {
    /// Says whether there is room for all pods, and keeps it for a while; no nodes are added.
    CheckCapacity,
    /// Adds the nodes that all pods need, or none.
    BestEffortAtomicScaleUp,
}

impl fmt::Display for ProvisioningClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CheckCapacity => "check-capacity",
            Self::BestEffortAtomicScaleUp => "best-effort-atomic-scale-up",
        })
    }
}

/// Pods of a job that are asked for as one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProvisioningRequest {
    /// Whose pods: the job has one request at a time, as long as it is admitted.
    pub job: JobId,
    /// What is asked for.
    pub class: ProvisioningClass,
    /// A look that finds no room fails the request (parameter `noRetry`).
    pub no_retry: bool,
    /// How many pods.
    pub pods: u32,
    /// What each asks for.
    pub spec: Arc<PodSpec>,
    /// When the request was made.
    pub created: Instant,
    /// What has become of it.
    pub state: ProvisioningState,
}

impl ProvisioningRequest {
    /// Whether it still waits for room.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, ProvisioningState::Provisioned { .. })
    }
}

/// What has become of a request. One that failed is gone: its owner makes another, or gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProvisioningState {
    /// Nobody has looked at it.
    New,
    /// There was no room (condition `Provisioned` is false).
    NotFound {
        /// When that was found last.
        at: Instant,
    },
    /// There is room, or there will be: its pods may come.
    Provisioned {
        /// When that was said.
        at: Instant,
    },
}

/// What a node autoscaler says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProvisioningAnswer {
    /// There is room for all pods (`CapacityIsFound`).
    Found,
    /// Nodes for all pods were asked for (`CapacityIsProvisioned`).
    Provisioned,
    /// There is no room; it will be looked for again (`CapacityIsNotFound`).
    NotFound,
    /// There is none, and it will not be looked for again (`Failed`).
    Failed,
}

impl fmt::Display for ProvisioningAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Found => "found",
            Self::Provisioned => "provisioned",
            Self::NotFound => "not-found",
            Self::Failed => "failed",
        })
    }
}
