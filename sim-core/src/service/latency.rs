//! Latencies: exact means, histograms for the rest.

use crate::outcome::{Latency, LatencyCurves};
use contract::Micros;
use hdrhistogram::Histogram;

/// A histogram with an exact mean.
pub(crate) struct LatencySum {
    histogram: Histogram<u64>,
    sum: u128,
}

/// Three significant digits: quantiles are right to 0.1 %.
const DIGITS: u8 = 3;

/// The longest latency that is told apart: 30 days. Longer ones count as this.
const LONGEST: u64 = Micros::from_mins(30 * 24 * 60).0;

impl LatencySum {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        // A fixed range, since a histogram that grows by itself clamps where it saturates.
        let histogram = Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("allowed bounds");
        Self { histogram, sum: 0 }
    }

    /// Adds one.
    pub(crate) fn record(&mut self, time: Micros) {
        self.histogram.saturating_record(time.0);
        self.sum += u128::from(time.0);
    }

    /// How many, and their sum in microseconds.
    pub(crate) fn count_and_sum(&self) -> (u64, u128) {
        (self.histogram.len(), self.sum)
    }

    /// The histogram, in microseconds.
    pub(crate) fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// Mean and quantiles.
    #[expect(clippy::cast_precision_loss, reason = "figures for reports")]
    pub(crate) fn figures(&self) -> Latency {
        let count = self.histogram.len();
        if count == 0 {
            return Latency::default();
        }
        let quantile = |q| self.histogram.value_at_quantile(q) as f64 / 1e3;
        Latency {
            count,
            mean_ms: self.sum as f64 / count as f64 / 1e3,
            p50_ms: quantile(0.5),
            p90_ms: quantile(0.9),
            p95_ms: quantile(0.95),
            p99_ms: quantile(0.99),
            p999_ms: quantile(0.999),
            max_ms: self.histogram.max() as f64 / 1e3,
        }
    }
}

/// Latency histograms in microseconds: merged over runs without loss, whatever the order.
#[derive(Clone, Debug)]
pub struct Histograms {
    /// Time to first token.
    pub ttft: Histogram<u64>,
    /// Time per output token after the first.
    pub tpot: Histogram<u64>,
    /// End to end.
    pub e2e: Histogram<u64>,
}

impl Histograms {
    /// Adds another run's.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.ttft, &other.ttft),
            (&mut self.tpot, &other.tpot),
            (&mut self.e2e, &other.e2e),
        ] {
            mine.add(theirs).expect("of the same bounds");
        }
    }

    /// Curves for reports: quantiles in steps that grow finer towards the tail.
    pub fn curves(&self) -> LatencyCurves {
        LatencyCurves { ttft: curve(&self.ttft), tpot: curve(&self.tpot), e2e: curve(&self.e2e) }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for reports")]
fn curve(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    if histogram.is_empty() {
        return Vec::new();
    }
    let body = (0..99).map(|percent| f64::from(percent) / 100.0);
    let tail = (0..100).map(|step| 0.99 + f64::from(step) / 10_000.0);
    let far_tail = [0.99999, 1.0];
    body.chain(tail)
        .chain(far_tail)
        .map(|q| (q, histogram.value_at_quantile(q) as f64 / 1e3))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_three_digits_over_six_decades() {
        for unit in [1.0, 1e3, 1e6] {
            let mut sum = LatencySum::new();
            for step in 1..=1000 {
                sum.record(Micros::from_secs_f64(f64::from(step) * unit / 1e3));
            }
            let figures = sum.figures();
            for (found, expected) in [
                (figures.p50_ms, 500.0),
                (figures.p90_ms, 900.0),
                (figures.p99_ms, 990.0),
                (figures.p999_ms, 999.0),
                (figures.max_ms, 1000.0),
            ] {
                let error = (found / unit / expected - 1.0).abs();
                assert!(error < 1e-3, "found {found}, expected {expected} times {unit}");
            }
            assert!((figures.mean_ms / unit - 500.5).abs() < 1e-9, "the mean is exact");
        }
    }

    #[test]
    fn curves_rise_from_the_shortest_to_the_longest() {
        let mut sum = LatencySum::new();
        for step in 1..=1000 {
            sum.record(Micros::from_millis(step));
        }
        let curve = curve(sum.histogram());
        assert!(curve.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        let ends = [curve[0], curve[curve.len() - 1]];
        assert!((ends[0].1 - 1.0).abs() < 1e-3 && (ends[1].1 - 1000.0).abs() < 1.0, "{ends:?}");
        assert!(super::curve(LatencySum::new().histogram()).is_empty());
    }
}
