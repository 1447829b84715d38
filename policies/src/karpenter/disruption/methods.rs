//! The methods of disruption, as far as they choose among candidates: emptiness, multi-node, single-node.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A multi-node consolidation halves between the second node and this one, counted from nought: where there are more
/// than a hundred candidates a hundred and one may go (`firstNConsolidationOption`).
const LAST_AT_ONCE: usize = 100;

/// How many nodes of each pool may still go.
pub type Room = BTreeMap<Arc<str>, u32>;

/// The candidates that budgets allow, in their order; `pool` names the pool of one.
pub fn within<T>(
    candidates: impl IntoIterator<Item = T>,
    mut room: Room,
    pool: impl Fn(&T) -> Arc<str>,
) -> Vec<T> {
    let mut allowed = |candidate: &T| {
        let left = room.entry(pool(candidate)).or_insert(0);
        let is_left = *left > 0;
        *left = left.saturating_sub(1);
        is_left
    };
    candidates.into_iter().filter(|candidate| allowed(candidate)).collect()
}

/// The largest number of candidates, from the first on, that can go together, with what is decided about them.
///
/// The search halves what is left, as if what holds for some held for fewer: it is not so, and valid merges are
/// missed. At least two go together. `decide` says what would be done about so many, `None` for nothing.
pub fn largest_prefix<V>(
    candidates: usize,
    mut decide: impl FnMut(usize) -> Option<V>,
) -> Option<(usize, V)> {
    let (mut low, mut high) = (1, candidates.checked_sub(1)?.min(LAST_AT_ONCE));
    let mut best = None;
    while low <= high {
        let middle = usize::midpoint(low, high);
        match decide(middle + 1) {
            Some(verdict) => {
                best = Some((middle + 1, verdict));
                low = middle + 1;
            }
            None => high = middle - 1,
        }
    }
    best
}

/// The candidates of pools in turn, so that a large pool does not keep the others waiting; `first` names pools
/// whose turn comes first because time ran out before.
pub fn interleaved<T>(candidates: Vec<T>, pool: impl Fn(&T) -> Arc<str>) -> Vec<T> {
    let mut by_pool: BTreeMap<Arc<str>, std::collections::VecDeque<T>> = BTreeMap::new();
    for candidate in candidates {
        by_pool.entry(pool(&candidate)).or_default().push_back(candidate);
    }
    let mut order = Vec::new();
    while by_pool.values().any(|left| !left.is_empty()) {
        order.extend(by_pool.values_mut().filter_map(std::collections::VecDeque::pop_front));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prefixes that can go together, among so many; which is found?
    #[track_caller]
    fn check(candidates: usize, valid: &[usize], expected: Option<usize>) {
        let decide = |count: usize| valid.contains(&count).then_some(());
        assert_eq!(largest_prefix(candidates, decide).map(|(count, ())| count), expected);
    }

    #[test]
    fn the_search_finds_the_largest_if_all_smaller_ones_are_valid_too() {
        check(8, &[2, 3, 4, 5], Some(5));
        check(2, &[2], Some(2));
        check(1, &[1], None);
        check(0, &[], None);
    }

    #[test]
    fn the_search_misses_a_merge_behind_one_that_fails() {
        // Measured: six nodes, five and six of which could have merged; four failed, two failed, and that was it.
        check(6, &[5, 6], None);
        // Measured: of five, three merged, four failed, five was never tried.
        check(5, &[2, 3, 5], Some(3));
    }

    #[test]
    fn of_a_hundred_nodes_all_go_at_once_and_of_more_a_hundred_and_one() {
        let all: Vec<_> = (1..=150).collect();
        check(100, &all, Some(100));
        check(101, &all, Some(101));
        check(150, &all, Some(101));
    }

    #[test]
    fn pools_take_turns() {
        let found = interleaved(vec!["a1", "a2", "a3", "b1"], |name| name[..1].into());
        assert_eq!(found, ["a1", "b1", "a2", "a3"]);
    }
}
