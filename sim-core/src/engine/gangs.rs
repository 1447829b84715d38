//! Gang scheduling: members are kept back until enough exist, placed in thought, bound together or not at all.
//!
//! In the scheduler's queues one unbound member stands for its gang, the first; the attempt to place it is an attempt
//! to place all.

use super::Engine;
use super::admission::KUEUE;
use super::pods::PodRef;
use crate::fleet::{BLOCK, RACK};
use crate::spec::{GangScheduling, JobReach, Level};
use contract::{JobId, NodeId, NodeSeen, NodeStage, PodSpec};
use placement::Candidate;
use placement::gang::{self, Reach, Topology};

impl GangScheduling {
    /// Whether a gang has all the nodes that it needs, or none.
    fn are_whole(self) -> bool {
        match self {
            Self::Off | Self::Kueue => false,
            Self::Core | Self::Volcano => true,
        }
    }

    /// Who places gangs, in the log of decisions.
    fn placer(self) -> &'static str {
        match self {
            Self::Off | Self::Core => "kube-scheduler",
            Self::Volcano => "volcano",
            Self::Kueue => KUEUE,
        }
    }
}

impl Level {
    /// Its place among the levels, outermost first.
    fn place(self) -> usize {
        match self {
            Self::Block => 0,
            Self::Rack => 1,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Rack => "rack",
        }
    }
}

impl From<JobReach> for Reach {
    fn from(reach: JobReach) -> Self {
        match reach {
            JobReach::Required(level) => Self::Required(level.place()),
            JobReach::Preferred(level) => Self::Preferred(level.place()),
        }
    }
}

/// Nodes that could take members, as far as they are up.
type Open<'a> = Vec<(NodeId, Candidate<'a>)>;

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
        let job = self.pod(pod)?.owner.job()?;
        self.is_placed_whole(job).then_some(job)
    }

    /// Whether all members of a job that must run are placed at once: by those who schedule gangs, and by Kueue if it
    /// is to find places that are close together (topology-aware scheduling).
    pub(super) fn is_placed_whole(&self, number: JobId) -> bool {
        let gangs = self.spec.batch.gangs;
        gangs.are_whole() || (gangs == GangScheduling::Kueue && self.reach_of(number).is_some())
    }

    /// How close together the members of a job stand.
    fn reach_of(&self, number: JobId) -> Option<JobReach> {
        let job = self.job(number)?;
        self.job_classes[job.class].spec.reach
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
            if nodes.is_empty() {
                self.say_why_it_waits(number);
            }
        }
    }

    /// A node for each member that has a place, in their order; `None` if they are too few.
    fn place_gang(&self, number: JobId, members: &[PodRef]) -> Option<Vec<NodeId>> {
        let job = self.job(number)?;
        let missing = job.arrival.min_count.saturating_sub(job.bound());
        let wanted = super::id(members.len());
        let mut nodes = self.open_nodes(&job.pod);
        let Some(reach) = self.reach_of(number) else {
            return gang::allocate(
                &job.pod,
                wanted,
                missing,
                &mut nodes,
                &self.spec.control.profile,
            );
        };
        let shares = gang::spread(&job.pod, wanted, &nodes, Topology(&levels()), reach.into())?;
        let each =
            shares.iter().flat_map(|share| std::iter::repeat_n(share.node, share.pods as usize));
        Some(each.collect())
    }

    /// The nodes that could take pods like this one.
    fn open_nodes(&self, pod: &PodSpec) -> Open<'_> {
        let seen = self.fleet.seen.iter().enumerate();
        let open =
            seen.filter(|(_, node)| accepts(node, pod) && self.fleet.counts_whole_gpus(node, pod));
        open.map(|(place, node)| (node.id, self.candidate(place, node))).collect()
    }

    /// Tells the log why a gang holds no node.
    fn say_why_it_waits(&mut self, number: JobId) {
        let Some(job) = self.job(number) else { return };
        let pods = job.arrival.width;
        let nodes = self.open_nodes(&job.pod);
        let room = gang::room(&job.pod, &nodes);
        let reason = match self.reach_of(number) {
            Some(JobReach::Required(level)) => {
                let most = gang::roomiest(&job.pod, &nodes, Topology(&levels()), level.place());
                let name = level.name();
                format!(
                    "no {name} has room for its {pods} pods: {most} fit in the roomiest, {room} in all"
                )
            }
            _ => format!("{room} of its {pods} pods have room at once"),
        };
        self.tell_of_job(self.spec.batch.gangs.placer(), number, "", reason);
    }

    fn candidate<'a>(&'a self, place: usize, node: &'a NodeSeen) -> Candidate<'a> {
        Candidate {
            shape: &self.fleet.state[place].shape,
            used: node.used,
            pods: super::id(node.pods.len()),
            cordoned: node.cordoned,
        }
    }
}

/// Labels of the topology, outermost first.
fn levels() -> [String; 2] {
    [BLOCK, RACK].map(str::to_owned)
}

/// Whether a node is up far enough for a pod: without its accelerator it takes pods that need none.
fn accepts(node: &NodeSeen, pod: &PodSpec) -> bool {
    match node.stage {
        NodeStage::Ready => true,
        NodeStage::AcceleratorStarting => !pod.needs_gpus(),
        _ => false,
    }
}
