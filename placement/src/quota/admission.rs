//! Who is admitted: flavors in their order, queues by priority then time, strictly or with the ones behind.

use super::Cohort;

/// How an amount fits a queue's quota of a flavor, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Within its own quota.
    Nominal,
    /// With quota of others.
    Borrowing,
}

/// What a workload does when a flavor can be had with borrowing, and others come after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    let own = &cohort.queues[queue];
    let within = own.used[flavor] + amount <= own.quotas[flavor].nominal;
    Some(if within { Fit::Nominal } else { Fit::Borrowing })
}

/// What a queue does when the first in it does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Those behind it are tried as well (Kueue's default).
    #[default]
    BestEffortFifo,
    /// Those behind it wait.
    StrictFifo,
}

/// A workload that was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Its place in the line.
    pub place: usize,
    /// What it was admitted with.
    pub choice: FlavorChoice,
}

/// Admits what fits from a queue's line, whose order is that of admission (priority, then time); reserves its quota.
/// `choose` finds the flavor of the workload at a place of the line.
pub fn admit(
    cohort: &mut Cohort,
    queue: usize,
    amounts: &[u64],
    strategy: Strategy,
    choose: impl Fn(&Cohort, usize) -> Option<FlavorChoice>,
) -> Vec<Admitted> {
    let mut admitted = Vec::new();
    for (place, &amount) in amounts.iter().enumerate() {
        match (choose(cohort, place), strategy) {
            (Some(choice), _) => {
                cohort.reserve(queue, choice.flavor, amount);
                admitted.push(Admitted { place, choice });
            }
            (None, Strategy::StrictFifo) => break,
            (None, Strategy::BestEffortFifo) => {}
        }
    }
    admitted
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

    #[test]
    fn a_strict_line_waits_for_its_first_and_a_best_effort_line_does_not() {
        let admitted = |strategy| {
            let mut cohort = cohort(&[[4, 0]]);
            let amounts = [3, 2, 1];
            let choose = |cohort: &Cohort, place: usize| {
                choose_flavor(cohort, 0, amounts[place], WhenCanBorrow::Borrow, |_| true)
            };
            let found = admit(&mut cohort, 0, &amounts, strategy, choose);
            found.iter().map(|admitted| admitted.place).collect::<Vec<_>>()
        };
        assert_eq!(admitted(Strategy::StrictFifo), [0]);
        assert_eq!(admitted(Strategy::BestEffortFifo), [0, 2]);
    }
}
