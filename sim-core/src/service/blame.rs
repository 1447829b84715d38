//! What a service's requests wait for: a track of causes over time, and sums along it.
//!
//! At any moment one thing stands between a waiting request and more capacity: the most advanced step of
//! the scale-up in progress, or the lack of one. The track remembers when that changed; a late request's
//! wait is cut along it, so its parts always sum to the whole.

use crate::outcome::Cause;
use contract::{Instant, Micros};

/// Time by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Causes([u64; Cause::ALL.len()]);

impl Causes {
    /// Adds time to a cause.
    pub(crate) fn add(&mut self, cause: Cause, time: Micros) {
        self.0[cause as usize] += time.0;
    }

    /// Adds another sum.
    pub(crate) fn add_all(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// Time of one cause.
    pub(crate) fn of(&self, cause: Cause) -> Micros {
        Micros(self.0[cause as usize])
    }

    /// All time.
    pub(crate) fn total(&self) -> Micros {
        Micros(self.0.iter().sum())
    }

    /// The cause with the most time; of equals, the earliest in a scale-up.
    pub(crate) fn largest(&self) -> Cause {
        let most = self.0.iter().copied().max().unwrap_or(0);
        let place = self.0.iter().position(|&time| time == most).unwrap_or(0);
        Cause::ALL[place]
    }
}

/// When the cause changed: each entry holds until the next.
#[derive(Debug)]
pub(crate) struct CauseTrack {
    changes: Vec<(Instant, Cause)>,
    /// So many changes call for forgetting old ones.
    long: usize,
}

/// A track shorter than this is never tidied up.
const SHORT: usize = 1024;

impl Default for CauseTrack {
    fn default() -> Self {
        Self { changes: vec![(Instant::ZERO, Cause::Decision)], long: SHORT }
    }
}

impl CauseTrack {
    /// From now on the cause is `cause`.
    pub(crate) fn set(&mut self, now: Instant, cause: Cause) {
        let last = self.changes.last_mut().expect("a track begins with a cause");
        if last.1 == cause {
            return;
        }
        if last.0 == now {
            last.1 = cause;
        } else {
            self.changes.push((now, cause));
        }
    }

    /// A decision was taken at `now` on metrics of `sampled`: waiting since then was for the metrics to
    /// arrive and be read, not for a policy that saw the need and held.
    pub(crate) fn decided(&mut self, sampled: Instant, now: Instant) {
        let &(since, cause) = self.changes.last().expect("a track begins with a cause");
        let from = sampled.max(since);
        if cause != Cause::Decision || now <= from {
            return;
        }
        if from == since {
            self.changes.pop();
        }
        self.changes.push((from, Cause::MetricDelay));
    }

    /// Whether it has grown enough for old changes to be forgotten.
    pub(crate) fn is_long(&self) -> bool {
        self.changes.len() >= self.long
    }

    /// Forgets what nobody who came at `from` or later can have waited through.
    pub(crate) fn forget_before(&mut self, from: Instant) {
        let after = self.changes.partition_point(|&(since, _)| since <= from);
        // The change before is the one in force at `from`.
        self.changes.drain(..after.saturating_sub(1));
        self.long = SHORT.max(2 * self.changes.len());
    }

    /// Cuts the time between two instants along the track.
    pub(crate) fn cut(&self, from: Instant, to: Instant, into: &mut Causes) {
        let mut end = to;
        for &(since, cause) in self.changes.iter().rev() {
            if end <= from {
                return;
            }
            if since < end {
                let begin = since.max(from);
                into.add(cause, end.since(begin));
                end = begin;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn track(changes: &[(u64, Cause)]) -> CauseTrack {
        let mut track = CauseTrack::default();
        for &(at, cause) in changes {
            track.set(Instant(at), cause);
        }
        track
    }

    #[track_caller]
    fn check(track: &CauseTrack, from: u64, to: u64, expected: &[(Cause, u64)]) {
        let mut causes = Causes::default();
        track.cut(Instant(from), Instant(to), &mut causes);
        for cause in Cause::ALL {
            let wanted = expected.iter().find(|(other, _)| *other == cause).map_or(0, |(_, t)| *t);
            assert_eq!(causes.of(cause), Micros(wanted), "{cause:?}");
        }
    }

    #[test]
    fn a_wait_is_cut_where_the_cause_changed() {
        let track = track(&[(10, Cause::NodeBoot), (20, Cause::WeightsLoad)]);
        check(
            &track,
            5,
            25,
            &[(Cause::Decision, 5), (Cause::NodeBoot, 10), (Cause::WeightsLoad, 5)],
        );
        check(&track, 12, 13, &[(Cause::NodeBoot, 1)]);
        check(&track, 13, 13, &[]);
    }

    #[test]
    fn a_decision_turns_the_wait_for_its_metrics_into_metric_delay() {
        let mut track = track(&[]);
        track.decided(Instant(70), Instant(100));
        track.set(Instant(100), Cause::Scheduling);
        check(
            &track,
            0,
            110,
            &[(Cause::Decision, 70), (Cause::MetricDelay, 30), (Cause::Scheduling, 10)],
        );
    }

    #[test]
    fn what_somebody_in_flight_waited_through_is_not_forgotten() {
        let mut track = track(&[(10, Cause::NodeBoot), (20, Cause::WeightsLoad)]);
        track.forget_before(Instant(19));
        check(&track, 19, 25, &[(Cause::NodeBoot, 1), (Cause::WeightsLoad, 5)]);
        track.forget_before(Instant(20));
        check(&track, 20, 25, &[(Cause::WeightsLoad, 5)]);
        assert_eq!(track.changes.len(), 1);
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_whole(
            mut at in prop::collection::vec(0_u64..1000, 0..20),
            picks in prop::collection::vec(0_usize..13, 20),
            from in 0_u64..1000,
            length in 0_u64..1000,
        ) {
            at.sort_unstable();
            let changes: Vec<_> = at.iter().zip(picks).map(|(&at, p)| (at, Cause::ALL[p])).collect();
            let mut causes = Causes::default();
            track(&changes).cut(Instant(from), Instant(from + length), &mut causes);
            prop_assert_eq!(causes.total(), Micros(length));
        }
    }
}
