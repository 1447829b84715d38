//! Which of the nodes that may go do go: pools that go whole, pods that are waited for, those without risk first.

/// A node that may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removable<Node> {
    /// Which node.
    pub node: Node,
    /// Its pool, by place.
    pub pool: usize,
    /// Pods that must move.
    pub pods: usize,
    /// Pods that are waited for.
    pub on_completion: usize,
    /// A disruption budget might not allow its pods and those of earlier nodes to move together.
    pub risky: bool,
}

/// A pool of nodes that may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolCounts {
    /// Its target.
    pub target: u32,
    /// Its registered nodes.
    pub registered: u32,
    /// It goes whole or not at all.
    pub zero_or_max: bool,
}

impl PoolCounts {
    /// Whether so many of its nodes are enough to go.
    pub fn may_go(&self, nodes: usize) -> bool {
        let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
        !self.zero_or_max || nodes == self.target || nodes == self.registered
    }
}

/// The nodes to delete: empty ones, and those to drain. Nodes of a pool that goes whole count only if all do.
pub fn nodes_to_delete<Node>(
    removable: Vec<Removable<Node>>,
    pools: &[PoolCounts],
) -> (Vec<Removable<Node>>, Vec<Removable<Node>>) {
    let mut of_pool = vec![0; pools.len()];
    for node in &removable {
        of_pool[node.pool] += 1;
    }
    let goes = |node: &Removable<Node>| {
        node.on_completion == 0 && pools[node.pool].may_go(of_pool[node.pool])
    };
    let (empty, mut drain): (Vec<_>, Vec<_>) =
        removable.into_iter().filter(goes).partition(|node| node.pods == 0);
    drain.sort_by_key(|node| node.risky);
    (empty, drain)
}
