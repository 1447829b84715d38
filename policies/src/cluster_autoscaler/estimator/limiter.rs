//! How many nodes one estimation may open, and for how long it may go on.

use contract::Micros;

/// A limit on an estimation. In each part 0 is no limit and a negative number allows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// New nodes.
    pub nodes: i64,
    /// Time that the estimation takes, in microseconds.
    pub micros: i64,
}

impl Threshold {
    /// A limit on nodes alone.
    pub fn nodes(nodes: i64) -> Self {
        Self { nodes, micros: 0 }
    }
}

/// The stricter of two limits: 0 is no limit, a negative one allows nothing and stands as -1.
pub fn stricter(one: i64, other: i64) -> i64 {
    match (one, other) {
        (one, other) if one < 0 || other < 0 => -1,
        (0, other) => other,
        (one, 0) => one,
        (one, other) => one.min(other),
    }
}

/// Gives leave to open nodes one by one.
#[derive(Clone, Copy, Debug)]
pub struct Limiter {
    limit: Threshold,
    granted: u32,
}

impl Limiter {
    /// All these limits at once.
    pub fn of(thresholds: &[Threshold]) -> Self {
        let limit = thresholds.iter().fold(Threshold::nodes(0), |limit, next| Threshold {
            nodes: stricter(limit.nodes, next.nodes),
            micros: stricter(limit.micros, next.micros),
        });
        Self { limit, granted: 0 }
    }

    /// Whether one more node may be opened, so long after the estimation began. Simulated thinking takes no time.
    pub fn grant(&mut self, elapsed: Micros) -> bool {
        let Threshold { nodes, micros } = self.limit;
        let too_many = nodes < 0 || (nodes > 0 && i64::from(self.granted) >= nodes);
        let too_late = micros < 0
            || (micros > 0 && i64::try_from(elapsed.0).is_ok_and(|so_far| so_far > micros));
        let granted = !too_many && !too_late;
        self.granted += u32::from(granted);
        granted
    }

    /// Nodes opened so far.
    pub fn granted(&self) -> u32 {
        self.granted
    }
}

/// Room that a pool and its similar pools have between target and maximum; -1 if there is none.
/// Takes `(maximum, target)` of each.
pub fn similar_pools_limit(pools: impl IntoIterator<Item = (u32, u32)>) -> i64 {
    let room = pools.into_iter().map(|(max, target)| i64::from(max.saturating_sub(target)));
    match room.sum() {
        0 => -1,
        room => room,
    }
}

/// Room that the cluster has below its maximum: 0 without a maximum, -1 if there is none left.
pub fn cluster_limit(max_nodes_total: i64, current_nodes: i64) -> i64 {
    match max_nodes_total {
        0 => 0,
        max if max <= current_nodes => -1,
        max => max - current_nodes,
    }
}
