//! Gang scheduling: members are kept back until enough exist, placed in thought, bound together or not at all.
//!
//! In the scheduler's queues one unbound member stands for its gang, the first; the attempt to place it is an attempt
//! to place all.

use super::Engine;
use super::pods::PodRef;
use crate::spec::GangScheduling;
use contract::{JobId, NodeId, NodeSeen, NodeStage, PodSpec};
use placement::{Candidate, gang};

impl GangScheduling {
    /// Whether a gang has all the nodes that it needs, or none.
    pub(super) fn are_whole(self) -> bool {
        match self {
            Self::Off | Self::Kueue => false,
            Self::Core | Self::Volcano => true,
        }
    }
}

impl Engine<'_> {
    /// A member exists: it is tried by itself, or waits for enough others (the `PreEnqueue` gate of `GangScheduling`),
    /// for whom it may be the last that was missing.
    pub(super) fn member_is_made(&mut self, number: JobId, pod: PodRef) {
        if self.gang_of(pod).is_none() {
            self.enqueue(pod);
            return;
        }
        let Some(job) = self.job(number) else { return };
        if job.made() >= job.arrival.min_count {
            self.enqueue_gang(number);
        }
    }

    /// The job whose members are placed together with this pod.
    pub(super) fn gang_of(&self, pod: PodRef) -> Option<JobId> {
        if !self.spec.batch.gangs.are_whole() {
            return None;
        }
        self.pod(pod)?.owner.job()
    }

    /// Books an attempt for a gang, unless one is booked: what changed will be seen by that one.
    fn enqueue_gang(&mut self, number: JobId) {
        let Some(&first) = self.unbound(number).first() else { return };
        if self.pod(first).is_some_and(|pod| pod.scheduling.due.is_none()) {
            self.enqueue(first);
        }
    }

    /// Members without a node, oldest first.
    fn unbound(&self, number: JobId) -> Vec<PodRef> {
        let Some(job) = self.job(number) else { return Vec::new() };
        let unbound = job.members.iter().filter(|member| !member.bound);
        unbound.map(|member| PodRef { id: member.id, slot: member.slot }).collect()
    }

    /// One group cycle: all members that fit get their nodes at once, if they are enough with those that have one.
    pub(super) fn schedule_gang(&mut self, number: JobId) {
        let members = self.unbound(number);
        let nodes = self.place_gang(number, &members).unwrap_or_default();
        for (&pod, &node) in members.iter().zip(&nodes) {
            self.assign(pod, node);
            self.begin_start(pod);
        }
        let left = &members[nodes.len()..];
        if let Some(&first) = left.first() {
            for &pod in &left[1..] {
                self.mark_unschedulable(pod);
            }
            self.park(first);
        }
    }

    /// A node for each member that has a place, in their order; `None` if they are too few.
    fn place_gang(&self, number: JobId, members: &[PodRef]) -> Option<Vec<NodeId>> {
        let job = self.job(number)?;
        let missing = job.arrival.min_count.saturating_sub(job.bound());
        let spec = &job.pod;
        let open = self
            .fleet
            .seen
            .iter()
            .filter(|node| accepts(node, spec) && self.fleet.counts_whole_gpus(node, spec));
        let mut nodes: Vec<_> = open.map(|node| (node.id, self.candidate(node))).collect();
        let wanted = super::id(members.len());
        gang::allocate(spec, wanted, missing, &mut nodes, &self.spec.control.profile)
    }

    fn candidate<'a>(&'a self, node: &'a NodeSeen) -> Candidate<'a> {
        Candidate {
            shape: &self.fleet.specs[node.pool.index()].shape,
            used: node.used,
            pods: super::id(node.pods.len()),
            cordoned: node.cordoned,
        }
    }
}

/// Whether a node is up far enough for a pod: without its accelerator it takes pods that need none.
fn accepts(node: &NodeSeen, pod: &PodSpec) -> bool {
    match node.stage {
        NodeStage::Ready => true,
        NodeStage::AcceleratorStarting => !pod.needs_gpus(),
        _ => false,
    }
}
