//! Between zero and some: what KEDA's operator does with a `ScaledObject` at each poll.

use contract::Micros;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What holds for a `ScaledObject` all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `minReplicaCount`.
    pub min: u32,
    /// `idleReplicaCount`.
    pub idle: Option<u32>,
    /// How long no trigger must have been active before the rest is allowed.
    pub cooldown: Micros,
    /// The same since creation, for an object that has never been active.
    pub initial_cooldown: Micros,
    /// What a fallback asks for, if there is one.
    pub fallback_replicas: Option<u32>,
    /// Switches that people set on the object.
    pub annotations: Annotations,
}

/// Switches that people set on a `ScaledObject` (`autoscaling.keda.sh/...`).
#[expect(clippy::struct_excessive_bools, reason = "annotations are independent of each other")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Annotations {
    /// Nothing is scaled: `paused`.
    pub paused: bool,
    /// The count is set to this and stays: `paused-replicas`.
    pub paused_replicas: Option<u32>,
    /// The count never falls: `paused-scale-in`.
    pub paused_scale_in: bool,
    /// The count never rises: `paused-scale-out`.
    pub paused_scale_out: bool,
    /// Counts as active whatever the triggers say: `force-activation`.
    pub force_activation: bool,
}

impl Annotations {
    /// Whether the text of a switch turns it on: all but Go's words for false do, misspelt ones too.
    pub fn is_on(text: &str) -> bool {
        !matches!(text, "0" | "f" | "F" | "false" | "FALSE" | "False")
    }

    /// Whether polls and the generated HPA stand still.
    pub fn is_paused(&self) -> bool {
        self.paused || self.paused_replicas.is_some()
    }
}

/// What a poll finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    /// A trigger is above its activation threshold.
    pub active: bool,
    /// A trigger could not be read.
    pub error: bool,
    /// `spec.replicas`.
    pub current: u32,
    /// Since the last stamp of activity; `None` if there was none.
    pub since_active: Option<Micros>,
    /// Since the object was made.
    pub since_creation: Micros,
}

/// What a poll does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The count to write, if any.
    pub write: Option<u32>,
    /// Whether activity is stamped.
    pub stamp: bool,
    /// Whether the object counts as active; `None` while it is paused.
    pub active: Option<bool>,
    /// Why.
    pub cause: Cause,
}

/// Why a poll does what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Paused by annotation.
    Paused,
    /// A trigger is active and the target rests: wake it.
    Woken,
    /// A trigger is active; the HPA does the rest.
    Active,
    /// Should wake, but scaling out is paused.
    ScaleOutPaused,
    /// No trigger is active for as long as the cooldown: to rest.
    Cooled,
    /// No trigger is active, not long enough yet.
    CoolingDown,
    /// Should rest, but scaling in is paused.
    ScaleInPaused,
    /// Below the minimum.
    BelowMinimum,
    /// At rest.
    Resting,
    /// A trigger could not be read, and the fallback looks after the count.
    FallingBack,
    /// A trigger could not be read (condition `Ready`: `TriggerError`).
    TriggerError,
    /// A trigger could not be read while another is active (`PartialTriggerError`).
    PartialTriggerError,
}

/// Where a target rests when nothing is active: idle count if set, else the minimum.
pub fn rest_replicas(idle: Option<u32>, min: u32) -> u32 {
    idle.unwrap_or(min)
}

/// One poll.
pub fn poll(rules: &Rules, poll: Poll) -> Outcome {
    if rules.annotations.is_paused() {
        let write = rules.annotations.paused_replicas.filter(|&count| count != poll.current);
        return Outcome { write, stamp: false, active: None, cause: Cause::Paused };
    }
    let active = poll.active || rules.annotations.force_activation;
    if active { while_active(rules, poll) } else { while_inactive(rules, poll) }
}

fn while_active(rules: &Rules, poll: Poll) -> Outcome {
    let outcome = |write, stamp, cause| Outcome { write, stamp, active: Some(true), cause };
    let rests = poll.current == 0 || (rules.idle.is_some() && poll.current < rules.min);
    match (rests, rules.annotations.paused_scale_out) {
        (true, false) => outcome(Some(rules.min.max(1)), true, Cause::Woken),
        (true, true) => outcome(None, false, Cause::ScaleOutPaused),
        (false, _) if poll.error => outcome(None, false, Cause::PartialTriggerError),
        (false, _) => outcome(None, true, Cause::Active),
    }
}

fn while_inactive(rules: &Rules, poll: Poll) -> Outcome {
    let (write, cause) = rest_or_keep(rules, poll);
    Outcome { write, stamp: false, active: Some(false), cause }
}

