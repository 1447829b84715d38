//! The fast loop's decisions: one replica more, one less, or none.

use super::step_model::{Bounds, StepModel};

/// What one engine reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Engine {
    /// Prompt tokens that wait.
    pub waiting: f64,
    /// Cached tokens of the sequences that decode.
    pub kv: f64,
    /// Tokens that the cache holds.
    pub capacity: f64,
}

/// KV-cache use from which on a replica is added, and below which one goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    up: f64,
    down: f64,
}

impl Thresholds {
    /// For throughput (upstream: `_DECODE_THROUGHPUT_SCALE_UP`, `_DECODE_THROUGHPUT_SCALE_DOWN`).
    pub const THROUGHPUT: Self = Self { up: 1.0, down: 0.6 };
    /// For latency (upstream: `_DECODE_LATENCY_SCALE_UP`, `_DECODE_LATENCY_SCALE_DOWN`).
    pub const LATENCY: Self = Self { up: 0.4, down: 0.1 };
}

/// Which way, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One more.
    Up(&'static str),
    /// One less.
    Down(&'static str),
    /// Neither.
    Stay(&'static str),
}

/// By fixed thresholds: up if any engine is over, down if all are under and none would be over with its part of the
/// load of one that goes. What waits will be in the cache.
pub fn by_cache(engines: &[Engine], thresholds: Thresholds) -> Step {
    let uses = engines.iter().map(|engine| (engine.kv + engine.waiting) / engine.capacity);
    let fullest = uses.fold(0.0, f64::max);
    if fullest > thresholds.up {
        return Step::Up("an engine's cache is over the threshold");
    }
    match growth_without_one(engines.len()) {
        Some(growth) if fullest < thresholds.down && fullest * growth > thresholds.up => {
            Step::Stay("all caches are below the threshold, but not without one")
        }
        Some(_) if fullest < thresholds.down => Step::Down("all caches are below the threshold"),
        _ => Step::Stay("caches between the thresholds"),
    }
}

/// What the fast loop knows of requests, engines and limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast<'a> {
    /// How long steps take.
    pub model: &'a StepModel,
    /// Limits.
    pub bounds: &'a Bounds,
    /// Prompt tokens of a request.
    pub prompt: f64,
    /// Cached tokens of a request, on average over its life.
    pub context: f64,
    /// The share of a limit that a scale-down may use.
    pub sensitivity: f64,
}

impl Forecast<'_> {
    fn ttft(&self, waiting: f64, kv: f64) -> f64 {
        self.model.ttft(waiting, self.prompt, kv, self.bounds.batched_tokens)
    }

    fn itl(&self, kv: f64) -> f64 {
        self.model.itl(kv + self.context)
    }

    /// By predicted times: up if all engines miss one of the limits, down if every one could take its part of the
    /// load of one that goes.
    pub fn decide(&self, engines: &[Engine]) -> Step {
        let late = |engine: &Engine| self.ttft(engine.waiting, engine.kv) > self.bounds.ttft;
        if engines.iter().all(late) {
            return Step::Up("all engines are late with the first token");
        }
        let slow = |engine: &Engine| self.itl(engine.kv) > self.bounds.itl;
        if engines.iter().all(slow) {
            return Step::Up("all engines are slow between tokens");
        }
        let Some(growth) = growth_without_one(engines.len()) else {
            return Step::Stay("the last replica keeps its times");
        };
        if engines.iter().all(|engine| self.could_take(engine, growth)) {
            Step::Down("the others could take its load in time")
        } else {
            Step::Stay("the others could not take its load in time")
        }
    }

    /// Whether an engine keeps its limits with so many times its load. Its own prompt takes the time that it takes;
    /// only what waits before it counts against the share.
    fn could_take(&self, engine: &Engine, growth: f64) -> bool {
        let (kv, waiting) = (engine.kv * growth, engine.waiting * growth);
        let own = self.ttft(0.0, kv);
        let budget = (self.bounds.ttft - own) * self.sensitivity;
        let waits = self.ttft(waiting, kv) - own;
        let cached = (engine.kv + engine.waiting) * growth;
        budget > 0.0
            && waits < budget
            && cached < engine.capacity
            && self.itl(cached) < self.bounds.itl * self.sensitivity
    }
}

