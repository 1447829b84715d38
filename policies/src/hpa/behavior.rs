//! `behavior`: how fast the count may move, as users write it and with upstream's defaults filled in.

use super::history::{Events, sum_within};
use crate::Invalid;
use crate::invalid::{ensure, ensure_not_negative};
use contract::{Instant, Micros};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest period of a policy (upstream: `MaxPeriodSeconds`).
const MAX_PERIOD: Micros = Micros::from_secs(1800);

/// The longest stabilisation window (upstream: `MaxStabilizationWindowSeconds`).
const MAX_WINDOW: Micros = Micros::from_secs(3600);

/// Rules by direction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Behavior {
    /// Towards more replicas.
    pub scale_up: Rules,
    /// Towards fewer.
    pub scale_down: Rules,
}

/// Rules of one direction; what is left out takes the default of that direction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Rules {
    /// How far back proposals count: up takes the lowest of them, down the highest. Up: none; down: the
    /// controller's `downscale-stabilization`.
    pub stabilization_window: Option<Micros>,
    /// Which policy counts when there are several; the biggest change if left out.
    pub select_policy: Option<SelectPolicy>,
    /// Limits on the change within a period. Up: 4 pods or 100 % in 15 s; down: 100 % in 15 s.
    pub policies: Option<Vec<ScalingPolicy>>,
    /// How far from the target the metric may be, as a share; the controller's `tolerance` if left out.
    pub tolerance: Option<f64>,
}

/// Which of several policies counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SelectPolicy {
    /// The one that allows the biggest change.
    #[default]
    Max,
    /// The one that allows the smallest change.
    Min,
    /// None: the count does not move in this direction.
    Disabled,
}

/// A limit on the change within a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScalingPolicy {
    /// What `value` counts.
    #[serde(rename = "type")]
    pub kind: PolicyKind,
    /// How much may change.
    pub value: u32,
    /// Within which time.
    pub period: Micros,
}

/// What a policy's value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    /// Pods.
    Pods,
    /// Per cent of the replicas at the start of the period.
    Percent,
}

impl Behavior {
    /// With the defaults of each direction filled in, save the window of the way down, which is the
    /// controller's.
    #[must_use]
    pub fn with_defaults(&self) -> Self {
        Self { scale_up: self.scale_up.or_up(), scale_down: self.scale_down.or_down() }
    }

    /// Checks what types cannot.
    pub fn validate(&self) -> Result<(), Invalid> {
        self.scale_up.validate().map_err(|error| error.inside("scale-up"))?;
        self.scale_down.validate().map_err(|error| error.inside("scale-down"))
    }
}

impl Rules {
    /// With upstream's defaults for scaling up.
    #[must_use]
    pub fn or_up(&self) -> Self {
        let period = Micros::from_secs(15);
        let policies = vec![
            ScalingPolicy { kind: PolicyKind::Pods, value: 4, period },
            ScalingPolicy { kind: PolicyKind::Percent, value: 100, period },
        ];
        let window = self.stabilization_window.or(Some(Micros::ZERO));
        Self { stabilization_window: window, ..self.or(policies) }
    }

    /// With upstream's defaults for scaling down.
    #[must_use]
    pub fn or_down(&self) -> Self {
        let period = Micros::from_secs(15);
        self.or(vec![ScalingPolicy { kind: PolicyKind::Percent, value: 100, period }])
    }

    fn or(&self, policies: Vec<ScalingPolicy>) -> Self {
        Self {
            stabilization_window: self.stabilization_window,
            select_policy: Some(self.select_policy.unwrap_or_default()),
            policies: Some(self.policies.clone().unwrap_or(policies)),
            tolerance: self.tolerance,
        }
    }

    /// The longest period of its policies: older events do not matter.
    pub fn longest_period(&self) -> Micros {
        self.limits().iter().map(|policy| policy.period).max().unwrap_or_default()
    }

    fn limits(&self) -> &[ScalingPolicy] {
        self.policies.as_deref().unwrap_or_default()
    }

    fn validate(&self) -> Result<(), Invalid> {
        let window = self.stabilization_window.unwrap_or_default();
        ensure(
            window <= MAX_WINDOW,
            "stabilization-window",
            window,
            format!("at most `{MAX_WINDOW}`"),
        )?;
        if let Some(tolerance) = self.tolerance {
            ensure_not_negative("tolerance", tolerance)?;
        }
        let Some(policies) = &self.policies else { return Ok(()) };
        ensure(!policies.is_empty(), "policies", "[]", "at least one policy, or no key at all")?;
        for (place, policy) in policies.iter().enumerate() {
            policy.validate().map_err(|error| error.inside(format!("policies[{place}]")))?;
        }
        Ok(())
    }
}

impl ScalingPolicy {
    fn validate(&self) -> Result<(), Invalid> {
        ensure(self.value > 0, "value", self.value, "at least 1")?;
        let fits = self.period > Micros::ZERO && self.period <= MAX_PERIOD;
        ensure(fits, "period", self.period, format!("more than none, at most `{MAX_PERIOD}`"))
    }
}

