//! From exporter to policy: what was scraped when, what a reader may see of it now, as a mean over which
//! window.

use crate::spec::MetricsSpec;
use contract::{Instant, Metric, Sample};
use std::collections::VecDeque;

/// How many numbers one scrape reads at most.
const WIDTH: usize = 11;

/// Stands where a scrape could not tell: such a value enters no mean, and alone makes no sample.
pub(crate) const NOT_MEASURED: f64 = f64::NAN;

/// Pod metrics, in order.
pub(crate) const POD_METRICS: [Metric; WIDTH] = [
    Metric::Concurrency,
    Metric::Running,
    Metric::Waiting,
    Metric::KvUse,
    Metric::Busy,
    Metric::KvTokens,
    Metric::KvCapacity,
    Metric::WaitingPromptTokens,
    Metric::StepTime,
    Metric::StepPromptTokens,
    Metric::StepKvTokens,
];

/// Service metrics, in order.
pub(crate) const SERVICE_METRICS: [Metric; 8] = [
    Metric::GatewayQueue,
    Metric::QueueLength,
    Metric::InFlight,
    Metric::ArrivalRate,
    Metric::PromptTokens,
    Metric::OutputTokens,
    Metric::Ttft,
    Metric::Tpot,
];

/// The last scrapes of one target.
#[derive(Debug, Default)]
pub(crate) struct Scrapes {
    ring: VecDeque<(Instant, [f64; WIDTH])>,
    /// How long the target had been busy at the last scrape.
    pub(crate) busy_before: contract::Micros,
    /// The last scrape, or when there was first something to scrape.
    pub(crate) last: Instant,
    /// The newest scrape that a reader has seen.
    pub(crate) seen: Option<Instant>,
}

impl Scrapes {
    /// Keeps a scrape for as long as anybody may look back to it.
    pub(crate) fn push(&mut self, at: Instant, values: [f64; WIDTH], spec: &MetricsSpec) {
        let reach = spec.window + spec.delay + spec.scrape_interval;
        while self.ring.front().is_some_and(|&(oldest, _)| oldest + reach + reach < at) {
            self.ring.pop_front();
        }
        self.ring.push_back((at, values));
        self.last = at;
    }

    /// Writes what a reader sees at `now` into `samples`, one for each metric that was measured; leaves them
    /// empty when nothing has reached the reader yet.
    pub(crate) fn read(
        &mut self,
        now: Instant,
        metrics: &[Metric],
        spec: &MetricsSpec,
        samples: &mut Vec<Sample>,
    ) {
        samples.clear();
        let arrived = |&&(at, _): &&(Instant, [f64; WIDTH])| at + spec.delay <= now;
        let Some(&(newest, _)) = self.ring.iter().rev().find(arrived) else { return };
        self.seen = Some(newest);
        let oldest = Instant(newest.0.saturating_sub(spec.window.0));
        let inside =
            |&&(at, _): &&(Instant, [f64; WIDTH])| at <= newest && (at > oldest || at == newest);
        let mut sums = [(0.0, 0.0); WIDTH];
        for (_, values) in self.ring.iter().filter(inside) {
            for ((sum, count), value) in sums.iter_mut().zip(values) {
                if value.is_finite() {
                    *sum += value;
                    *count += 1.0;
                }
            }
        }
        let measured = metrics.iter().zip(sums).filter(|&(_, (_, count))| count > 0.0);
        samples.extend(measured.map(|(&metric, (sum, count))| Sample {
            metric,
            value: sum / count,
            at: newest,
            window: spec.window,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::Micros;

    /// Scrapes at 15, 30 and 45 s read 1, 2 and 6; what is seen at `now`?
    fn seen(now: u64, delay: u64, window: u64) -> Option<(f64, u64)> {
        let spec = MetricsSpec {
            scrape_interval: Micros::from_secs(15),
            delay: Micros::from_secs(delay),
            window: Micros::from_secs(window),
        };
        let mut scrapes = Scrapes::default();
        for (at, value) in [(15, 1.0), (30, 2.0), (45, 6.0)] {
            scrapes.push(Instant(at * 1_000_000), [value; WIDTH], &spec);
        }
        let mut samples = Vec::new();
        scrapes.read(Instant(now * 1_000_000), &POD_METRICS, &spec, &mut samples);
        samples.first().map(|sample| (sample.value, sample.at.0 / 1_000_000))
    }

    #[test]
    fn a_reader_sees_the_newest_scrape_that_has_reached_it() {
        assert_eq!(seen(60, 0, 0), Some((6.0, 45)));
        assert_eq!(seen(60, 15, 0), Some((6.0, 45)));
        assert_eq!(seen(59, 15, 0), Some((2.0, 30)));
        assert_eq!(seen(29, 15, 0), None);
    }

    #[test]
    fn a_window_is_open_at_its_far_end() {
        assert_eq!(seen(60, 0, 15), Some((6.0, 45)));
        assert_eq!(seen(60, 0, 30), Some((4.0, 45)));
        assert_eq!(seen(60, 0, 45), Some((3.0, 45)));
    }
}
