//! A strategy at work: pods come one at a time, each goes to the best node.
//!
//! Pods come in few classes (about 150 in the published workloads), and a placement changes one node. So each
//! class keeps the scores of all nodes in a tournament, and when a pod of the class comes, only the nodes that
//! have changed since its last one are scored again, each once however often it changed.

use super::changes::Changes;
use super::cluster::Cluster;
use super::devices::Slots;
use super::index::Index;
use super::node::{Node, NodeSpec, TooManyGpus};
use super::pod::{Demand, Pod};
use super::strategy::Strategy;
use super::{MilliGpu, TypicalPod, random};
use std::collections::BTreeMap;

/// A class of pods that ask for the same, in one packer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClassId(usize);

/// Where a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The pod's class.
    pub class: ClassId,
    /// The place of its node in the cluster.
    pub node: usize,
    /// Its devices.
    pub slots: Slots,
}

/// A cluster with the strategy that packs it.
pub struct Packer {
    strategy: Strategy,
    cluster: Cluster,
    class_ids: BTreeMap<Pod, ClassId>,
    classes: Vec<Class>,
    changes: Changes,
}

/// A class with the scores of all nodes for it.
struct Class {
    demand: Demand,
    index: Index,
    /// How many changes of nodes the scores know of; `None` before the first pod.
    seen: Option<u64>,
}

impl Packer {
    /// An empty cluster. Of equally good nodes, the first in this order is taken; fragments are measured against
    /// the typical pods.
    ///
    /// # Errors
    /// If a node has more GPUs than [`MOST_DEVICES`](super::MOST_DEVICES).
    pub fn new(
        strategy: Strategy,
        nodes: &[NodeSpec],
        typical: &[TypicalPod],
    ) -> Result<Self, TooManyGpus> {
        Ok(Self {
            strategy,
            cluster: Cluster::new(nodes, typical)?,
            class_ids: BTreeMap::new(),
            classes: Vec::new(),
            changes: Changes::none(nodes.len()),
        })
    }

    /// The class of a pod.
    pub fn class_of(&mut self, pod: &Pod) -> ClassId {
        if let Some(class) = self.class_ids.get(pod) {
            return *class;
        }
        let class = ClassId(self.classes.len());
        let demand = Demand::of(pod, self.cluster.models());
        self.classes.push(Class { demand, index: Index::default(), seen: None });
        self.class_ids.insert(pod.clone(), class);
        class
    }

    /// Puts a pod of a class on the best node; `None` if it fits on none. `luck` is 64 random bits, of which
    /// [`Strategy::Random`] alone makes use.
    ///
    /// # Panics
    /// If the class is another packer's.
    pub fn place(&mut self, class: ClassId, luck: u64) -> Option<Placement> {
        self.catch_up(class);
        let Class { demand, index, .. } = &self.classes[class.0];
        let (for_node, for_device) = halves(luck);
        let node = match self.strategy {
            Strategy::Random => index.nth_fitting(random::pick(index.fitting(), for_node))?,
            _ => index.best()?,
        };
        let slots = self.strategy.slots(&self.cluster.site(node), demand, for_device);
        let slots = slots.expect("the pod fits on the node");
        self.cluster.add(node, demand, &slots);
        self.changes.tell(node);
        Some(Placement { class, node, slots })
    }

    /// Takes a pod away from where it is.
    ///
    /// # Panics
    /// If no such pod is there.
    pub fn release(&mut self, placement: &Placement) {
        let demand = &self.classes[placement.class.0].demand;
        self.cluster.remove(placement.node, demand, &placement.slots);
        self.changes.tell(placement.node);
    }

    /// The nodes, in the order in which they were given.
    pub fn nodes(&self) -> &[Node] {
        self.cluster.nodes()
    }

    /// The idle GPU that typical pods cannot use, over all nodes, in thousandths of a GPU.
    pub fn fragments(&self) -> f64 {
        self.cluster.fragments()
    }

    /// What is free on all GPUs together, in thousandths of a GPU.
    pub fn gpu_free(&self) -> u64 {
        self.cluster.gpu_free()
    }

    /// What a pod of a class asks for in all.
    pub fn gpu_sum(&self, class: ClassId) -> MilliGpu {
        self.classes[class.0].demand.gpu_sum()
    }

    #[cfg(test)]
    pub(super) fn demand(&self, class: ClassId) -> &Demand {
        &self.classes[class.0].demand
    }

    #[cfg(test)]
    pub(super) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Scores the nodes again that have changed since the class's last pod.
    fn catch_up(&mut self, class: ClassId) {
        let (cluster, strategy) = (&self.cluster, self.strategy);
        let Class { demand, index, seen } = &mut self.classes[class.0];
        match seen.and_then(|seen| self.changes.since(seen)) {
            Some(changed) => {
                for node in changed {
                    index.update(node, cluster.score(strategy, demand, node));
                }
            }
            None => index.fill(cluster.scores(strategy, demand)),
        }
        *seen = Some(self.changes.count());
    }
}

/// The upper and the lower 32 bits.
#[expect(clippy::cast_possible_truncation, reason = "halves")]
fn halves(luck: u64) -> (u32, u32) {
    ((luck >> 32) as u32, luck as u32)
}
