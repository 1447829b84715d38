//! What became of jobs: waits, completion times, member time by use. Integers until the report.

use super::{Eviction, Spent};
use crate::outcome::{Evictions, JobClassSummary, JobGpuHours, JobWait, JobWaits, Spread};
use contract::{Instant, Micros};

/// The books of one job. Member time is microseconds of one member.
#[derive(Clone, Debug)]
pub(crate) struct JobBooks {
    arrived: Instant,
    /// When it first had quota.
    admitted: Option<Instant>,
    evictions: Evictions,
    /// When its members first worked.
    pub(crate) first_ran: Option<Instant>,
    /// Times that its work was interrupted.
    pub(crate) interruptions: u32,
    settled: Instant,
    /// Member time on nodes while too few were there to run.
    partial: u128,
    /// Member time on nodes.
    held: u128,
    worked: u128,
    overhead: u128,
    lost: u128,
}

impl JobBooks {
    /// Of a job that arrives.
    pub(crate) fn new(arrived: Instant) -> Self {
        Self {
            arrived,
            admitted: None,
            evictions: Evictions::default(),
            first_ran: None,
            interruptions: 0,
            settled: arrived,
            partial: 0,
            held: 0,
            worked: 0,
            overhead: 0,
            lost: 0,
        }
    }

    /// So many members were on nodes since the last booking; too few to run, if that is so.
    pub(crate) fn settle(&mut self, now: Instant, bound: u32, partial: bool) {
        let time = u128::from(now.since(self.settled).0) * u128::from(bound);
        self.settled = now;
        self.held += time;
        if partial {
            self.partial += time;
        }
    }

    /// A stretch of running ended.
    pub(crate) fn spent(&mut self, spent: Spent) {
        self.worked += spent.worked;
        self.overhead += spent.overhead;
    }

    /// An interruption undid this much work.
    pub(crate) fn lost(&mut self, work: u128) {
        self.interruptions += 1;
        self.worked -= work;
        self.lost += work;
    }

    /// It has quota.
    pub(crate) fn admitted(&mut self, now: Instant) {
        self.admitted.get_or_insert(now);
    }

    /// It lost its quota.
    pub(crate) fn evicted(&mut self, why: Eviction) {
        let evictions = &mut self.evictions;
        *match why {
            Eviction::Preempted => &mut evictions.preempted,
            Eviction::Reclaimed => &mut evictions.reclaimed,
            Eviction::NotReady => &mut evictions.not_ready,
        } += 1;
    }

    /// The time from arrival to the first work.
    fn wait(&self) -> Option<Micros> {
        self.first_ran.map(|first| first.since(self.arrived))
    }
}

/// The books of a class of jobs, closed at the horizon.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClassBooks {
    arrived: u64,
    completed: u64,
    interruptions: u64,
    evictions: Evictions,
    /// Of jobs that are unfinished.
    waiting: JobWaits,
    quota_waits: Vec<f64>,
    waits: Vec<f64>,
    completion_times: Vec<f64>,
    slowdowns: Vec<f64>,
    /// GPU time: microseconds of one GPU.
    useful: u128,
    overhead: u128,
    lost: u128,
    partial: u128,
    held: u128,
}

impl ClassBooks {
    /// A job arrived.
    pub(crate) fn arrived(&mut self) {
        self.arrived += 1;
    }

    /// A job completed that alone on the GPUs it asked for, of the reference model, takes so long.
    pub(crate) fn completed(&mut self, now: Instant, job: &JobBooks, gpus: u32, duration: Micros) {
        self.completed += 1;
        let completion_time = now.since(job.arrived);
        self.completion_times.push(completion_time.as_secs_f64());
        if duration > Micros::ZERO {
            self.slowdowns.push(completion_time.as_secs_f64() / duration.as_secs_f64());
        }
        self.add(job, gpus);
    }

    /// The horizon found a job unfinished, waiting for something or at work.
    pub(crate) fn unfinished(&mut self, job: &JobBooks, gpus: u32, waits: Option<JobWait>) {
        if let Some(wait) = waits {
            *self.waiting.count_mut(wait) += 1;
        }
        self.add(job, gpus);
    }

    fn add(&mut self, job: &JobBooks, gpus: u32) {
        self.waits.extend(job.wait().map(Micros::as_secs_f64));
        self.quota_waits.extend(job.admitted.map(|at| at.since(job.arrived).as_secs_f64()));
        self.interruptions += u64::from(job.interruptions);
        self.evictions += job.evictions;
        let gpu_time = |member_time: u128| member_time * u128::from(gpus);
        self.useful += gpu_time(job.worked);
        self.overhead += gpu_time(job.overhead);
        self.lost += gpu_time(job.lost);
        self.partial += gpu_time(job.partial);
        self.held += gpu_time(job.held);
        let used = job.worked + job.overhead + job.lost + job.partial;
        assert!(used <= job.held, "a job's members work and wait on nodes");
    }

    /// GPU time under members of gangs that were too few to run.
    pub(crate) fn partial(&self) -> u128 {
        self.partial
    }

    /// GPU time of work that was undone.
    pub(crate) fn lost(&self) -> u128 {
        self.lost
    }

    /// Figures.
    pub(crate) fn summary(&self, name: &str) -> JobClassSummary {
        let starting = self.held - self.useful - self.overhead - self.lost - self.partial;
        JobClassSummary {
            name: name.to_owned(),
            arrived: self.arrived,
            started: self.waits.len() as u64,
            completed: self.completed,
            interruptions: self.interruptions,
            admitted: self.quota_waits.len() as u64,
            quota_wait_s: Spread::of(&self.quota_waits),
            evictions: self.evictions,
            waiting: self.waiting,
            wait_s: Spread::of(&self.waits),
            completion_s: Spread::of(&self.completion_times),
            slowdown: Spread::of(&self.slowdowns),
            gpu: JobGpuHours {
                useful: hours(self.useful),
                overhead: hours(self.overhead),
                lost: hours(self.lost),
                partial_gangs: hours(self.partial),
                starting: hours(starting),
            },
        }
    }
}

/// Microseconds in hours.
#[expect(clippy::cast_precision_loss, reason = "figures for reports")]
pub(super) fn hours(micros: u128) -> f64 {
    micros as f64 / 3.6e9
}
