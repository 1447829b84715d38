//! What the autoscaler thinks a new node of a pool is: like one of its ready nodes, or else as its provider says.

use super::Settings;
use super::cluster_state::ClusterState;
use contract::{NodeShape, Observation, PoolSeen, Resources, Sharing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a provider's template of an empty pool may lack. Providers take it from what they know of the instance type
/// and from tags of the group, which somebody has to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Lack {
    /// GPUs, whole or divided: extended resources, or the devices of a DRA driver.
    Gpus,
    /// Labels.
    Labels,
    /// Taints.
    Taints,
}

/// The template of each pool.
pub(super) fn templates(
    seen: &Observation<'_>,
    state: &ClusterState,
    settings: &Settings,
) -> Vec<Arc<NodeShape>> {
    let template = |(pool, ready): (&PoolSeen, bool)| match settings.template_lacks.get(&*pool.name)
    {
        Some(lacks) if !ready => Arc::new(without(&pool.shape, lacks)),
        _ => pool.shape.clone(),
    };
    let ready = state.pools.iter().map(|pool| pool.readiness.ready > 0);
    seen.pools.iter().zip(ready).map(template).collect()
}

fn without(shape: &NodeShape, lacks: &[Lack]) -> NodeShape {
    let mut template = shape.clone();
    for lack in lacks {
        match lack {
            Lack::Gpus => {
                template.allocatable = Resources { gpus: 0, ..template.allocatable };
                template.gpu = None;
                template.sharing = Sharing::default();
            }
            Lack::Labels => template.labels.clear(),
            Lack::Taints => template.taints.clear(),
        }
    }
    template
}
