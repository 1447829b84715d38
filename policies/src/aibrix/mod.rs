//! AIBrix' autoscalers: what its KPA and its APA have in common.
//!
//! Both read one metric into windows ([`window`]), make a recommendation of their own, take back what pods that
//! still load may have caused ([`pending_guard`]), pass it through a window of recommendations ([`stabiliser`]) and
//! keep it within bounds.

pub(crate) mod defaults;
pub mod pending_guard;
pub mod stabiliser;
pub mod window;

use crate::Invalid;
use crate::invalid::{ensure, ensure_not_negative, ensure_positive};
use contract::{Action, Instant, Metric, Micros, Plan, Reason, ServiceSeen, Subject};
use pending_guard::{Guarded, Strategy};
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

/// What both algorithms are told besides their windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rules {
    pub(crate) metric: Metric,
    pub(crate) target: f64,
    pub(crate) limits: Limits,
    pub(crate) cooldowns: Cooldowns,
    /// Whether pods that load hold a change back.
    pub(crate) guards_pending: bool,
}

/// What one of the two algorithms recommends, within bounds.
#[derive(Clone, Debug)]
pub(crate) struct Recommendation {
    pub(crate) replicas: u32,
    /// The value that it rests on.
    pub(crate) value: f64,
    pub(crate) words: &'static str,
}

impl Rules {
    /// Checks what types cannot, of the long window and the time between two looks as well.
    pub(crate) fn validate(&self, window: Micros, resync: Micros) -> Result<(), Invalid> {
        ensure_positive("target-value", self.target)?;
        ensure(window > Micros::ZERO, "window", window, "more than no time")?;
        ensure(resync > Micros::ZERO, "resync-interval", resync, "more than no time")?;
        self.limits.validate()
    }

    /// From a recommendation to a plan.
    pub(crate) fn settle(
        &self,
        strategy: Strategy,
        recommended: &Recommendation,
        stabiliser: &mut Stabiliser,
        (now, service): (Instant, &ServiceSeen),
        plan: &mut Plan,
    ) {
        let current = service.replicas_wanted;
        let guarded = self.guard(strategy, recommended, service);
        let stabilised = stabiliser.pass(self.cooldowns, now, guarded, current);
        let replicas = self.limits.clamp(stabilised);
        let words = if stabilised != guarded {
            "an earlier recommendation in the cool-down window"
        } else if guarded != recommended.replicas {
            "held back for pods that load"
        } else {
            recommended.words
        };
        let reason = Reason::new(words)
            .with(self.metric.name(), recommended.value)
            .with("target", self.target)
            .with("replicas", f64::from(current))
            .with("ready", f64::from(service.replicas.ready))
            .with("recommended", f64::from(recommended.replicas));
        if replicas == current {
            plan.hold(Subject::Service(service.id), reason);
        } else {
            plan.act(Action::SetReplicas { service: service.id, replicas }, reason);
        }
    }

    /// The recommendation without what pods that load may have caused; only a metric of pods can suffer from them.
    fn guard(
        &self,
        strategy: Strategy,
        recommended: &Recommendation,
        service: &ServiceSeen,
    ) -> u32 {
        if !self.guards_pending || !self.metric.is_of_pods() {
            return recommended.replicas;
        }
        let guarded = Guarded {
            current: service.replicas_wanted,
            ready: service.replicas.ready,
            recommended: recommended.replicas,
            value: recommended.value,
            target: self.target,
        };
        guarded.adjust(strategy)
    }
}

/// Nothing could be read.
pub(crate) fn say_unread(service: &ServiceSeen, plan: &mut Plan) {
    let reason = Reason::new("no sample").with("replicas", f64::from(service.replicas_wanted));
    plan.hold(Subject::Service(service.id), reason);
}
