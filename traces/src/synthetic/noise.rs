//! Noise of the rate itself, slower than the arrivals.

use crate::setting::Spread;
use sim_core::random::Stream;

/// A factor with mean 1, drawn anew each minute: lognormal, so that the rate never turns negative.
///
/// The Azure 2024 plots show counts per minute that scatter far more than Poisson would, minute by
/// minute; slower swings are the profile's.
pub(super) struct MinuteNoise {
    luck: Stream,
    sigma: f64,
    factor: f64,
    minute: Option<u64>,
}

impl MinuteNoise {
    pub(super) fn new(spread: Spread, luck: Stream) -> Self {
        // A lognormal with coefficient of variation c has sigma² = ln(1 + c²).
        let sigma = spread.get().powi(2).ln_1p().sqrt();
        Self { luck, sigma, factor: 1.0, minute: None }
    }

    /// The factor of a minute of the run; minutes are asked for in order, none left out.
    pub(super) fn of(&mut self, minute: u64) -> f64 {
        if self.minute != Some(minute) {
            self.minute = Some(minute);
            self.factor = (self.sigma * self.luck.normal() - self.sigma.powi(2) / 2.0).exp();
        }
        self.factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Seed;

    #[test]
    fn the_factor_has_mean_one_and_the_spread_asked_for() {
        let luck = Seed { seed: 1, run: 0 }.stream("rate-noise", 0);
        let mut noise = MinuteNoise::new(Spread::try_from(0.12).unwrap(), luck);
        let factors: Vec<f64> = (0..20_000).map(|minute| noise.of(minute)).collect();
        let mean = factors.iter().sum::<f64>() / 20_000.0;
        let variance = factors.iter().map(|factor| (factor - mean).powi(2)).sum::<f64>() / 20_000.0;
        // Four standard errors: 0.12 / sqrt(20,000) = 0.0008 for the mean, 0.5 % for the deviation.
        assert!((mean - 1.0).abs() < 0.0034, "{mean}");
        assert!((variance.sqrt() / 0.12 - 1.0).abs() < 0.021, "{}", variance.sqrt());
        assert!((noise.of(19_999) - factors[19_999]).abs() < f64::EPSILON, "one draw a minute");
    }
}
