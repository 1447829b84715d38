//! One look at a scale target: from what the metrics propose to the count that is written.

use super::behavior::{Behavior, scale_down_limit, scale_up_limit};
use super::controller::Controller;
use super::history::{Events, Recommendation, Windows, stabilise_both, stabilise_down};
use super::replica_calculator::Proposal;
use contract::{Instant, Micros};
use serde::{Deserialize, Serialize};

/// What one HPA is told to do.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Never fewer replicas.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// Rules of speed with their defaults filled in, or none.
    pub behavior: Option<&'a Behavior>,
    /// Whether any metric can be read without a pod (object or external).
    pub sees_zero: bool,
    /// The flags of the controller.
    pub controller: &'a Controller,
}

/// Replica counts of the scale target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Asked for: `spec.replicas`.
    pub spec: u32,
    /// There, ready or not: `status.replicas`.
    pub status: u32,
}

/// What one HPA remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Proposals, in no order; `None` before the first look.
    pub recommendations: Option<Vec<Recommendation>>,
    /// Changes of the count; kept with `behavior` only.
    pub events: Events,
    /// Whether the last rescale went to zero (condition `ScaledToZero`); `None` before any, or without
    /// `scale-to-zero`.
    pub scaled_to_zero: Option<bool>,
}

/// The proposals of several metrics as one: the highest that is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Combined<F> {
    /// The winning metric by its place in the list, and what it proposes.
    pub winner: Option<(usize, Proposal)>,
    /// The first metric that failed, and how.
    pub failed: Option<(usize, F)>,
}

/// Combines proposals, in the order of the metrics.
pub fn combine<F>(proposals: impl Iterator<Item = Result<Proposal, F>>) -> Combined<F> {
    let mut combined = Combined { winner: None, failed: None };
    for (place, proposal) in proposals.enumerate() {
        match proposal {
            Err(failure) => combined.failed = combined.failed.or(Some((place, failure))),
            Ok(found) => {
                let higher = combined
                    .winner
                    .is_none_or(|(_, top)| top.replicas == 0 || found.replicas > top.replicas);
                if higher {
                    combined.winner = Some((place, found));
                }
            }
        }
    }
    combined
}

/// How a reconcile came to its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<F> {
    /// At zero, which only somebody else may leave: metrics are not asked.
    Disabled,
    /// Outside min and max, and brought back without asking the metrics.
    OutOfBounds {
        /// The bound.
        replicas: u32,
    },
    /// Metrics failed so that nothing may be said.
    Abandoned {
        /// The metric's place in the list.
        metric: usize,
        /// How it failed.
        failure: F,
    },
    /// The metrics spoke.
    Decided {
        /// The metric that counts, by its place in the list.
        metric: usize,
        /// What it proposes.
        proposal: Proposal,
        /// After the stabilisation windows.
        stabilised: u32,
        /// After the limits: the count to be.
        replicas: u32,
        /// Which limit applies.
        limit: Limit,
    },
}

impl<F> Verdict<F> {
    /// The count to be; `current` when nothing was decided.
    pub fn replicas(&self, current: u32) -> u32 {
        match *self {
            Self::Disabled | Self::Abandoned { .. } => current,
            Self::OutOfBounds { replicas } | Self::Decided { replicas, .. } => replicas,
        }
    }
}

/// The limit that a stabilised proposal met; named as the reasons of condition `ScalingLimited`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// None.
    DesiredWithinRange,
    /// `max-replicas`.
    TooManyReplicas,
    /// `min-replicas`.
    TooFewReplicas,
    /// The speed allowed upwards.
    ScaleUpLimit,
    /// The speed allowed downwards.
    ScaleDownLimit,
}

