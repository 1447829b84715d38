//! Why an HPA did what it did, in a few words and numbers.

use super::metrics::{MetricFailure, from_milli};
use super::reconcile::{Limit, Scale, Verdict};
use contract::Reason;
use std::cmp::Ordering;

/// The reason of a verdict: what was measured against which target, the count that was proposed, and what
/// stood in its way.
pub(super) fn reason(
    verdict: &Verdict<MetricFailure>,
    scale: Scale,
    named: impl Fn(usize) -> (&'static str, f64),
) -> Reason {
    let count = |reason: Reason| reason.with("replicas", f64::from(scale.spec));
    match *verdict {
        Verdict::Disabled => Reason::new("at zero, which this autoscaler does not leave"),
        Verdict::OutOfBounds { replicas } if replicas < scale.spec => {
            count(Reason::new("above the maximum"))
        }
        Verdict::OutOfBounds { .. } => count(Reason::new("below the minimum")),
        Verdict::Abandoned { failure, .. } => count(Reason::new(failed(failure))),
        Verdict::Decided { metric, proposal, stabilised, replicas, limit } => {
            let words = decided(scale.spec, proposal.replicas, stabilised, replicas, limit);
            let (name, target) = named(metric);
            count(
                Reason::new(words)
                    .with(name, from_milli(proposal.usage_milli))
                    .with("target", target),
            )
            .with("proposed", f64::from(proposal.replicas))
        }
    }
}

fn failed(failure: MetricFailure) -> &'static str {
    match failure {
        MetricFailure::FailedGetResourceMetric | MetricFailure::FailedGetPodsMetric => {
            "no ready pod has a sample"
        }
        MetricFailure::FailedGetExternalMetric => "the service has no sample",
    }
}

fn decided(
    current: u32,
    proposed: u32,
    stabilised: u32,
    replicas: u32,
    limit: Limit,
) -> &'static str {
    use Ordering::{Equal, Greater, Less};
    match (replicas.cmp(&current), proposed.cmp(&current), limit) {
        (Greater, Greater, Limit::DesiredWithinRange) if stabilised < proposed => {
            "above target, slowed by the window"
        }
        (Greater, Greater, Limit::DesiredWithinRange) => "above target",
        (Greater, Greater, Limit::TooManyReplicas) => "above target, up to the maximum",
        (Greater, Greater, _) => "above target, as fast as allowed",
        // Earlier proposals were cut off by the limits and still stand in the window.
        (Greater, ..) => "earlier demand still in the window",
        (Less, _, Limit::DesiredWithinRange) if stabilised > proposed => {
            "below target, slowed by the window"
        }
        (Less, _, Limit::DesiredWithinRange) => "below target",
        (Less, _, Limit::TooFewReplicas) => "below target, down to the minimum",
        (Less, ..) => "below target, as fast as allowed",
        (Equal, Equal, _) => "on target",
        (Equal, Greater, Limit::TooManyReplicas) => "above target, at the maximum",
        (Equal, Greater, Limit::ScaleUpLimit) => "above target, no faster allowed",
        (Equal, Greater, _) => "above target, waiting for the window",
        (Equal, Less, Limit::TooFewReplicas) => "below target, at the minimum",
        (Equal, Less, Limit::ScaleDownLimit) => "below target, no faster allowed",
        (Equal, Less, _) => "below target, waiting for the window",
    }
}
