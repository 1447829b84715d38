//! The strategies by name, and what each of them decides: how good a node is, and which devices a pod gets.

use super::devices::Slots;
use super::fragmentation::Fragmentation;
use super::node::Node;
use super::pod::Demand;
use super::{best_fit, dot_prod, fgd, gpu_clustering, gpu_packing, random};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How to choose among the nodes on which a pod fits. Scores are whole numbers as in kube-scheduler; the highest
/// wins, the first of equals.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Any node, any device.
    Random,
    /// The node whose free resources point the way of the request the least.
    DotProd,
    /// The node that holds pods with requests of the same kind.
    GpuClustering,
    /// GPUs in use before idle GPUs, on nodes in use before idle nodes.
    GpuPacking,
    /// The node with the least left.
    BestFit,
    /// Fragmentation gradient descent: the node and device that become the least fragmented.
    Fgd,
}

impl Strategy {
    /// All of them, from the one that packs worst to the one that packs best in the published study.
    pub const ALL: [Self; 6] = [
        Self::Random,
        Self::DotProd,
        Self::GpuClustering,
        Self::GpuPacking,
        Self::BestFit,
        Self::Fgd,
    ];

    /// Its name on the command line and in scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::DotProd => "dotprod",
            Self::GpuClustering => "gpuclustering",
            Self::GpuPacking => "gpupacking",
            Self::BestFit => "bestfit",
            Self::Fgd => "fgd",
        }
    }

    /// The score of a node on which the pod fits.
    pub(super) fn score(self, site: &Site<'_>, demand: &Demand) -> i32 {
        match self {
            Self::Random => random::SCORE,
            Self::DotProd => dot_prod::score(site.node, demand),
            Self::GpuClustering => gpu_clustering::score(site.node, demand),
            Self::GpuPacking => gpu_packing::score(site.node, demand),
            Self::BestFit => best_fit::score(site.node, demand),
            Self::Fgd => fgd::score(site, demand),
        }
    }

    /// The devices that the pod gets on the chosen node; `luck` is 32 random bits.
    pub(super) fn slots(self, site: &Site<'_>, demand: &Demand, luck: u32) -> Option<Slots> {
        match self {
            Self::Random => random::slots(site.node, demand, luck),
            Self::Fgd => fgd::slots(site, demand),
            Self::DotProd | Self::GpuClustering | Self::GpuPacking | Self::BestFit => {
                site.node.usual_slots(demand)
            }
        }
    }
}

/// A node, with what fragmentation needs to be known about it.
pub(super) struct Site<'a> {
    pub(super) node: &'a Node,
    /// Its fragments, in thousandths of a GPU.
    pub(super) fragments: f64,
    pub(super) fragmentation: &'a Fragmentation,
}