/// One reconcile. `measure` asks the metrics; it is called only if they matter.
pub fn reconcile<F>(
    target: &Target<'_>,
    memory: &mut Memory,
    now: Instant,
    scale: Scale,
    measure: impl FnOnce() -> Combined<F>,
) -> Verdict<F> {
    // A controller that has just (re)started holds what it finds for one window.
    let found = Recommendation { at: now, replicas: scale.spec };
    memory.recommendations.get_or_insert_with(|| vec![found]);
    let verdict = judge(target, memory, now, scale, measure);
    let replicas = verdict.replicas(scale.spec);
    if replicas != scale.spec {
        if target.controller.scale_to_zero {
            memory.scaled_to_zero = Some(replicas == 0 && target.min == 0 && target.sees_zero);
        }
        if let Some(behavior) = target.behavior {
            let up = replicas > scale.spec;
            let rules = if up { &behavior.scale_up } else { &behavior.scale_down };
            memory.events.record(scale.spec, replicas, rules, now);
        }
    }
    verdict
}

fn judge<F>(
    target: &Target<'_>,
    memory: &mut Memory,
    now: Instant,
    scale: Scale,
    measure: impl FnOnce() -> Combined<F>,
) -> Verdict<F> {
    let current = scale.spec;
    if current == 0 && !may_leave_zero(target, memory) {
        return Verdict::Disabled;
    }
    if current > target.max {
        return Verdict::OutOfBounds { replicas: target.max };
    }
    if current != 0 && current < target.min {
        return Verdict::OutOfBounds { replicas: target.min };
    }
    let Combined { winner, failed } = measure();
    let (metric, proposal) = match (winner, failed) {
        (Some((metric, proposal)), None) => (metric, proposal),
        // One broken metric never keeps the count from rising.
        (Some((metric, proposal)), Some(_)) if proposal.replicas >= current => (metric, proposal),
        (_, Some((metric, failure))) => return Verdict::Abandoned { metric, failure },
        (None, None) => return Verdict::Disabled,
    };
    let (stabilised, replicas, limit) = match target.behavior {
        None => without_behavior(target, memory, now, current, proposal.replicas),
        Some(behavior) => with_behavior(target, behavior, memory, now, current, proposal.replicas),
    };
    // The rules of `behavior` do not look at min on the way up; who comes from zero has at least that.
    let replicas = if current == 0 { replicas.max(target.min) } else { replicas };
    Verdict::Decided { metric, proposal, stabilised, replicas, limit }
}

/// At zero the metrics are asked only if the HPA itself went there and can see demand from there.
fn may_leave_zero(target: &Target<'_>, memory: &Memory) -> bool {
    let sees = target.min != 0 || target.sees_zero;
    target.controller.scale_to_zero && memory.scaled_to_zero == Some(true) && sees
}

fn without_behavior(
    target: &Target<'_>,
    memory: &mut Memory,
    now: Instant,
    current: u32,
    proposed: u32,
) -> (u32, u32, Limit) {
    let window = target.controller.downscale_stabilization;
    let history = memory.recommendations.get_or_insert_default();
    let stabilised = stabilise_down(history, proposed, window, now);
    let (replicas, limit) = limit_without_behavior(target, current, stabilised);
    (stabilised, replicas, limit)
}

