//! Nodes with what their pods leave of them, and how fragmented that is.

use super::TypicalPod;
use super::devices::Slots;
use super::fragmentation::Fragmentation;
use super::node::{Node, NodeSpec, TooManyGpus};
use super::pod::Demand;
use super::strategy::{Site, Strategy};
use contract::GpuModel;

/// The nodes of a cluster, in the order in which equally good ones are taken.
pub(super) struct Cluster {
    nodes: Vec<Node>,
    /// The models of the nodes, each once, in order; nodes and pods name them by their place here.
    models: Vec<Option<GpuModel>>,
    fragmentation: Fragmentation,
    /// By node, in thousandths of a GPU.
    fragments: Vec<f64>,
    fragments_sum: f64,
    /// By node: the place of its specification among the distinct ones.
    shapes: Vec<usize>,
    /// By node: how many pods it holds.
    pods: Vec<u32>,
}

impl Cluster {
    /// Empty nodes, whose fragments are measured against typical pods.
    pub(super) fn new(specs: &[NodeSpec], typical: &[TypicalPod]) -> Result<Self, TooManyGpus> {
        let models = distinct(specs.iter().map(|spec| spec.model.clone()));
        let kinds = distinct(specs.iter());
        let node = |spec: &NodeSpec| Node::empty(spec, place(&models, &spec.model));
        let nodes = specs.iter().map(node).collect::<Result<Vec<_>, _>>()?;
        let fragmentation = Fragmentation::new(typical, &models);
        let fragments: Vec<_> = nodes.iter().map(|node| fragmentation.of_node(node)).collect();
        Ok(Self {
            fragments_sum: fragments.iter().sum(),
            shapes: specs.iter().map(|spec| place(&kinds, &spec)).collect(),
            pods: vec![0; nodes.len()],
            nodes,
            models,
            fragmentation,
            fragments,
        })
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(super) fn models(&self) -> &[Option<GpuModel>] {
        &self.models
    }

    /// Fragments of all nodes together, in thousandths of a GPU.
    pub(super) fn fragments(&self) -> f64 {
        self.fragments_sum
    }

    /// What is free on all GPUs together.
    pub(super) fn gpu_free(&self) -> u64 {
        self.nodes.iter().map(|node| u64::from(node.gpu_free.0)).sum()
    }

    /// A node for a strategy to look at.
    pub(super) fn site(&self, node: usize) -> Site<'_> {
        Site {
            node: &self.nodes[node],
            fragments: self.fragments[node],
            fragmentation: &self.fragmentation,
        }
    }

    /// A node's score; `None` if the pod does not fit.
    pub(super) fn score(&self, strategy: Strategy, demand: &Demand, node: usize) -> Option<i32> {
        let fits = self.nodes[node].fits(demand);
        fits.then(|| strategy.score(&self.site(node), demand))
    }

    /// The scores of all nodes. Empty nodes with the same specification are scored once.
    pub(super) fn scores(
        &self,
        strategy: Strategy,
        demand: &Demand,
    ) -> impl ExactSizeIterator<Item = Option<i32>> {
        let mut of_empty = vec![None; self.nodes.len()];
        (0..self.nodes.len()).map(move |node| {
            if self.pods[node] > 0 {
                return self.score(strategy, demand, node);
            }
            let score = || self.score(strategy, demand, node);
            *of_empty[self.shapes[node]].get_or_insert_with(score)
        })
    }

    /// Puts a pod on a node.
    pub(super) fn add(&mut self, node: usize, demand: &Demand, slots: &Slots) {
        self.nodes[node].add(demand, slots);
        self.pods[node] += 1;
        self.measure(node);
    }

    /// Takes a pod off a node.
    pub(super) fn remove(&mut self, node: usize, demand: &Demand, slots: &Slots) {
        self.nodes[node].remove(demand, slots);
        self.pods[node] -= 1;
        self.measure(node);
    }

    fn measure(&mut self, node: usize) {
        let fragments = self.fragmentation.of_node(&self.nodes[node]);
        self.fragments_sum += fragments - self.fragments[node];
        self.fragments[node] = fragments;
    }
}

fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<_> = values.collect();
    values.sort();
    values.dedup();
    values
}

/// The place of a value that is there.
fn place<T: Ord>(sorted: &[T], value: &T) -> usize {
    sorted.binary_search(value).expect("every value is among the distinct ones")
}
