//! Conditions: how upstream shows in an HPA's status what it decided.

use super::reconcile::{Limit, Memory, Verdict};

/// A condition: true or false, and a reason of one word.
pub type Condition<'a> = (bool, &'a str);

/// The conditions that a reconcile sets; `None` leaves a condition as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions<'a> {
    /// Whether the scale could be read and written.
    pub able_to_scale: Condition<'a>,
    /// Whether metrics drive the count.
    pub scaling_active: Option<Condition<'a>>,
    /// Whether a limit holds the count.
    pub scaling_limited: Option<Condition<'a>>,
    /// Whether the HPA itself went to zero.
    pub scaled_to_zero: Option<Condition<'a>>,
}

impl<'a> Conditions<'a> {
    /// After a reconcile from `current`. `failed` names a failed metric as upstream does.
    pub fn of<F>(
        verdict: &Verdict<F>,
        current: u32,
        has_behavior: bool,
        memory: &Memory,
        failed: impl FnOnce(&F) -> &'a str,
    ) -> Self {
        let scaling_active = match verdict {
            Verdict::Disabled => Some((false, "ScalingDisabled")),
            Verdict::OutOfBounds { .. } => None,
            Verdict::Abandoned { failure, .. } => Some((false, failed(failure))),
            Verdict::Decided { .. } => Some((true, "ValidMetricFound")),
        };
        let scaling_limited = match verdict {
            Verdict::Decided { limit, .. } => {
                Some((*limit != Limit::DesiredWithinRange, limit.name()))
            }
            _ => None,
        };
        let scaled_to_zero = memory
            .scaled_to_zero
            .map(|zero| (zero, if zero { "ScaledToZero" } else { "NotScaledToZero" }));
        let able_to_scale = (true, able_to_scale(verdict, current, has_behavior));
        Self { able_to_scale, scaling_active, scaling_limited, scaled_to_zero }
    }
}

fn able_to_scale<F>(verdict: &Verdict<F>, current: u32, has_behavior: bool) -> &'static str {
    if verdict.replicas(current) != current {
        return "SucceededRescale";
    }
    match verdict {
        Verdict::Decided { proposal, stabilised, .. } if *stabilised != proposal.replicas => {
            let up = has_behavior && proposal.replicas >= current;
            if up { "ScaleUpStabilized" } else { "ScaleDownStabilized" }
        }
        Verdict::Decided { .. } => "ReadyForNewScale",
        _ => "SucceededGetScale",
    }
}

impl Limit {
    /// Upstream's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::DesiredWithinRange => "DesiredWithinRange",
            Self::TooManyReplicas => "TooManyReplicas",
            Self::TooFewReplicas => "TooFewReplicas",
            Self::ScaleUpLimit => "ScaleUpLimit",
            Self::ScaleDownLimit => "ScaleDownLimit",
        }
    }
}
