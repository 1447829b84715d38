//! `TaintToleration` as a score: nodes with fewer `PreferNoSchedule` taints that the pod does not tolerate.

use super::MAX;
use crate::filter::taints::tolerates;
use contract::{PodSpec, Taint, TaintEffect};

/// How many soft taints of a node the pod does not tolerate.
pub fn intolerable(spec: &PodSpec, taints: &[Taint]) -> u64 {
    let soft = |taint: &&Taint| taint.effect == TaintEffect::PreferNoSchedule;
    let disliked = |taint: &&Taint| !tolerates(&spec.tolerations, taint);
    taints.iter().filter(soft).filter(disliked).map(|_| 1).sum()
}

/// The score: 100 without such taints, 0 for the node with the `most` of all that fit.
pub fn normalised(count: u64, most: u64) -> u64 {
    MAX - (count * MAX).checked_div(most).unwrap_or(0)
}
