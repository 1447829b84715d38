//! What comes next, of a quantity that is measured once an interval.

use super::arima;
use super::kalman::{Kalman, Noise};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the next value is predicted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LoadPredictor {
    /// As the last one.
    Constant,
    /// By an ARIMA model, its order chosen anew at each step.
    #[default]
    Arima,
    /// By a Kalman filter of level and trend.
    Kalman(KalmanSettings),
}

/// Variances of the Kalman filter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct KalmanSettings {
    /// Of the level, per interval.
    pub q_level: f64,
    /// Of the trend, per interval.
    pub q_trend: f64,
    /// Of a measurement.
    pub r: f64,
}

impl Default for KalmanSettings {
    fn default() -> Self {
        Self { q_level: 1.0, q_trend: 0.1, r: 10.0 }
    }
}

impl KalmanSettings {
    fn noise(&self) -> Noise {
        Noise { level: self.q_level, trend: self.q_trend, measurement: self.r }
    }
}

/// Fewer values are too few for ARIMA (upstream: `minimum_data_points`).
const LEAST_FOR_ARIMA: usize = 5;

/// Values that are kept: a day of 3-minute intervals. Upstream keeps all.
const KEPT: usize = 480;

/// The values so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    values: Vec<f64>,
    kalman: Option<Kalman>,
}

impl Series {
    /// Takes the next value in. Zeros before the first other value are an idle start and do not count.
    pub fn add(&mut self, predictor: &LoadPredictor, value: f64) {
        if value == 0.0 && self.values.is_empty() {
            return;
        }
        if self.values.len() == KEPT {
            self.values.remove(0);
        }
        self.values.push(value);
        if let LoadPredictor::Kalman(settings) = predictor {
            match &mut self.kalman {
                Some(kalman) => kalman.update(settings.noise(), value),
                None => self.kalman = Some(Kalman::starting_at(value)),
            }
        }
    }

    /// The next value, never below zero; zero while there is none.
    pub fn predict(&mut self, predictor: &LoadPredictor) -> f64 {
        let last = self.values.last().copied().unwrap_or(0.0);
        let next = match predictor {
            LoadPredictor::Constant => last,
            LoadPredictor::Arima => predict_by_arima(&self.values).unwrap_or(last),
            LoadPredictor::Kalman(settings) => {
                self.kalman.as_mut().map_or(last, |kalman| kalman.predict(settings.noise()))
            }
        };
        next.max(0.0)
    }
}

/// By the best model; by one of the logarithms where the best is no more than a mean, which spikes can cause.
fn predict_by_arima(values: &[f64]) -> Option<f64> {
    let (first, last) = (values.first()?, values.last()?);
    if values.len() < LEAST_FOR_ARIMA {
        return None;
    }
    if values.iter().all(|value| value.total_cmp(first).is_eq()) {
        return Some(*last);
    }
    let model = arima::auto(values)?;
    if model.order[0] > 0 || model.order[2] > 0 {
        return Some(model.forecast(values));
    }
    let logarithms: Vec<_> = values.iter().map(|value| value.ln_1p()).collect();
    let forecast = arima::auto(&logarithms)?.forecast(&logarithms).exp_m1();
    forecast.is_finite().then_some(forecast)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(predictor: &LoadPredictor, values: &[f64], expected: f64) {
        let mut series = Series::default();
        for &value in values {
            series.add(predictor, value);
        }
        let found = series.predict(predictor);
        assert!((found - expected).abs() < 1e-2, "expected {expected}, found {found}");
    }

    #[test]
    fn constant_repeats_the_last_value() {
        check(&LoadPredictor::Constant, &[], 0.0);
        check(&LoadPredictor::Constant, &[3.0, 7.0], 7.0);
    }

    #[test]
    fn arima_repeats_the_last_value_until_it_has_enough() {
        check(&LoadPredictor::Arima, &[1.0, 2.0, 3.0, 4.0], 4.0);
        check(&LoadPredictor::Arima, &[6.0; 9], 6.0);
        // A straight line needs no more than differences, so its logarithms are taken: nearly as good.
        let rise: Vec<_> = (0..16).map(|at| 5.0 + 3.0 * f64::from(at)).collect();
        check(&LoadPredictor::Arima, &rise, 53.0);
    }

    #[test]
    fn an_idle_start_does_not_count() {
        let kalman = LoadPredictor::Kalman(KalmanSettings::default());
        check(&kalman, &[0.0, 0.0, 8.0], 8.0);
        check(&kalman, &[0.0, 0.0], 0.0);
    }

    #[test]
    fn nothing_negative_is_predicted() {
        let kalman = LoadPredictor::Kalman(KalmanSettings::default());
        check(&kalman, &[90.0, 40.0, 0.0], 0.0);
    }
}
