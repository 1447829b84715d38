//! Gaps between arrivals, in units of the mean gap.

use super::bursts::OnOff;
use crate::setting::Shape;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::random::{Gamma, Stream, gamma_of_mean_one};

/// How requests follow each other at a given rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Arrivals {
    /// Independently: exponential gaps.
    #[default]
    Poisson,
    /// In clumps: gamma gaps, with a coefficient of variation of 1 / sqrt(shape).
    Gamma {
        /// Azure chat of 2023: 0.87 (measured; 0.86 to 0.91 in ten-minute windows).
        shape: Shape,
    },
    /// In bursts with silence between.
    OnOff(OnOff),
}

impl Arrivals {
    fn shape(self) -> Shape {
        match self {
            Self::Poisson => Shape::POISSON,
            Self::Gamma { shape } | Self::OnOff(OnOff { shape, .. }) => shape,
        }
    }

    /// The bursts, if it has any.
    pub(super) fn bursts(self) -> Option<OnOff> {
        match self {
            Self::OnOff(settings) => Some(settings),
            Self::Poisson | Self::Gamma { .. } => None,
        }
    }
}

/// Draws gaps with mean 1.
pub(super) struct Gaps {
    luck: Stream,
    law: Law,
}

enum Law {
    Exponential,
    Gamma(Gamma<f64>),
}

impl Gaps {
    pub(super) fn new(arrivals: Arrivals, luck: Stream) -> Self {
        let shape = arrivals.shape();
        let law = if shape == Shape::POISSON {
            Law::Exponential
        } else {
            Law::Gamma(gamma_of_mean_one(shape.get()))
        };
        Self { luck, law }
    }

    /// A gap.
    pub(super) fn draw(&mut self) -> f64 {
        match &self.law {
            Law::Exponential => self.luck.exponential(),
            Law::Gamma(gamma) => self.luck.sample(gamma),
        }
    }
}

/// From a random moment to the next arrival: what is left of the gap that the moment falls into. Long
/// gaps are met more often, which for a gamma adds one to the shape at the same scale.
pub(super) fn first_gap(arrivals: Arrivals, luck: &mut Stream) -> f64 {
    let shape = arrivals.shape().get();
    let whole = luck.sample(&gamma_of_mean_one(shape + 1.0)) * (shape + 1.0) / shape;
    whole * luck.unit()
}
