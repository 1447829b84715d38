//! Many decode steps at once.
//!
//! Between two changes of the batch every step takes longer than the one before by the same amount, so k
//! steps take `k·a + q·k(k-1)/2`: whole numbers, hence exactly as long as one by one.

use super::time::{Moment, Picos};

/// Decode-only steps of an unchanging batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) start: Moment,
    /// The first step's length, a.
    pub(super) first: Picos,
    /// How much longer each next one takes, q.
    pub(super) growth: Picos,
    /// Steps until the batch changes by itself.
    pub(super) steps: u64,
}

impl Stretch {
    /// When the last step ends.
    pub(super) fn end(&self) -> Moment {
        self.end_of(self.steps)
    }

    /// When step number `steps` ends; 0 is the start.
    pub(super) fn end_of(&self, steps: u64) -> Moment {
        self.start.after(self.length(steps))
    }

    fn length(&self, steps: u64) -> Picos {
        self.first * steps + self.growth * (steps * steps.saturating_sub(1) / 2)
    }

    /// How many steps have ended or are under way at `now`: after so many the batch may change.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a first guess, set right below"
    )]
    pub(super) fn steps_begun(&self, now: Moment) -> u64 {
        let elapsed = now.since(self.start);
        // The root of length(k) = elapsed that stays stable as the growth nears zero.
        let growth = self.growth as f64;
        let slope = self.first as f64 - growth / 2.0;
        let root = (slope * slope + 2.0 * growth * elapsed as f64).sqrt();
        let mut steps = ((2.0 * elapsed as f64 / (slope + root)) as u64).min(self.steps);
        while steps > 0 && self.length(steps - 1) >= elapsed {
            steps -= 1;
        }
        while steps < self.steps && self.length(steps) < elapsed {
            steps += 1;
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::Instant;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_stretch_ends_where_its_steps_end_one_by_one(
            first in 1_u64..50_000_000_000,
            growth in 0_u64..100_000_000,
            steps in 1_u64..500,
            now in 0_u64..30_000_000,
        ) {
            let start = Moment::from(Instant(7));
            let stretch = Stretch { start, first, growth, steps };
            let (mut at, mut step, mut begun) = (start, first, None);
            for done in 0..=steps {
                prop_assert_eq!(stretch.end_of(done), at);
                if begun.is_none() && at >= Moment::from(Instant(7 + now)) {
                    begun = Some(done);
                }
                at = at.after(step);
                step += growth;
            }
            let now = Moment::from(Instant(7 + now));
            prop_assert_eq!(stretch.steps_begun(now), begun.unwrap_or(steps));
        }
    }
}
