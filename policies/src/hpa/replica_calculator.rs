//! From a metric to a number of replicas: the arithmetic of upstream's replica calculator.
//!
//! Metrics are whole thousandths, as Kubernetes quantities are; ratios are floating point, computed in
//! upstream's order, because its rounding is part of its behaviour.

use super::groups::Group;
use super::pods::Class;
use super::tolerance::Tolerances;

/// More replicas than this cannot be asked for (`int32` upstream).
const MOST_REPLICAS: f64 = 2_147_483_647.0;

/// What a metric proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// How many replicas.
    pub replicas: u32,
    /// The metric that it rests on, in thousandths: an average per pod, or the value itself.
    pub usage_milli: i64,
}

/// The pods of a service by what is known of them, and what the ready ones use in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodUsage {
    /// Pods that count, each with a sample.
    pub ready: u32,
    /// Pods that are not up yet; their samples do not count.
    pub unready: u32,
    /// Pods without a sample.
    pub missing: u32,
    /// Sum over the ready pods, in thousandths.
    pub usage_milli: i64,
}

impl PodUsage {
    /// Adds a pod: how it counts, and what it uses if it has a sample.
    pub fn add(&mut self, class: Class, usage_milli: i64) {
        self.add_group(Group { class, pods: 1, usage_milli });
    }

    /// Adds pods that count alike.
    pub fn add_group(&mut self, group: Group) {
        let Group { class, pods, usage_milli } = group;
        match class {
            Class::Ready => {
                self.ready += pods;
                self.usage_milli = self.usage_milli.saturating_add(usage_milli);
            }
            Class::Unready => self.unready += pods,
            Class::Missing => self.missing += pods,
            Class::Ignored => {}
        }
    }
}

/// No pod has a sample that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no metrics of ready pods")]
pub struct NoMetrics;

/// An average over pods against its target (metric type `Pods`).
///
/// Missing pods are taken to use the target when that argues for fewer replicas, and nothing when it argues
/// for more; pods that are not up yet use nothing when it argues for more. What these guesses would turn
/// round is left alone.
///
/// # Errors
/// When no ready pod has a sample.
pub fn from_pods_average(
    current: u32,
    pods: PodUsage,
    target_milli: i64,
    tolerances: Tolerances,
) -> Result<Proposal, NoMetrics> {
    if pods.ready == 0 {
        return Err(NoMetrics);
    }
    let (ratio, average) = average_ratio(pods.usage_milli, pods.ready, target_milli);
    let proposal = |replicas| Ok(Proposal { replicas, usage_milli: average });
    let pads_unready = pods.unready > 0 && ratio > 1.0;
    if pods.missing == 0 && !pads_unready {
        let within = tolerances.cover(ratio);
        return proposal(if within { current } else { ceil(ratio * f64::from(pods.ready)) });
    }
    let guessed = if ratio < 1.0 { target_milli * i64::from(pods.missing) } else { 0 };
    let counted = pods.ready + pods.missing + if pads_unready { pods.unready } else { 0 };
    let (padded, _) = average_ratio(pods.usage_milli + guessed, counted, target_milli);
    proposal(unless_turned(current, ratio, padded, counted, tolerances))
}

/// What the padded ratio proposes, or `current` where the guesses turned the direction round.
pub(super) fn unless_turned(
    current: u32,
    ratio: f64,
    padded: f64,
    counted: u32,
    tolerances: Tolerances,
) -> u32 {
    let turned = (ratio < 1.0 && padded > 1.0) || (ratio > 1.0 && padded < 1.0);
    if turned || tolerances.cover(padded) {
        return current;
    }
    let replicas = ceil(padded * f64::from(counted));
    let contradicts = (padded < 1.0 && replicas > current) || (padded > 1.0 && replicas < current);
    if contradicts { current } else { replicas }
}

/// One value for the whole service against a target value (types `Object` and `External`, target `Value`):
/// scales the ready pods by the ratio. At zero replicas the ratio itself is the answer.
pub fn from_value(
    current: u32,
    ready: u32,
    value_milli: i64,
    target_milli: i64,
    tolerances: Tolerances,
) -> Proposal {
    let ratio = quotient(value_milli, target_milli);
    let replicas = match current {
        0 => ceil(ratio),
        _ if tolerances.cover(ratio) => current,
        _ => ceil(ratio * f64::from(ready)),
    };
    Proposal { replicas, usage_milli: value_milli }
}

