//! Who has to go so that a workload fits: few, the least important first.

use super::Cohort;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// An admitted workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its queue.
    pub queue: usize,
    /// Its flavor.
    pub flavor: usize,
    /// What it uses of it.
    pub amount: u64,
    /// Higher is more important.
    pub priority: i32,
    /// When it was admitted, in any order that rises with time.
    pub admitted: u64,
}

/// Whose workloads may be taken from another queue that uses more than its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reclaim {
    /// Nobody's (Kueue's default).
    #[default]
    Never,
    /// Those of lower priority.
    LowerPriority,
    /// All.
    Any,
}

/// What a queue may preempt for its workloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Preemption {
    /// Its own workloads of lower priority; Kueue's default is not to.
    pub within_queue: bool,
    /// Workloads of others in the cohort that borrow.
    pub reclaim_within_cohort: Reclaim,
}

/// Running workloads, by their places, whose end lets `amount` of a flavor with this priority into a queue: a set from
/// which none can be spared. `None` if nothing that may go is enough. Others are taken from only while the queue stays
/// within its own quota and they use more than theirs.
pub fn victims(
    cohort: &Cohort,
    (queue, flavor): (usize, usize),
    amount: u64,
    priority: i32,
    running: &[Running],
    preemption: Preemption,
) -> Option<Vec<usize>> {
    let within_own = cohort.queues[queue].is_within_own(flavor, amount);
    let may_go = |running: &Running| {
        if running.flavor != flavor {
            return false;
        }
        if running.queue == queue {
            return preemption.within_queue && running.priority < priority;
        }
        within_own
            && match preemption.reclaim_within_cohort {
                Reclaim::Never => false,
                Reclaim::LowerPriority => running.priority < priority,
                Reclaim::Any => true,
            }
    };
    let mut candidates: Vec<_> = (0..running.len()).filter(|&it| may_go(&running[it])).collect();
    // Kueue's order: other queues' first, then lower priority, then the most recently admitted.
    candidates.sort_by_key(|&it| {
        let running = &running[it];
        (running.queue == queue, running.priority, Reverse(running.admitted))
    });
    let mut left = cohort.clone();
    let mut taken = Vec::new();
    for it in candidates {
        if left.available(queue, flavor) >= amount {
            break;
        }
        let one = &running[it];
        if one.queue == queue || left.queues[one.queue].borrows(flavor) {
            left.release(one.queue, flavor, one.amount);
            taken.push(it);
        }
    }
    (left.available(queue, flavor) >= amount)
        .then(|| spare(left, queue, flavor, amount, running, taken))
}

/// Puts back whoever need not go, the last that was taken first.
fn spare(
    mut left: Cohort,
    queue: usize,
    flavor: usize,
    amount: u64,
    running: &[Running],
    taken: Vec<usize>,
) -> Vec<usize> {
    let mut victims = Vec::new();
    for it in taken.into_iter().rev() {
        let one = &running[it];
        left.reserve(one.queue, flavor, one.amount);
        if left.available(queue, flavor) < amount {
            left.release(one.queue, flavor, one.amount);
            victims.push(it);
        }
    }
    victims.reverse();
    victims
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::{Queue, Quota};
    use proptest::prelude::*;

    /// Queues of 8 each and workloads as (queue, amount, priority), admitted in that order.
    fn world(queues: usize, workloads: &[(usize, u64, i32)]) -> (Cohort, Vec<Running>) {
        let quota = Quota { nominal: 8, ..Quota::default() };
        let mut cohort = Cohort { queues: vec![Queue::idle(vec![quota]); queues] };
        let mut running = Vec::new();
        for (admitted, &(queue, amount, priority)) in (0..).zip(workloads) {
            cohort.reserve(queue, 0, amount);
            running.push(Running { queue, flavor: 0, amount, priority, admitted });
        }
        (cohort, running)
    }

    const ALL: Preemption = Preemption { within_queue: true, reclaim_within_cohort: Reclaim::Any };

    /// Who goes for so much of queue 0 at priority 5?
    #[track_caller]
    fn check(
        workloads: &[(usize, u64, i32)],
        amount: u64,
        preemption: Preemption,
        expected: Option<&[usize]>,
    ) {
        let (cohort, running) = world(2, workloads);
        let found = victims(&cohort, (0, 0), amount, 5, &running, preemption);
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn by_default_nobody_goes() {
        check(&[(1, 16, 0)], 4, Preemption::default(), None);
    }

    #[test]
    fn what_was_borrowed_is_taken_back_the_newest_first_and_no_more_than_that() {
        check(&[(1, 6, 0), (1, 6, 0), (1, 4, 0)], 4, ALL, Some(&[2]));
        check(&[(1, 6, 0), (1, 6, 0), (1, 4, 0)], 8, ALL, Some(&[2, 1]));
        let lower = Preemption { reclaim_within_cohort: Reclaim::LowerPriority, ..ALL };
        check(&[(1, 12, 5), (1, 4, 4)], 4, lower, Some(&[1]));
        check(&[(1, 12, 5), (1, 4, 5)], 4, lower, None);
    }

    #[test]
    fn nobody_within_its_own_quota_goes_for_another_queue() {
        check(&[(0, 6, 0), (0, 4, 5), (1, 6, 0)], 4, ALL, Some(&[0]));
    }

    #[test]
    fn one_that_turns_out_to_be_needless_stays() {
        // The small one is newer and would go first, but the large one alone is enough.
        check(&[(1, 8, 0), (1, 6, 0), (1, 2, 0)], 6, ALL, Some(&[1]));
    }

    proptest! {
        #[test]
        fn a_set_of_victims_is_enough_and_none_of_it_can_be_spared(
            workloads in prop::collection::vec((0_usize..3, 1_u64..6, 0_i32..8), 0..8),
            amount in 1_u64..8,
        ) {
            let (cohort, running) = world(3, &workloads);
            let Some(found) = victims(&cohort, (0, 0), amount, 5, &running, ALL) else { return Ok(()) };
            let without = |gone: &[usize]| {
                let mut left = cohort.clone();
                for &it in gone {
                    left.release(running[it].queue, 0, running[it].amount);
                }
                left.available(0, 0) >= amount
            };
            prop_assert!(without(&found));
            for spared in 0..found.len() {
                let mut fewer = found.clone();
                fewer.remove(spared);
                prop_assert!(!without(&fewer), "{found:?} without {spared}");
            }
            for &it in &found {
                let allowed = running[it].queue != 0 || running[it].priority < 5;
                prop_assert!(allowed);
            }
        }
    }
}
