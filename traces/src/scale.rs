//! More or fewer requests than a trace has.

use crate::replay::Replay;
use contract::{Instant, Micros};
use sim_core::random::Stream;
use sim_core::{Arrival, ArrivalSource, SourceError};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Thins a source, or adds copies that arrive a little after their original.
///
/// Holds the copies of one jitter's length, whatever the length of the trace. Each request draws
/// once for its number of copies, so a larger factor keeps all that a smaller one kept.
pub(crate) struct Scaled<S> {
    source: S,
    factor: f64,
    jitter: Micros,
    horizon: Instant,
    counts: Stream,
    delays: Stream,
    /// By time, then in the order they were made.
    copies: BinaryHeap<Reverse<(Instant, u64, u32, u32)>>,
    made: u64,
    /// What the source gives next, once asked.
    next: Option<Arrival>,
}

impl<S: ArrivalSource> Scaled<S> {
    /// Copies are made from `counts` and delayed from `delays`; none comes at `horizon` or later.
    pub(crate) fn new(source: S, replay: &Replay, horizon: Instant, luck: [Stream; 2]) -> Self {
        let [counts, delays] = luck;
        Self {
            source,
            factor: replay.rate_scale.get(),
            jitter: replay.jitter,
            horizon,
            counts,
            delays,
            copies: BinaryHeap::new(),
            made: 0,
            next: None,
        }
    }

    /// Whether a copy is due before anything that the source can still give.
    fn copy_is_due(&self) -> bool {
        let Some(Reverse((at, ..))) = self.copies.peek() else { return false };
        self.next.is_none_or(|next| *at <= next.at)
    }

    /// Makes the copies of an arrival; the first keeps its time.
    fn copy(&mut self, original: Arrival) {
        for copy in 0..copies_of_one(self.factor, self.counts.unit()) {
            let delay = if copy == 0 { 0.0 } else { self.delays.unit() };
            let at = original.at + Micros::from_secs_f64(delay * self.jitter.as_secs_f64());
            let Arrival { prompt_tokens, output_tokens, .. } = original;
            if at < self.horizon {
                self.copies.push(Reverse((at, self.made, prompt_tokens, output_tokens)));
                self.made += 1;
            }
        }
    }
}

/// How many times a request comes: the whole part for certain, one more by the fraction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
fn copies_of_one(factor: f64, luck: f64) -> u32 {
    factor.trunc() as u32 + u32::from(luck < factor.fract())
}

impl<S: ArrivalSource> ArrivalSource for Scaled<S> {
    fn next_arrival(&mut self) -> Result<Option<Arrival>, SourceError> {
        loop {
            if self.next.is_none() {
                self.next = self.source.next_arrival()?;
            }
            if self.copy_is_due() {
                let due = self.copies.pop();
                return Ok(due.map(|Reverse((at, _, prompt_tokens, output_tokens))| Arrival {
                    at,
                    prompt_tokens,
                    output_tokens,
                }));
            }
            let Some(original) = self.next.take() else { return Ok(None) };
            self.copy(original);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setting::Factor;
    use sim_core::random::Seed;

    /// A request every second, so that jitter of 10 s mixes the copies of neighbours.
    fn scaled(factor: f64) -> Vec<Arrival> {
        let one = |second: u64| Arrival {
            at: Instant(second * 1_000_000),
            prompt_tokens: u32::try_from(second).unwrap() + 1,
            output_tokens: 1,
        };
        let source = (0..10_000).map(one);
        let replay = Replay {
            rate_scale: Factor::try_from(factor).unwrap(),
            jitter: Micros::from_secs(10),
            ..Replay::of("unread")
        };
        let luck = ["counts", "delays"].map(|purpose| Seed { seed: 1, run: 0 }.stream(purpose, 0));
        let mut scaled = Scaled::new(source, &replay, Instant::FAR, luck);
        std::iter::from_fn(|| scaled.next_arrival().unwrap()).collect()
    }

    #[track_caller]
    fn check(factor: f64, expected: std::ops::RangeInclusive<usize>) {
        let arrivals = scaled(factor);
        assert!(expected.contains(&arrivals.len()), "{} requests", arrivals.len());
        assert!(arrivals.is_sorted_by_key(|arrival| arrival.at));
    }

    #[test]
    fn the_factor_is_the_mean_number_of_copies_and_order_stays() {
        check(1.0, 10_000..=10_000);
        check(3.0, 30_000..=30_000);
        // 10,000 coins: four standard deviations are 200 at most.
        check(0.5, 4_800..=5_200);
        check(2.25, 22_300..=22_700);
    }

    #[test]
    fn a_larger_factor_keeps_all_that_a_smaller_one_kept() {
        let few = scaled(0.3);
        let more = scaled(0.6);
        assert!(few.iter().all(|arrival| more.contains(arrival)));
    }
}
