//! How far a job's work is: stretches of running, checkpoints, what an interruption undoes.
//!
//! Work is counted in thousandths of what one member on the reference GPU does in a microsecond. A job of `width`
//! members and a duration has `width * duration * 1000` of it, and while `n` members run at a pace of `p` thousandths it
//! falls by `n * p` a microsecond. Time is counted beside it: microseconds of one member, at whatever pace.

use crate::spec::{Checkpoint, Pace};
use contract::{Instant, Micros};

/// Member time by what it was spent on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    /// Work that counts as long as nothing undoes it.
    pub(crate) worked: u128,
    /// Checkpoints written, and states read again after an interruption.
    pub(crate) overhead: u128,
}

/// The members that run, in lock step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crew {
    /// How many; one at least.
    pub(crate) members: u32,
    /// How fast each of them works.
    pub(crate) pace: Pace,
}

impl Crew {
    /// Work that is done in this time.
    fn work_in(self, time: Micros) -> u128 {
        u128::from(time.0) * self.work_a_microsecond()
    }

    fn work_a_microsecond(self) -> u128 {
        u128::from(self.members) * u128::from(self.pace.thousandths())
    }

    fn member_time(self, time: Micros) -> u128 {
        u128::from(time.0) * u128::from(self.members)
    }
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    work: u128,
    /// Member time that it took.
    took: u128,
}

/// A stretch in which the same crew runs.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    since: Instant,
    crew: Crew,
    /// Its first part, in which the state is read again.
    reading: Micros,
}

/// The work of one job.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    checkpoint: Option<Checkpoint>,
    /// Work.
    total: u128,
    done: Reached,
    /// What the last checkpoint holds.
    saved: Reached,
    /// The next stretch begins with reading the state again.
    restarts: bool,
    stretch: Option<Stretch>,
}

impl Progress {
    /// Nothing is done yet of what takes so many members so long on the reference GPU.
    pub(crate) fn new(duration: Micros, width: u32, checkpoint: Option<Checkpoint>) -> Self {
        let total = Crew { members: width, pace: Pace::REFERENCE }.work_in(duration);
        let [done, saved] = [Reached::default(); 2];
        Self { checkpoint, total, done, saved, restarts: false, stretch: None }
    }

    /// Who works, if anybody does.
    pub(crate) fn crew(&self) -> Option<Crew> {
        self.stretch.map(|stretch| stretch.crew)
    }

    /// Whether members work.
    pub(crate) fn runs(&self) -> bool {
        self.stretch.is_some()
    }

    /// These members run from now on. Gives what the stretch that ends was spent on.
    pub(crate) fn run(&mut self, now: Instant, crew: Crew) -> Spent {
        let spent = self.pause(now);
        let reading = match &self.checkpoint {
            Some(checkpoint) if std::mem::take(&mut self.restarts) => checkpoint.restart,
            _ => Micros::ZERO,
        };
        self.stretch = Some(Stretch { since: now, crew, reading });
        spent
    }

    /// No member works from now on, and nothing is undone. Gives what the stretch that ends was spent on.
    pub(crate) fn pause(&mut self, now: Instant) -> Spent {
        let Some(stretch) = self.stretch.take() else { return Spent::default() };
        let elapsed = now.since(stretch.since);
        let (worked, saved) = self.divide(elapsed - stretch.reading);
        if let Some(saved) = saved {
            self.saved = self.after(stretch.crew, saved);
        }
        // The state has to be read to the end before work goes on.
        self.restarts |= elapsed < stretch.reading;
        self.done = self.after(stretch.crew, worked);
        let worked = stretch.crew.member_time(worked);
        Spent { worked, overhead: stretch.crew.member_time(elapsed) - worked }
    }

    /// How far it will have come when a crew has worked for this time more.
    fn after(&self, crew: Crew, time: Micros) -> Reached {
        Reached {
            work: (self.done.work + crew.work_in(time)).min(self.total),
            took: self.done.took + crew.member_time(time),
        }
    }

    /// The job is interrupted while paused: work goes back to the last checkpoint. Gives the member time that is lost.
    pub(crate) fn undo(&mut self) -> u128 {
        assert!(!self.runs(), "an interrupted job has stopped");
        let lost = self.done.took - self.saved.took;
        self.done = self.saved;
        self.restarts = self.saved.work > 0;
        lost
    }

    /// When the work will be done if nothing changes; `None` while nobody works.
    pub(crate) fn ends_at(&self) -> Option<Instant> {
        let stretch = self.stretch?;
        let left = (self.total - self.done.work).div_ceil(stretch.crew.work_a_microsecond());
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
    use std::num::NonZeroU32;

    fn secs(seconds: u64) -> Micros {
        Micros::from_secs(seconds)
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + secs(seconds)
    }

    /// So many members on the reference GPU.
    fn crew(members: u32) -> Crew {
        Crew { members, pace: Pace::REFERENCE }
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
        progress.run(at(0), crew(4));
        for &second in interrupted {
            let spent = progress.pause(at(second));
            let lost = progress.undo();
            add(spent, lost);
            progress.run(at(second + 5), crew(4));
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
        progress.run(at(0), crew(4));
        progress.run(at(50), crew(2));
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
            progress.run(now, crew(members));
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
                    progress.run(now, crew(members));
                }
            }
            if members == 0 {
                members = 1;
                progress.run(now, crew(members));
            }
            let end = progress.ends_at().expect("it runs");
            held += u128::from(end.since(now).0) * u128::from(members);
            let spent = progress.pause(end);
            prop_assert_eq!(sum.worked + spent.worked + sum.overhead + spent.overhead, held);
            let kept = sum.worked + spent.worked - lost;
            // The last microsecond is worked by all, whether or not there is work for all.
            let work = u128::from(secs(250).0) * 4;
            prop_assert!((work..work + 4).contains(&kept), "{kept} of {work}");
            prop_assert!(progress.done.work == progress.total);
        }

        #[test]
        fn a_crew_at_a_pace_takes_as_much_longer_as_it_is_slower_however_often_it_changes(
            duration in 1_u64..1_000_000,
            members in 1_u32..9,
            stretches in prop::collection::vec((1_u32..5_000, 1_u64..200_000), 1..8),
        ) {
            let mut progress = Progress::new(Micros(duration), members, None);
            let (mut now, mut done) = (Instant::ZERO, 0);
            for (thousandths, time) in stretches {
                let pace = Pace::of_thousandths(NonZeroU32::new(thousandths).expect("from one"));
                progress.run(now, Crew { members, pace });
                let left = u128::from(duration) * 1000 - done;
                let end = progress.ends_at().expect("it runs");
                let expected = left.div_ceil(u128::from(thousandths));
                prop_assert_eq!(u128::from(end.since(now).0), expected);
                if end <= now + Micros(time) {
                    break;
                }
                done += u128::from(time) * u128::from(thousandths);
                now = now + Micros(time);
            }
        }
    }
}
