//! `NodeResourcesFit`: how full the node would be, by one of three strategies, in kube-scheduler's integer
//! arithmetic.
//!
//! The caller leaves out resources that the node does not have, and extended resources that the pod does not
//! request.

use super::shape::{ShapePoint, piecewise};
use super::{Load, MAX};

/// Points of a curve score 0 to 10 (kube-scheduler: `MaxCustomPriorityScore`), nodes 0 to 100. The curve is stretched,
/// not its value, which is an integer and has lost a digit.
const STRETCH: i64 = 10;

/// The emptier the better: free share in percent, weighted mean.
pub fn least_allocated(loads: impl Iterator<Item = Load>) -> u64 {
    weighted_mean(loads, |load| {
        load.allocatable.saturating_sub(load.with_pod()) * MAX / load.allocatable
    })
}

/// The fuller the better: used share in percent, weighted mean; a request above capacity counts as full.
pub fn most_allocated(loads: impl Iterator<Item = Load>) -> u64 {
    weighted_mean(loads, |load| load.with_pod().min(load.allocatable) * MAX / load.allocatable)
}

/// By a curve over the used share; resources that score nothing do not count, the mean is rounded half up.
pub fn requested_to_capacity_ratio(loads: impl Iterator<Item = Load>, shape: &[ShapePoint]) -> u64 {
    let mut sum = 0;
    let mut weights = 0;
    for load in loads {
        let percent = (load.with_pod() * 100 / load.allocatable).min(100);
        let score = piecewise_score(shape, i64::try_from(percent).unwrap_or(100));
        if score > 0 {
            sum += u64::from(score) * load.weight;
            weights += load.weight;
        }
    }
    if weights == 0 { 0 } else { (2 * sum + weights) / (2 * weights) }
}

/// What a curve says of a resource that is used so far, in percent.
pub(crate) fn piecewise_score(shape: &[ShapePoint], percent: i64) -> u32 {
    u32::try_from(piecewise(shape, percent, STRETCH)).unwrap_or(0)
}

fn weighted_mean(loads: impl Iterator<Item = Load>, score: impl Fn(&Load) -> u64) -> u64 {
    let (sum, weights) = loads.fold((0, 0), |(sum, weights), load| {
        (sum + score(&load) * load.weight, weights + load.weight)
    });
    sum.checked_div(weights).unwrap_or(0)
}
