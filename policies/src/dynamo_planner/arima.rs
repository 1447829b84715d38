//! ARIMA(p, d, q) by conditional sum of squares, its order chosen by AIC.
//!
//! Upstream calls pmdarima's `auto_arima`: a stepwise search up to p, q = 5, d by a KPSS test, exact likelihood.
//! Here p, d and q go up to 2, all of them are tried, and a model is fitted by Hannan and Rissanen's two
//! regressions and a few Gauss-Newton steps on the squared one-step errors, whose sum gives the AIC. Forecasts of
//! smooth series agree; orders and parameters of short noisy ones need not.

use super::linear::least_squares;

/// Most of p, d and q.
const MOST: usize = 2;

/// Gauss-Newton steps after the first guess.
const STEPS: usize = 12;

/// A fitted model.
#[derive(Clone, Debug, PartialEq)]
pub struct Arima {
    /// p, d and q.
    pub order: [usize; 3],
    /// Constant, p autoregressive and q moving-average coefficients, of the differences.
    pub coefficients: Vec<f64>,
    /// Akaike's information criterion, up to what all models share.
    pub aic: f64,
}

/// The best model of a series; `None` where it is too short for any.
pub fn auto(series: &[f64]) -> Option<Arima> {
    let orders =
        (0..=MOST).flat_map(|d| (0..=MOST).flat_map(move |p| (0..=MOST).map(move |q| [p, d, q])));
    let models = orders.filter_map(|order| fit(series, order));
    models.min_by(|a, b| a.aic.total_cmp(&b.aic))
}

/// The model of one order; `None` where the series is too short, or the fit explodes.
pub fn fit(series: &[f64], order: [usize; 3]) -> Option<Arima> {
    let [p, d, q] = order;
    let values = differences(series, d);
    // The same errors count for every order: the first ones have no past in some of them.
    let skipped = MOST - d + MOST;
    let counted = values.len().checked_sub(skipped)?;
    // A constant is only a drift once, and a bend twice differenced: as pmdarima, none beyond d = 1.
    let constant = d < 2;
    let parameters = usize::from(constant) + p + q;
    if counted < parameters + 2 {
        return None;
    }
    let mut coefficients = first_guess(&values, [p, q], constant)?;
    let mut squares = sum_of_squares(&values, &coefficients, [p, q], skipped);
    for _ in 0..STEPS {
        let Some(next) = improve(&values, &coefficients, [p, q], constant, skipped) else { break };
        let better = sum_of_squares(&values, &next, [p, q], skipped);
        if !better.is_finite() || better >= squares * (1.0 - 1e-9) {
            break;
        }
        (coefficients, squares) = (next, better);
    }
    let count = as_float(counted);
    let aic = count * (squares / count).max(1e-12).ln() + 2.0 * as_float(parameters + 1);
    aic.is_finite().then_some(Arima { order, coefficients, aic })
}

impl Arima {
    /// The next value of a series.
    pub fn forecast(&self, series: &[f64]) -> f64 {
        let [p, d, q] = self.order;
        let mut levels = vec![series.to_vec()];
        for _ in 0..d {
            levels.push(differences(levels.last().expect("the series itself"), 1));
        }
        let values = levels.last().expect("the series itself");
        let errors = errors(values, &self.coefficients, [p, q]);
        let next = expected(values, &errors, values.len(), &self.coefficients, [p, q]);
        // Each difference is added to the last value of the level that it was taken of.
        levels[..d].iter().fold(next, |sum, level| sum + level.last().copied().unwrap_or(0.0))
    }
}

/// Differenced so many times.
fn differences(series: &[f64], times: usize) -> Vec<f64> {
    (0..times).fold(series.to_vec(), |values, _| {
        values.windows(2).map(|pair| pair[1] - pair[0]).collect()
    })
}

/// What the model expects at a place, from what came before; nothing came before the first.
fn expected(
    values: &[f64],
    errors: &[f64],
    at: usize,
    coefficients: &[f64],
    [p, q]: [usize; 2],
) -> f64 {
    let past = |of: &[f64], back: usize| at.checked_sub(back).map_or(0.0, |place| of[place]);
    let regressive = (1..=p).map(|back| coefficients[back] * past(values, back));
    let moving = (1..=q).map(|back| coefficients[p + back] * past(errors, back));
    coefficients[0] + regressive.chain(moving).sum::<f64>()
}

/// One-step errors.
fn errors(values: &[f64], coefficients: &[f64], order: [usize; 2]) -> Vec<f64> {
    let mut errors = Vec::with_capacity(values.len());
    for at in 0..values.len() {
        let error = values[at] - expected(values, &errors, at, coefficients, order);
        errors.push(error);
    }
    errors
}

fn sum_of_squares(values: &[f64], coefficients: &[f64], order: [usize; 2], skipped: usize) -> f64 {
    errors(values, coefficients, order)[skipped..].iter().map(|error| error * error).sum()
}

