//! From exporter to policy: what was scraped when, what a reader may see of it now, as a mean over which
//! window.

use crate::random::Seed;
use crate::service::Totals;
use crate::spec::{MetricsPath, MetricsSpec};
use contract::{Instant, Metric, Micros, Sample};
use std::collections::VecDeque;

/// How many numbers one scrape reads at most.
pub(crate) const WIDTH: usize = 11;

/// What one scrape reads: pod metrics or service metrics, in their order.
pub(crate) type Values = [f64; WIDTH];

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

/// The last scrapes of one target on one path.
#[derive(Debug, Default)]
pub(crate) struct Scrapes {
    ring: VecDeque<(Instant, Values)>,
    /// Scrapes so far, failed ones included: names the luck of the next.
    pub(crate) count: u64,
    /// How long the target had been busy when that was last scraped.
    pub(crate) busy_before: Micros,
    /// What the target had counted when that was last scraped.
    pub(crate) totals_before: Totals,
    /// When a counter was last scraped, or when it began to count.
    pub(crate) counted_at: Option<Instant>,
}

impl Scrapes {
    /// Keeps a scrape for as long as anybody may look back to it.
    pub(crate) fn push(&mut self, at: Instant, values: Values, path: &MetricsPath) {
        let reach = path.window + path.delay + path.scrape_interval + path.evaluation_interval;
        while self.ring.front().is_some_and(|&(oldest, _)| oldest + reach + reach < at) {
            self.ring.pop_front();
        }
        self.ring.push_back((at, values));
        self.count += 1;
    }

    /// Adds what a reader sees at `now` to `samples`, one for each of the metrics of its path that was measured;
    /// nothing when nothing has reached the reader yet. `wanted` says which of `metrics` the path carries.
    pub(crate) fn read(
        &self,
        now: Instant,
        metrics: &[Metric],
        path: &MetricsPath,
        wanted: impl Fn(Metric) -> bool,
        samples: &mut Vec<Sample>,
    ) {
        let Some(known_until) = path.known_until(now) else { return };
        let known = |&&(at, _): &&(Instant, Values)| at <= known_until;
        let Some(&(newest, _)) = self.ring.iter().rev().find(known) else { return };
        let oldest = Instant(newest.0.saturating_sub(path.window.0));
        let inside = |&&(at, _): &&(Instant, Values)| at <= newest && (at > oldest || at == newest);
        let mut means = [Mean::default(); WIDTH];
        for &(at, values) in self.ring.iter().filter(inside) {
            for (mean, value) in means.iter_mut().zip(values) {
                mean.take(at, value);
            }
        }
        let measured =
            metrics.iter().zip(means).filter(|&(&metric, mean)| mean.count > 0.0 && wanted(metric));
        samples.extend(measured.map(|(&metric, mean)| Sample {
            metric,
            value: mean.sum / mean.count,
            at: mean.newest,
            window: path.window,
        }));
    }
}

/// A running mean of what could be measured.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    count: f64,
    newest: Instant,
}

impl Mean {
    fn take(&mut self, at: Instant, value: f64) {
        if value.is_finite() {
            self.sum += value;
            self.count += 1.0;
            self.newest = at;
        }
    }
}

/// Names a scrape of a target on a path, for its luck; `target` is its own name or number, high bits first.
pub(crate) fn scrape_number(target: u64, count: u64, path: u8) -> u64 {
    target ^ count << 8 ^ u64::from(path)
}

/// Blots out what a scrape at `at` could not read: everything if it failed, what an outage hides otherwise.
/// Says of a metric whether it was hidden.
pub(crate) fn hide<'a>(
    spec: &'a MetricsSpec,
    (seed, purpose, scrape): (Seed, &str, u64),
    at: Instant,
    metrics: &[Metric],
    values: &mut Values,
) -> impl Fn(Metric) -> bool + use<'a> {
    let failed = spec.missing > 0.0 && seed.stream(purpose, scrape).unit() < spec.missing;
    let hidden = move |metric| failed || spec.hides(metric, at);
    for (&metric, value) in metrics.iter().zip(values) {
        if hidden(metric) {
            *value = NOT_MEASURED;
        }
    }
    hidden
}

/// Writes what a reader sees of a target at `now` into `samples`, each metric as its path shows it.
pub(crate) fn read_paths(
    spec: &MetricsSpec,
    now: Instant,
    metrics: &[Metric],
    scrapes: &[Scrapes],
    samples: &mut Vec<Sample>,
) {
    samples.clear();
    for (place, (path, scrapes)) in spec.paths.iter().zip(scrapes).enumerate() {
        let wanted = |metric| spec.path_of(metric) == place;
        scrapes.read(now, metrics, path, wanted, samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scrapes at 15, 30, 45 and 60 s read 1, 2 and 6 and fail; what is seen at `now`?
    fn seen(now: u64, delay: u64, window: u64, evaluation: u64) -> Option<(f64, u64)> {
        let path = MetricsPath {
            metrics: Vec::new(),
            scrape_interval: Micros::from_secs(15),
            evaluation_interval: Micros::from_secs(evaluation),
            delay: Micros::from_secs(delay),
            window: Micros::from_secs(window),
        };
        let mut scrapes = Scrapes::default();
        for (at, value) in [(15, 1.0), (30, 2.0), (45, 6.0), (60, NOT_MEASURED)] {
            scrapes.push(Instant(at * 1_000_000), [value; WIDTH], &path);
        }
        let mut samples = Vec::new();
        scrapes.read(Instant(now * 1_000_000), &POD_METRICS, &path, |_| true, &mut samples);
        samples.first().map(|sample| (sample.value, sample.at.0 / 1_000_000))
    }

    #[test]
    fn a_reader_sees_the_newest_scrape_that_has_reached_it() {
        assert_eq!(seen(59, 0, 0, 0), Some((6.0, 45)));
        assert_eq!(seen(60, 15, 0, 0), Some((6.0, 45)));
        assert_eq!(seen(59, 15, 0, 0), Some((2.0, 30)));
        assert_eq!(seen(29, 15, 0, 0), None);
    }

    #[test]
    fn a_window_is_open_at_its_far_end() {
        assert_eq!(seen(59, 0, 15, 0), Some((6.0, 45)));
        assert_eq!(seen(59, 0, 30, 0), Some((4.0, 45)));
        assert_eq!(seen(59, 0, 45, 0), Some((3.0, 45)));
    }

    #[test]
    fn a_failed_scrape_hides_older_ones_save_from_a_window() {
        assert_eq!(seen(60, 0, 0, 0), None);
        assert_eq!(seen(60, 0, 30, 0), Some((6.0, 45)));
    }

    #[test]
    fn between_two_evaluations_nothing_new_is_seen() {
        assert_eq!(seen(59, 0, 0, 20), Some((2.0, 30)));
        assert_eq!(seen(45, 0, 0, 45), Some((6.0, 45)));
        assert_eq!(seen(49, 5, 0, 45), None);
        assert_eq!(seen(50, 5, 0, 45), Some((6.0, 45)));
    }
}
