//! The batching window: pods that come shortly after one another are planned for together.

use contract::{Instant, Micros, PodId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How long a window stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchRules {
    /// After the last new pod.
    pub idle: Micros,
    /// After the first pod, whatever comes.
    pub max: Micros,
}

/// An open window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    opened: Instant,
    last_new: Instant,
    pods: BTreeSet<PodId>,
}

impl Window {
    /// Opens with the first trigger.
    pub fn open(at: Instant, pod: PodId) -> Self {
        Self { opened: at, last_new: at, pods: BTreeSet::from([pod]) }
    }

    /// A trigger while it is open. A pod that is in the window already does not keep it open for longer.
    pub fn trigger(&mut self, at: Instant, pod: PodId) {
        if self.pods.insert(pod) {
            self.last_new = self.last_new.max(at);
        }
    }

    /// When it closes, unless another pod comes before.
    pub fn closes(&self, rules: BatchRules) -> Instant {
        (self.last_new + rules.idle).min(self.opened + rules.max)
    }
}
