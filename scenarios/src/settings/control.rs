//! The control plane.

use super::{DelaySetting, Length};
use crate::catalog::Distribution;
use contract::Micros;
use placement::Profile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::spec;

/// The control plane's pace: `[control]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Control {
    /// From a replica count written to the pods created or told to go.
    pub actuation: DelaySetting,
    /// One scheduling attempt.
    pub scheduling: DelaySetting,
    /// First back-off of a pod that did not fit.
    pub backoff_initial: Length,
    /// Longest back-off.
    pub backoff_max: Length,
    /// Unschedulable pods are tried again after this long without an event.
    pub unschedulable_flush: Length,
    /// How often that is checked.
    pub flush_interval: Length,
    /// Which of several equally good nodes gets a pod.
    pub ties: Ties,
    /// Which of the nodes that fit is the best.
    pub scheduler: Profile,
}

/// Which of several equally good nodes gets a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ties {
    /// The first.
    #[default]
    First,
    /// One at random, as kube-scheduler does.
    Random,
}

impl From<Ties> for spec::Ties {
    fn from(ties: Ties) -> Self {
        match ties {
            Ties::First => Self::First,
            Ties::Random => Self::Random,
        }
    }
}

impl Default for Control {
    fn default() -> Self {
        let fixed =
            |millis| DelaySetting::Written(Distribution::Fixed(Micros::from_millis(millis)));
        Self {
            actuation: fixed(200),
            scheduling: fixed(10),
            backoff_initial: Length::of(Micros::from_secs(1)),
            backoff_max: Length::of(Micros::from_secs(10)),
            unschedulable_flush: Length::of(Micros::from_mins(5)),
            flush_interval: Length::of(Micros::from_secs(30)),
            ties: Ties::default(),
            scheduler: Profile::default(),
        }
    }
}
