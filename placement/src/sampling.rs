//! How many nodes that fit a search looks for before it stops.

/// Below so many nodes every one is looked at, and a search looks for at least so many that fit (kube-scheduler:
/// `minFeasibleNodesToFind`).
const ALWAYS: usize = 100;

/// The adaptive share never falls below this (kube-scheduler: `minFeasibleNodesPercentageToFind`).
const LEAST_PERCENT: usize = 5;

/// How many nodes that fit are enough in a cluster of so many (kube-scheduler: `numFeasibleNodesToFind`). A
/// `percent` of zero is adaptive: from half of a small cluster to a twentieth of a large one.
pub fn enough(nodes: usize, percent: u32) -> usize {
    let adaptive = || 50_usize.saturating_sub(nodes / 125).max(LEAST_PERCENT);
    let percent = if percent == 0 { adaptive() } else { percent as usize };
    if nodes < ALWAYS || percent >= 100 { nodes } else { (nodes * percent / 100).max(ALWAYS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_cluster_is_searched_in_part() {
        let found = [0, 99, 100, 201, 1_000, 5_000, 10_000].map(|nodes| enough(nodes, 0));
        assert_eq!(found, [0, 99, 100, 100, 420, 500, 500]);
    }

    #[test]
    fn a_fixed_share_still_finds_a_hundred() {
        assert_eq!([1, 50, 100].map(|percent| enough(1_000, percent)), [100, 500, 1_000]);
    }
}
