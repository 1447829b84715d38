//! Autoscalers as a cluster has them: `[stack.replicas.manifest]`, `[metric-map]`.

use contract::Metric;
use indexmap::IndexMap;
use policies::hpa::controller::Controller;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// YAML to take policies from, in place of a policy. For nodes, `[stack.nodes.manifest]`: Karpenter's `NodePool`
/// (karpenter.sh/v1) and `CapacityBuffer`. For replicas: `HorizontalPodAutoscaler` (autoscaling/v2), `ScaledObject`
/// (keda.sh/v1alpha1), Knative `Service` with the `ConfigMap` `config-autoscaler`. Each autoscaler goes to the
/// service that its target names, unless that has a policy of its own. The resolved scenario holds the policy's
/// settings and needs the YAML no more.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// A file, relative to the scenario; it may hold several documents.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// Or several files.
    #[serde(default)]
    pub files: Vec<PathBuf>,
    /// Services of the scenario, by the names that autoscalers aim at, where those differ.
    #[serde(default)]
    pub targets: IndexMap<String, String>,
    /// Flags of the HPA controller, which stand in no manifest.
    #[serde(default)]
    pub controller: Controller,
}

/// What one of a cluster's metrics stands for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a metric, such as `queue-length`, or `{ metric = \"busy\", unit = 0.01 }`"
)]
pub enum MetricName {
    /// A metric in the same unit.
    Same(Metric),
    /// A metric in another unit.
    Scaled {
        /// Which.
        metric: Metric,
        /// One of the cluster's units in units of `metric`: 0.01 for per cent of a share.
        unit: f64,
    },
}
