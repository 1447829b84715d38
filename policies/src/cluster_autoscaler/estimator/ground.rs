//! Where pods are packed: new nodes and, for pods that look at others, the cluster around them.

use contract::{HOSTNAME_KEY, Instant, NodeId, NodeShape, PodId, PodSpec};
use placement::{Asking, Candidate, Cluster, Resident, fits};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The cluster that new nodes join.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Its nodes with their pods.
    pub cluster: Cluster,
    /// The numbers of its nodes.
    pub nodes: Vec<NodeId>,
    /// Where a new node will stand, as far as that is known.
    pub zone: Option<Arc<str>>,
}

/// Numbers of nodes and pods that are only thought of start here, above all others.
const IMAGINED: u32 = 1 << 31;

/// New nodes of one shape.
pub(super) struct Ground<'a> {
    shape: &'a Arc<NodeShape>,
    /// The new nodes, in order.
    nodes: Vec<Candidate<'a>>,
    /// Where pods look at others: all nodes. Pods that do not are packed without it, which is faster.
    around: Option<Surroundings>,
    pods: u32,
    /// Nodes of the cluster that took pods.
    helpers: BTreeSet<NodeId>,
}

impl<'a> Ground<'a> {
    pub(super) fn new(shape: &'a Arc<NodeShape>, around: Option<&Surroundings>) -> Self {
        let (around, helpers) = (around.cloned(), BTreeSet::new());
        Self { shape, nodes: Vec::new(), around, pods: 0, helpers }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Pods on a new node.
    pub(super) fn pods_on(&self, place: usize) -> u32 {
        self.nodes[place].pods
    }

    /// One more new node.
    pub(super) fn open(&mut self) {
        let id = imagined(self.nodes.len());
        self.nodes.push(Candidate::fresh(self.shape));
        if let Some(around) = &mut self.around {
            around.cluster.add_node(id, self.shape, around.zone.as_ref());
        }
    }

    /// Whether a new node takes a pod.
    pub(super) fn takes(&mut self, place: usize, spec: &PodSpec) -> bool {
        match &mut self.around {
            Some(around) => around.cluster.fits(&Asking { id: None, spec }, imagined(place)),
            None => fits(spec, &self.nodes[place]).is_ok(),
        }
    }

    /// Puts a pod on a new node.
    pub(super) fn put(&mut self, place: usize, spec: &Arc<PodSpec>) {
        self.nodes[place].add(spec);
        self.note(imagined(place), spec);
    }

    fn note(&mut self, node: NodeId, spec: &Arc<PodSpec>) {
        let id = PodId(IMAGINED + self.pods);
        self.pods += 1;
        if let Some(around) = &mut self.around {
            let (spec, started) = (spec.clone(), Instant::ZERO);
            let pod = Resident { id, spec, started, budget: None, terminating: false };
            around.cluster.add_pod(node, pod);
        }
    }

    /// A pod that is spread over host names and that the newest node has room for, but must not take, is put on
    /// any other node, even one of the cluster; says whether there was one. Upstream counts such a node among the
    /// new ones.
    pub(super) fn put_elsewhere(&mut self, spec: &Arc<PodSpec>) -> bool {
        let newest = self.nodes.len() - 1;
        let by_host = spec.constraints.as_ref().is_some_and(|own| {
            own.topology_spread.iter().any(|spread| spread.topology_key == HOSTNAME_KEY)
        });
        if !by_host || fits(spec, &self.nodes[newest]).is_err() {
            return false;
        }
        let Some(around) = &mut self.around else { return false };
        let known = around.nodes.iter().copied().chain((0..newest).map(imagined));
        let asking = Asking { id: None, spec };
        let Some(node) =
            known.collect::<Vec<_>>().into_iter().find(|&node| around.cluster.fits(&asking, node))
        else {
            return false;
        };
        match (0..newest).find(|&place| imagined(place) == node) {
            Some(place) => self.nodes[place].add(spec),
            None => drop(self.helpers.insert(node)),
        }
        self.note(node, spec);
        true
    }

    /// Nodes that hold at least one pod.
    pub(super) fn filled(&self) -> usize {
        self.nodes.iter().filter(|node| node.pods > 0).count() + self.helpers.len()
    }
}

fn imagined(place: usize) -> NodeId {
    NodeId(IMAGINED + u32::try_from(place).expect("fewer than 2^31 new nodes"))
}
