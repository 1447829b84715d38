//! The cluster as the autoscaler imagines it: nodes that are there or on their way, with pods it places in
//! thought.

use contract::{NodeId, NodeShape, PlacedPod, PodSpec};
use placement::{Candidate, fits};

/// A pod that was placed in thought: a pending one, or one that moves from a node that goes.
#[derive(Clone, Copy, Debug)]
pub struct Guest<'a> {
    /// What it asks for.
    pub spec: &'a PodSpec,
    /// The pod, if it runs somewhere in truth.
    pub pod: Option<&'a PlacedPod>,
}

/// A node, real or on its way.
#[derive(Clone, Debug)]
pub struct SimNode<'a> {
    /// Its number; `None` for one that is on its way.
    pub id: Option<NodeId>,
    /// Its pool, by place.
    pub pool: usize,
    /// Not ready, or on its way out: it takes no pods.
    pub closed: bool,
    /// Removed in thought: a ghost.
    pub removed: bool,
    /// Its room.
    pub candidate: Candidate<'a>,
    /// Pods on it in truth.
    pub residents: &'a [PlacedPod],
    /// Pods on it in thought.
    pub guests: Vec<Guest<'a>>,
}

impl<'a> SimNode<'a> {
    /// An empty node that is on its way.
    pub fn upcoming(pool: usize, shape: &'a NodeShape) -> Self {
        let candidate = Candidate::fresh(shape);
        let (closed, removed) = (false, false);
        Self { id: None, pool, closed, removed, candidate, residents: &[], guests: Vec::new() }
    }

    /// All its pods, those in thought last.
    pub fn pods(&self) -> impl Iterator<Item = Guest<'a>> + '_ {
        let residents = self.residents.iter().map(|pod| Guest { spec: &pod.spec, pod: Some(pod) });
        residents.chain(self.guests.iter().copied())
    }
}

/// All of them: real ones by number, then those on their way.
#[derive(Clone, Debug, Default)]
pub struct Snapshot<'a> {
    /// The nodes.
    pub nodes: Vec<SimNode<'a>>,
    /// Where the last pod was placed: the next search starts there.
    last: usize,
}

impl<'a> Snapshot<'a> {
    /// These nodes.
    pub fn new(nodes: Vec<SimNode<'a>>) -> Self {
        Self { nodes, last: 0 }
    }

    /// Places a pod on the first node that takes it, looking on from where the last one was placed.
    pub fn place(&mut self, guest: Guest<'a>, may: impl Fn(&SimNode<'_>) -> bool) -> Option<usize> {
        let count = self.nodes.len();
        let mut places = (self.last..count).chain(0..self.last.min(count));
        let takes = |node: &SimNode<'_>| {
            !node.closed && !node.removed && may(node) && fits(guest.spec, &node.candidate).is_ok()
        };
        let place = places.find(|&place| takes(&self.nodes[place]))?;
        self.nodes[place].candidate.add(guest.spec);
        self.nodes[place].guests.push(guest);
        self.last = place;
        Some(place)
    }

    /// Takes back the last pod that [`Snapshot::place`] put there.
    pub(super) fn take_back(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        if let Some(guest) = node.guests.pop() {
            node.candidate.used -= guest.spec.requests;
            node.candidate.pods -= 1;
        }
    }

    /// Where a real node stands.
    pub fn find(&self, id: NodeId) -> Option<usize> {
        let real = self.nodes.partition_point(|node| node.id.is_some());
        self.nodes[..real].binary_search_by_key(&Some(id), |node| node.id).ok()
    }
}
