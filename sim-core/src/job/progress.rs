//! How far a job's work is: stretches of running, checkpoints, what an interruption undoes.
//!
//! Work is counted in member time: microseconds of one member. A job of `width` members and a duration has
//! `width * duration` of it, and while `n` members run it falls by `n` a microsecond.

use crate::spec::Checkpoint;
use contract::{Instant, Micros};

/// Member time by what it was spent on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    /// Work that counts as long as nothing undoes it.
    pub(crate) worked: u128,
    /// Checkpoints written, and states read again after an interruption.
    pub(crate) overhead: u128,
}

/// A stretch in which the same number of members run.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    since: Instant,
    members: u32,
    /// Its first part, in which the state is read again.
    reading: Micros,
}

/// The work of one job.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    checkpoint: Option<Checkpoint>,
    total: u128,
    done: u128,
    /// What the last checkpoint holds.
    saved: u128,
    /// The next stretch begins with reading the state again.
    restarts: bool,
    stretch: Option<Stretch>,
}

impl Progress {
    /// Nothing is done yet.
    pub(crate) fn new(duration: Micros, width: u32, checkpoint: Option<Checkpoint>) -> Self {
        let total = u128::from(duration.0) * u128::from(width);
        Self { checkpoint, total, done: 0, saved: 0, restarts: false, stretch: None }
    }

    /// How many members work, if any.
    pub(crate) fn members(&self) -> Option<u32> {
        self.stretch.map(|stretch| stretch.members)
    }

    /// Whether members work.
    pub(crate) fn runs(&self) -> bool {
        self.stretch.is_some()
    }

    /// So many members run from now on. Gives what the stretch that ends was spent on.
    pub(crate) fn run(&mut self, now: Instant, members: u32) -> Spent {
        let spent = self.pause(now);
        let reading = match &self.checkpoint {
            Some(checkpoint) if std::mem::take(&mut self.restarts) => checkpoint.restart,
            _ => Micros::ZERO,
        };
        self.stretch = Some(Stretch { since: now, members, reading });
        spent
    }

    /// No member works from now on, and nothing is undone. Gives what the stretch that ends was spent on.
    pub(crate) fn pause(&mut self, now: Instant) -> Spent {
        let Some(stretch) = self.stretch.take() else { return Spent::default() };
        let elapsed = now.since(stretch.since);
        let (worked, saved) = self.divide(elapsed - stretch.reading);
        let members = u128::from(stretch.members);
        if let Some(saved) = saved {
            self.saved = (self.done + u128::from(saved.0) * members).min(self.total);
        }
        // The state has to be read to the end before work goes on.
        self.restarts |= elapsed < stretch.reading;
        let worked = u128::from(worked.0) * members;
        self.done = (self.done + worked).min(self.total);
        Spent { worked, overhead: u128::from(elapsed.0) * members - worked }
    }

    /// The job is interrupted while paused: work goes back to the last checkpoint. Gives what is lost.
    pub(crate) fn undo(&mut self) -> u128 {
        assert!(!self.runs(), "an interrupted job has stopped");
        let lost = self.done - self.saved;
        self.done = self.saved;
        self.restarts = self.saved > 0;
        lost
    }

    /// When the work will be done if nothing changes; `None` while nobody works.
    pub(crate) fn ends_at(&self) -> Option<Instant> {
        let stretch = self.stretch?;
        let left = (self.total - self.done).div_ceil(u128::from(stretch.members));
        let left = Micros(u64::try_from(left).unwrap_or(u64::MAX));
        // No checkpoint is written once the work is done.
        let pauses = self.checkpoint.as_ref().map_or(Micros::ZERO, |checkpoint| {
            let count = left.0.saturating_sub(1) / checkpoint.interval.0;
            Micros(count.saturating_mul(checkpoint.cost.0))
        });
        Some(stretch.since + stretch.reading + left + pauses)
    }

