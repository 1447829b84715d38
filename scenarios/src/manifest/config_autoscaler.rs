//! The `ConfigMap` `config-autoscaler`: what holds for every revision of a Knative cluster.

use super::fault::Fault;
use super::file::Metadata;
use super::go;
use crate::suggest::did_you_mean;
use contract::Micros;
use policies::kpa::{Config, Settings};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// Its name.
pub(super) const NAME: &str = "config-autoscaler";

/// The class of autoscaler that is flown.
pub(super) const CLASS: &str = "kpa.autoscaling.knative.dev";

/// The object.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "only `data` says anything about scaling")]
pub(super) struct ConfigMap {
    api_version: String,
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    data: BTreeMap<String, String>,
    immutable: Option<bool>,
    binary_data: Option<IgnoredAny>,
}

/// A cluster's defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ClusterConfig {
    pub(super) config: Config,
    pub(super) min_scale: u32,
    pub(super) max_scale: u32,
    /// No revision may go above this; zero is no limit.
    pub(super) max_scale_limit: u32,
}

/// What the map says, over the defaults.
pub(super) fn convert(map: &ConfigMap) -> Result<ClusterConfig, Fault> {
    let mut cluster = ClusterConfig::default();
    for (key, text) in &map.data {
        cluster.set(key, text).map_err(|fault| fault.under(["data", key]))?;
    }
    let settings = Settings { config: cluster.config.clone(), ..Settings::default() };
    settings.validate().map_err(|error| {
        let key = error.key.rsplit('.').next().unwrap_or_default();
        Fault::expected(["data", key], &error.found, &error.expected)
    })?;
    Ok(cluster)
}

impl ClusterConfig {
    fn set(&mut self, key: &str, text: &str) -> Result<(), Fault> {
        let config = &mut self.config;
        match key {
            // Knative ships its documentation under this key.
            "_example" => {}
            "pod-autoscaler-class" => is_kpa(text)?,
            "container-concurrency-target-percentage" => {
                let given = number(text)?;
                // For legacy reasons upstream takes values up to 1 as shares.
                let percent = if given > 1.0 { given } else { given * 100.0 };
                config.container_concurrency_target_percentage = percent;
            }
            "container-concurrency-target-default" => {
                config.container_concurrency_target_default = number(text)?;
            }
            "requests-per-second-target-default" => {
                config.requests_per_second_target_default = number(text)?;
            }
            "target-burst-capacity" => config.target_burst_capacity = number(text)?,
            "activator-capacity" => config.activator_capacity = number(text)?,
            "stable-window" => config.stable_window = duration(text)?,
            "panic-window-percentage" => config.panic_window_percentage = number(text)?,
            "panic-threshold-percentage" => config.panic_threshold_percentage = number(text)?,
            "max-scale-up-rate" => config.max_scale_up_rate = number(text)?,
            "max-scale-down-rate" => config.max_scale_down_rate = number(text)?,
            "scale-down-delay" => config.scale_down_delay = duration(text)?,
            "enable-scale-to-zero" => config.enable_scale_to_zero = truth(text)?,
            "scale-to-zero-grace-period" => config.scale_to_zero_grace_period = duration(text)?,
            "scale-to-zero-pod-retention-period" => {
                config.scale_to_zero_pod_retention_period = duration(text)?;
            }
            "initial-scale" => config.initial_scale = count(text)?,
            "allow-zero-initial-scale" => config.allow_zero_initial_scale = truth(text)?,
            "min-scale" => self.min_scale = count(text)?,
            "max-scale" => self.max_scale = count(text)?,
            "max-scale-limit" => self.max_scale_limit = count(text)?,
            _ => return Err(unknown(key)),
        }
        Ok(())
    }
}

fn unknown(key: &str) -> Fault {
    let known = [
        "pod-autoscaler-class",
        "container-concurrency-target-percentage",
        "container-concurrency-target-default",
        "requests-per-second-target-default",
        "target-burst-capacity",
        "activator-capacity",
        "stable-window",
        "panic-window-percentage",
        "panic-threshold-percentage",
        "max-scale-up-rate",
        "max-scale-down-rate",
        "scale-down-delay",
        "enable-scale-to-zero",
        "scale-to-zero-grace-period",
        "scale-to-zero-pod-retention-period",
        "initial-scale",
        "allow-zero-initial-scale",
        "min-scale",
        "max-scale",
        "max-scale-limit",
    ];
    let fault =
        Fault::new([], format!("found the unknown key `{key}`, expected a key of `{NAME}`"));
    Fault { hint: did_you_mean(key, known), ..fault }
}

pub(super) fn is_kpa(text: &str) -> Result<(), Fault> {
    if text == CLASS {
        return Ok(());
    }
    let hint = "another class is another autoscaler: write it as its own manifest";
    Err(Fault::expected([], text, &format!("`{CLASS}`")).hint(hint))
}

pub(super) fn number(text: &str) -> Result<f64, Fault> {
    go::number(text).ok_or_else(|| Fault::expected([], text, "a number"))
}

pub(super) fn count(text: &str) -> Result<u32, Fault> {
    text.parse().map_err(|_| Fault::expected([], text, "a whole number that is not negative"))
}

pub(super) fn duration(text: &str) -> Result<Micros, Fault> {
    let expected = "a duration with a unit, such as `60s` or `1m30s`";
    go::duration(text).ok_or_else(|| Fault::expected([], text, expected))
}

fn truth(text: &str) -> Result<bool, Fault> {
    go::boolean(text).ok_or_else(|| Fault::expected([], text, "`true` or `false`"))
}
