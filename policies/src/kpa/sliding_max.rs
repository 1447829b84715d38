//! The maximum over a moving window of slots.

use contract::{Instant, Micros};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Slots whose values may still become the maximum: later ones are smaller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlidingMax {
    slots: u64,
    maxima: VecDeque<(u64, u32)>,
}

impl SlidingMax {
    /// Over so many slots, the current one among them.
    pub fn new(slots: u64) -> Self {
        Self { slots, maxima: VecDeque::new() }
    }

    /// Over so much time, in slots of `granularity`.
    pub fn over(window: Micros, granularity: Micros) -> Self {
        Self::new(window.0.div_ceil(granularity.0))
    }

    /// Takes the value of a slot, which is never earlier than the last one's.
    pub fn record(&mut self, slot: u64, value: u32) {
        while self.maxima.front().is_some_and(|&(oldest, _)| oldest + self.slots <= slot) {
            self.maxima.pop_front();
        }
        // A smaller value in the same slot changes nothing.
        if self.maxima.back().is_some_and(|&(last, most)| last == slot && value <= most) {
            return;
        }
        while self.maxima.back().is_some_and(|&(_, most)| most <= value) {
            self.maxima.pop_back();
        }
        self.maxima.push_back((slot, value));
    }

    /// The same by time.
    pub fn record_at(&mut self, at: Instant, granularity: Micros, value: u32) {
        self.record(at.0 / granularity.0, value);
    }

    /// The maximum; zero if nothing was recorded.
    pub fn max(&self) -> u32 {
        self.maxima.front().map_or(0, |&(_, most)| most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_maximum_of_the_last_slots(
            values in prop::collection::vec((0_u64..3, 0_u32..20), 1..60),
            slots in 1_u64..8,
        ) {
            let (mut slot, mut all) = (0, Vec::new());
            let mut window = SlidingMax::new(slots);
            for (step, value) in values {
                slot += step;
                all.push((slot, value));
                window.record(slot, value);
                let inside = all.iter().filter(|(past, _)| past + slots > slot);
                prop_assert_eq!(Some(window.max()), inside.map(|&(_, value)| value).max());
            }
        }
    }
}
