//! Scaling policies, one file (or folder) each: settings, memory, decision.
//!
//! A policy sees a [`contract::Observation`] and adds to a [`contract::Plan`]. It has no clock, does no I/O and
//! draws no luck, so the same code decides in a simulation and in a cluster. To add one: a file with its head
//! doc in the usual five headings, a `mod` line, a variant and its arms, a line in [`catalogue`].

mod catalogue;
mod invalid;
mod readings;
mod state;

pub mod aibrix;
pub mod aibrix_apa;
pub mod aibrix_kpa;
pub mod cluster_autoscaler;
pub mod dynamic_mig;
pub mod dynamo_planner;
pub mod fixed_nodes;
pub mod hpa;
pub mod karpenter;
pub mod keda;
pub mod kpa;
pub mod naive_ratio;
pub mod static_replicas;
pub mod wva;

pub use catalogue::{HEADINGS, Kind, PolicyDoc, Section, catalogue};
pub use invalid::Invalid;

use contract::{Policy, ServiceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A policy that decides on replica counts, with its settings: `[stack.replicas.<name>]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ReplicaPolicy {
    /// Keeps a fixed number of replicas.
    StaticReplicas(static_replicas::Settings),
    /// Kubernetes' own autoscaler.
    Hpa(hpa::Settings),
    /// KEDA's `ScaledObject`.
    Keda(keda::Settings),
    /// Knative's autoscaler.
    Kpa(Box<kpa::Settings>),
    /// Metric over target times the replicas asked for: runs away while models load.
    NaiveRatio(naive_ratio::Settings),
    /// AIBrix' KPA.
    AibrixKpa(aibrix_kpa::Settings),
    /// AIBrix' APA.
    AibrixApa(aibrix_apa::Settings),
    /// llm-d's Workload Variant Autoscaler with its HPA.
    Wva(Box<wva::Settings>),
    /// NVIDIA Dynamo's planner.
    DynamoPlanner(dynamo_planner::Settings),
}

impl ReplicaPolicy {
    /// Its name, as in a scenario.
    pub fn name(&self) -> &'static str {
        match self {
            Self::StaticReplicas(_) => "static-replicas",
            Self::Hpa(_) => "hpa",
            Self::Keda(_) => "keda",
            Self::Kpa(_) => "kpa",
            Self::NaiveRatio(_) => "naive-ratio",
            Self::AibrixKpa(_) => "aibrix-kpa",
            Self::AibrixApa(_) => "aibrix-apa",
            Self::Wva(_) => "wva",
            Self::DynamoPlanner(_) => "dynamo-planner",
        }
    }

    /// Checks what types cannot.
    pub fn validate(&self) -> Result<(), Invalid> {
        match self {
            Self::StaticReplicas(_) => Ok(()),
            Self::Hpa(settings) => settings.validate(),
            Self::Keda(settings) => settings.validate(),
            Self::Kpa(settings) => settings.validate(),
            Self::NaiveRatio(settings) => settings.validate(),
            Self::AibrixKpa(settings) => settings.validate(),
            Self::AibrixApa(settings) => settings.validate(),
            Self::Wva(settings) => settings.validate(),
            Self::DynamoPlanner(settings) => settings.validate(),
        }
    }

    /// The policy, in charge of these services, each by itself.
    pub fn build(&self, services: Vec<ServiceId>) -> Box<dyn Policy> {
        match self.clone() {
            Self::StaticReplicas(settings) => {
                Box::new(static_replicas::StaticReplicas::new(settings, services))
            }
            Self::Hpa(settings) => Box::new(hpa::Hpa::new(settings, services)),
            Self::Keda(settings) => Box::new(keda::Keda::new(settings, services)),
            Self::Kpa(settings) => Box::new(kpa::Kpa::new(*settings, services)),
            Self::NaiveRatio(settings) => {
                Box::new(naive_ratio::NaiveRatio::new(settings, services))
            }
            Self::AibrixKpa(settings) => Box::new(aibrix_kpa::AibrixKpa::new(settings, services)),
            Self::AibrixApa(settings) => Box::new(aibrix_apa::Apa::new(settings, services)),
            Self::Wva(settings) => Box::new(wva::Wva::new(*settings, services)),
            Self::DynamoPlanner(settings) => {
                Box::new(dynamo_planner::DynamoPlanner::new(settings, services))
            }
        }
    }
}

/// A policy that decides on nodes, with its settings: `[stack.nodes.<name>]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NodePolicy {
    /// Keeps every pool at a fixed number of nodes.
    FixedNodes(fixed_nodes::Settings),
    /// Cluster Autoscaler.
    ClusterAutoscaler(Box<cluster_autoscaler::Settings>),
    /// Karpenter.
    Karpenter(Box<karpenter::Settings>),
}

impl NodePolicy {
    /// Its name, as in a scenario.
    pub fn name(&self) -> &'static str {
        match self {
            Self::FixedNodes(_) => "fixed-nodes",
            Self::ClusterAutoscaler(_) => "cluster-autoscaler",
            Self::Karpenter(_) => "karpenter",
        }
    }

    /// Checks what types cannot; `pools` are the names of the cluster's pools.
    pub fn validate(&self, pools: &[&str]) -> Result<(), Invalid> {
        match self {
            Self::FixedNodes(settings) => settings.validate(pools),
            Self::ClusterAutoscaler(settings) => settings.validate(pools),
            Self::Karpenter(settings) => settings.validate(pools),
        }
    }

    /// Whether it answers provisioning requests.
    pub fn answers_provisioning_requests(&self) -> bool {
        match self {
            Self::ClusterAutoscaler(settings) => settings.answers_provisioning_requests(),
            Self::FixedNodes(_) | Self::Karpenter(_) => false,
        }
    }

    /// The policy, in charge of all pools.
    pub fn build(&self) -> Box<dyn Policy> {
        match self.clone() {
            Self::FixedNodes(settings) => Box::new(fixed_nodes::FixedNodes::new(settings)),
            Self::ClusterAutoscaler(settings) => {
                Box::new(cluster_autoscaler::ClusterAutoscaler::new(*settings))
            }
            Self::Karpenter(settings) => Box::new(karpenter::Karpenter::new(*settings)),
        }
    }
}

/// A policy that decides how GPUs are divided, with its settings: `[stack.gpus.<name>]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub enum GpuPolicy {
    /// Cuts GPUs into the MIG instances that pending pods ask for, emptied first if none is idle.
    DynamicMig(dynamic_mig::Settings),
}

impl GpuPolicy {
    /// Its name, as in a scenario.
    pub fn name(&self) -> &'static str {
        match self {
            Self::DynamicMig(_) => "dynamic-mig",
        }
    }

    /// Checks what types cannot.
    pub fn validate(&self) -> Result<(), Invalid> {
        match self {
            Self::DynamicMig(settings) => settings.validate(),
        }
    }

    /// The policy, in charge of all GPUs.
    pub fn build(&self) -> Box<dyn Policy> {
        match self.clone() {
            Self::DynamicMig(settings) => Box::new(dynamic_mig::DynamicMig::new(settings)),
        }
    }
}

#[cfg(test)]
mod samples;