/// Min, max, and at most a multiple of the current count.
pub fn limit_without_behavior(target: &Target<'_>, current: u32, desired: u32) -> (u32, Limit) {
    let controller = target.controller;
    let fast = controller.scale_up_limit_factor * f64::from(current);
    let fast = truncate(fast.max(f64::from(controller.scale_up_limit_minimum)));
    let (cap, cap_limit) = if target.max > fast {
        (fast, Limit::ScaleUpLimit)
    } else {
        (target.max, Limit::TooManyReplicas)
    };
    if desired < target.min {
        (target.min, Limit::TooFewReplicas)
    } else if desired > cap {
        (cap, cap_limit)
    } else {
        (desired, Limit::DesiredWithinRange)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn truncate(replicas: f64) -> u32 {
    replicas.clamp(0.0, f64::from(i32::MAX)) as u32
}

fn with_behavior(
    target: &Target<'_>,
    behavior: &Behavior,
    memory: &mut Memory,
    now: Instant,
    current: u32,
    proposed: u32,
) -> (u32, u32, Limit) {
    let windows = windows(behavior, target.controller.downscale_stabilization);
    let history = memory.recommendations.get_or_insert_default();
    let stabilised = stabilise_both(history, current, proposed, windows, now);
    let (replicas, limit) =
        limit_with_behavior(target, behavior, &memory.events, now, current, stabilised);
    (stabilised, replicas, limit)
}

/// The windows of a behaviour; the way down falls back to the controller's.
pub fn windows(behavior: &Behavior, downscale_stabilization: Micros) -> Windows {
    Windows {
        up: behavior.scale_up.stabilization_window.unwrap_or_default(),
        down: behavior.scale_down.stabilization_window.unwrap_or(downscale_stabilization),
    }
}

/// Min, max and the rules of speed. On the way up min is not looked at, on the way down max is not.
pub fn limit_with_behavior(
    target: &Target<'_>,
    behavior: &Behavior,
    events: &Events,
    now: Instant,
    current: u32,
    desired: u32,
) -> (u32, Limit) {
    if desired > current {
        let allowed = scale_up_limit(current, events, &behavior.scale_up, now).max(current);
        let (cap, limit) = if target.max > allowed {
            (allowed, Limit::ScaleUpLimit)
        } else {
            (target.max, Limit::TooManyReplicas)
        };
        if desired > cap {
            return (cap, limit);
        }
    } else if desired < current {
        let allowed = scale_down_limit(current, events, &behavior.scale_down, now).min(current);
        let (floor, limit) = if target.min < allowed {
            (allowed, Limit::ScaleDownLimit)
        } else {
            (target.min, Limit::TooFewReplicas)
        };
        if desired < floor {
            return (floor, limit);
        }
    }
    (desired, Limit::DesiredWithinRange)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::at;
    use proptest::prelude::*;

    /// Counts after each sync of 15 s, given what the metric proposes at each.
    #[track_caller]
    fn check(start: u32, behavior: Option<&Behavior>, proposed: &[u32], expected: &[u32]) {
        let behavior = behavior.map(Behavior::with_defaults);
        let target = Target {
            min: 1,
            max: 50,
            behavior: behavior.as_ref(),
            sees_zero: false,
            controller: &Controller::default(),
        };
        let (mut memory, mut current) = (Memory::default(), start);
        let mut found = Vec::new();
        for (sync, &replicas) in (1..).zip(proposed) {
            let scale = Scale { spec: current, status: current };
            let measure =
                || combine::<()>(std::iter::once(Ok(Proposal { replicas, usage_milli: 0 })));
            let verdict = reconcile(&target, &mut memory, at(15 * sync), scale, measure);
            current = verdict.replicas(current);
            found.push(current);
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn without_behavior_up_is_fast_and_down_waits_for_the_window() {
        // Syncs 15 s apart: the proposal of 15 s counts until and at 315 s, the 21st sync.
        let mut proposed = vec![20];
        proposed.extend([2; 22]);
        let mut expected = vec![4, 8, 16];
        expected.extend([20; 18]);
        expected.extend([2; 2]);
        check(2, None, &proposed, &expected);
    }

    #[test]
    fn with_behavior_and_no_window_down_is_as_fast_as_the_rules_allow() {
        let mut behavior = Behavior::default();
        behavior.scale_down.stabilization_window = Some(Micros::ZERO);
        check(20, Some(&behavior), &[10, 2, 30], &[10, 2, 6]);
    }

    #[test]
    fn a_count_outside_its_bounds_comes_back_without_asking() {
        check(60, None, &[60], &[50]);
    }

    proptest! {
        #[test]
        fn counts_stay_within_their_bounds_and_fall_only_as_far_as_the_window_allows(
            start in 2_u32..=40,
            proposed in prop::collection::vec(0_u32..80, 1..60),
            windows in prop::option::of((0_u64..5, 0_u64..20)),
        ) {
            let behavior = windows.map(|(up, down)| {
                let mut behavior = Behavior::default();
                behavior.scale_up.stabilization_window = Some(Micros::from_secs(15 * up));
                behavior.scale_down.stabilization_window = Some(Micros::from_secs(15 * down));
                behavior.with_defaults()
            });
            let controller = Controller::default();
            let target = Target {
                min: 2,
                max: 40,
                behavior: behavior.as_ref(),
                sees_zero: false,
                controller: &controller,
            };
            let (mut memory, mut current, mut past) = (Memory::default(), start, vec![(at(15), start)]);
            for (sync, replicas) in (1..).zip(proposed) {
                let (now, scale) = (at(15 * sync), Scale { spec: current, status: current });
                let measure = || combine::<()>(std::iter::once(Ok(Proposal { replicas, usage_milli: 0 })));
                let next = reconcile(&target, &mut memory, now, scale, measure).replicas(current);
                prop_assert!((2..=40).contains(&next));
                past.push((now, replicas));
                let window = windows.map_or(Micros::from_mins(5), |(_, down)| Micros::from_secs(15 * down));
                // Without `behavior` the far end of the window belongs to it.
                let inside = |age| if windows.is_some() { age < window } else { age <= window };
                let held = past.iter().filter(|(since, _)| inside(now.since(*since)));
                let ceiling = held.map(|&(_, count)| count).max().unwrap_or(replicas).max(replicas);
                prop_assert!(next >= current.min(ceiling).min(40), "{current} -> {next}, window {ceiling}");
                current = next;
            }
        }
    }

    #[test]
    fn from_zero_it_comes_to_the_minimum_that_was_raised_meanwhile() {
        let behavior = Behavior::default().with_defaults();
        let controller = Controller { scale_to_zero: true, ..Controller::default() };
        for behavior in [None, Some(&behavior)] {
            let target =
                Target { min: 3, max: 50, behavior, sees_zero: true, controller: &controller };
            let mut memory = Memory {
                recommendations: Some(vec![]),
                scaled_to_zero: Some(true),
                ..Memory::default()
            };
            let scale = Scale { spec: 0, status: 0 };
            let verdict = reconcile(&target, &mut memory, at(15), scale, || combined(&[Ok(1)]));
            assert_eq!(verdict.replicas(0), 3);
        }
    }

    fn combined(proposals: &[Result<u32, &'static str>]) -> Combined<&'static str> {
        let proposal = |replicas| Proposal { replicas, usage_milli: 0 };
        combine(proposals.iter().map(|found| found.map(proposal)))
    }

    /// At 5 replicas, with these metrics: what comes out?
    #[track_caller]
    fn check_metrics(proposals: &[Result<u32, &'static str>], expected: u32) {
        let controller =
            Controller { downscale_stabilization: Micros::ZERO, ..Controller::default() };
        let target =
            Target { min: 1, max: 50, behavior: None, sees_zero: false, controller: &controller };
        let mut memory = Memory { recommendations: Some(vec![]), ..Memory::default() };
        let scale = Scale { spec: 5, status: 5 };
        let verdict = reconcile(&target, &mut memory, at(15), scale, || combined(proposals));
        assert_eq!(verdict.replicas(5), expected);
    }

    #[test]
    fn the_highest_of_several_metrics_counts() {
        check_metrics(&[Ok(3), Ok(7), Ok(4)], 7);
    }

    #[test]
    fn a_broken_metric_blocks_the_way_down_but_not_the_way_up() {
        check_metrics(&[Ok(3), Err("gone")], 5);
        check_metrics(&[Ok(7), Err("gone")], 7);
        check_metrics(&[Err("gone")], 5);
    }
}
