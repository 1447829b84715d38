//! Generates jobs: when they are submitted, how wide they are, how long they work.
//!
//! Gaps, widths and durations draw from streams of their own, and are independent of each other. (In public traces
//! wider jobs last longer: give them a class of their own.)

use contract::{Instant, Micros, PodSpec};
use sim_core::delay::Delay;
use sim_core::random::{Seed, Stream};
use sim_core::{JobArrival, JobSource, SourceError};
use std::num::NonZeroU32;
use std::sync::Arc;

/// When jobs are submitted.
#[derive(Clone, Debug)]
pub enum Submissions {
    /// At these times, in order.
    At(Vec<Instant>),
    /// One after the other, this long apart.
    Every(Delay),
}

/// How many pods jobs have: widths with their weights, which are positive.
#[derive(Clone, Debug)]
pub struct Widths(pub Vec<(NonZeroU32, f64)>);

/// What jobs of a class are like.
#[derive(Clone, Debug)]
pub struct JobPattern {
    /// When they are submitted.
    pub submissions: Submissions,
    /// How many pods they have.
    pub widths: Widths,
    /// How many of them must run; all unless given, and never more than all.
    pub min_count: Option<NonZeroU32>,
    /// What each pod asks for.
    pub pod: Arc<PodSpec>,
    /// How long the work takes with all pods.
    pub duration: Delay,
}

impl JobPattern {
    /// The jobs of the `class`th class of a run.
    pub fn open(self, seed: Seed, class: u32) -> Box<dyn JobSource> {
        let stream = |purpose| seed.stream(purpose, u64::from(class));
        Box::new(Generator {
            gaps: stream("job-gap"),
            widths: stream("job-width"),
            durations: stream("job-duration"),
            pattern: self,
            made: 0,
            last: Instant::ZERO,
        })
    }
}

struct Generator {
    pattern: JobPattern,
    gaps: Stream,
    widths: Stream,
    durations: Stream,
    made: usize,
    last: Instant,
}

impl Generator {
    fn next_time(&mut self) -> Option<Instant> {
        match &self.pattern.submissions {
            Submissions::At(times) => times.get(self.made).copied(),
            // Two at one moment are possible, an endless row of them is not.
            Submissions::Every(gap) => Some(self.last + gap.draw(&mut self.gaps).max(Micros(1))),
        }
    }

    fn draw_width(&mut self) -> NonZeroU32 {
        let widths = &self.pattern.widths.0;
        let all: f64 = widths.iter().map(|(_, weight)| weight).sum();
        let mut left = self.widths.unit() * all;
        let drawn = widths.iter().find(|(_, weight)| {
            left -= weight;
            left < 0.0
        });
        drawn.or(widths.last()).expect("jobs have some width").0
    }
}

impl JobSource for Generator {
    fn next_job(&mut self) -> Result<Option<JobArrival>, SourceError> {
        let Some(at) = self.next_time() else { return Ok(None) };
        self.made += 1;
        self.last = at;
        let width = self.draw_width().get();
        let least = self.pattern.min_count.map_or(width, |count| count.get().min(width));
        let duration = self.pattern.duration.draw(&mut self.durations);
        let pod = self.pattern.pod.clone();
        Ok(Some(JobArrival { at, width, min_count: least, pod, duration }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(submissions: Submissions) -> JobPattern {
        let width = |width| NonZeroU32::new(width).expect("not zero");
        JobPattern {
            submissions,
            widths: Widths(vec![(width(1), 3.0), (width(8), 1.0)]),
            min_count: NonZeroU32::new(4),
            pod: Arc::default(),
            duration: Delay::Exponential { mean: Micros::from_mins(10) },
        }
    }

    fn jobs(submissions: Submissions, count: usize) -> Vec<JobArrival> {
        let mut source = pattern(submissions).open(Seed { seed: 1, run: 0 }, 0);
        let next = || source.next_job().expect("a generator does not fail");
        std::iter::from_fn(next).take(count).collect()
    }

    #[test]
    fn jobs_come_at_the_times_that_are_written_and_then_no_more() {
        let times = vec![Instant(5), Instant(5), Instant(9)];
        let found: Vec<_> = jobs(Submissions::At(times.clone()), 10);
        assert_eq!(found.iter().map(|job| job.at).collect::<Vec<_>>(), times);
    }

    #[test]
    fn gaps_widths_and_durations_have_the_means_that_were_asked_for() {
        let gap = Delay::Exponential { mean: Micros::from_secs(30) };
        let found = jobs(Submissions::Every(gap), 20_000);
        let count = 20_000.0;
        let last = found.last().expect("many").at.as_secs_f64();
        assert!((last / count / 30.0 - 1.0).abs() < 0.03, "mean gap {}", last / count);
        let wide = found.iter().filter(|job| job.width == 8).count();
        assert!((4_700..5_300).contains(&wide), "{wide} of 20000 are wide");
        let work: f64 = found.iter().map(|job| job.duration.as_secs_f64()).sum();
        assert!((work / count / 600.0 - 1.0).abs() < 0.03, "mean duration {}", work / count);
    }

    #[test]
    fn no_job_needs_more_pods_than_it_has() {
        let found = jobs(Submissions::Every(Delay::Fixed(Micros(1))), 100);
        assert!(found.iter().all(|job| job.min_count == job.width.min(4)));
    }
}