/// How much more each has when one goes; `None` if it is the last.
fn growth_without_one(engines: usize) -> Option<f64> {
    let count = f64::from(u32::try_from(engines).expect("few engines"));
    (engines > 1).then(|| count / (count - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamo_planner::step_model::{Step as Seen, Steps};

    fn engine(kv: f64, waiting: f64) -> Engine {
        Engine { waiting, kv, capacity: 100_000.0 }
    }

    #[track_caller]
    fn check_cache(thresholds: Thresholds, engines: &[Engine], expected: Step) {
        assert_eq!(by_cache(engines, thresholds), expected);
    }

    const OVER: Step = Step::Up("an engine's cache is over the threshold");
    const BETWEEN: Step = Step::Stay("caches between the thresholds");
    const NEEDED: Step = Step::Stay("all caches are below the threshold, but not without one");
    const UNDER: Step = Step::Down("all caches are below the threshold");

    #[test]
    fn one_full_cache_is_enough_for_one_more() {
        let calm = engine(10_000.0, 0.0);
        check_cache(Thresholds::THROUGHPUT, &[calm, engine(60_000.0, 40_000.0)], BETWEEN);
        check_cache(Thresholds::THROUGHPUT, &[calm, engine(60_000.0, 40_001.0)], OVER);
        check_cache(Thresholds::LATENCY, &[calm, engine(40_001.0, 0.0)], OVER);
    }

    #[test]
    fn one_goes_when_all_caches_are_below_the_threshold_and_it_is_not_the_last() {
        check_cache(Thresholds::THROUGHPUT, &[engine(59_999.0, 0.0); 3], UNDER);
        check_cache(Thresholds::THROUGHPUT, &[engine(60_000.0, 0.0); 3], BETWEEN);
        check_cache(Thresholds::THROUGHPUT, &[engine(0.0, 0.0)], BETWEEN);
    }

    #[test]
    fn one_stays_if_its_load_would_push_another_over() {
        check_cache(Thresholds::THROUGHPUT, &[engine(50_000.0, 0.0); 2], UNDER);
        check_cache(Thresholds::THROUGHPUT, &[engine(50_001.0, 0.0); 2], NEEDED);
        check_cache(Thresholds::LATENCY, &[engine(9_999.0, 0.0); 2], UNDER);
    }

    /// Steps of 10 ms, 50 µs a prompt token, 0.2 µs a cached one; requests of 1,000 tokens; 500 and 50 ms.
    #[track_caller]
    fn check(engines: &[Engine], expected: Step) {
        let mut steps = Steps::default();
        for place in 0..20_u32 {
            let (prompt, kv) = (f64::from(place % 5) * 400.0, f64::from(place % 7) * 10_000.0);
            steps.add(Seen { prompt, kv, seconds: 0.010 + 5e-5 * prompt + 2e-7 * kv });
        }
        let model = steps.fit().expect("enough");
        let bounds =
            Bounds { batched_tokens: 2048.0, sequences: 256.0, kv: 100_000.0, ttft: 0.5, itl: 0.1 };
        let forecast = Forecast {
            model: &model,
            bounds: &bounds,
            prompt: 1000.0,
            context: 1100.0,
            sensitivity: 0.8,
        };
        assert_eq!(forecast.decide(engines), expected);
    }

    #[test]
    fn all_engines_must_be_late_for_one_more() {
        check(&[engine(0.0, 9000.0); 2], Step::Up("all engines are late with the first token"));
        check(
            &[engine(0.0, 9000.0), engine(0.0, 0.0)],
            Step::Stay("the others could not take its load in time"),
        );
    }

    #[test]
    fn one_goes_if_the_others_keep_their_times_with_its_load() {
        check(&[engine(20_000.0, 0.0); 2], Step::Down("the others could take its load in time"));
        check(
            &[engine(50_000.0, 0.0); 2],
            Step::Stay("the others could not take its load in time"),
        );
        check(&[engine(0.0, 0.0)], Step::Stay("the last replica keeps its times"));
    }
}
