//! What a gateway's exporter counts from the start of a run: counters of which readers see the differences.

use super::latency::LatencySum;
use crate::metrics::NOT_MEASURED;
use crate::outcome::Tokens;

/// Counters at one time, or what was counted between two. Whole numbers below 2^53, so sums and differences are
/// exact.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    /// Attempts that reached the gateway.
    pub(crate) attempts: f64,
    completed: f64,
    prompt_tokens: f64,
    output_tokens: f64,
    /// Sum of the times to the first token of completed requests, in microseconds.
    ttft: f64,
    /// Completed requests of more than one token, and the sum of their times a token in microseconds.
    tpot_count: f64,
    tpot: f64,
}

impl Totals {
    /// Counters now.
    #[expect(
        clippy::cast_precision_loss,
        reason = "285 request-years of waiting are 2^53 microseconds"
    )]
    pub(crate) fn new(attempts: u64, tokens: Tokens, ttft: &LatencySum, tpot: &LatencySum) -> Self {
        let (completed, ttft) = ttft.count_and_sum();
        let (tpot_count, tpot) = tpot.count_and_sum();
        Self {
            attempts: attempts as f64,
            completed: completed as f64,
            prompt_tokens: tokens.prompt as f64,
            output_tokens: tokens.output as f64,
            ttft: ttft as f64,
            tpot_count: tpot_count as f64,
            tpot: tpot as f64,
        }
    }

    /// What was counted since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            attempts: self.attempts - before.attempts,
            completed: self.completed - before.completed,
            prompt_tokens: self.prompt_tokens - before.prompt_tokens,
            output_tokens: self.output_tokens - before.output_tokens,
            ttft: self.ttft - before.ttft,
            tpot_count: self.tpot_count - before.tpot_count,
            tpot: self.tpot - before.tpot,
        }
    }

    /// Means over completed requests: prompt tokens, output tokens, seconds to the first token, seconds a token
    /// after it. Not measured where nothing was completed.
    pub(crate) fn means(&self) -> [f64; 4] {
        let mean = |sum: f64, count: f64| if count > 0.0 { sum / count } else { NOT_MEASURED };
        [
            mean(self.prompt_tokens, self.completed),
            mean(self.output_tokens, self.completed),
            mean(self.ttft, self.completed) / 1e6,
            mean(self.tpot, self.tpot_count) / 1e6,
        ]
    }
}
