//! How long an engine's step takes, learned while it runs: a plane over prompt tokens and cached tokens.

use super::linear::least_squares;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Observations kept (upstream: `max_num_fpm_samples`).
const KEPT: usize = 64;

/// Fewer say nothing (upstream: `load_min_observations`).
const LEAST: usize = 5;

/// Buckets an axis (upstream: the root of `fpm_sample_bucket_size`).
const BUCKETS: f64 = 4.0;

/// A step: prompt tokens and cached tokens in it, and how long it took in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Prompt tokens.
    pub prompt: f64,
    /// Cached tokens of the sequences that decode.
    pub kv: f64,
    /// Seconds.
    pub seconds: f64,
}

/// What an engine can do and what it must keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Most tokens in a step.
    pub batched_tokens: f64,
    /// Most sequences in the batch.
    pub sequences: f64,
    /// Tokens that the cache holds; 0 is not known.
    pub kv: f64,
    /// Longest time to the first token, in seconds.
    pub ttft: f64,
    /// Longest time between two tokens, in seconds.
    pub itl: f64,
}

/// The steps that are remembered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Steps {
    seen: VecDeque<Step>,
}

/// A fitted plane: `seconds = base + prompt·a + kv·b`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepModel {
    base: f64,
    per_prompt: f64,
    per_kv: f64,
    /// Means over the remembered steps: prompt tokens.
    mean_prompt: f64,
}

impl Steps {
    /// Takes a step in. When there are too many, the oldest of the fullest bucket goes, so that rare conditions
    /// are not pushed out by steady traffic.
    pub fn add(&mut self, step: Step) {
        self.seen.push_back(step);
        if self.seen.len() <= KEPT {
            return;
        }
        let buckets: Vec<_> = self.seen.iter().map(|step| self.bucket(step)).collect();
        let crowd =
            |place: &usize| buckets.iter().filter(|&&other| other == buckets[*place]).count();
        // Of equally full ones the first, hence the oldest step in it.
        let fullest = (0..buckets.len()).rev().max_by_key(crowd).expect("not empty");
        self.seen.remove(fullest);
    }

    /// In which part of what was seen a step lies, by axis.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 3")]
    fn bucket(&self, step: &Step) -> [u8; 2] {
        let part = |of: fn(&Step) -> f64| {
            let values = self.seen.iter().map(of);
            let (low, high) = values
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                    (value.min(low), value.max(high))
                });
            let share = if high > low { (of(step) - low) / (high - low) } else { 0.0 };
            (share * BUCKETS).min(BUCKETS - 1.0) as u8
        };
        [part(|step| step.prompt), part(|step| step.kv)]
    }

    /// The plane through them; `None` while there are too few, or if it would have more work take less time.
    pub fn fit(&self) -> Option<StepModel> {
        if self.seen.len() < LEAST {
            return None;
        }
        let y: Vec<_> = self.seen.iter().map(|step| step.seconds).collect();
        // An axis on which nothing has moved says nothing; it is left out.
        let moved = |of: fn(&Step) -> f64| {
            self.seen.iter().any(|step| (of(step) - of(&self.seen[0])).abs() > 0.0)
        };
        let axes = [moved(|step| step.prompt), moved(|step| step.kv)];
        let row = |step: &Step| {
            let values = axes.into_iter().zip([step.prompt / SCALE, step.kv / SCALE]);
            let kept = values.filter_map(|(moves, value)| moves.then_some(value));
            std::iter::once(1.0).chain(kept).collect()
        };
        let rows: Vec<Vec<f64>> = self.seen.iter().map(row).collect();
        let mut found = least_squares(&rows, &y)?.into_iter();
        let base = found.next()?;
        let mut slope =
            |moves: bool| if moves { found.next().map(|s| s / SCALE) } else { Some(0.0) };
        let (per_prompt, per_kv) = (slope(axes[0])?, slope(axes[1])?);
        if per_prompt < 0.0 || per_kv < 0.0 {
            return None;
        }
        let mean_prompt = crate::readings::mean(self.seen.iter().map(|step| step.prompt))?;
        Some(StepModel { base, per_prompt, per_kv, mean_prompt })
    }
}

/// Tokens are counted in thousands in the regression, so that its sums of squares are of one size.
const SCALE: f64 = 1000.0;

impl StepModel {
    fn seconds(&self, prompt: f64, kv: f64) -> f64 {
        (self.base + self.per_prompt * prompt + self.per_kv * kv).max(1e-6)
    }

