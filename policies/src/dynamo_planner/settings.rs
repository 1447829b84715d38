//! Settings of the planner, by the names of its configuration.

use super::predictors::LoadPredictor;
use super::step_model::Bounds;
use crate::Invalid;
use crate::invalid::{ensure, ensure_positive};
use contract::Micros;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings, as they stand under `[stack.replicas.dynamo-planner]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// What the load loop keeps: times (`sla`), or KV-cache use by fixed thresholds (`throughput`, `latency`).
    pub optimization_target: OptimizationTarget,
    /// Whether the slow loop runs; it needs `optimization-target = "sla"`.
    pub enable_throughput_scaling: bool,
    /// Whether the fast loop runs; the slow one is then its floor.
    pub enable_load_scaling: bool,
    /// Time between two looks of the slow loop.
    pub throughput_adjustment_interval: Micros,
    /// Time between two looks of the fast loop, and between two readings of engines' steps.
    pub load_adjustment_interval: Micros,
    /// How the slow loop predicts requests and their lengths.
    pub load_predictor: LoadPredictor,
    /// Longest time to the first token.
    pub ttft: Micros,
    /// Longest time between two tokens.
    pub itl: Micros,
    /// A scale-down must leave the predicted times below this share of the longest ones, in per cent.
    pub load_scaling_down_sensitivity: u32,
    /// Never fewer replicas than this.
    pub min_endpoint: u32,
    /// Never more GPUs than this, over all replicas of a service.
    pub max_gpu_budget: u32,
    /// Most tokens in a step of the engine.
    pub max_num_batched_tokens: u32,
    /// Most sequences in its batch.
    pub max_num_seqs: u32,
}

/// What the load loop keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizationTarget {
    /// The times to the first token and between tokens, as the learned step model predicts them.
    #[default]
    Sla,
    /// KV cache below full: up above 100 %, down below 60 %.
    Throughput,
    /// KV cache nearly empty: up above 40 %, down below 10 %.
    Latency,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            optimization_target: OptimizationTarget::Sla,
            enable_throughput_scaling: true,
            enable_load_scaling: true,
            throughput_adjustment_interval: Micros::from_mins(3),
            load_adjustment_interval: Micros::from_secs(5),
            load_predictor: LoadPredictor::default(),
            ttft: Micros::from_millis(500),
            itl: Micros::from_millis(50),
            load_scaling_down_sensitivity: 80,
            min_endpoint: 1,
            max_gpu_budget: 8,
            max_num_batched_tokens: 2048,
            max_num_seqs: 256,
        }
    }
}

impl Settings {
    /// Checks what types cannot.
    pub fn validate(&self) -> Result<(), Invalid> {
        let (slow, fast) = (self.throughput_adjustment_interval, self.load_adjustment_interval);
        ensure(fast > Micros::ZERO, "load-adjustment-interval", fast, "more than no time")?;
        let expected = format!("at least `load-adjustment-interval` ({fast})");
        ensure(slow >= fast, "throughput-adjustment-interval", slow, expected)?;
        ensure(
            self.runs_throughput() || self.enable_load_scaling,
            "enable-load-scaling",
            false,
            "true, or `enable-throughput-scaling` with `optimization-target = \"sla\"`",
        )?;
        ensure(self.ttft > Micros::ZERO, "ttft", self.ttft, "more than no time")?;
        ensure(self.itl > Micros::ZERO, "itl", self.itl, "more than no time")?;
        let share = self.load_scaling_down_sensitivity;
        ensure(share <= 100, "load-scaling-down-sensitivity", share, "at most 100")?;
        ensure(self.min_endpoint > 0, "min-endpoint", self.min_endpoint, "at least 1")?;
        ensure(self.max_gpu_budget > 0, "max-gpu-budget", self.max_gpu_budget, "at least 1")?;
        let tokens = self.max_num_batched_tokens;
        ensure(tokens > 0, "max-num-batched-tokens", tokens, "at least 1")?;
        ensure(self.max_num_seqs > 0, "max-num-seqs", self.max_num_seqs, "at least 1")?;
        if let LoadPredictor::Kalman(kalman) = &self.load_predictor {
            let inside = |error: Invalid| error.inside("load-predictor.kalman");
            ensure_positive("q-level", kalman.q_level).map_err(inside)?;
            ensure_positive("q-trend", kalman.q_trend).map_err(inside)?;
            ensure_positive("r", kalman.r).map_err(inside)?;
        }
        Ok(())
    }

    /// Whether the slow loop runs.
    pub(super) fn runs_throughput(&self) -> bool {
        self.enable_throughput_scaling && self.optimization_target == OptimizationTarget::Sla
    }

    /// What an engine whose cache holds `kv` tokens can do and must keep.
    pub(super) fn bounds(&self, kv: f64) -> Bounds {
        Bounds {
            batched_tokens: f64::from(self.max_num_batched_tokens),
            sequences: f64::from(self.max_num_seqs),
            kv,
            ttft: self.ttft.as_secs_f64(),
            itl: self.itl.as_secs_f64(),
        }
    }

    /// A count within budget and minimum; each replica has so many GPUs.
    pub(super) fn within_budget(&self, replicas: u32, gpus: u32) -> u32 {
        let most = self.max_gpu_budget / gpus.max(1);
        replicas.max(self.min_endpoint).min(most.max(self.min_endpoint))
    }
}
