//! Settings of a `ScaledObject`, by the names of its fields.

use super::activation::{Annotations, Rules};
use super::fallback::Fallback;
use super::formula::ScalingModifiers;
use crate::Invalid;
use crate::hpa::Settings as HpaSettings;
use crate::hpa::behavior::{Behavior, SelectPolicy};
use crate::hpa::controller::Controller;
use crate::hpa::metrics::{ExternalMetric, MetricSource, ensure_of_service};
use crate::invalid::{ensure, ensure_not_negative};
use contract::{Metric, Micros, ServiceSeen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Settings, as they stand under `[stack.replicas.keda]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// What is measured; the one that asks for most wins.
    pub triggers: Vec<Trigger>,
    /// Where the service rests while nothing is active; zero, or nothing at all, lets it sleep.
    #[serde(default)]
    pub min_replica_count: Option<u32>,
    /// Never more replicas than this.
    #[serde(default = "hundred")]
    pub max_replica_count: u32,
    /// One metric made of all triggers by a formula; each on its own if left out.
    #[serde(default)]
    pub scaling_modifiers: Option<ScalingModifiers>,
    /// Where it rests instead, below the minimum.
    #[serde(default)]
    pub idle_replica_count: Option<u32>,
    /// Time between two looks at the triggers.
    #[serde(default = "half_a_minute")]
    pub polling_interval: Micros,
    /// How long nothing must have been active before the service rests.
    #[serde(default = "five_minutes")]
    pub cooldown_period: Micros,
    /// The same from the start, for a service that has never been active.
    #[serde(default)]
    pub initial_cooldown_period: Micros,
    /// What stands in for a trigger that cannot be read.
    #[serde(default)]
    pub fallback: Option<Fallback>,
    /// Switches that people set on the object.
    #[serde(default)]
    pub annotations: Annotations,
    /// How fast the generated HPA may move the count.
    #[serde(default)]
    pub behavior: Option<Behavior>,
    /// From one sync period after the start to the generated HPA's first look.
    #[serde(default)]
    pub phase: Micros,
    /// Flags of the HPA controller.
    #[serde(default)]
    pub controller: Controller,
}

/// One metric and its thresholds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Trigger {
    /// Which metric of the service.
    pub metric: Metric,
    /// Its name in a formula; the metric's, with `_` for `-`, if left out.
    #[serde(default)]
    pub name: Option<String>,
    /// How much of it one replica takes.
    pub threshold: f64,
    /// Above this, strictly, the service is active.
    #[serde(default)]
    pub activation_threshold: f64,
    /// A metric that is missing reads as zero; if false it counts as a failure.
    #[serde(default = "yes")]
    pub ignore_null_values: bool,
}

fn hundred() -> u32 {
    100
}

fn half_a_minute() -> Micros {
    Micros::from_secs(30)
}

fn five_minutes() -> Micros {
    Micros::from_mins(5)
}

fn yes() -> bool {
    true
}

impl Settings {
    /// Checks what types cannot.
    pub fn validate(&self) -> Result<(), Invalid> {
        ensure(!self.triggers.is_empty(), "triggers", "[]", "at least one trigger")?;
        for (place, trigger) in self.triggers.iter().enumerate() {
            trigger.validate().map_err(|error| error.inside(format!("triggers[{place}]")))?;
        }
        let max = self.max_replica_count;
        ensure(max > 0, "max-replica-count", max, "at least 1")?;
        self.validate_counts()?;
        let interval = self.polling_interval;
        ensure(interval > Micros::ZERO, "polling-interval", interval, "more than no time")?;
        if let Some(modifiers) = &self.scaling_modifiers {
            let names: Vec<_> = self.triggers.iter().map(Trigger::name).collect();
            let names: Vec<_> = names.iter().map(AsRef::as_ref).collect();
            modifiers.validate(&names).map_err(|error| error.inside("scaling-modifiers"))?;
        }
        self.hpa().validate()
    }

    /// Checks the counts against each other, as KEDA does: a minimum that is given counts as at least one.
    pub fn validate_counts(&self) -> Result<(), Invalid> {
        let (given, max) = (self.min_replica_count, self.max_replica_count);
        let min = given.map_or(0, |min| min.max(1));
        let expected = format!("at most `max-replica-count` ({max})");
        ensure(min <= max, "min-replica-count", min, expected)?;
        if let Some(idle) = self.idle_replica_count {
            let expected = format!("less than `min-replica-count` ({min})");
            ensure(idle < min, "idle-replica-count", idle, expected)?;
        }
        Ok(())
    }

    fn min(&self) -> u32 {
        self.min_replica_count.unwrap_or(0)
    }

    /// The HPA that KEDA generates: between one replica (or the minimum) and the maximum, one external metric a
    /// trigger, or one for the formula.
    pub fn hpa(&self) -> HpaSettings {
        let metric = |metric, target| {
            let average_value = Some(target);
            MetricSource::External(ExternalMetric { metric, value: None, average_value })
        };
        let each = self.triggers.iter().map(|trigger| metric(trigger.metric, trigger.threshold));
        let metrics = match &self.scaling_modifiers {
            // The formula's result goes by the name of its first trigger.
            Some(modifiers) => {
                each.take(1).map(|one| metric(one.metric(), modifiers.target)).collect()
            }
            None => each.collect(),
        };
        HpaSettings {
            min_replicas: self.min().max(1),
            max_replicas: self.max_replica_count,
            metrics,
            behavior: self.hpa_behavior(),
            phase: self.phase,
            controller: self.controller.clone(),
        }
    }

    /// Pausing one direction switches the HPA's rules of that direction off.
    fn hpa_behavior(&self) -> Option<Behavior> {
        let (pause_in, pause_out) =
            (self.annotations.paused_scale_in, self.annotations.paused_scale_out);
        if !pause_in && !pause_out {
            return self.behavior.clone();
        }
        let mut behavior = self.behavior.clone().unwrap_or_default();
        if pause_in {
            behavior.scale_down.select_policy = Some(SelectPolicy::Disabled);
        }
        if pause_out {
            behavior.scale_up.select_policy = Some(SelectPolicy::Disabled);
        }
        Some(behavior)
    }

    /// What holds for the object all the time.
    pub fn rules(&self) -> Rules {
        Rules {
            min: self.min(),
            idle: self.idle_replica_count,
            cooldown: self.cooldown_period,
            initial_cooldown: self.initial_cooldown_period,
            fallback_replicas: self.fallback.map(|fallback| fallback.replicas),
            annotations: self.annotations,
        }
    }
}

impl Trigger {
    fn validate(&self) -> Result<(), Invalid> {
        ensure_of_service(self.metric)?;
        let threshold = self.threshold;
        ensure(threshold >= 0.001, "threshold", threshold, "a number of at least 0.001")?;
        ensure_not_negative("activation-threshold", self.activation_threshold)
    }

    /// Its name in a formula.
    pub(super) fn name(&self) -> Cow<'_, str> {
        match &self.name {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(self.metric.name().replace('-', "_")),
        }
    }

    /// What it reads now; `None` when it cannot be read.
    pub(super) fn read(&self, service: &ServiceSeen) -> Option<f64> {
        let missing = self.ignore_null_values.then_some(0.0);
        service.sample(self.metric).map(|sample| sample.value).or(missing)
    }

    /// Whether a value makes the service active.
    pub fn is_active(&self, value: f64) -> bool {
        value > self.activation_threshold
    }
}
