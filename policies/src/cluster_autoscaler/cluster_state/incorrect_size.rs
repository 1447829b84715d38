//! Pools whose nodes and target do not agree, and since when.

use contract::Instant;
use serde::{Deserialize, Serialize};

/// A pool that has other nodes than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncorrectSize {
    /// Nodes that are registered.
    pub current: u32,
    /// The target.
    pub expected: u32,
    /// Since when it has been just so.
    pub since: Instant,
}

/// What is wrong with a pool's size, if anything: more registered than the target, or fewer than what has not
/// registered yet explains. The first sight of the same numbers is kept.
pub fn incorrect_size(
    registered: u32,
    target: u32,
    unregistered: u32,
    previous: Option<IncorrectSize>,
    now: Instant,
) -> Option<IncorrectSize> {
    let is_wrong = registered > target || registered < target.saturating_sub(unregistered);
    let same = previous.filter(|old| (old.current, old.expected) == (registered, target));
    let since = same.map_or(now, |old| old.since);
    is_wrong.then_some(IncorrectSize { current: registered, expected: target, since })
}
