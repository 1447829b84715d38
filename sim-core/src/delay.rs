//! How long a stage takes: a distribution with a unit.

use crate::random::{Stream, lognormal};
use contract::Micros;
use rand_distr::Gamma;

/// A distribution of durations.
#[derive(Clone, Debug, PartialEq)]
pub enum Delay {
    /// Always the same.
    Fixed(Micros),
    /// Uniform between two durations.
    Uniform {
        /// Shortest.
        low: Micros,
        /// Longest.
        high: Micros,
    },
    /// Exponential.
    Exponential {
        /// Mean.
        mean: Micros,
    },
    /// Lognormal.
    Lognormal {
        /// Median.
        median: Micros,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Gamma.
    Gamma {
        /// Shape.
        shape: f64,
        /// Mean.
        mean: Micros,
    },
}

impl Delay {
    /// One draw.
    pub fn draw(&self, stream: &mut Stream) -> Micros {
        match *self {
            Self::Fixed(length) => length,
            Self::Uniform { low, high } => {
                let span = (high - low).as_secs_f64();
                low + Micros::from_secs_f64(stream.unit() * span)
            }
            Self::Exponential { mean } => {
                Micros::from_secs_f64(stream.exponential() * mean.as_secs_f64())
            }
            Self::Lognormal { median, .. } if median == Micros::ZERO => Micros::ZERO,
            Self::Lognormal { median, sigma } => {
                Micros::from_secs_f64(stream.sample(&lognormal(median.as_secs_f64(), sigma)))
            }
            Self::Gamma { shape, mean } => {
                let gamma = Gamma::new(shape, mean.as_secs_f64() / shape)
                    .expect("scenario checks shape and mean");
                Micros::from_secs_f64(stream.sample(&gamma))
            }
        }
    }

    /// The median, or close to it: for plans and explanations, not for draws.
    pub fn typical(&self) -> Micros {
        match *self {
            Self::Fixed(length) => length,
            Self::Uniform { low, high } => Micros(u64::midpoint(low.0, high.0)),
            Self::Exponential { mean } => Micros::from_secs_f64(mean.as_secs_f64() * 2_f64.ln()),
            Self::Lognormal { median, .. } => median,
            Self::Gamma { mean, .. } => mean,
        }
    }
}
