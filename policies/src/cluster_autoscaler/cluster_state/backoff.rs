//! After a failed launch a pool is left alone for a while, longer with every failure.

use crate::cluster_autoscaler::Settings;
use contract::{Instant, Micros};
use serde::{Deserialize, Serialize};

/// How long pools are left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffRules {
    /// After the first failure.
    pub initial: Micros,
    /// At most.
    pub max: Micros,
    /// Failures older than this are forgotten.
    pub reset: Micros,
}

impl From<&Settings> for BackoffRules {
    fn from(settings: &Settings) -> Self {
        Self {
            initial: settings.initial_node_group_backoff_duration,
            max: settings.max_node_group_backoff_duration,
            reset: settings.node_group_backoff_reset_timeout,
        }
    }
}

/// A pool that is left alone, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    length: Micros,
    until: Instant,
    failed_at: Instant,
}

impl Backoff {
    /// After a failure at `now`. A failure inside a block starts it again with the same length, one after it
    /// doubles the length.
    pub fn after_failure(previous: Option<Self>, now: Instant, rules: BackoffRules) -> Self {
        let length = match previous {
            None => rules.initial,
            Some(old) if old.is_stale(now, rules) => rules.initial,
            Some(old) if now <= old.until => old.length,
            Some(old) => (old.length + old.length).min(rules.max),
        };
        Self { length, until: now + length, failed_at: now }
    }

    /// Whether the last failure is so old that it is forgotten.
    pub fn is_stale(&self, now: Instant, rules: BackoffRules) -> bool {
        now.since(self.failed_at) > rules.reset
    }

    /// Whether the pool is left alone at `now`.
    pub fn blocks(&self, now: Instant) -> bool {
        now < self.until
    }

    /// How long it will still be.
    pub fn left(&self, now: Instant) -> Micros {
        self.until.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::at;

    /// Failures at these seconds; how long does the last one block?
    #[track_caller]
    fn check(failures: &[u64], expected: &str) {
        let rules = BackoffRules::from(&Settings::default());
        let mut backoff = None;
        for &second in failures {
            backoff = Some(Backoff::after_failure(backoff, at(second), rules));
        }
        let last = at(*failures.last().unwrap());
        assert_eq!(backoff.unwrap().left(last).to_string(), expected);
    }

    #[test]
    fn a_failure_inside_the_block_starts_it_again_and_one_after_it_doubles_it() {
        check(&[0], "5m");
        check(&[0, 300], "5m");
        check(&[0, 301], "10m");
        check(&[0, 301, 902], "20m");
        check(&[0, 301, 902, 2_103], "30m");
    }

    #[test]
    fn old_failures_are_forgotten() {
        check(&[0, 301, 301 + 10_800], "20m");
        check(&[0, 301, 301 + 10_801], "5m");
    }

    #[test]
    fn the_block_ends_on_time() {
        let backoff = Backoff::after_failure(None, at(0), BackoffRules::from(&Settings::default()));
        assert!(backoff.blocks(at(299)) && !backoff.blocks(at(300)));
    }
}
