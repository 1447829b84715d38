//! Averages over a moving window, in buckets, as Knative's collector keeps them.
//!
//! Samples that fall into one bucket add up. Gaps inside the window count as zero, silence at its end does not,
//! until it is as long as the window.

use contract::{Instant, Micros};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a window weighs its buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregation {
    /// All alike.
    #[default]
    Linear,
    /// Newer ones more, falling off exponentially.
    WeightedExponential,
}

/// What is left of the oldest bucket's weight at most (upstream: `weightPrecision`).
const WEIGHT_PRECISION: f64 = 0.0001;

/// The smallest share that the newest bucket gets (upstream: `minExponent`).
const LEAST_COEFFICIENT: f64 = 0.2;

/// Digits of an average (upstream: `precision`).
const DIGITS: i32 = 6;

/// A ring of buckets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    aggregation: Aggregation,
    length: Micros,
    granularity: Micros,
    buckets: Vec<f64>,
    total: f64,
    /// Times of the first and the last write, at the beginning of their buckets.
    written: Option<(Instant, Instant)>,
}

impl Window {
    /// An empty window. Lengths are whole seconds, more than none.
    pub fn new(aggregation: Aggregation, length: Micros, granularity: Micros) -> Self {
        let buckets = vec![0.0; bucket_count(length, granularity)];
        Self { aggregation, length, granularity, buckets, total: 0.0, written: None }
    }

    /// Adds a value to the bucket of its time. Values from before the window are ignored.
    pub fn record(&mut self, at: Instant, value: f64) {
        let time = self.truncate(at);
        match self.written {
            None => self.written = Some((time, time)),
            Some((_, last)) if time == last => {}
            Some((first, last)) if time > last => self.move_on(first, last, time),
            Some((_, last)) if time + self.length <= last => return,
            Some((first, last)) => self.written = Some((first.min(time), last)),
        }
        let place = self.place(time);
        self.buckets[place] += value;
        self.total += value;
    }

    /// Makes room up to `time`, which is later than the last write.
    fn move_on(&mut self, first: Instant, last: Instant, time: Instant) {
        if time.since(last) >= self.length {
            self.buckets.fill(0.0);
            self.total = 0.0;
            self.written = Some((time, time));
            return;
        }
        let mut at = last + self.granularity;
        while at <= time {
            let place = self.place(at);
            self.total -= std::mem::take(&mut self.buckets[place]);
            at = at + self.granularity;
        }
        self.written = Some((first, time));
    }

    /// The average at a time; zero for a window without data.
    pub fn average(&self, now: Instant) -> f64 {
        let now = self.truncate(now);
        let Some((first, last)) = self.written else { return 0.0 };
        match self.aggregation {
            Aggregation::Linear => self.linear(first, last, now),
            Aggregation::WeightedExponential => self.weighted(last, now),
        }
    }

    fn linear(&self, first: Instant, last: Instant, now: Instant) -> f64 {
        let silent = self.steps(last, now);
        if silent > 0 && now.since(last) >= self.length {
            return 0.0;
        }
        // Silence takes the oldest buckets out of the sum and out of the count.
        let outdated: f64 =
            (1..=silent).map(|step| self.buckets[self.place_after(last, step)]).sum();
        let since_first = self.steps(first, last) + 1;
        let count = since_first.min(self.buckets.len() - silent);
        round_digits(DIGITS, (self.total - outdated) / as_float(count))
    }

    fn weighted(&self, last: Instant, now: Instant) -> f64 {
        if self.is_empty(now) {
            return 0.0;
        }
        let silent = self.steps(last, now);
        let coefficient = smoothing_coefficient(self.buckets.len());
        let mut weight = coefficient * (1.0 - coefficient).powf(as_float(silent));
        let mut sum = 0.0;
        for back in 0..self.buckets.len().saturating_sub(silent) {
            sum += self.buckets[self.place_before(last, back)] * weight;
            weight *= 1.0 - coefficient;
        }
        sum
    }

    /// Whether nothing was written for more than the window.
    pub fn is_empty(&self, now: Instant) -> bool {
        let now = self.truncate(now);
        self.written.is_none_or(|(_, last)| now.since(last) > self.length)
    }