    /// Until a request of `prompt` tokens has its first token, behind so many that wait.
    pub fn ttft(&self, waiting: f64, prompt: f64, kv: f64, batched_tokens: f64) -> f64 {
        let tokens = waiting + prompt;
        let whole = (tokens / batched_tokens).floor();
        let rest = tokens - whole * batched_tokens;
        let last = if rest > 0.0 { self.seconds(rest, kv) } else { 0.0 };
        whole * self.seconds(batched_tokens, kv) + last
    }

    /// From one token to the next, with so many cached tokens.
    pub fn itl(&self, kv: f64) -> f64 {
        self.seconds(self.mean_prompt, kv)
    }

    /// Requests a second that an engine serves within its bounds: the largest batch that keeps both times, if the
    /// cache holds it and prompts can feed it. A batch of one where nothing keeps them.
    pub fn requests_a_second(&self, prompt: f64, output: f64, bounds: &Bounds) -> f64 {
        if prompt <= 0.0 || output <= 0.0 {
            return 0.0;
        }
        let context = prompt + output / 2.0;
        let by_cache =
            if bounds.kv > 0.0 { (bounds.kv / context).floor().max(1.0) } else { 1024.0 };
        let by_prompts = (output * bounds.batched_tokens / (prompt + output)).floor();
        let most = by_cache.min(bounds.sequences).min(by_prompts).max(1.0);
        let mut best = 0.0;
        let mut batch = 1.0;
        while batch <= most {
            let fed = (batch * prompt / output.max(1.0)).min(bounds.batched_tokens);
            let step = self.seconds(fed, batch * context);
            let ttft = self.ttft(fed, prompt, batch * context, bounds.batched_tokens);
            let keeps = step <= bounds.itl && ttft <= bounds.ttft;
            if keeps || batch < 2.0 {
                best = batch / (output * step);
            }
            if !keeps {
                break;
            }
            batch += 1.0;
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten milliseconds, 50 µs a prompt token, 0.1 µs a cached one.
    fn learned() -> StepModel {
        let mut steps = Steps::default();
        for place in 0..20_u32 {
            let (prompt, kv) = (f64::from(place % 5) * 400.0, f64::from(place % 7) * 20_000.0);
            steps.add(Step { prompt, kv, seconds: 0.010 + 5e-5 * prompt + 1e-7 * kv });
        }
        steps.fit().expect("enough steps")
    }

    #[track_caller]
    fn assert_near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "expected {expected}, found {found}");
    }

    #[test]
    fn a_plane_is_found_again() {
        let model = learned();
        assert_near(model.seconds(1000.0, 100_000.0), 0.070);
        // 2,500 tokens in chunks of 2,048: a whole one and one of 452.
        assert_near(model.ttft(1500.0, 1000.0, 0.0, 2048.0), 0.010 + 0.1024 + 0.010 + 0.0226);
    }

    #[test]
    fn more_work_in_less_time_is_not_believed() {
        let mut steps = Steps::default();
        for place in 0..10_u32 {
            let kv = f64::from(place) * 1000.0;
            steps.add(Step { prompt: 0.0, kv, seconds: 0.1 - kv * 1e-6 });
        }
        assert_eq!(steps.fit(), None);
    }

    #[test]
    fn steady_traffic_does_not_push_out_what_is_rare() {
        let mut steps = Steps::default();
        steps.add(Step { prompt: 2000.0, kv: 0.0, seconds: 0.11 });
        for place in 0..500_u32 {
            let kv = 50_000.0 + f64::from(place % 10);
            steps.add(Step { prompt: 0.0, kv, seconds: 0.015 });
        }
        assert_eq!(steps.seen.len(), KEPT);
        assert!((steps.seen[0].prompt - 2000.0).abs() < 1e-9, "the rare step has stayed");
    }

    #[test]
    fn an_engine_serves_the_largest_batch_that_keeps_both_times() {
        let bounds = Bounds {
            batched_tokens: 2048.0,
            sequences: 256.0,
            kv: 400_000.0,
            ttft: 0.5,
            itl: 0.030,
        };
        // A batch of x: 10 ms + 5e-5·2x + 1e-7·1100x... = 10 ms + 0.21·x ms: 95 sequences within 30 ms.
        let found = learned().requests_a_second(400.0, 200.0, &Bounds { kv: 1e9, ..bounds });
        let step = 0.010 + 95.0 * (5e-5 * 2.0 + 1e-7 * 500.0);
        assert!(step < 0.030);
        let batch = ((0.030 - 0.010) / 1.5e-4_f64).floor();
        assert_near(found, batch / (200.0 * (0.010 + batch * 1.5e-4)));
        // A cache of 20 contexts of 500 tokens.
        let small = learned().requests_a_second(400.0, 200.0, &Bounds { kv: 10_000.0, ..bounds });
        assert_near(small, 20.0 / (200.0 * (0.010 + 20.0 * 1.5e-4)));
    }
}
