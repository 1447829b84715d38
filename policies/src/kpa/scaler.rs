//! From a decision to the replicas that are written: bounds, and the way to zero.

use contract::{Instant, Micros};
use serde::{Deserialize, Serialize};

/// Added to the progress deadline before a revision that does not come up is given up (upstream:
/// `activationTimeoutBuffer`).
const ACTIVATION_BUFFER: Micros = Micros::from_secs(30);

/// What a scaler is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalerSpec {
    /// Never fewer replicas.
    pub min_scale: u32,
    /// Never more; 0 is no limit.
    pub max_scale: u32,
    /// Replicas to reach first.
    pub initial_scale: u32,
    /// Whether zero is allowed.
    pub enable_scale_to_zero: bool,
    /// How long a revision must have been active before it may rest.
    pub stable_window: Micros,
    /// How long the activator must have been in the path before the last pod goes.
    pub scale_to_zero_grace: Micros,
    /// How long the last pod stays at least.
    pub last_pod_retention: Micros,
    /// How long a revision may take to come up.
    pub progress_deadline: Micros,
    /// Whether the activator is in the path all the time (target burst capacity -1).
    pub always_proxied: bool,
    /// Whether traffic can reach the revision, if that is known.
    pub reachability: Reachability,
}

/// Whether traffic can reach a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reachability {
    /// Not known yet.
    Unknown,
    /// It can.
    Reachable,
    /// No route leads to it.
    Unreachable,
}

/// A revision's activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    /// It gets traffic, but too few pods are ready.
    Activating,
    /// It serves.
    Active,
    /// It rests.
    Inactive,
}

/// What the scaler finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Replicas asked for.
    pub current: u32,
    /// Its activity.
    pub activity: Activity,
    /// For how long.
    pub in_that_state: Micros,
    /// Whether it has reached its initial scale once.
    pub initialised: bool,
    /// Whether requests go through the activator.
    pub proxied: bool,
    /// For how long.
    pub proxied_for: Micros,
    /// Whether the activator answers a probe.
    pub activator_answers: bool,
}

/// What the scaler does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scaled {
    /// What the revision is to have; `None` is not known.
    pub scale: Option<u32>,
    /// Whether that is written.
    pub writes: bool,
    /// Whether it wants to look again by itself.
    pub looks_again: bool,
    /// Whether it keeps probing the activator.
    pub keeps_probing: bool,
}

/// Applies a decision; `desired` is `None` while there is none.
pub fn apply_scale(spec: &ScalerSpec, revision: &Revision, desired: Option<u32>) -> Scaled {
    if desired.is_none() && revision.activity != Activity::Activating {
        return Scaled::default();
    }
    let (min, max) = bounds(spec, revision);
    let desired = desired.unwrap_or(0).max(min);
    let desired = if max > 0 && desired > max && desired > min { max } else { desired };
    let mut scaled = Scaled { scale: Some(desired), ..Scaled::default() };
    let may_write = if desired == 0 { way_to_zero(spec, revision, &mut scaled) } else { true };
    scaled.writes = may_write && scaled.scale != Some(revision.current);
    scaled
}

/// Bounds of the count: a revision that nothing can reach has no minimum; one that has not come up yet has its
/// initial scale.
fn bounds(spec: &ScalerSpec, revision: &Revision) -> (u32, u32) {
    let unreachable = spec.reachability == Reachability::Unreachable;
    let min = if unreachable { 0 } else { spec.min_scale };
    let coming_up = spec.initial_scale > 1 && !revision.initialised && !unreachable;
    (if coming_up { min.max(spec.initial_scale) } else { min }, spec.max_scale)
}

/// Whether the wish for zero may be written, changed or not.
fn way_to_zero(spec: &ScalerSpec, revision: &Revision, scaled: &mut Scaled) -> bool {
    if !spec.enable_scale_to_zero {
        scaled.scale = Some(1);
        return true;
    }
    match revision.activity {
        Activity::Activating => give_up(spec, revision, scaled),
        Activity::Active => rest(spec, revision, scaled),
        Activity::Inactive => leave(spec, revision, scaled),
    }
}

/// A revision that comes up is left alone until its deadline.
fn give_up(spec: &ScalerSpec, revision: &Revision, scaled: &mut Scaled) -> bool {
    let late = revision.in_that_state > spec.progress_deadline + ACTIVATION_BUFFER;
    if !late {
        scaled.scale = None;
        scaled.looks_again = true;
    }
    late
}

