//! Shapes that the replicas of a service may have: `[service.NAME.alternatives]`.

use super::{Length, Requests};
use crate::catalog::Precision;
use contract::{GpuRequest, Micros};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use traces::RequestsPerSecond;

/// Shapes that a replica may have, in the place of the one that `llm` and `gpu-part` describe. A pod has one shape, as in
/// Kubernetes: what node autoscalers see pending is a pod of one shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Alternatives {
    /// The shapes, at least one.
    pub any_of: Vec<Shape>,
    /// Which of them is tried first, and what comes after.
    #[serde(default)]
    pub prefer: Prefer,
    /// A replica that fits nowhere for so long is deleted, and one of the next shape made in its place; after the last
    /// shape comes the first. Long enough for a node to come up, if one can.
    #[serde(default = "fallback_after")]
    pub fallback_after: Length,
}

/// One shape. What is left out is as the service's `llm` has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Shape {
    /// GPU models that it can run on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<String>,
    /// GPUs of a replica.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tensor_parallel: Option<NonZeroU32>,
    /// Format of the weights: another copy of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// The part of a GPU that it asks for; whole GPUs unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_part: Option<GpuRequest>,
    /// What it asks of a node, beside GPUs; as the service's `requests` unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Requests>,
}

/// Which shape a new replica has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Prefer {
    /// In the order of the list.
    #[default]
    InOrder,
    /// By what replicas for this load cost, of the shapes that keep the SLO's TTFT and TPOT under it as far as can be worked
    /// out; the others come after them, in the order of the list.
    CheapestThatMeetsSlo(PlannedLoad),
}

/// The load that a choice is made for: what is known beforehand, not what comes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlannedLoad {
    /// Requests a second, over all replicas.
    pub rate: RequestsPerSecond,
    /// Prompt tokens of a request.
    pub prompt: NonZeroU32,
    /// Output tokens of a request.
    pub output: NonZeroU32,
}

fn fallback_after() -> Length {
    Length::of(Micros::from_mins(10))
}
