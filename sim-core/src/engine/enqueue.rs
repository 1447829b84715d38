//! Volcano's enqueue action: a job has no pods until the cluster has idle room for its minimum.

use super::Engine;
use crate::spec::GangScheduling;
use contract::{JobId, NodeSeen, NodeStage, Resources};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// How large the overcommit plugin takes the cluster for, in per cent (`overcommit-factor`, 1.2 by default).
const OVERCOMMIT_PERCENT: u64 = 120;

/// Jobs on their way to pods.
#[derive(Debug, Default)]
pub(super) struct Enqueue {
    /// Phase `Pending`: without pods, by priority, then time of arrival.
    kept_out: BTreeSet<(Reverse<i32>, JobId)>,
    /// Phase `Inqueue`: let in, none of their pods has a node yet.
    let_in: BTreeSet<JobId>,
}

/// CPU, memory and GPUs, to be summed and scaled.
type Amounts = [u64; 3];

impl Engine<'_> {
    /// A job asks for its pods, for the first time or anew.
    pub(super) fn submit(&mut self, number: JobId) {
        match self.spec.batch.gangs {
            GangScheduling::Off | GangScheduling::Core => self.book_members(number, 1),
            GangScheduling::Volcano => self.keep_out(number),
            GangScheduling::Kueue => self.ask_for_quota(number),
        }
    }

    /// A job waits without pods until there seems to be room for it.
    fn keep_out(&mut self, number: JobId) {
        let Some(job) = self.job(number) else { return };
        let priority = Reverse(job.pod.priority);
        self.enqueue.let_in.remove(&number);
        self.enqueue.kept_out.insert((priority, number));
        self.let_jobs_in();
    }

    /// Lets in every job that there seems to be room for, whether or not those before it got in. To be asked whenever
    /// room appears.
    pub(super) fn let_jobs_in(&mut self) {
        if self.enqueue.kept_out.is_empty() {
            return;
        }
        let mut idle = self.idle_for_jobs();
        for (priority, number) in self.enqueue.kept_out.clone() {
            let least = self.least_of(number);
            if least.iter().zip(&idle).all(|(least, idle)| least <= idle) {
                idle = subtract(idle, least);
                self.enqueue.kept_out.remove(&(priority, number));
                self.enqueue.let_in.insert(number);
                self.book_members(number, 1);
            }
        }
    }

    /// What the cluster seems to have left, less what jobs that were let in have yet to take.
    fn idle_for_jobs(&mut self) -> Amounts {
        let jobs = &self.jobs;
        let has_no_node =
            |number: &JobId| jobs[number.index()].as_ref().is_some_and(|job| job.bound() == 0);
        self.enqueue.let_in.retain(has_no_node);
        let mut idle = [0; 3];
        let ready = |node: &&NodeSeen| node.stage == NodeStage::Ready && !node.cordoned;
        let nodes = || self.fleet.seen.iter().filter(ready);
        for node in nodes() {
            let all = amounts(&self.fleet.specs[node.pool.index()].shape.allocatable, 1);
            idle = add(idle, all);
        }
        idle = idle.map(|amount| amount * OVERCOMMIT_PERCENT / 100);
        for node in nodes() {
            idle = subtract(idle, amounts(&node.used, 1));
        }
        for &number in &self.enqueue.let_in {
            idle = subtract(idle, self.least_of(number));
        }
        idle
    }

    /// What the members that a job needs at least ask for together.
    fn least_of(&self, number: JobId) -> Amounts {
        let job = self.job(number).expect("jobs end only after they were let in");
        amounts(&job.pod.requests, job.arrival.min_count.into())
    }
}

fn amounts(resources: &Resources, times: u64) -> Amounts {
    [resources.cpu.0, resources.memory.0, resources.gpus.into()].map(|amount| amount * times)
}

fn add(one: Amounts, other: Amounts) -> Amounts {
    std::array::from_fn(|place| one[place] + other[place])
}

fn subtract(from: Amounts, less: Amounts) -> Amounts {
    std::array::from_fn(|place| from[place].saturating_sub(less[place]))
}
