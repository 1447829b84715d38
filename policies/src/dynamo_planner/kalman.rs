//! A local linear trend followed by a Kalman filter: level and trend, of which the level is seen.

use serde::{Deserialize, Serialize};

/// Variances of the model; upstream's defaults are 1, 0.1 and 10.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Of the level, per step.
    pub level: f64,
    /// Of the trend, per step.
    pub trend: f64,
    /// Of a measurement.
    pub measurement: f64,
}

/// Variance of level and trend before anything was seen (upstream: `P *= 1000`).
const UNKNOWN: f64 = 1000.0;

/// What the filter knows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kalman {
    level: f64,
    trend: f64,
    /// Covariance: of the level, of both, of the trend.
    covariance: [f64; 3],
    /// The step ahead has been taken, and waits for its measurement.
    ahead: bool,
}

impl Kalman {
    /// From a first value on.
    pub fn starting_at(value: f64) -> Self {
        Self { level: value, trend: 0.0, covariance: [UNKNOWN, 0.0, UNKNOWN], ahead: false }
    }

    /// Takes the next value in.
    pub fn update(&mut self, noise: Noise, value: f64) {
        self.predict(noise);
        let [level, both, trend] = self.covariance;
        let innovation = level + noise.measurement;
        let (gain_level, gain_trend) = (level / innovation, both / innovation);
        let surprise = value - self.level;
        self.level += gain_level * surprise;
        self.trend += gain_trend * surprise;
        self.covariance =
            [(1.0 - gain_level) * level, (1.0 - gain_level) * both, trend - gain_trend * both];
        self.ahead = false;
    }

    /// The next value; asking twice does not step twice.
    pub fn predict(&mut self, noise: Noise) -> f64 {
        if !self.ahead {
            let [level, both, trend] = self.covariance;
            self.level += self.trend;
            self.covariance =
                [level + 2.0 * both + trend + noise.level, both + trend, trend + noise.trend];
            self.ahead = true;
        }
        self.level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOISE: Noise = Noise { level: 1.0, trend: 0.1, measurement: 10.0 };

    #[track_caller]
    fn check(values: &[f64], expected: f64) {
        let mut kalman = Kalman::starting_at(values[0]);
        for &value in &values[1..] {
            kalman.update(NOISE, value);
        }
        let found = kalman.predict(NOISE);
        assert!((found - expected).abs() < 1e-9, "expected {expected}, found {found}");
        assert!((kalman.predict(NOISE) - found).abs() < 1e-12, "asking twice steps once");
    }

    #[test]
    fn one_step_is_as_computed_by_hand() {
        check(&[10.0], 10.0);
        // Covariance 2001, 1000, 1000.1; innovation 2011: 10 + (2001 + 1000)/2011 of 4.
        check(&[10.0, 14.0], 10.0 + 4.0 * 3001.0 / 2011.0);
    }

    #[test]
    fn a_steady_rise_is_continued() {
        let values: Vec<_> = (0..60).map(|step| 5.0 + 3.0 * f64::from(step)).collect();
        let mut kalman = Kalman::starting_at(values[0]);
        values[1..].iter().for_each(|&value| kalman.update(NOISE, value));
        let found = kalman.predict(NOISE);
        assert!((found - 185.0).abs() < 0.01, "{found}");
    }
}
