//! `ScaledJob`: how many jobs to create for what waits, each poll.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Jobs at a time if nothing else is said.
const DEFAULT_MAX: u32 = 100;

/// `minReplicaCount` and `maxReplicaCount` as the strategies see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Jobs that always run.
    pub min: u32,
    /// Jobs beside those.
    pub max: u32,
}

impl Bounds {
    /// From what the object says. The jobs that always run are taken off the maximum, unless they exceed it.
    pub fn of(min: Option<u32>, max: Option<u32>) -> Self {
        let min = min.unwrap_or(0);
        match max {
            None => Self { min, max: DEFAULT_MAX },
            Some(max) if min > max => Self { min: max, max },
            Some(max) => Self { min, max: max - min },
        }
    }
}

/// How to count jobs that exist already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// All that run.
    #[default]
    Default,
    /// A share of those that run, and a constant.
    Custom {
        /// Taken off the queue.
        queue_length_deduction: i64,
        /// Share of the running jobs that is taken off as well.
        running_job_percentage: f64,
    },
    /// Those that still wait for a pod: for queues that hide what is being worked on.
    Accurate,
    /// As many as the maximum allows.
    Eager,
}

/// Jobs that are there, above the minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jobs {
    /// Not finished.
    pub running: i64,
    /// Not finished, and without a pod that runs.
    pub pending: i64,
}

/// What a poll asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What waits, in jobs.
    pub scale_to: i64,
    /// How many jobs may be created.
    pub max_scale: i64,
}

impl Strategy {
    /// How many jobs to create for `wanted`, given what is there.
    pub fn apply(self, wanted: Wanted, jobs: Jobs, max: u32) -> Wanted {
        let (max, Jobs { running, pending }) = (i64::from(max), jobs);
        let max_scale = wanted.max_scale;
        match self {
            Self::Default => Wanted { max_scale: max_scale - running, ..wanted },
            Self::Custom { queue_length_deduction, running_job_percentage } => {
                let started = share_of(running, running_job_percentage);
                let left = max_scale - queue_length_deduction - started;
                Wanted { max_scale: left.min(max), ..wanted }
            }
            Self::Accurate if max_scale + running - pending > max => {
                Wanted { max_scale: max - running, ..wanted }
            }
            Self::Accurate => Wanted { max_scale: max_scale - pending, ..wanted },
            Self::Eager => {
                Wanted { scale_to: max, max_scale: (max - running - pending).min(max_scale) }
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a share of a count")]
#[expect(clippy::cast_precision_loss, reason = "counts of jobs stay below 2^53")]
fn share_of(running: i64, share: f64) -> i64 {
    (running as f64 * share) as i64
}

/// What to create: up to the minimum first, then by strategy.
pub fn decide(strategy: Strategy, bounds: Bounds, wanted: Wanted, jobs: Jobs) -> Wanted {
    let min = i64::from(bounds.min);
    if jobs.running < min {
        let missing = min - jobs.running;
        return Wanted { scale_to: missing, max_scale: missing };
    }
    let above = Jobs { running: jobs.running - min, ..jobs };
    strategy.apply(wanted, above, bounds.max)
}

/// Jobs that a poll creates.
pub fn jobs_created(decided: Wanted) -> i64 {
    if decided.max_scale > 0 { decided.scale_to.min(decided.max_scale) } else { 0 }
}

/// How the queues of several triggers become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Combination {
    /// The trigger with the longest queue.
    #[default]
    Max,
    /// The active trigger with the shortest queue.
    Min,
    /// The mean of the active triggers.
    Avg,
    /// The sum of the active triggers.
    Sum,
}

/// A trigger of a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JobTrigger {
    /// What waits.
    pub queue_length: f64,
    /// How much of it one job takes.
    pub target: f64,
    /// Whether it counts.
    pub active: bool,
}

impl JobTrigger {
    /// Jobs for its queue; none if it has no target.
    fn jobs(&self, max: u32) -> f64 {
        let jobs = if self.target == 0.0 { 0.0 } else { self.queue_length / self.target };
        jobs.min(f64::from(max))
    }
}

/// What the triggers ask for, and whether any is active. Jobs that always run keep the object active.
///
/// As upstream folds them: the longest queue counts as active only if anything waits, and a shortest queue of
/// nothing gives way to the next one.
pub fn combine(
    triggers: &[JobTrigger],
    combination: Combination,
    bounds: Bounds,
) -> (bool, Wanted) {
    let active: Vec<_> = triggers
        .iter()
        .filter(|trigger| trigger.active)
        .map(|trigger| (trigger.queue_length, trigger.jobs(bounds.max)))
        .collect();
    let last_that = |wins: fn(f64, f64) -> bool| {
        let keep =
            |kept: (f64, f64), &next: &(f64, f64)| if wins(next.0, kept.0) { next } else { kept };
        active.iter().fold((0.0, 0.0), keep)
    };
    let sum = active.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let count = f64::from(u32::try_from(active.len()).unwrap_or(u32::MAX).max(1));
    let (queue, jobs) = match combination {
        Combination::Max => last_that(|next, kept| next > kept),
        Combination::Min => last_that(|next, kept| kept == 0.0 || next < kept),
        Combination::Avg => (sum.0 / count, sum.1 / count),
        Combination::Sum => sum,
    };
    let max_scale = ceil(jobs.min(f64::from(bounds.max)));
    let is_active = match combination {
        Combination::Max => queue > 0.0,
        _ => !active.is_empty(),
    };
    let is_active = is_active || bounds.min > 0;
    (is_active, Wanted { scale_to: ceil(queue), max_scale })
}

#[expect(clippy::cast_possible_truncation, reason = "saturates at the ends of 64 bits")]
fn ceil(jobs: f64) -> i64 {
    jobs.ceil() as i64
}

/// The mean of a trigger's targets; zero without any.
pub fn target_average(targets: &[f64]) -> f64 {
    let count = f64::from(u32::try_from(targets.len()).unwrap_or(u32::MAX).max(1));
    targets.iter().sum::<f64>() / count
}

/// A job's pod, as far as it matters whether the job has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobPod<'a> {
    /// Its phase is `Running` or `Succeeded`.
    pub has_run: bool,
    /// Its conditions that are true.
    pub conditions: &'a [String],
}

/// Whether a job that is not finished still waits: no pod has run, or, with `conditions` given, no pod has all
/// of them.
pub fn is_pending(pods: &[JobPod<'_>], conditions: &[String]) -> bool {
    let begun = |pod: &JobPod<'_>| {
        if conditions.is_empty() {
            return pod.has_run;
        }
        conditions.iter().all(|condition| pod.conditions.contains(condition))
    };
    !pods.iter().any(begun)
}

/// Whether a job has ended, by its conditions as `(type, is true)`.
pub fn is_finished<'a>(mut conditions: impl Iterator<Item = (&'a str, bool)>) -> bool {
    conditions.any(|(kind, is_true)| is_true && matches!(kind, "Complete" | "Failed"))
}

