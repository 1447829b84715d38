//! A job at run time: its members, how far its work is, what its GPUs did.

mod books;
mod progress;
mod quotas;

pub(crate) use books::{ClassBooks, JobBooks};
pub(crate) use progress::{Crew, Progress, Spent};
pub(crate) use quotas::{Asked, Quotas, Way};

use crate::outcome::JobClassSummary;
use crate::source::{JobArrival, JobSource};
use crate::spec::{JobClassSpec, Pace};
use contract::{Instant, PodId, PodSpec};
use std::sync::Arc;

/// A class of jobs: what they have in common, where they come from, what became of them.
pub(crate) struct JobClass {
    pub(crate) spec: JobClassSpec,
    pub(crate) source: Box<dyn JobSource>,
    /// The one pending arrival.
    pub(crate) next: Option<JobArrival>,
    pub(crate) books: ClassBooks,
}

impl JobClass {
    /// Figures.
    pub(crate) fn summary(&self) -> JobClassSummary {
        self.books.summary(&self.spec.name)
    }
}

/// Why a job lost its quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// For one of a higher priority in its queue.
    Preempted,
    /// For one of another queue, which takes back what it had lent.
    Reclaimed,
    /// Its pods were not all up in time.
    NotReady,
}

/// A pod of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: PodId,
    pub(crate) slot: u32,
    /// A node holds it.
    pub(crate) bound: bool,
    /// Its container is up.
    pub(crate) running: bool,
    /// How fast it could work on its node's GPUs; the reference's until it has a node.
    pub(crate) pace: Pace,
}

/// Everything about one job that changes during a run, save its pods.
pub(crate) struct Job {
    /// Its place among the classes.
    pub(crate) class: usize,
    pub(crate) arrival: JobArrival,
    /// What its pods ask for: what it arrived with, and what admission adds.
    pub(crate) pod: Arc<PodSpec>,
    /// Oldest first.
    pub(crate) members: Vec<Member>,
    pub(crate) progress: Progress,
    pub(crate) books: JobBooks,
    /// How often it began with fresh pods: batches of older generations are void.
    pub(crate) generation: u32,
    /// Ends of work that were booked in older stretches of running are void.
    pub(crate) stretch: u32,
    /// Pods ever made: names the luck of the next one.
    pub(crate) pods_made: u32,
    /// Waits for pods ever begun: names the luck of the next one.
    pub(crate) actuations: u32,
}

impl Job {
    /// A job that has just arrived.
    pub(crate) fn new(class: usize, spec: &JobClassSpec, arrival: JobArrival) -> Self {
        let progress = Progress::new(arrival.duration, arrival.width, spec.checkpoint);
        Self {
            class,
            pod: arrival.pod.clone(),
            members: Vec::new(),
            progress,
            books: JobBooks::new(arrival.at),
            generation: 0,
            stretch: 0,
            pods_made: 0,
            actuations: 0,
            arrival,
        }
    }

    /// Members on nodes.
    pub(crate) fn bound(&self) -> u32 {
        count(self.members.iter().filter(|member| member.bound))
    }

    /// Members whose containers are up.
    pub(crate) fn running(&self) -> u32 {
        count(self.members.iter().filter(|member| member.running))
    }

    /// The members whose containers are up, at the pace of the slowest of them.
    pub(crate) fn crew(&self) -> Crew {
        let paces = self.members.iter().filter(|member| member.running).map(|member| member.pace);
        Crew { members: self.running(), pace: paces.min().unwrap_or(Pace::REFERENCE) }
    }

    /// Members that have been made.
    pub(crate) fn made(&self) -> u32 {
        count(self.members.iter())
    }

    /// Nodes hold some of its members, but not enough of them to run.
    pub(crate) fn is_partial(&self) -> bool {
        (1..self.arrival.min_count).contains(&self.bound())
    }

    /// One of its members.
    pub(crate) fn member_mut(&mut self, pod: PodId) -> Option<&mut Member> {
        let place = self.members.binary_search_by_key(&pod, |member| member.id).ok()?;
        Some(&mut self.members[place])
    }

    /// Books the GPU time of members on nodes since the last booking. To be called before members change.
    pub(crate) fn settle(&mut self, now: Instant) {
        let (bound, partial) = (self.bound(), self.is_partial());
        self.books.settle(now, bound, partial);
    }
}

fn count<'a>(members: impl Iterator<Item = &'a Member>) -> u32 {
    u32::try_from(members.count()).expect("fewer than 2^32 members")
}
