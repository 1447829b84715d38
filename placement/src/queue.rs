//! kube-scheduler's queue: how long a pod that fitted nowhere backs off, and when it is looked at again without
//! an event. The order of the active queue is priority, then age.

use contract::{Instant, Micros};

/// The queue's times. The default is kube-scheduler's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Back-off after the first failed attempt.
    pub backoff_initial: Micros,
    /// Longest back-off.
    pub backoff_max: Micros,
    /// A pod that has been unschedulable for longer than this is tried again.
    pub unschedulable_flush: Micros,
    /// How often that is checked.
    pub flush_interval: Micros,
}

impl Default for Queue {
    /// kube-scheduler: `podInitialBackoffSeconds`, `podMaxBackoffSeconds`, `podMaxInUnschedulablePodsDuration`
    /// and the period of `flushUnschedulablePodsLeftover`.
    fn default() -> Self {
        Self {
            backoff_initial: Micros::from_secs(1),
            backoff_max: Micros::from_secs(10),
            unschedulable_flush: Micros::from_secs(300),
            flush_interval: Micros::from_secs(30),
        }
    }
}

impl Queue {
    /// How long a pod waits after so many failed attempts: the first wait doubled for each further one, up to the
    /// longest.
    pub fn backoff(&self, attempts: u32) -> Micros {
        let doublings = attempts.saturating_sub(1);
        let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        Micros(self.backoff_initial.0.saturating_mul(factor)).min(self.backoff_max)
    }

    /// Whether a check at `now` takes a pod that was last found unschedulable at `tried` back into the queue:
    /// after strictly more than the limit.
    pub fn is_flushed(&self, tried: Instant, now: Instant) -> bool {
        now.since(tried) > self.unschedulable_flush
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backoff_doubles_up_to_its_ceiling_however_many_attempts_there_were() {
        let seconds = |attempts| Queue::default().backoff(attempts).0 / 1_000_000;
        assert_eq!([1, 2, 3, 4, 5, 64, 65, u32::MAX].map(seconds), [1, 2, 4, 8, 10, 10, 10, 10]);
    }

    #[test]
    fn a_flush_takes_pods_after_strictly_more_than_the_limit() {
        let queue = Queue::default();
        let tried = Instant(1);
        assert!(!queue.is_flushed(tried, Instant(300_000_001)));
        assert!(queue.is_flushed(tried, Instant(300_000_002)));
    }
}