/// The jobs that are deleted from a history, in the order given: all but the `limit` that completed last.
pub fn superfluous<T>(mut finished: Vec<(u64, T)>, limit: usize) -> Vec<T> {
    finished.sort_by_key(|&(completed, _)| std::cmp::Reverse(completed));
    finished.into_iter().skip(limit).map(|(_, job)| job).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Active triggers with these queues, each with a target of 2; is it active, what waits, how many jobs?
    #[track_caller]
    fn check(queues: &[f64], combination: Combination, expected: (bool, i64, i64)) {
        let trigger = |&queue_length| JobTrigger { queue_length, target: 2.0, active: true };
        let triggers: Vec<_> = queues.iter().map(trigger).collect();
        let (active, wanted) = combine(&triggers, combination, Bounds::of(None, None));
        assert_eq!((active, wanted.scale_to, wanted.max_scale), expected);
    }

    #[test]
    fn triggers_are_combined_as_told() {
        check(&[4.0, 9.0, 9.0], Combination::Max, (true, 9, 5));
        check(&[4.0, 9.0, 3.0], Combination::Min, (true, 3, 2));
        check(&[4.0, 9.0], Combination::Avg, (true, 7, 4));
        check(&[4.0, 9.0], Combination::Sum, (true, 13, 7));
    }

    #[test]
    fn an_active_trigger_without_a_queue_counts_as_upstream_folds_it() {
        check(&[0.0], Combination::Max, (false, 0, 0));
        check(&[0.0], Combination::Sum, (true, 0, 0));
        check(&[0.0, 5.0], Combination::Min, (true, 5, 3));
        check(&[5.0, 0.0], Combination::Min, (true, 0, 0));
    }

    #[test]
    fn a_trigger_without_a_target_asks_for_no_job() {
        let trigger = JobTrigger { queue_length: 3.0, target: 0.0, active: true };
        let (active, wanted) = combine(&[trigger], Combination::Max, Bounds::of(None, None));
        assert_eq!((active, wanted), (true, Wanted { scale_to: 3, max_scale: 0 }));
    }
}
