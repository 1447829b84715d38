//! A window of values by second: the newest value of a second stands, the mean is over the seconds that have one.

use contract::{Instant, Micros};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Width of a bucket (upstream: `NewMetricsClient(time.Second)`).
const GRAIN: Micros = Micros::from_secs(1);

/// The values of a moving window, closed at its far end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// By bucket, rising.
    values: VecDeque<(u64, f64)>,
}

impl Window {
    /// Puts a value in and forgets what is older than `length`. Only a new value makes old ones go.
    pub fn record(&mut self, length: Micros, now: Instant, value: f64) {
        let bucket = now.0 / GRAIN.0;
        match self.values.back_mut() {
            Some((newest, standing)) if *newest == bucket => *standing = value,
            _ => self.values.push_back((bucket, value)),
        }
        let oldest = now.0.saturating_sub(length.0) / GRAIN.0;
        while self.values.front().is_some_and(|&(bucket, _)| bucket < oldest) {
            self.values.pop_front();
        }
    }

    /// The mean; zero of an empty window.
    pub fn mean(&self) -> f64 {
        crate::readings::mean(self.values.iter().map(|&(_, value)| value)).unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::at;

    /// The mean of a window of 60 s after values at these seconds.
    #[track_caller]
    fn check(values: &[(u64, f64)], expected: f64) {
        let mut window = Window::default();
        for &(second, value) in values {
            window.record(Micros::from_secs(60), at(second), value);
        }
        assert!((window.mean() - expected).abs() < 1e-12, "found {}", window.mean());
    }

    #[test]
    fn a_value_counts_up_to_and_at_the_far_end() {
        check(&[(40, 1.0), (100, 3.0)], 2.0);
        check(&[(39, 1.0), (100, 3.0)], 3.0);
    }

    #[test]
    fn the_newest_value_of_a_second_stands() {
        check(&[(100, 1.0), (100, 5.0)], 5.0);
    }

    #[test]
    fn seconds_without_a_value_do_not_count() {
        check(&[(90, 2.0), (100, 4.0)], 3.0);
        check(&[], 0.0);
    }
}