    /// Of a stretch's time after reading: what was work, and how much of that the newest complete checkpoint holds.
    fn divide(&self, time: Micros) -> (Micros, Option<Micros>) {
        let Some(checkpoint) = &self.checkpoint else { return (time, None) };
        let cycle = checkpoint.interval + checkpoint.cost;
        let (cycles, rest) = (time.0 / cycle.0, time.0 % cycle.0);
        let saved = Micros(cycles * checkpoint.interval.0);
        let worked = saved + Micros(rest).min(checkpoint.interval);
        (worked, (cycles > 0).then_some(saved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secs(seconds: u64) -> Micros {
        Micros::from_secs(seconds)
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + secs(seconds)
    }

    /// A checkpoint every 100 s takes 10 s, and 30 s to read.
    fn checkpoint() -> Checkpoint {
        Checkpoint { interval: secs(100), cost: secs(10), restart: secs(30) }
    }

    /// A job of 4 × 250 s starts at once and is interrupted at these seconds, each time for 5 s. When does it end,
    /// and how many member seconds are worked, overhead and lost?
    #[track_caller]
    fn check(checkpoint: Option<Checkpoint>, interrupted: &[u64], expected: (u64, [u128; 3])) {
        let mut progress = Progress::new(secs(250), 4, checkpoint);
        let mut sums = [0; 3];
        let mut add = |spent: Spent, lost| {
            for (sum, more) in sums.iter_mut().zip([spent.worked, spent.overhead, lost]) {
                *sum += more / 1_000_000;
            }
        };
        progress.run(at(0), 4);
        for &second in interrupted {
            let spent = progress.pause(at(second));
            let lost = progress.undo();
            add(spent, lost);
            progress.run(at(second + 5), 4);
        }
        let end = progress.ends_at().expect("it runs");
        add(progress.pause(end), 0);
        assert_eq!((end.0 / 1_000_000, sums), expected);
    }

    #[test]
    fn without_checkpoints_an_interruption_loses_all_that_was_done() {
        check(None, &[], (250, [1000, 0, 0]));
        check(None, &[100], (355, [1400, 0, 400]));
    }

    #[test]
    fn checkpoints_take_time_but_none_is_written_at_the_end() {
        check(Some(checkpoint()), &[], (270, [1000, 80, 0]));
    }

    #[test]
    fn an_interruption_goes_back_to_the_last_complete_checkpoint_and_reads_it() {
        // At 109 s the first checkpoint is not complete, at 110 s it is.
        check(Some(checkpoint()), &[109], (114 + 270, [1400, 36 + 80, 400]));
        check(Some(checkpoint()), &[110], (115 + 30 + 160, [1000, 40 + 120 + 40, 0]));
        check(Some(checkpoint()), &[150], (155 + 30 + 160, [1160, 40 + 120 + 40, 160]));
    }

    #[test]
    fn fewer_members_take_longer() {
        let mut progress = Progress::new(secs(100), 4, None);
        progress.run(at(0), 4);
        progress.run(at(50), 2);
        assert_eq!(progress.ends_at(), Some(at(150)));
    }

    proptest! {
        #[test]
        fn time_is_work_or_overhead_and_work_that_was_not_undone_is_the_job(
            changes in prop::collection::vec((1_u64..400, 0_u32..5, any::<bool>()), 0..12),
            cost in 0_u64..30,
        ) {
            let checkpoint = Checkpoint { cost: secs(cost), ..checkpoint() };
            let mut progress = Progress::new(secs(250), 4, Some(checkpoint));
            let (mut now, mut members) = (at(0), 4);
            let (mut sum, mut lost, mut held) = (Spent::default(), 0, 0);
            progress.run(now, members);
            for (seconds, next, undone) in changes {
                let until = now + secs(seconds);
                if progress.ends_at().is_some_and(|end| end <= until) {
                    break;
                }
                held += u128::from(until.since(now).0) * u128::from(members);
                now = until;
                let spent = progress.pause(now);
                sum = Spent { worked: sum.worked + spent.worked, overhead: sum.overhead + spent.overhead };
                if undone {
                    lost += progress.undo();
                }
                members = next;
                if members > 0 {
                    progress.run(now, members);
                }
            }
            if members == 0 {
                members = 1;
                progress.run(now, members);
            }
            let end = progress.ends_at().expect("it runs");
            held += u128::from(end.since(now).0) * u128::from(members);
            let spent = progress.pause(end);
            prop_assert_eq!(sum.worked + spent.worked + sum.overhead + spent.overhead, held);
            let kept = sum.worked + spent.worked - lost;
            // The last microsecond is worked by all, whether or not there is work for all.
            let work = u128::from(secs(250).0) * 4;
            prop_assert!((work..work + 4).contains(&kept), "{kept} of {work}");
            prop_assert!(progress.done == progress.total);
        }
    }
}
