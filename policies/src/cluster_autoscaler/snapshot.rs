//! The cluster as the autoscaler imagines it: nodes that are there or on their way, with pods it places in
//! thought.

use super::Settings;
use contract::{NodeId, NodeSeen, NodeStage, Observation, PodSpec};
use placement::{Candidate, fits};

/// A node, real or on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimNode<'a> {
    /// Its number.
    pub(crate) id: NodeId,
    /// Ready, as opposed to on its way.
    pub(crate) ready: bool,
    /// A pending pod was placed on it in thought.
    pub(crate) awaited: bool,
    /// Removed in thought: a ghost that takes no pods.
    pub(crate) removed: bool,
    /// Its room.
    pub(crate) candidate: Candidate<'a>,
}

/// All of them, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot<'a> {
    pub(crate) nodes: Vec<SimNode<'a>>,
    /// Where the last pod was placed: the next search starts there.
    last: usize,
}

impl<'a> Snapshot<'a> {
    /// Nodes that are leaving are left out, and so are those that have been starting for too long.
    pub(crate) fn of(seen: &Observation<'a>, settings: &Settings) -> Self {
        let counts = |node: &&'a NodeSeen| match node.stage {
            NodeStage::AcceleratorStarting => {
                seen.now.since(node.since) <= settings.max_node_startup_time
            }
            stage => stage < NodeStage::Draining,
        };
        let nodes = seen.nodes.iter().filter(counts).map(|node| SimNode {
            id: node.id,
            ready: node.stage == NodeStage::Ready,
            awaited: false,
            removed: false,
            candidate: Candidate {
                shape: &seen.pools[node.pool.index()].shape,
                used: node.used,
                pods: u32::try_from(node.pods.len()).unwrap_or(u32::MAX),
                cordoned: node.cordoned,
            },
        });
        Self { nodes: nodes.collect(), last: 0 }
    }

    /// Places a pod on the first node that takes it, looking on from where the last one was placed.
    pub(crate) fn place(
        &mut self,
        spec: &PodSpec,
        may: impl Fn(&SimNode<'_>) -> bool,
    ) -> Option<usize> {
        let count = self.nodes.len();
        let places = (self.last..count).chain(0..self.last.min(count));
        let takes =
            |node: &SimNode<'_>| !node.removed && may(node) && fits(spec, &node.candidate).is_ok();
        let place = places.into_iter().find(|&place| takes(&self.nodes[place]))?;
        self.nodes[place].candidate.add(spec);
        self.last = place;
        Some(place)
    }

    /// Takes a pod back that [`Snapshot::place`] put there.
    pub(crate) fn take_back(&mut self, place: usize, spec: &PodSpec) {
        let candidate = &mut self.nodes[place].candidate;
        candidate.used -= spec.requests;
        candidate.pods -= 1;
    }

    /// Where a node stands.
    pub(crate) fn find(&self, id: NodeId) -> Option<usize> {
        self.nodes.binary_search_by_key(&id, |node| node.id).ok()
    }
}
