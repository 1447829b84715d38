//! How a workload is admitted: flavors in their order, lines strictly or with the ones behind.

use super::Cohort;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an amount fits a queue's quota of a flavor, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Within its own quota.
    Nominal,
    /// With quota of others.
    Borrowing,
}

/// What a workload does when a flavor can be had with borrowing, and others come after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WhenCanBorrow {
    /// Takes it (Kueue's default, `MayStopSearch`).
    #[default]
    Borrow,
    /// Looks on for one that needs no borrowing (`TryNextFlavor`).
    TryNextFlavor,
}

/// A flavor that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlavorChoice {
    /// Its place in the queue's order.
    pub flavor: usize,
    /// How the amount fits there.
    pub fit: Fit,
}

/// The flavor for an amount, in listed order among those that `may` hold the workload; `None` if none has room.
pub fn choose_flavor(
    cohort: &Cohort,
    queue: usize,
    amount: u64,
    when_can_borrow: WhenCanBorrow,
    may: impl Fn(usize) -> bool,
) -> Option<FlavorChoice> {
    let flavors = (0..cohort.queues[queue].quotas.len()).filter(|&flavor| may(flavor));
    let fitting = flavors.filter_map(|flavor| {
        let fit = fit(cohort, queue, flavor, amount)?;
        Some(FlavorChoice { flavor, fit })
    });
    match when_can_borrow {
        WhenCanBorrow::Borrow => fitting.into_iter().next(),
        WhenCanBorrow::TryNextFlavor => fitting.min_by_key(|choice| choice.fit),
    }
}

fn fit(cohort: &Cohort, queue: usize, flavor: usize, amount: u64) -> Option<Fit> {
    if amount > cohort.available(queue, flavor) {
        return None;
    }
    let is_within_own = cohort.queues[queue].is_within_own(flavor, amount);
    Some(if is_within_own { Fit::Nominal } else { Fit::Borrowing })
}

/// What a queue does when the first in it does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Those behind it are tried as well (Kueue's default).
    #[default]
    BestEffortFifo,
    /// Those behind it wait.
    StrictFifo,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::{Queue, Quota};

    fn cohort(nominal: &[[u64; 2]]) -> Cohort {
        let quota = |&nominal: &u64| Quota { nominal, ..Quota::default() };
        let queue = |nominal: &[u64; 2]| Queue::idle(nominal.iter().map(quota).collect());
        Cohort { queues: nominal.iter().map(queue).collect() }
    }

    /// Two queues with quotas of two flavors; which flavor does so much of the first queue get?
    #[track_caller]
    fn check(amount: u64, when_can_borrow: WhenCanBorrow, expected: Option<(usize, Fit)>) {
        let cohort = cohort(&[[4, 8], [4, 0]]);
        let found = choose_flavor(&cohort, 0, amount, when_can_borrow, |_| true);
        assert_eq!(found.map(|choice| (choice.flavor, choice.fit)), expected);
    }

    #[test]
    fn the_first_flavor_with_room_is_taken_even_if_it_is_borrowed() {
        check(4, WhenCanBorrow::Borrow, Some((0, Fit::Nominal)));
        check(5, WhenCanBorrow::Borrow, Some((0, Fit::Borrowing)));
        check(9, WhenCanBorrow::Borrow, None);
    }

    #[test]
    fn a_later_flavor_of_its_own_goes_before_a_borrowed_one_if_the_queue_says_so() {
        check(5, WhenCanBorrow::TryNextFlavor, Some((1, Fit::Nominal)));
        check(9, WhenCanBorrow::TryNextFlavor, None);
    }

    #[test]
    fn a_flavor_that_cannot_hold_the_workload_is_passed_over() {
        let cohort = cohort(&[[4, 8]]);
        let found = choose_flavor(&cohort, 0, 2, WhenCanBorrow::Borrow, |flavor| flavor == 1);
        assert_eq!(found.map(|choice| choice.flavor), Some(1));
    }
}