fn rest_or_keep(rules: &Rules, poll: Poll) -> (Option<u32>, Cause) {
    match rules.fallback_replicas {
        None if poll.error => return (None, Cause::TriggerError),
        // A fallback to no replicas does not keep the target from resting.
        Some(1..) if poll.error => return (None, Cause::FallingBack),
        _ => {}
    }
    let above_idle = rules.idle.is_some_and(|idle| poll.current > idle);
    if above_idle || (poll.current > 0 && rules.min == 0) {
        return match (rules.annotations.paused_scale_in, has_cooled(rules, poll)) {
            (true, _) => (None, Cause::ScaleInPaused),
            (false, true) => (Some(rest_replicas(rules.idle, rules.min)), Cause::Cooled),
            (false, false) => (None, Cause::CoolingDown),
        };
    }
    if rules.idle.is_none() && poll.current < rules.min {
        return (Some(rules.min), Cause::BelowMinimum);
    }
    (None, Cause::Resting)
}

/// Strictly longer than the cooldown.
fn has_cooled(rules: &Rules, poll: Poll) -> bool {
    match poll.since_active {
        Some(since) => since > rules.cooldown,
        None => poll.since_creation > rules.initial_cooldown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(min: u32, idle: Option<u32>) -> Rules {
        Rules {
            min,
            idle,
            cooldown: Micros::from_secs(300),
            initial_cooldown: Micros::ZERO,
            fallback_replicas: None,
            annotations: Annotations::default(),
        }
    }

    fn inactive(current: u32, since_active: Option<u64>) -> Poll {
        Poll {
            active: false,
            error: false,
            current,
            since_active: since_active.map(Micros::from_secs),
            since_creation: Micros::from_secs(1_000),
        }
    }

    #[track_caller]
    fn check(rules: &Rules, found: Poll, write: Option<u32>, cause: Cause) {
        let outcome = poll(rules, found);
        assert_eq!((outcome.write, outcome.cause), (write, cause));
    }

    #[test]
    fn activity_wakes_a_target_at_zero_and_leaves_others_to_the_hpa() {
        let active = |current| Poll { active: true, ..inactive(current, None) };
        check(&rules(0, None), active(0), Some(1), Cause::Woken);
        check(&rules(4, None), active(0), Some(4), Cause::Woken);
        check(&rules(0, None), active(3), None, Cause::Active);
        check(&rules(5, Some(0)), active(2), Some(5), Cause::Woken);
    }

    #[test]
    fn rest_comes_after_the_cooldown_and_from_any_count() {
        check(&rules(0, None), inactive(7, Some(300)), None, Cause::CoolingDown);
        check(&rules(0, None), inactive(7, Some(301)), Some(0), Cause::Cooled);
        check(&rules(3, Some(1)), inactive(7, Some(301)), Some(1), Cause::Cooled);
        check(&rules(3, None), inactive(7, Some(301)), None, Cause::Resting);
    }

    #[test]
    fn a_new_object_without_traffic_is_dropped_at_once_by_default() {
        // kedacore/keda issue 5008.
        check(&rules(0, None), inactive(3, None), Some(0), Cause::Cooled);
        let patient = Rules { initial_cooldown: Micros::from_secs(1_000), ..rules(0, None) };
        check(&patient, inactive(3, None), None, Cause::CoolingDown);
    }

    #[test]
    fn an_error_keeps_the_count() {
        let error = Poll { error: true, ..inactive(1, Some(400)) };
        check(&rules(0, None), error, None, Cause::TriggerError);
        let partial = Poll { active: true, ..error };
        check(&rules(0, None), partial, None, Cause::PartialTriggerError);
        assert!(!poll(&rules(0, None), partial).stamp);
        let falling_back = |replicas| Rules { fallback_replicas: Some(replicas), ..rules(0, None) };
        check(&falling_back(6), error, None, Cause::FallingBack);
        check(&falling_back(0), error, Some(0), Cause::Cooled);
    }

    #[test]
    fn a_switch_is_off_only_by_a_word_for_false() {
        assert!(["true", "1", "yes", ""].into_iter().all(Annotations::is_on));
        assert!(!["false", "0", "F"].into_iter().any(Annotations::is_on));
    }

    #[test]
    fn annotations_hold_the_count() {
        let paused = |annotations| Rules { annotations, ..rules(0, None) };
        let annotations = Annotations { paused_scale_in: true, ..Annotations::default() };
        check(&paused(annotations), inactive(3, Some(301)), None, Cause::ScaleInPaused);
        let annotations = Annotations { paused_replicas: Some(5), ..Annotations::default() };
        check(&paused(annotations), inactive(3, Some(301)), Some(5), Cause::Paused);
        check(&paused(annotations), inactive(5, Some(301)), None, Cause::Paused);
        let annotations = Annotations { force_activation: true, ..Annotations::default() };
        check(&paused(annotations), inactive(0, Some(301)), Some(1), Cause::Woken);
    }
}
