//! Means and standard deviations over the runs of a strategy.

use placement::packing::{Point, StrategyCurves};

/// The mean of a figure over runs, and how far runs are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    /// Mean over runs.
    pub(super) mean: f64,
    /// Sample standard deviation; absent with one run.
    pub(super) deviation: Option<f64>,
}

/// A figure at a load in percent; nothing if no run came so far.
pub(super) fn at(curves: &StrategyCurves, load: usize, of: fn(&Point) -> f64) -> Option<Spread> {
    let values: Vec<_> =
        curves.runs.iter().filter_map(|(_, curve)| curve.get(load).map(of)).collect();
    if values.is_empty() {
        return None;
    }
    let count = f64::from(u32::try_from(values.len()).unwrap_or(u32::MAX));
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
    Some(Spread { mean, deviation })
}

/// The largest load that any run came to.
pub(super) fn last_load(curves: &[StrategyCurves]) -> usize {
    let points = curves.iter().flat_map(|of| &of.runs).map(|(_, curve)| curve.len());
    points.max().unwrap_or(0).saturating_sub(1)
}