    /// The buckets that count at a time, newest first, each with its time.
    pub fn buckets(&self, now: Instant) -> Vec<(Instant, f64)> {
        let now = self.truncate(now);
        let Some((_, last)) = self.written.filter(|_| !self.is_empty(now)) else {
            return Vec::new();
        };
        let counted = self.buckets.len() - self.steps(last, now);
        let bucket = |back: usize| {
            let age = Micros(self.granularity.0 * back as u64);
            (Instant(last.0.saturating_sub(age.0)), self.buckets[self.place_before(last, back)])
        };
        (0..counted).map(bucket).collect()
    }

    /// Changes the length, keeping the newest buckets; a window that is empty by now starts anew.
    pub fn resize(&mut self, length: Micros, now: Instant) {
        if length == self.length {
            return;
        }
        let mut resized = Self::new(self.aggregation, length, self.granularity);
        if let Some((_, last)) = self.written.filter(|_| !self.is_empty(now)) {
            for back in 0..resized.buckets.len().min(self.buckets.len()) {
                let value = self.buckets[self.place_before(last, back)];
                let place = resized.place_before(last, back);
                resized.buckets[place] = value;
                resized.total += value;
            }
            let before = Micros(self.granularity.0 * (self.buckets.len() as u64 - 1));
            resized.written = Some((Instant(last.0.saturating_sub(before.0)), last));
        }
        *self = resized;
    }

    /// When the window's first value was written.
    pub fn first_write(&self) -> Option<Instant> {
        self.written.map(|(first, _)| first)
    }

    /// How many buckets there are.
    pub fn bucket_count(&self) -> usize {
        self.buckets.len()
    }

    fn truncate(&self, at: Instant) -> Instant {
        Instant(at.0 - at.0 % self.granularity.0)
    }

    /// Buckets from one time to a later one, none if it is not later.
    fn steps(&self, from: Instant, to: Instant) -> usize {
        usize::try_from(to.since(from).0 / self.granularity.0).expect("windows are short")
    }

    fn place(&self, at: Instant) -> usize {
        let slot = at.0 / self.granularity.0;
        usize::try_from(slot % self.buckets.len() as u64).expect("less than the length")
    }

    fn place_after(&self, at: Instant, steps: usize) -> usize {
        (self.place(at) + steps) % self.buckets.len()
    }

    fn place_before(&self, at: Instant, steps: usize) -> usize {
        (self.place(at) + self.buckets.len() - steps) % self.buckets.len()
    }
}

fn bucket_count(length: Micros, granularity: Micros) -> usize {
    usize::try_from(length.0.div_ceil(granularity.0)).expect("windows are short")
}

/// The newest bucket's share in an exponentially weighted window.
pub fn smoothing_coefficient(buckets: usize) -> f64 {
    (1.0 - WEIGHT_PRECISION.powf(1.0 / as_float(buckets))).max(LEAST_COEFFICIENT)
}

/// Rounded to so many digits behind the point, halves away from zero.
pub fn round_digits(digits: i32, value: f64) -> f64 {
    let shift = 10_f64.powi(digits);
    (value * shift).round() / shift
}

#[expect(clippy::cast_precision_loss, reason = "counts of buckets")]
fn as_float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::at;

    /// A window of 5 s with values by second; its average at `now`?
    #[track_caller]
    fn check(aggregation: Aggregation, values: &[(u64, f64)], now: u64, expected: f64) {
        let mut window = Window::new(aggregation, Micros::from_secs(5), Micros::from_secs(1));
        for &(second, value) in values {
            window.record(at(second), value);
        }
        let found = window.average(at(now));
        assert!((found - expected).abs() < 1e-9, "expected {expected}, found {found}");
    }

    #[test]
    fn an_early_window_is_averaged_over_what_there_is() {
        check(Aggregation::Linear, &[(10, 4.0)], 10, 4.0);
        check(Aggregation::Linear, &[(10, 4.0), (11, 2.0)], 11, 3.0);
        check(Aggregation::Linear, &[(10, 4.0), (12, 2.0)], 12, 2.0);
    }

    #[test]
    fn silence_does_not_lower_the_average_until_it_is_as_long_as_the_window() {
        let full = [(10, 4.0), (11, 4.0), (12, 4.0), (13, 4.0), (14, 4.0)];
        check(Aggregation::Linear, &full, 18, 4.0);
        check(Aggregation::Linear, &full, 19, 0.0);
    }

    #[test]
    fn exponential_weights_are_not_made_up_for_at_the_start() {
        let coefficient = smoothing_coefficient(5);
        check(Aggregation::WeightedExponential, &[(10, 2.0)], 10, 2.0 * coefficient);
    }
}
