//! A piecewise linear curve in integers, as `RequestedToCapacityRatio` uses it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ShapePoint {
    /// Utilisation in percent, 0 to 100.
    pub utilization: i64,
    /// Score there, 0 to 10.
    pub score: i64,
}

/// The curve's value at `at`, with its scores stretched by a factor: flat outside its points, between them a line
/// cut off towards zero.
pub fn piecewise(shape: &[ShapePoint], at: i64, stretch: i64) -> i64 {
    let score = |point: ShapePoint| point.score * stretch;
    let Some(next) = shape.iter().position(|point| at <= point.utilization) else {
        return shape.last().map_or(0, |&last| score(last));
    };
    let end = shape[next];
    let Some(start) = next.checked_sub(1).map(|before| shape[before]) else { return score(end) };
    let (run, rise) = (end.utilization - start.utilization, score(end) - score(start));
    score(start) + rise * (at - start.utilization) / run
}
