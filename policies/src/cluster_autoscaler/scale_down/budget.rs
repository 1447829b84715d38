//! How many nodes may be on their way out at a time.

use super::deletion::PoolCounts;

/// Nodes of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket<Node> {
    /// The pool, by place.
    pub pool: usize,
    /// Its nodes.
    pub nodes: Vec<Node>,
}

/// Nodes by pool, pools in the order in which they first come.
pub fn buckets<Node>(nodes: impl IntoIterator<Item = (usize, Node)>) -> Vec<Bucket<Node>> {
    let mut buckets: Vec<Bucket<Node>> = Vec::new();
    for (pool, node) in nodes {
        match buckets.iter_mut().find(|bucket| bucket.pool == pool) {
            Some(bucket) => bucket.nodes.push(node),
            None => buckets.push(Bucket { pool, nodes: vec![node] }),
        }
    }
    buckets
}

/// What may still go. Below zero when more is under way than the limits allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Nodes in all.
    total: i64,
    /// Nodes with pods.
    drains: i64,
}

impl Budget {
    /// What the limits leave beside what is under way.
    pub fn new(
        max_parallelism: u32,
        max_drains: u32,
        empty_under_way: u32,
        drains_under_way: u32,
    ) -> Self {
        let (empty, drains) = (i64::from(empty_under_way), i64::from(drains_under_way));
        Self {
            total: i64::from(max_parallelism) - empty - drains,
            drains: i64::from(max_drains) - drains,
        }
    }

    /// Cuts nodes to the budget: first pools that go whole, of which the first may exceed it; then empty nodes; then
    /// nodes to drain. Each pool comes at most once among the empty and once among those to drain.
    pub fn crop<Node>(
        mut self,
        empty: Vec<Bucket<Node>>,
        drain: Vec<Bucket<Node>>,
        pools: &[PoolCounts],
    ) -> (Vec<Bucket<Node>>, Vec<Bucket<Node>>) {
        let is_whole = |bucket: &Bucket<Node>| pools[bucket.pool].zero_or_max;
        let (whole_empty, single_empty): (Vec<_>, Vec<_>) = empty.into_iter().partition(is_whole);
        let (mut whole_drain, single_drain): (Vec<_>, Vec<_>) =
            drain.into_iter().partition(is_whole);
        let (mut empty_out, mut drain_out) = (Vec::new(), Vec::new());
        let mut may_exceed = true;
        let mut full = false;
        for bucket in whole_empty {
            let place = whole_drain.iter().position(|other| other.pool == bucket.pool);
            let partner = place.map(|place| whole_drain.remove(place));
            let (nodes, drains) =
                (bucket.nodes.len(), partner.as_ref().map_or(0, |p| p.nodes.len()));
            full = full || !self.admits(nodes, drains, may_exceed);
            if full || !pools[bucket.pool].may_go(nodes + drains) {
                continue;
            }
            self.take(nodes, drains);
            may_exceed = false;
            empty_out.push(bucket);
            drain_out.extend(partner);
        }
        self.drains = self.drains.min(self.total);
        for bucket in whole_drain {
            let nodes = count(bucket.nodes.len());
            if self.drains < nodes && (self.drains == 0 || !may_exceed) {
                break;
            }
            if pools[bucket.pool].may_go(bucket.nodes.len()) {
                self.take(0, bucket.nodes.len());
                may_exceed = false;
                drain_out.push(bucket);
            }
        }
        self.total -= cut(single_empty, self.total, &mut empty_out);
        cut(single_drain, self.drains.min(self.total), &mut drain_out);
        (empty_out, drain_out)
    }

    /// Whether a pool with so many empty nodes and nodes to drain may go whole. As upstream compares with zero, a
    /// budget that is overdrawn already may be exceeded further.
    fn admits(&self, nodes: usize, drains: usize, may_exceed: bool) -> bool {
        let fits = self.total >= count(nodes + drains) && self.drains >= count(drains);
        let something_left = self.total != 0 && (drains == 0 || self.drains != 0);
        fits || (something_left && may_exceed)
    }

    fn take(&mut self, nodes: usize, drains: usize) {
        self.total -= count(nodes + drains);
        self.drains -= count(drains);
    }
}

/// Takes nodes bucket by bucket up to a number; says how many.
fn cut<Node>(from: Vec<Bucket<Node>>, budget: i64, out: &mut Vec<Bucket<Node>>) -> i64 {
    let mut left = budget;
    for mut bucket in from {
        if left < 1 {
            break;
        }
        bucket.nodes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= count(bucket.nodes.len());
        out.push(bucket);
    }
    budget - left
}

fn count(nodes: usize) -> i64 {
    i64::try_from(nodes).unwrap_or(i64::MAX)
}
