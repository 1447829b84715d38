//! The cool-down windows, as coded: a scale-up takes the highest recommendation of its window, a scale-down the
//! lowest of its own. That is the opposite of a Horizontal Pod Autoscaler: a window does not damp, it repeats the
//! boldest recommendation that it holds.

use contract::{Instant, Micros};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Lengths of the windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cooldowns {
    /// Of a scale-up.
    pub up: Micros,
    /// Of a scale-down.
    pub down: Micros,
}

/// Recommendations that may still count, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stabiliser {
    history: Vec<(Instant, u32)>,
}

impl Stabiliser {
    /// Takes a recommendation in; gives the count that is to be written. Windows are open at their far end.
    pub fn pass(
        &mut self,
        cooldowns: Cooldowns,
        now: Instant,
        recommended: u32,
        current: u32,
    ) -> u32 {
        self.history.push((now, recommended));
        let longest = cooldowns.up.max(cooldowns.down);
        self.history.retain(|&(at, _)| now.since(at) < longest);
        let within = |window: Micros| {
            let young = move |&&(at, _): &&(Instant, u32)| now.since(at) < window;
            self.history.iter().filter(young).map(|&(_, replicas)| replicas)
        };
        match recommended.cmp(&current) {
            Ordering::Greater => within(cooldowns.up).max().unwrap_or(recommended),
            Ordering::Less => within(cooldowns.down).min().unwrap_or(recommended),
            Ordering::Equal => current,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::at;

    /// Recommendations of `(second, recommended, current)`; what the last one becomes.
    #[track_caller]
    fn check(up: u64, down: u64, passes: &[(u64, u32, u32)], expected: u32) {
        let cooldowns = Cooldowns { up: Micros::from_secs(up), down: Micros::from_secs(down) };
        let mut stabiliser = Stabiliser::default();
        let passed: Vec<_> = passes
            .iter()
            .map(|&(second, recommended, current)| {
                stabiliser.pass(cooldowns, at(second), recommended, current)
            })
            .collect();
        assert_eq!(passed.last(), Some(&expected));
    }

    #[test]
    fn a_scale_down_repeats_the_lowest_recommendation_of_its_window() {
        check(0, 300, &[(0, 2, 2), (100, 9, 2), (299, 8, 9)], 2);
        check(0, 300, &[(0, 2, 2), (100, 9, 2), (300, 8, 9)], 8);
    }

    #[test]
    fn a_scale_up_repeats_the_highest_recommendation_of_its_window() {
        check(60, 300, &[(0, 9, 9), (59, 5, 4)], 9);
        check(60, 300, &[(0, 9, 9), (60, 5, 4)], 5);
    }

    #[test]
    fn without_a_window_a_recommendation_goes_through() {
        check(0, 0, &[(0, 9, 4), (10, 5, 4)], 5);
    }

    #[test]
    fn a_recommendation_to_stay_stays_whatever_the_window_holds() {
        check(60, 300, &[(0, 9, 4), (10, 4, 4)], 4);
    }
}
