//! Settings of WVA, of its analyzers and of the HPA behind it.

use super::{saturation, tokens};
use crate::Invalid;
use crate::hpa::Settings as HpaSettings;
use crate::hpa::behavior::Behavior;
use crate::hpa::controller::Controller;
use crate::invalid::{ensure, ensure_not_negative, ensure_positive};
use contract::Micros;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings, as they stand under `[stack.replicas.wva]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Which analyzer: `v1` (saturation) or `v2` (token capacity), with its thresholds.
    #[serde(default)]
    pub version: Version,
    /// Never fewer replicas than this.
    #[serde(default = "one")]
    pub min_replicas: u32,
    /// Never more replicas than this.
    pub max_replicas: u32,
    /// Time between two looks of WVA.
    #[serde(default = "half_a_minute")]
    pub interval: Micros,
    /// From WVA's decision until the HPA can read it: WVA publishes a metric, which is scraped.
    #[serde(default = "quarter_of_a_minute")]
    pub publish_delay: Micros,
    /// How fast the HPA may move the count.
    #[serde(default)]
    pub behavior: Option<Behavior>,
    /// From one sync period after the start to the HPA's first look.
    #[serde(default)]
    pub phase: Micros,
    /// Flags of the HPA controller.
    #[serde(default)]
    pub controller: Controller,
}

/// Which analyzer decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Version {
    /// Spare KV cache and spare queue of the replicas that are not saturated: one replica at a time.
    V1(V1),
    /// Tokens in use and queued against the tokens that a replica can hold: as many replicas as that takes.
    V2(V2),
}

impl Default for Version {
    fn default() -> Self {
        Self::V1(V1::default())
    }
}

/// Thresholds of the saturation analyzer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct V1 {
    /// A replica is saturated from this share of its KV cache on.
    pub kv_cache_threshold: f64,
    /// A replica is saturated from so many waiting requests on.
    pub queue_length_threshold: f64,
    /// Less spare KV cache than this, on average, asks for a replica.
    pub kv_spare_trigger: f64,
    /// Less spare queue than this, on average, asks for a replica.
    pub queue_spare_trigger: f64,
}

impl Default for V1 {
    fn default() -> Self {
        Self {
            kv_cache_threshold: 0.80,
            queue_length_threshold: 5.0,
            kv_spare_trigger: 0.10,
            queue_spare_trigger: 3.0,
        }
    }
}

/// Thresholds of the token analyzer, and what it reads from the engine's arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct V2 {
    /// The share of its KV cache that a replica may fill.
    pub kv_cache_threshold: f64,
    /// From so many waiting requests on, the tokens in use show what a replica can do.
    pub queue_length_threshold: f64,
    /// Demand may be this share of supply, pods that start included; more asks for replicas.
    pub scale_up_threshold: f64,
    /// Demand should be this share of supply; less gives replicas back.
    pub scale_down_boundary: f64,
    /// Most tokens in a step of the engine.
    pub max_num_batched_tokens: u32,
    /// Most sequences in its batch.
    pub max_num_seqs: u32,
}

impl Default for V2 {
    fn default() -> Self {
        Self {
            kv_cache_threshold: 0.80,
            queue_length_threshold: 5.0,
            scale_up_threshold: 0.85,
            scale_down_boundary: 0.70,
            max_num_batched_tokens: 2048,
            max_num_seqs: 256,
        }
    }
}

fn one() -> u32 {
    1
}

fn half_a_minute() -> Micros {
    Micros::from_secs(30)
}

fn quarter_of_a_minute() -> Micros {
    Micros::from_secs(15)
}

impl Settings {
    /// Checks what types cannot.
    pub fn validate(&self) -> Result<(), Invalid> {
        let (min, max) = (self.min_replicas, self.max_replicas);
        ensure(min > 0, "min-replicas", min, "at least 1")?;
        ensure(min <= max, "min-replicas", min, format!("at most `max-replicas` ({max})"))?;
        ensure(self.interval > Micros::ZERO, "interval", self.interval, "more than no time")?;
        match &self.version {
            Version::V1(v1) => v1.validate().map_err(|error| error.inside("version.v1"))?,
            Version::V2(v2) => v2.validate().map_err(|error| error.inside("version.v2"))?,
        }
        if let Some(behavior) = &self.behavior {
            behavior.validate().map_err(|error| error.inside("behavior"))?;
        }
        self.controller.validate().map_err(|error| error.inside("controller"))
    }

    /// The HPA that reads what WVA publishes; its one metric is WVA's.
    pub(super) fn hpa(&self) -> HpaSettings {
        HpaSettings {
            min_replicas: self.min_replicas,
            max_replicas: self.max_replicas,
            metrics: Vec::new(),
            behavior: self.behavior.clone(),
            phase: self.phase,
            controller: self.controller.clone(),
        }
    }
}

impl V1 {
    fn validate(&self) -> Result<(), Invalid> {
        ensure_positive("kv-cache-threshold", self.kv_cache_threshold)?;
        ensure_positive("queue-length-threshold", self.queue_length_threshold)?;
        ensure_not_negative("kv-spare-trigger", self.kv_spare_trigger)?;
        ensure_not_negative("queue-spare-trigger", self.queue_spare_trigger)
    }

    pub(super) fn thresholds(&self) -> saturation::Thresholds {
        saturation::Thresholds {
            kv: self.kv_cache_threshold,
            queue: self.queue_length_threshold,
            kv_spare: self.kv_spare_trigger,
            queue_spare: self.queue_spare_trigger,
        }
    }
}

impl V2 {
    fn validate(&self) -> Result<(), Invalid> {
        ensure_positive("kv-cache-threshold", self.kv_cache_threshold)?;
        ensure_positive("queue-length-threshold", self.queue_length_threshold)?;
        ensure_positive("scale-up-threshold", self.scale_up_threshold)?;
        let (down, up) = (self.scale_down_boundary, self.scale_up_threshold);
        let expected = format!("above 0, below `scale-up-threshold` ({up})");
        ensure(down > 0.0 && down < up, "scale-down-boundary", down, expected)?;
        let tokens = self.max_num_batched_tokens;
        ensure(tokens > 0, "max-num-batched-tokens", tokens, "at least 1")?;
        ensure(self.max_num_seqs > 0, "max-num-seqs", self.max_num_seqs, "at least 1")
    }

    pub(super) fn engine(&self) -> tokens::Engine {
        tokens::Engine {
            max_num_batched_tokens: f64::from(self.max_num_batched_tokens),
            max_num_seqs: f64::from(self.max_num_seqs),
        }
    }
}