/// Hannan and Rissanen: the errors of a longer autoregression stand in for those of the model.
fn first_guess(values: &[f64], [p, q]: [usize; 2], constant: bool) -> Option<Vec<f64>> {
    let stand_in = if q == 0 {
        vec![0.0; values.len()]
    } else {
        let long = regress(values, &vec![0.0; values.len()], [MOST, 0], constant)?;
        errors(values, &long, [MOST, 0])
    };
    regress(values, &stand_in, [p, q], constant)
}

/// Values regressed on their past and on past errors.
fn regress(values: &[f64], errors: &[f64], [p, q]: [usize; 2], constant: bool) -> Option<Vec<f64>> {
    let row = |at: usize| {
        let one = constant.then_some(1.0);
        let past = (1..=p).map(move |back| values[at - back]);
        let moving = (1..=q).map(move |back| errors[at - back]);
        one.into_iter().chain(past).chain(moving).collect::<Vec<_>>()
    };
    let first = p.max(q);
    let rows: Vec<_> = (first..values.len()).map(row).collect();
    if rows.first().is_some_and(Vec::is_empty) {
        return Some(vec![0.0]);
    }
    let found = least_squares(&rows, &values[first..])?;
    Some(if constant { found } else { std::iter::once(0.0).chain(found).collect() })
}

/// A Gauss-Newton step on the one-step errors, with numerical derivatives.
fn improve(
    values: &[f64],
    coefficients: &[f64],
    order: [usize; 2],
    constant: bool,
    skipped: usize,
) -> Option<Vec<f64>> {
    const NUDGE: f64 = 1e-6;
    let base = errors(values, coefficients, order);
    let free: Vec<usize> = (usize::from(!constant)..coefficients.len()).collect();
    let nudged: Vec<Vec<f64>> = free
        .iter()
        .map(|&place| {
            let mut moved = coefficients.to_vec();
            moved[place] += NUDGE;
            errors(values, &moved, order)
        })
        .collect();
    let slopes = |at: usize| nudged.iter().map(|moved| (base[at] - moved[at]) / NUDGE).collect();
    let rows: Vec<Vec<f64>> = (skipped..values.len()).map(slopes).collect();
    if rows.first()?.is_empty() {
        return None;
    }
    let step = least_squares(&rows, &base[skipped..])?;
    let mut moved = coefficients.to_vec();
    for (&place, by) in free.iter().zip(step) {
        moved[place] += by;
    }
    Some(moved)
}

#[expect(clippy::cast_precision_loss, reason = "lengths of series")]
fn as_float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() < tolerance, "expected {expected}, found {found}");
    }

    /// A fixed series of small numbers without a pattern.
    fn wobble(count: usize) -> Vec<f64> {
        let mut state = 12_345_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1_u32 << 24) - 0.5
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn an_autoregression_is_the_regression_on_the_last_value() {
        // By hand: regressing 6, 5, 5.5, 4.75, 5.125, 4.9375 … on their predecessors.
        let mut series = vec![8.0];
        for at in 0..20 {
            let last: f64 = series[at];
            series.push(3.0 + 0.4 * last);
        }
        let model = fit(&series, [1, 0, 0]).expect("long enough");
        assert_near(model.coefficients[0], 3.0, 1e-6);
        assert_near(model.coefficients[1], 0.4, 1e-6);
        assert_near(model.forecast(&[8.0, 6.2]), 3.0 + 0.4 * 6.2, 1e-6);
    }

    /// A grid search over the coefficient finds the least squares at 0.50 for these shocks (0.6 made the series).
    #[test]
    fn a_moving_average_has_the_least_squares() {
        let shocks = wobble(400);
        let series: Vec<_> = (1..400).map(|at| 2.0 + shocks[at] + 0.6 * shocks[at - 1]).collect();
        let model = fit(&series, [0, 0, 1]).expect("long enough");
        assert_near(model.coefficients[0], 2.0, 0.05);
        assert_near(model.coefficients[1], 0.50, 0.006);
    }

    #[test]
    fn a_straight_line_goes_on() {
        let series: Vec<_> = (0..20).map(|at| 10.0 + 2.0 * f64::from(at)).collect();
        let model = auto(&series).expect("long enough");
        assert_near(model.forecast(&series), 50.0, 1e-3);
    }

    #[test]
    fn noise_around_a_mean_is_forecast_near_the_mean() {
        let series: Vec<_> = wobble(60).into_iter().map(|shock| 100.0 + shock).collect();
        let model = auto(&series).expect("long enough");
        assert_near(model.forecast(&series), 100.0, 0.6);
    }

    #[test]
    fn a_short_series_has_no_model() {
        assert_eq!(auto(&[1.0, 2.0, 3.0]), None);
    }
}