/// One value for the whole service against a target per replica (types `Object` and `External`, target
/// `AverageValue`): value over target, whatever is ready. Within the tolerance it proposes the replicas that
/// exist (`status`), not those asked for.
pub fn from_average_value(
    status: u32,
    value_milli: i64,
    target_milli: i64,
    tolerances: Tolerances,
) -> Proposal {
    let ratio = float(value_milli) / (float(target_milli) * f64::from(status));
    let replicas =
        if tolerances.cover(ratio) { status } else { ceil(quotient(value_milli, target_milli)) };
    // Without replicas there is no average: the value itself is reported.
    let average = float(value_milli) / f64::from(status.max(1));
    Proposal { replicas, usage_milli: ceil_milli(average) }
}

/// Ratio to the target, and the average cut off to thousandths, which the ratio rests on.
pub fn average_ratio(sum_milli: i64, pods: u32, target_milli: i64) -> (f64, i64) {
    let average = sum_milli / i64::from(pods);
    (quotient(average, target_milli), average)
}

fn quotient(value_milli: i64, target_milli: i64) -> f64 {
    float(value_milli) / float(target_milli)
}

#[expect(clippy::cast_precision_loss, reason = "upstream divides in floating point too")]
fn float(milli: i64) -> f64 {
    milli as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
pub(super) fn ceil(replicas: f64) -> u32 {
    replicas.ceil().clamp(0.0, MOST_REPLICAS) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, as a report may")]
fn ceil_milli(usage: f64) -> i64 {
    usage.ceil() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ready pods that use `usage` each against a target of 10 (whole units), with others around them.
    #[track_caller]
    fn check_pods(current: u32, usage: &[i64], unready: u32, missing: u32, expected: u32) {
        let pods = PodUsage {
            ready: u32::try_from(usage.len()).unwrap(),
            unready,
            missing,
            usage_milli: usage.iter().sum::<i64>() * 1000,
        };
        let found = from_pods_average(current, pods, 10_000, Tolerances::both(0.1)).unwrap();
        assert_eq!(found.replicas, expected);
    }

    #[test]
    fn a_ratio_within_the_tolerance_keeps_the_count() {
        check_pods(2, &[11, 11], 0, 0, 2);
        check_pods(2, &[12, 11], 0, 0, 3);
        check_pods(2, &[9, 9], 0, 0, 2);
        check_pods(3, &[9, 8, 9], 0, 0, 3);
        check_pods(3, &[6, 6, 6], 0, 0, 2);
    }

    #[test]
    fn pods_on_their_way_damp_a_scale_up() {
        check_pods(4, &[30, 30], 2, 0, 6);
        check_pods(4, &[20, 20], 2, 0, 4);
        check_pods(4, &[19, 19], 2, 0, 4);
    }

    #[test]
    fn pods_on_their_way_do_not_matter_to_a_scale_down() {
        check_pods(4, &[2, 2], 2, 0, 1);
    }

    #[test]
    fn missing_pods_count_as_idle_on_the_way_up_and_as_on_target_on_the_way_down() {
        check_pods(3, &[20, 20], 0, 1, 4);
        check_pods(3, &[5, 5], 0, 1, 2);
        check_pods(4, &[9, 8], 0, 2, 4);
    }

    #[test]
    fn without_a_ready_pod_there_is_no_proposal() {
        let pods = PodUsage { unready: 3, ..PodUsage::default() };
        assert_eq!(from_pods_average(3, pods, 10_000, Tolerances::both(0.1)), Err(NoMetrics));
    }

    #[track_caller]
    fn check_average(status: u32, value: i64, expected: u32) {
        let found = from_average_value(status, value * 1000, 4_000, Tolerances::both(0.1));
        assert_eq!(found.replicas, expected);
    }

    #[test]
    fn a_total_against_a_target_per_replica_does_not_depend_on_readiness() {
        check_average(3, 40, 10);
        check_average(10, 40, 10);
        check_average(10, 44, 10);
        check_average(10, 45, 12);
        check_average(0, 9, 3);
        check_average(0, 0, 0);
    }

    #[track_caller]
    fn check_value(current: u32, ready: u32, value: i64, expected: u32) {
        let found = from_value(current, ready, value * 1000, 10_000, Tolerances::both(0.1));
        assert_eq!(found.replicas, expected);
    }

    #[test]
    fn a_value_scales_the_ready_pods() {
        check_value(4, 4, 20, 8);
        check_value(4, 2, 20, 4);
        check_value(4, 4, 11, 4);
        // Kubernetes issue 130130: with no pod ready, demand of any size proposes none.
        check_value(4, 0, 500, 0);
        check_value(0, 0, 11, 2);
    }

    #[test]
    fn a_proposal_never_exceeds_what_can_be_asked_for() {
        let found = from_value(3, 3, i64::MAX, 1, Tolerances::both(0.1));
        assert_eq!(found.replicas, 2_147_483_647);
    }
}
