//! `NodeResourcesBalancedAllocation`: how even the node's resources would be used.

use super::{Load, MAX};

/// 100 less the standard deviation of the shares in use, in percent; higher is more even.
pub fn evenness(shares: impl Iterator<Item = f64> + Clone) -> u64 {
    let mut few = shares.clone();
    let deviation = match (few.next(), few.next(), few.next()) {
        (Some(one), Some(other), None) => deviation_of_two(one, other),
        _ => deviation(shares),
    };
    percent(1.0 - deviation)
}

/// The evenness of two resources.
pub(crate) fn evenness_of_two(one: f64, other: f64) -> u64 {
    percent(1.0 - deviation_of_two(one, other))
}

/// The same as [`deviation`], in kube-scheduler's own short form, which rounds differently.
fn deviation_of_two(one: f64, other: f64) -> f64 {
    ((one - other) / 2.0).abs()
}

fn deviation(shares: impl Iterator<Item = f64> + Clone) -> f64 {
    let (count, sum) =
        shares.clone().fold((0.0, 0.0), |(count, sum), share| (count + 1.0, sum + share));
    let mean = if count > 0.0 { sum / count } else { 0.0 };
    let squares: f64 = shares.map(|share| (share - mean) * (share - mean)).sum();
    if count > 0.0 { (squares / count).sqrt() } else { 0.0 }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 0 to 1")]
#[expect(clippy::cast_precision_loss, reason = "100 is exact")]
fn percent(share: f64) -> u64 {
    (share * MAX as f64) as u64
}

/// How much more even the pod makes the node: 50 and above, 75 for no change.
pub fn balance_change(loads: impl Iterator<Item = Load> + Clone) -> u64 {
    let with = evenness(loads.clone().map(|load| load.fraction_with_pod()));
    change(with, evenness(loads.map(|load| load.fraction_without_pod())))
}

/// The score of a change in evenness.
pub(crate) fn change(with: u64, without: u64) -> u64 {
    let half = MAX / 2;
    // Signed in kube-scheduler: halving rounds towards zero, also when the pod makes things worse.
    let twice = half.cast_signed() + with.cast_signed() - without.cast_signed();
    (half.cast_signed() + twice / 2).unsigned_abs()
}
