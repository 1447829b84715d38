//! Kueue's admission: a job has no pods until its queue has quota for all of them, and loses them when others are
//! entitled to that quota, or when they take too long to come up.

use super::{Engine, Event};
use crate::job::{Asked, Eviction, Way};
use crate::queue::Class;
use contract::{Instant, JobId, PodSpec};
use placement::fits_fresh;
use std::sync::Arc;

/// Who decides, in the log of decisions.
pub(super) const KUEUE: &str = "kueue";

impl Engine<'_> {
    /// A job asks for its pods, for the first time or anew: it keeps the quota that it has, else gets in line. Jobs
    /// without a queue are not Kueue's business (`manageJobsWithoutQueueName` is off by default).
    pub(super) fn ask_for_quota(&mut self, number: JobId) {
        let Some(asked) = self.asked(number) else { return self.book_members(number, 1) };
        if self.quotas.admission(number).is_some() {
            return self.book_members(number, 1);
        }
        self.quotas.enqueue(number, asked, self.now);
        self.book_admission(self.now);
    }

    /// What a job asks of its queue, if it has one.
    fn asked(&self, number: JobId) -> Option<Asked> {
        let job = self.job(number)?;
        let queue = self.job_classes[job.class].spec.queue?;
        let quotas = &self.quotas.spec().queues[queue].quotas;
        let may = |(flavor, quota): (usize, &Option<_>)| {
            quota.is_some()
                && self.some_node_could_hold(&self.with_flavor(&job.arrival.pod, flavor))
        };
        Some(Asked {
            queue,
            gpus: u64::from(job.pod.requests.gpus) * u64::from(job.arrival.width),
            priority: job.pod.priority,
            may: quotas.iter().enumerate().map(may).collect(),
        })
    }

    fn some_node_could_hold(&self, pod: &PodSpec) -> bool {
        self.fleet.specs.iter().any(|pool| fits_fresh(pod, &pool.shape).is_ok())
    }

    /// A pod that asks for nodes of a flavor.
    fn with_flavor(&self, pod: &PodSpec, flavor: usize) -> PodSpec {
        let mut pod = pod.clone();
        pod.node_selector.extend(self.quotas.spec().flavors[flavor].node_labels.clone());
        pod
    }

    /// A cycle of admission takes place at a time; several booked for one moment find nothing left to do.
    pub(super) fn book_admission(&mut self, at: Instant) {
        self.queue.push(at, Class::Stage, Event::Admission);
    }

    /// Looks at the heads of all lines, then at the next ones, until every line is empty or waits for its first.
    pub(super) fn admit_jobs(&mut self) {
        let mut lines = self.quotas.lines(self.now);
        loop {
            let mut heads: Vec<_> =
                lines.iter_mut().filter_map(std::collections::VecDeque::pop_front).collect();
            if heads.is_empty() {
                break;
            }
            self.quotas.order_heads(&mut heads);
            for job in heads {
                let strict = self.quotas.strict_queue(job);
                if !self.try_to_admit(job)
                    && let Some(queue) = strict
                {
                    lines[queue].clear();
                }
            }
        }
        self.check_admission();
    }

    fn try_to_admit(&mut self, number: JobId) -> bool {
        match self.quotas.way(number) {
            None => {
                self.say_that_it_waits(number);
                false
            }
            Some(Way::Free { flavor }) => {
                self.admit(number, flavor);
                true
            }
            Some(Way::Evicting { flavor, victims }) => {
                for (victim, why) in victims {
                    self.evict_job(victim, why, Some(number));
                }
                self.admit(number, flavor);
                true
            }
        }
    }

    /// A job gets its quota: its pods are made, for nodes of the flavor, unless its queue checks first that there is
    /// room for them.
    fn admit(&mut self, number: JobId, flavor: usize) {
        let now = self.now;
        self.quotas.reserve(number, flavor, now);
        let arrived = self.job(number).expect("who waits for quota lives");
        let pod = Arc::new(self.with_flavor(&arrived.arrival.pod, flavor));
        let job = self.job_mut(number).expect("just looked at");
        job.pod = pod;
        job.books.admitted(now);
        let queue = self.quotas.admission(number).expect("just reserved").asked.queue;
        let (used, own) = self.quotas.used(queue, flavor);
        let borrowed = if used > own { ", part of them borrowed" } else { "" };
        let reason = format!(
            "{} has quota of {}: {used} of its {own} GPUs in use with it{borrowed}",
            self.quotas.spec().queues[queue].name,
            self.quotas.spec().flavors[flavor].name
        );
        if let Some(check) = self.quotas.spec().queues[queue].provisioning {
            self.tell_of_job(KUEUE, number, "reserve", reason);
            self.request_provisioning(number, check);
        } else {
            self.tell_of_job(KUEUE, number, "admit", reason);
            self.release_pods(number);
        }
    }

    /// Nothing stands in the way of an admitted job's pods any more: they are made, and have so long to come up.
    pub(super) fn release_pods(&mut self, number: JobId) {
        if let Some(spec) = self.quotas.spec().pods_ready {
            let admission = self.quotas.admission(number).expect("admitted before").number;
            let event = Event::PodsReadyTimeout { job: number, admission };
            self.queue.push(self.now + spec.timeout, Class::Timeout, event);
        }
        self.book_members(number, 1);
    }

    /// A job loses its pods and its quota, for another job or because it ran out of time.
    fn evict_job(&mut self, number: JobId, why: Eviction, by: Option<JobId>) {
        let interrupted = self.job(number).is_some_and(|job| job.progress.runs());
        self.stop_work(number);
        self.withdraw_request(number);
        self.remove_members(number, interrupted);
        let job = self.job_mut(number).expect("admitted jobs live");
        job.books.evicted(why);
        let arrived = job.arrival.at;
        let was = self.quotas.release(number, self.now).expect("only admitted jobs are evicted");
        let held = self.now.since(was.since());
        let again = self.quotas.requeue(number, was, why, (arrived, self.now));
        self.book_admission(again);
        let reason = match (why, by) {
            (Eviction::NotReady, _) => {
                format!("its pods were not all up {held} after admission; back in line at {again}")
            }
            (Eviction::Preempted, Some(by)) => {
                format!("job {by} of the same queue has a higher priority")
            }
            (_, by) => format!(
                "job {} takes back what its queue had lent",
                by.map_or_else(String::new, |by| by.to_string())
            ),
        };
        self.tell_of_job(KUEUE, number, "evict", reason);
    }

    /// A job is done: others may have its quota.
    pub(super) fn give_quota_back(&mut self, number: JobId) {
        self.withdraw_request(number);
        if self.quotas.release(number, self.now).is_some() {
            self.book_admission(self.now);
        }
    }

    /// A job's time to get all of its pods up is over.
    pub(super) fn pods_ready_timeout(&mut self, number: JobId, admission: u64) {
        if self.quotas.is_unready(number, admission) {
            self.evict_job(number, Eviction::NotReady, None);
            // What it gives back may be enough for others at once.
            self.book_admission(self.now);
        }
    }

    fn say_that_it_waits(&mut self, number: JobId) {
        let Some(asked) = self.quotas.wish(number) else { return };
        let queue = &self.quotas.spec().queues[asked.queue].name;
        let available = self.quotas.available(number);
        let reason = format!(
            "insufficient quota in {queue}: {} GPUs asked for, {available} available",
            asked.gpus
        );
        self.tell_of_job(KUEUE, number, "", reason);
    }

    /// Quota adds up, and jobs without it have no pods, hence no GPUs.
    pub(super) fn check_admission(&self) {
        self.quotas.check();
        for job in self.quotas.waiting() {
            let job = self.job(job).expect("who waits for quota lives");
            assert!(job.members.is_empty(), "a job without quota has no pods");
        }
        self.check_requests();
    }
}