/// An active revision goes to one pod, and is told to rest after a stable window.
fn rest(spec: &ScalerSpec, revision: &Revision, scaled: &mut Scaled) -> bool {
    if revision.in_that_state >= spec.stable_window {
        scaled.looks_again = revision.proxied;
        return false;
    }
    scaled.scale = Some(1);
    scaled.looks_again = true;
    true
}

/// The last pod of a resting revision goes once the activator has been in the path for the grace.
fn leave(spec: &ScalerSpec, revision: &Revision, scaled: &mut Scaled) -> bool {
    if !spec.always_proxied && !revision.activator_answers {
        scaled.keeps_probing = true;
        return false;
    }
    let unreachable = spec.reachability == Reachability::Unreachable;
    let retention = if unreachable { Micros::ZERO } else { spec.last_pod_retention };
    let inactive_for = revision.in_that_state;
    if inactive_for >= spec.scale_to_zero_grace.max(retention) {
        return true;
    }
    let may_go = inactive_for >= retention && revision.proxied_for >= spec.scale_to_zero_grace;
    scaled.looks_again = !may_go;
    may_go
}

/// A revision's activity after a look: what it is to have, what is ready, and what it needs to be active.
pub fn next_activity(activity: Activity, scale: Option<u32>, ready: u32, needed: u32) -> Activity {
    let wanted = scale.is_some_and(|scale| scale > 0);
    if scale == Some(0) || needed == 0 {
        return Activity::Inactive;
    }
    if !wanted && activity == Activity::Inactive {
        return Activity::Inactive;
    }
    if ready < needed { Activity::Activating } else { Activity::Active }
}

/// Whether requests go through the activator: at rest, and while a burst could not be absorbed.
pub fn goes_through_activator(
    activity: Activity,
    scale: Option<u32>,
    excess_burst_capacity: f64,
) -> bool {
    match scale {
        Some(0) => true,
        None if activity == Activity::Inactive => true,
        _ => excess_burst_capacity < 0.0,
    }
}

/// A state and since when it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since<T> {
    /// The state.
    pub state: T,
    /// Since when.
    pub at: Instant,
}

impl<T: Copy + PartialEq> Since<T> {
    /// The same, or a new state from now on.
    #[must_use]
    pub fn become_at(self, state: T, now: Instant) -> Self {
        if state == self.state { self } else { Self { state, at: now } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ScalerSpec {
        ScalerSpec {
            min_scale: 0,
            max_scale: 0,
            initial_scale: 1,
            enable_scale_to_zero: true,
            stable_window: Micros::from_secs(60),
            scale_to_zero_grace: Micros::from_secs(30),
            last_pod_retention: Micros::ZERO,
            progress_deadline: Micros::from_secs(600),
            always_proxied: false,
            reachability: Reachability::Reachable,
        }
    }

    /// Three replicas wished to zero, so long in a state and behind the activator: what is written?
    #[track_caller]
    fn check(activity: Activity, in_that_state: u64, proxied_for: u64, expected: Option<u32>) {
        let revision = Revision {
            current: 3,
            activity,
            in_that_state: Micros::from_secs(in_that_state),
            initialised: true,
            proxied: proxied_for > 0,
            proxied_for: Micros::from_secs(proxied_for),
            activator_answers: true,
        };
        let scaled = apply_scale(&spec(), &revision, Some(0));
        assert_eq!(scaled.scale.filter(|_| scaled.writes), expected);
    }

    #[test]
    fn an_active_revision_keeps_one_pod_for_a_stable_window() {
        check(Activity::Active, 59, 0, Some(1));
        check(Activity::Active, 60, 0, None);
    }

    #[test]
    fn a_resting_revision_loses_its_pods_after_the_grace() {
        check(Activity::Inactive, 29, 29, None);
        check(Activity::Inactive, 30, 0, Some(0));
        check(Activity::Inactive, 1, 30, Some(0));
    }

    #[test]
    fn a_revision_that_comes_up_is_left_alone_until_its_deadline() {
        // knative/serving issue 15316 and others: a model that loads for longer is given up.
        check(Activity::Activating, 630, 0, None);
        check(Activity::Activating, 631, 0, Some(0));
    }
}
