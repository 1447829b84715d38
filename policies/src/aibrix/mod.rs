//! AIBrix' autoscalers: what its KPA and its APA have in common.
//!
//! Both read one metric into windows ([`window`]), make a recommendation of their own, take back what pods that
//! still load may have caused ([`pending_guard`]), pass it through a window of recommendations ([`stabiliser`]) and
//! keep it within bounds.

pub mod pending_guard;
pub mod stabiliser;
pub mod window;

use crate::Invalid;
use crate::invalid::{ensure, ensure_not_negative, ensure_positive};
use contract::{Action, Metric, Micros, Plan, Reason, ServiceSeen, Subject};
use stabiliser::{Cooldowns, Stabiliser};

/// How far and how fast one look may move the count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Never fewer replicas.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// At most so many times the current count.
    pub up_rate: f64,
    /// At least one part in so many of it.
    pub down_rate: f64,
    /// How far above the target is close enough, as a share.
    pub up_tolerance: f64,
    /// The same below.
    pub down_tolerance: f64,
}

impl Limits {
    pub(crate) fn clamp(&self, replicas: u32) -> u32 {
        replicas.clamp(self.min, self.max)
    }

    pub(crate) fn validate(&self) -> Result<(), Invalid> {
        let (min, max) = (self.min, self.max);
        ensure(min > 0, "min-replicas", min, "at least 1")?;
        ensure(min <= max, "min-replicas", min, format!("at most `max-replicas` ({max})"))?;
        let above_one =
            |key, rate: f64| ensure(rate.is_finite() && rate > 1.0, key, rate, "a number above 1");
        above_one("max-scale-up-rate", self.up_rate)?;
        above_one("max-scale-down-rate", self.down_rate)?;
        ensure_not_negative("up-fluctuation-tolerance", self.up_tolerance)?;
        ensure_not_negative("down-fluctuation-tolerance", self.down_tolerance)
    }
}

/// A metric and its target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Goal {
    pub(crate) metric: Metric,
    pub(crate) target: f64,
}

impl Goal {
    pub(crate) fn validate(&self, window: Micros, resync: Micros) -> Result<(), Invalid> {
        ensure_positive("target-value", self.target)?;
        ensure(window > Micros::ZERO, "window", window, "more than no time")?;
        ensure(resync > Micros::ZERO, "resync-interval", resync, "more than no time")
    }
}

/// What one of the two algorithms recommends, within bounds.
#[derive(Clone, Debug)]
pub(crate) struct Recommendation {
    pub(crate) replicas: u32,
    /// The value that it rests on.
    pub(crate) value: f64,
    pub(crate) words: &'static str,
}

/// From a recommendation to a plan.
pub(crate) fn settle(
    recommended: &Recommendation,
    goal: Goal,
    limits: &Limits,
    guarded: u32,
    (stabiliser, cooldowns): (&mut Stabiliser, Cooldowns),
    (now, service): (contract::Instant, &ServiceSeen),
    plan: &mut Plan,
) {
    let current = service.replicas_wanted;
    let stabilised = stabiliser.pass(cooldowns, now, guarded, current);
    let replicas = limits.clamp(stabilised);
    let words = if stabilised != guarded {
        "an earlier recommendation in the cool-down window"
    } else if guarded != recommended.replicas {
        "held back for pods that load"
    } else {
        recommended.words
    };
    let reason = Reason::new(words)
        .with(goal.metric.name(), recommended.value)
        .with("target", goal.target)
        .with("replicas", f64::from(current))
        .with("ready", f64::from(service.replicas.ready))
        .with("recommended", f64::from(recommended.replicas));
    if replicas == current {
        plan.hold(Subject::Service(service.id), reason);
    } else {
        plan.act(Action::SetReplicas { service: service.id, replicas }, reason);
    }
}

/// Nothing could be read.
pub(crate) fn say_unread(service: &ServiceSeen, plan: &mut Plan) {
    let reason = Reason::new("no sample").with("replicas", f64::from(service.replicas_wanted));
    plan.hold(Subject::Service(service.id), reason);
}
