//! Scale-ups under way: how many nodes are to come, and by when.

use contract::{Instant, Micros};
use serde::{Deserialize, Serialize};

/// Nodes that a pool was asked for and that are not all there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaleUpRequest {
    /// How many.
    pub increase: u32,
    /// When the newest of them were asked for.
    pub at: Instant,
    /// When all should be there.
    pub expected: Instant,
}

impl ScaleUpRequest {
    /// More nodes are asked for: they add up, and the deadline moves.
    #[must_use]
    pub fn raised(previous: Option<Self>, by: u32, now: Instant, provision: Micros) -> Self {
        let increase = previous.map_or(0, |old| old.increase) + by;
        Self { increase, at: now, expected: now + provision }
    }

    /// So many will not come. `None` if none are left to wait for.
    #[must_use]
    pub fn lowered(self, by: u32) -> Option<Self> {
        let increase = self.increase.saturating_sub(by);
        (increase > 0).then_some(Self { increase, ..self })
    }

    /// Whether they are too late.
    pub fn is_late(&self, now: Instant) -> bool {
        self.expected < now
    }
}
