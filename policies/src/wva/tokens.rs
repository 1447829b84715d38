//! V2: how many tokens the service holds and is about to hold, and how many a replica can.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Saturated observations that a mean goes back (upstream: `RollingAverageWindowSize`).
const REMEMBERED: usize = 10;

/// Output lengths from which on a service counts as medium, and as long (upstream: `ShortOutputThreshold`,
/// `MediumOutputThreshold`).
const BUCKETS: [f64; 2] = [100.0, 500.0];

/// What the engine's arguments say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Engine {
    /// Most tokens in a step.
    pub max_num_batched_tokens: f64,
    /// Most sequences in the batch.
    pub max_num_seqs: f64,
}

/// Mean lengths of recent requests; zero before any is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lengths {
    /// Prompt tokens.
    pub prompt: f64,
    /// Output tokens.
    pub output: f64,
}

/// What one replica reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Replica {
    /// Tokens in its KV cache.
    pub tokens: f64,
    /// Tokens that this can hold.
    pub capacity: f64,
    /// Requests that wait inside.
    pub queue: f64,
}

impl Replica {
    /// Tokens that it holds and that wait for it.
    pub fn demand(&self, lengths: Lengths) -> f64 {
        self.tokens + self.queue * lengths.prompt.floor()
    }
}

/// What saturated replicas were seen to hold, by output length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    seen: [VecDeque<f64>; BUCKETS.len() + 1],
}

impl History {
    /// The tokens that a replica can hold without falling behind: the smaller of what its cache and what its
    /// compute allow. Compute shows when requests wait; else it is known from earlier, or derived.
    pub fn capacity(
        &mut self,
        replica: Replica,
        lengths: Lengths,
        (kv_share, queue): (f64, f64),
        engine: Engine,
    ) -> f64 {
        let by_cache = (replica.capacity * kv_share).floor();
        let seen = &mut self.seen[BUCKETS.partition_point(|&from| from <= lengths.output)];
        let by_compute = if replica.queue >= queue.floor() && replica.tokens > 0.0 {
            seen.push_back(replica.tokens);
            if seen.len() > REMEMBERED {
                seen.pop_front();
            }
            Some(replica.tokens)
        } else {
            crate::readings::mean(seen.iter().copied())
        };
        let by_compute = by_compute.or_else(|| derived(lengths, engine)).unwrap_or(by_cache);
        by_cache.min(by_compute.floor())
    }
}

/// Tokens of a steady batch that prompts of `I` tokens can feed: `min(B·O/(I+O), S)·(I+O/2)`.
fn derived(lengths: Lengths, engine: Engine) -> Option<f64> {
    let Lengths { prompt, output } = lengths;
    if output <= 0.0 {
        return None;
    }
    let steady = engine.max_num_batched_tokens * output / (prompt + output);
    let tokens = (steady.min(engine.max_num_seqs) * (prompt + output / 2.0)).floor();
    (tokens > 0.0).then_some(tokens)
}

/// The middle one; the mean of the two in the middle, rounded down, of an even number.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle]).floor()),
    }
}

/// Supply and demand of a service, in tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Balance {
    /// Tokens that a replica can hold.
    pub per_replica: f64,
    /// Tokens that the service holds and is about to hold.
    pub demand: f64,
    /// Replicas that serve.
    pub ready: u32,
    /// Replicas that start.
    pub pending: u32,
}

impl Balance {
    /// The replicas to be. Pods that start count against what is missing, but not as spare.
    pub fn replicas(&self, up: f64, down: f64, min: u32) -> u32 {
        let current = self.ready + self.pending;
        if self.per_replica <= 0.0 {
            return current;
        }
        let supply = f64::from(self.ready) * self.per_replica;
        let missing = self.demand / up - f64::from(current) * self.per_replica;
        if missing > 0.0 {
            return current + crate::readings::replicas(missing / self.per_replica);
        }
        let spare = (supply - self.demand / down).max(0.0);
        let removable = crate::readings::replicas((spare / self.per_replica).floor());
        current.saturating_sub(removable).max(min.min(current))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wva::settings::V2;

    const LENGTHS: Lengths = Lengths { prompt: 1000.0, output: 200.0 };

    /// The capacities of one replica with 100,000 tokens of cache after `(tokens, queue)` each.
    #[track_caller]
    fn check_capacity(lengths: Lengths, reports: &[(f64, f64)], expected: &[f64]) {
        let mut history = History::default();
        let capacity = |&(tokens, queue): &(f64, f64)| {
            let replica = Replica { tokens, capacity: 100_000.0, queue };
            history.capacity(replica, lengths, (0.8, 5.0), V2::default().engine())
        };
        assert_eq!(reports.iter().map(capacity).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn capacity_is_what_was_seen_while_requests_waited_then_its_mean() {
        check_capacity(
            LENGTHS,
            &[(60_000.0, 5.0), (50_000.0, 9.0), (10_000.0, 4.0)],
            &[60_000.0, 50_000.0, 55_000.0],
        );
    }

    #[test]
    fn before_that_it_is_derived_from_the_engine_s_arguments() {
        // min(2048 * 200 / 1200, 256) = 256 sequences of 1100 tokens: more than the cache holds.
        check_capacity(LENGTHS, &[(10_000.0, 0.0)], &[80_000.0]);
        // 2048 * 20 / 4020 = 10.19 sequences of 4010 tokens.
        let code = Lengths { prompt: 4000.0, output: 20.0 };
        check_capacity(code, &[(10_000.0, 0.0)], &[40_858.0]);
        check_capacity(Lengths::default(), &[(10_000.0, 0.0)], &[80_000.0]);
    }

    #[track_caller]
    fn check(demand: f64, ready: u32, pending: u32, expected: u32) {
        let balance = Balance { per_replica: 1000.0, demand, ready, pending };
        assert_eq!(balance.replicas(0.85, 0.70, 1), expected);
    }

    #[test]
    fn demand_asks_for_exactly_the_replicas_that_are_missing() {
        check(1700.0, 2, 0, 2);
        check(1701.0, 2, 0, 3);
        check(8500.0, 2, 0, 10);
        check(8500.0, 2, 8, 10);
    }

    #[test]
    fn pods_that_start_are_not_spare() {
        check(699.0, 2, 0, 1);
        check(701.0, 2, 0, 2);
        check(701.0, 2, 3, 5);
        check(0.0, 4, 0, 1);
    }

    #[test]
    fn an_even_number_has_its_median_between() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.0));
        assert_eq!(median(vec![]), None);
    }
}
