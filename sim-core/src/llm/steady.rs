//! What a replica does under a steady load of equal requests, worked out instead of flown: good enough to choose
//! hardware by, no substitute for a run.
//!
//! Prompts are work of their own that stands in the way of decoding: with `r` requests a second of `p` seconds of prefill
//! each, decode steps get the share `1 - r p` of the time. Sequences in the batch follow from Little's law; that they
//! vary like arrivals (Poisson) and that waits for prefill have an exponential tail (M/D/1) gives 95th percentiles.

use super::model::{EngineSettings, StepModel};
use super::time::as_seconds;
use contract::Micros;

/// Equal requests at random times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Requests a second.
    pub rate: f64,
    /// Prompt tokens of each.
    pub prompt: u32,
    /// Output tokens of each.
    pub output: u32,
}

/// 95th percentiles under a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steady {
    /// Arrival at the replica to first token.
    pub ttft: Micros,
    /// Time per token after the first.
    pub tpot: Micros,
}

/// The 95th percentile of a normal distribution, in standard deviations.
const NORMAL_P95: f64 = 1.645;
/// The 95th percentile of an exponential distribution, in means: ln 20.
const EXPONENTIAL_P95: f64 = 2.996;
/// Rounds in which the batch settles; each brings it nearer by the share of a step that a sequence adds.
const ROUNDS: u32 = 200;
/// Halvings of the interval in which the greatest rate lies.
const HALVINGS: u32 = 40;

impl StepModel {
    /// What a replica does under a load; `None` if it falls behind.
    pub fn steady(&self, engine: &EngineSettings, load: Load) -> Option<Steady> {
        let prefill = self.prefill_seconds(engine, load.prompt);
        let prompts_share = load.rate * prefill;
        if prompts_share >= 1.0 {
            return None;
        }
        let step = |batch: f64| self.step_seconds(batch, load) / (1.0 - prompts_share);
        let mut batch = 0.0;
        for _ in 0..ROUNDS {
            batch = load.rate * f64::from(load.output) * step(batch);
            let tokens = batch * f64::from(load.prompt + load.output);
            if batch > f64::from(engine.max_num_seqs) || tokens > float(engine.kv_capacity_tokens) {
                return None;
            }
        }
        let wait = prefill * prompts_share / (2.0 * (1.0 - prompts_share));
        let ttft = self.step_seconds(batch, load) + prefill + EXPONENTIAL_P95 * wait;
        let tpot = step(batch + NORMAL_P95 * batch.sqrt());
        Some(Steady { ttft: Micros::from_secs_f64(ttft), tpot: Micros::from_secs_f64(tpot) })
    }

    /// The greatest rate of such requests, a second, at which what a replica does is `enough`.
    pub fn greatest_rate(
        &self,
        engine: &EngineSettings,
        (prompt, output): (u32, u32),
        enough: impl Fn(Steady) -> bool,
    ) -> f64 {
        let (mut low, mut high) = (0.0, 1.0 / self.prefill_seconds(engine, prompt));
        for _ in 0..HALVINGS {
            let rate = f64::midpoint(low, high);
            let keeps_up = self.steady(engine, Load { rate, prompt, output }).is_some_and(&enough);
            if keeps_up { low = rate } else { high = rate }
        }
        low
    }

    /// A prompt by itself, in pieces as large as a step takes.
    fn prefill_seconds(&self, engine: &EngineSettings, prompt: u32) -> f64 {
        let most = engine.max_num_batched_tokens;
        let mut seconds = 0.0;
        for begin in (0..prompt.max(1)).step_by(most as usize) {
            let chunk = most.min(prompt.max(1) - begin);
            let context = u64::from(chunk) * u64::from(begin);
            seconds += as_seconds(self.mixed_step(0, u64::from(begin), chunk, context));
        }
        seconds
    }

    /// A decode step of a batch whose sequences are half way through; between whole batches, in proportion.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a batch size")]
    fn step_seconds(&self, batch: f64, load: Load) -> f64 {
        let at = |batch: u32| {
            let kv = u64::from(batch) * u64::from(load.prompt + load.output / 2);
            as_seconds(self.decode_steps(batch, kv).0)
        };
        let below = batch.max(1.0).floor();
        let part = batch.max(1.0) - below;
        let below = below as u32;
        at(below) * (1.0 - part) + at(below + 1) * part
    }
}

#[expect(clippy::cast_precision_loss, reason = "token counts stay below 2^53")]
fn float(tokens: u64) -> f64 {
    tokens as f64
}

#[cfg(test)]
mod tests {
    use super::super::StepTables;
    use super::*;

    /// 10 ms a decode step and 1 ms for each sequence beyond the first, 100 ms for a prompt of 1,000 tokens.
    fn model() -> StepModel {
        StepModel::new(&StepTables {
            decode_ms: vec![(1, 10.0), (101, 110.0)],
            prefill_ms: vec![(1000, 100.0), (2000, 200.0)],
            kv_ms_per_token: 0.0,
            chunk_context_ms: 0.0,
            host_ms: 0.0,
        })
    }

    fn engine(kv_capacity_tokens: u64) -> EngineSettings {
        EngineSettings { max_num_seqs: 256, max_num_batched_tokens: 2048, kv_capacity_tokens }
    }

    #[track_caller]
    fn check(rate: f64, kv_capacity_tokens: u64, expected: Option<(u64, u64)>) {
        let load = Load { rate, prompt: 1000, output: 50 };
        let found = model().steady(&engine(kv_capacity_tokens), load);
        let millis = |length: Micros| length.0 / 1000;
        assert_eq!(found.map(|it| (millis(it.ttft), millis(it.tpot))), expected);
    }

    #[test]
    fn an_idle_replica_takes_a_step_and_a_prompt() {
        check(0.001, 100_000, Some((110, 10)));
    }

    #[test]
    fn prompts_and_other_sequences_are_in_the_way() {
        // Half of the time is for prompts. 250 tokens a second in steps of (9 + B) ms at half speed: B = 4.5 / 0.5 = 9.
        // A step takes 18 ms; a wait is half a prompt on average. 9 + 1.645 × 3 sequences make steps of 22.9 ms, twice.
        check(5.0, 100_000, Some((18 + 100 + 149, 45)));
    }

    #[test]
    fn a_replica_that_falls_behind_has_no_steady_state() {
        check(10.0, 100_000, None);
        check(9.0, 100_000, None);
        // Nine sequences of 1,050 tokens.
        check(5.0, 9_000, None);
    }

    #[test]
    fn the_greatest_rate_is_where_what_is_asked_for_ends() {
        let (model, engine) = (model(), engine(100_000));
        let limit = Micros::from_millis(45);
        let rate = model.greatest_rate(&engine, (1000, 50), |it| it.tpot <= limit);
        let tpot = |rate| {
            let load = Load { rate, prompt: 1000, output: 50 };
            model.steady(&engine, load).map(|it| it.tpot)
        };
        assert!((4.5..5.0).contains(&rate), "{rate}");
        assert!(tpot(rate) <= Some(limit) && tpot(rate + 0.01) > Some(limit));
    }
}
