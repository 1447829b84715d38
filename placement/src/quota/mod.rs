//! Quotas of batch queues: what each may use of its own, borrow from its cohort and take back. Kueue's rules
//! (`ClusterQueue`, cohort of one level) as pure functions.
//!
//! Amounts are of one resource by *flavor* (a kind of node, such as a pool), in any unit that sums.

mod admission;
mod preemption;

pub use admission::{Fit, FlavorChoice, Strategy, WhenCanBorrow, choose_flavor};
pub use preemption::{Preemption, Reclaim, Running, victims};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a queue may use of one flavor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Quota {
    /// Its own.
    pub nominal: u64,
    /// At most so much beyond its own; `None` is no limit but what the cohort has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrowing_limit: Option<u64>,
    /// At most so much of its own may others use; `None` lends all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lending_limit: Option<u64>,
}

impl Quota {
    /// What nobody else may use.
    pub fn guaranteed(&self) -> u64 {
        self.lending_limit.map_or(0, |limit| self.nominal.saturating_sub(limit))
    }
}

/// A queue: its quota and what it uses, by flavor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// By flavor.
    pub quotas: Vec<Quota>,
    /// By flavor.
    pub used: Vec<u64>,
}

impl Queue {
    /// One that uses nothing.
    pub fn idle(quotas: Vec<Quota>) -> Self {
        let used = vec![0; quotas.len()];
        Self { quotas, used }
    }

    /// Whether it uses more of a flavor than its own.
    pub fn borrows(&self, flavor: usize) -> bool {
        self.used[flavor] > self.quotas[flavor].nominal
    }

    /// Whether it would use no more of a flavor than its own with so much more.
    pub fn is_within_own(&self, flavor: usize, more: u64) -> bool {
        self.used[flavor] + more <= self.quotas[flavor].nominal
    }

    /// What it uses of the cohort's, beyond what nobody else may use.
    fn used_of_cohort(&self, flavor: usize) -> u64 {
        self.used[flavor].saturating_sub(self.quotas[flavor].guaranteed())
    }
}

/// Queues that lend each other what they do not use; all with the same flavors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cohort {
    /// The queues.
    pub queues: Vec<Queue>,
}

impl Cohort {
    /// How much more of a flavor a queue can use now.
    pub fn available(&self, queue: usize, flavor: usize) -> u64 {
        let own = &self.queues[queue];
        let quota = &own.quotas[flavor];
        let guaranteed = quota.guaranteed();
        let of_own = guaranteed.saturating_sub(own.used[flavor]);
        let stored = quota.nominal - guaranteed;
        // Own quota that the cohort holds, and as much more as may be borrowed.
        let most = quota.borrowing_limit.map_or(u64::MAX, |limit| stored.saturating_add(limit));
        let more = most.saturating_sub(own.used_of_cohort(flavor));
        of_own + more.min(self.unused(flavor))
    }

    /// What the cohort holds of a flavor and nobody uses.
    fn unused(&self, flavor: usize) -> u64 {
        let held: u64 = self.queues.iter().map(|queue| lendable(queue, flavor)).sum();
        let used: u64 = self.queues.iter().map(|queue| queue.used_of_cohort(flavor)).sum();
        held.saturating_sub(used)
    }

    /// A queue uses so much more.
    pub fn reserve(&mut self, queue: usize, flavor: usize, amount: u64) {
        self.queues[queue].used[flavor] += amount;
    }

    /// A queue uses so much less.
    ///
    /// # Panics
    /// If it did not use as much.
    pub fn release(&mut self, queue: usize, flavor: usize, amount: u64) {
        let used = &mut self.queues[queue].used[flavor];
        *used = used.checked_sub(amount).expect("a queue gives back what it uses");
    }
}

fn lendable(queue: &Queue, flavor: usize) -> u64 {
    queue.quotas[flavor].nominal - queue.quotas[flavor].guaranteed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quota(nominal: u64, borrowing_limit: Option<u64>, lending_limit: Option<u64>) -> Quota {
        Quota { nominal, borrowing_limit, lending_limit }
    }

    /// Queues as (quota, used); how much more can each use?
    #[track_caller]
    fn check(queues: &[(Quota, u64)], expected: &[u64]) {
        let queue = |&(quota, used): &(Quota, u64)| Queue { quotas: vec![quota], used: vec![used] };
        let cohort = Cohort { queues: queues.iter().map(queue).collect() };
        let found: Vec<_> = (0..queues.len()).map(|queue| cohort.available(queue, 0)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_nobody_uses_is_there_for_all() {
        check(&[(quota(8, None, None), 0), (quota(4, None, None), 3)], &[9, 9]);
    }

    #[test]
    fn a_borrowing_limit_holds_even_when_the_cohort_has_more() {
        check(&[(quota(4, Some(2), None), 5), (quota(8, None, None), 0)], &[1, 7]);
        check(&[(quota(4, Some(0), None), 4), (quota(8, None, None), 0)], &[0, 8]);
    }

    #[test]
    fn what_is_not_lent_stays_for_its_owner() {
        check(&[(quota(8, None, Some(3)), 0), (quota(0, None, None), 0)], &[8, 3]);
        // What its owner uses comes out of the part that nobody else may use first.
        check(&[(quota(8, None, Some(3)), 5), (quota(0, None, None), 0)], &[3, 3]);
        check(&[(quota(8, None, Some(3)), 6), (quota(0, None, None), 0)], &[2, 2]);
    }

    #[test]
    fn borrowed_quota_is_missing_to_its_owner_until_it_is_taken_back() {
        check(&[(quota(4, None, None), 6), (quota(4, None, None), 1)], &[1, 1]);
    }

    proptest! {
        /// Whatever is reserved within what is available, the cohort's quota suffices, limits hold, and nobody is kept
        /// from what is not lent.
        #[test]
        fn reservations_within_what_is_available_keep_every_limit(
            quotas in prop::collection::vec(
                (0_u64..12, prop::option::of(0_u64..8), prop::option::of(0_u64..12)), 1..5),
            asked in prop::collection::vec((0_usize..5, 0_u64..10), 0..30),
        ) {
            let quotas: Vec<_> =
                quotas.into_iter().map(|(nominal, borrow, lend)| quota(nominal, borrow, lend)).collect();
            let queues = quotas.iter().map(|quota| Queue::idle(vec![*quota])).collect();
            let mut cohort = Cohort { queues };
            for (queue, amount) in asked {
                let queue = queue % quotas.len();
                let amount = amount.min(cohort.available(queue, 0));
                cohort.reserve(queue, 0, amount);
            }
            let used: Vec<_> = cohort.queues.iter().map(|queue| queue.used[0]).collect();
            let nominal: u64 = quotas.iter().map(|quota| quota.nominal).sum();
            prop_assert!(used.iter().sum::<u64>() <= nominal);
            for ((place, quota), &used) in quotas.iter().enumerate().zip(&used) {
                if let Some(limit) = quota.borrowing_limit {
                    prop_assert!(used <= quota.nominal + limit);
                }
                prop_assert!(used + cohort.available(place, 0) >= quota.guaranteed());
            }
        }
    }
}