/// The most replicas that the rules allow now, in truth `current` or more.
pub fn scale_up_limit(current: u32, events: &Events, rules: &Rules, now: Instant) -> u32 {
    let proposals = rules.limits().iter().map(|policy| {
        let start = start_of_period(current, events, policy.period, now);
        to_replicas(match policy.kind {
            PolicyKind::Pods => start + f64::from(policy.value),
            // This order of operations, rounding errors and all: 10 % of 50 allows 56.
            PolicyKind::Percent => (start * (1.0 + f64::from(policy.value) / 100.0)).ceil(),
        })
    });
    select(rules, current, proposals.clone().max(), proposals.min())
}

/// The fewest replicas that the rules allow now.
pub fn scale_down_limit(current: u32, events: &Events, rules: &Rules, now: Instant) -> u32 {
    let proposals = rules.limits().iter().map(|policy| {
        let start = start_of_period(current, events, policy.period, now);
        to_replicas(match policy.kind {
            PolicyKind::Pods => start - f64::from(policy.value),
            PolicyKind::Percent => (start * (1.0 - f64::from(policy.value) / 100.0)).trunc(),
        })
    });
    select(rules, current, proposals.clone().min(), proposals.max())
}

fn select(rules: &Rules, current: u32, biggest: Option<u32>, smallest: Option<u32>) -> u32 {
    let chosen = match rules.select_policy.unwrap_or_default() {
        SelectPolicy::Max => biggest,
        SelectPolicy::Min => smallest,
        SelectPolicy::Disabled => None,
    };
    chosen.unwrap_or(current)
}

/// How many replicas there were a period ago: what was added since is taken off, what was removed is put back.
fn start_of_period(current: u32, events: &Events, period: Micros, now: Instant) -> f64 {
    let added = sum_within(&events.up, period, now);
    let removed = sum_within(&events.down, period, now);
    f64::from(current) - f64::from(added) + f64::from(removed)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn to_replicas(replicas: f64) -> u32 {
    replicas.clamp(0.0, f64::from(i32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hpa::history::ScaleEvent;
    use crate::samples::at;

    /// Events of `(seconds ago, replicas added)`; less than zero is removed.
    fn events(changes: &[(u64, i32)]) -> Events {
        let mut events = Events::default();
        for &(age, change) in changes {
            let event =
                ScaleEvent { at: at(1000 - age), change: change.unsigned_abs(), outdated: false };
            if change > 0 { events.up.push(event) } else { events.down.push(event) }
        }
        events
    }

    fn rules(select_policy: SelectPolicy, policies: &[(PolicyKind, u32, u64)]) -> Rules {
        let policy = |&(kind, value, period)| ScalingPolicy {
            kind,
            value,
            period: Micros::from_secs(period),
        };
        Rules {
            select_policy: Some(select_policy),
            policies: Some(policies.iter().map(policy).collect()),
            ..Rules::default()
        }
    }

    #[track_caller]
    fn check_up(current: u32, changes: &[(u64, i32)], rules: &Rules, expected: u32) {
        assert_eq!(scale_up_limit(current, &events(changes), rules, at(1000)), expected);
    }

    #[track_caller]
    fn check_down(current: u32, changes: &[(u64, i32)], rules: &Rules, expected: u32) {
        assert_eq!(scale_down_limit(current, &events(changes), rules, at(1000)), expected);
    }

    #[test]
    fn a_change_counts_until_the_period_is_over() {
        let four_a_minute = rules(SelectPolicy::Max, &[(PolicyKind::Pods, 4, 60)]);
        check_up(10, &[(59, 3)], &four_a_minute, 11);
        check_up(10, &[(60, 3)], &four_a_minute, 14);
        check_down(10, &[(59, -3)], &four_a_minute, 9);
        check_down(10, &[(60, -3)], &four_a_minute, 6);
    }

    #[test]
    fn changes_of_both_directions_count() {
        let four_a_minute = rules(SelectPolicy::Max, &[(PolicyKind::Pods, 4, 60)]);
        check_up(10, &[(30, 3), (20, -2)], &four_a_minute, 13);
    }

    #[test]
    fn max_takes_the_biggest_change_and_min_the_smallest() {
        let policies = [(PolicyKind::Pods, 4, 15), (PolicyKind::Percent, 100, 15)];
        check_up(10, &[], &rules(SelectPolicy::Max, &policies), 20);
        check_up(10, &[], &rules(SelectPolicy::Min, &policies), 14);
        check_up(2, &[], &rules(SelectPolicy::Max, &policies), 6);
        check_down(10, &[], &rules(SelectPolicy::Max, &policies), 0);
        check_down(10, &[], &rules(SelectPolicy::Min, &policies), 6);
        check_up(10, &[], &rules(SelectPolicy::Disabled, &policies), 10);
    }

    #[test]
    fn percentages_round_away_from_the_limit_of_whole_pods_as_upstream_does() {
        let ten_percent = rules(SelectPolicy::Max, &[(PolicyKind::Percent, 10, 60)]);
        check_up(50, &[], &ten_percent, 56);
        check_up(100, &[], &ten_percent, 111);
        check_down(15, &[], &ten_percent, 13);
    }
}
