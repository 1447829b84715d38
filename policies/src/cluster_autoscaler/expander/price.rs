//! `price`: the lowest price for what the pods are worth, weighed by how well the node's size suits the cluster.

use super::Offer;
use contract::{Bytes, MilliCpu, Resources, UsdPerHour};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one hour of requested resources is worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PodPrices {
    /// Every pod, whatever it requests.
    pub pod: UsdPerHour,
    /// One core.
    pub cpu: UsdPerHour,
    /// One GiB of memory.
    pub memory_gib: UsdPerHour,
    /// One GPU.
    pub gpu: UsdPerHour,
}

impl Default for PodPrices {
    /// The price model of Cluster Autoscaler's GCE provider (`cloudprovider/gce/gce_price.go`).
    fn default() -> Self {
        Self {
            pod: UsdPerHour(0.0),
            cpu: UsdPerHour(0.033_174),
            memory_gib: UsdPerHour(0.004_446),
            gpu: UsdPerHour(0.7),
        }
    }
}

impl PodPrices {
    /// What an hour of so many pods with these requests in all is worth, in dollars.
    #[expect(clippy::cast_precision_loss, reason = "millicores stay below 2^53")]
    pub fn price(&self, pods: u32, requests: &Resources) -> f64 {
        self.pod.0 * f64::from(pods)
            + self.cpu.0 * (requests.cpu.0 as f64 / 1000.0)
            + self.memory_gib.0 * requests.memory.as_gib_f64()
            + self.gpu.0 * f64::from(requests.gpus)
    }

    /// What upstream's stabilisation pod is worth: 500 mCPU and 500 MiB.
    pub fn stabilisation(&self) -> f64 {
        self.price(1, &Resources { cpu: MilliCpu(500), memory: Bytes(500 << 20), gpus: 0 })
    }
}

/// A new pool is worth twice the trouble (upstream: `notExistCoefficient`).
const NEW_POOL: f64 = 2.0;

/// Price of an hour of the new nodes over the worth of an hour of the pods, both stabilised by a small pod, times
/// the unfitness; `None` where a price is not known.
pub fn price_score(offer: &Offer<'_>, stabilisation: f64, preferred: MilliCpu) -> Option<f64> {
    let cost = offer.node_price? * f64::from(offer.nodes) + stabilisation;
    let worth = offer.pods_price? + stabilisation;
    let newness = if offer.exists { 1.0 } else { NEW_POOL };
    Some(suppressed_unfitness(offer, preferred)? * cost / worth * newness)
}

/// Unfitness of a node with GPUs (upstream: `gpuUnfitnessOverride`): chosen only if nothing else is left.
const GPU_UNFITNESS: f64 = 1000.0;

/// How ill the node's size suits the cluster, 1 and above; the more nodes at a time, the less it matters.
fn suppressed_unfitness(offer: &Offer<'_>, preferred: MilliCpu) -> Option<f64> {
    if offer.has_gpus {
        return Some(GPU_UNFITNESS);
    }
    let unfitness = unfitness(preferred, offer.capacity?.cpu);
    // The count at which size hardly matters (upstream: 15).
    let suppression = 1.0 - ((f64::from(offer.nodes) - 1.0) / 15.0).tanh();
    Some((unfitness - 1.0) * suppression + 1.0)
}

/// The larger of the two over the smaller.
#[expect(clippy::cast_precision_loss, reason = "millicores stay below 2^53")]
pub fn unfitness(preferred: MilliCpu, cpu: MilliCpu) -> f64 {
    let ratio = preferred.0 as f64 / cpu.0 as f64;
    ratio.max(1.0 / ratio)
}

/// CPU of the node that suits a cluster of this size (upstream: `SimplePreferredNodeProvider`).
pub fn preferred_cpu(cluster_nodes: u32) -> MilliCpu {
    let cores = match cluster_nodes {
        0..=2 => 1,
        3..=6 => 2,
        7..=20 => 4,
        21..=60 => 8,
        61..=200 => 16,
        _ => 32,
    };
    MilliCpu(cores * 1000)
}
