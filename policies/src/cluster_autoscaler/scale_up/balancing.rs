//! How new nodes are shared out among similar pools.

/// A pool that may get some of the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its place in the list of pools.
    pub pool: usize,
    /// Its size so far, and with its share.
    pub size: u32,
    /// Never more.
    pub max: u32,
}

/// Gives node after node to the smallest pool that is below its maximum; what finds no pool is dropped. Pools that
/// got none are left out.
pub fn balance(pools: &[Share], new_nodes: u32) -> Vec<Share> {
    let mut shares: Vec<_> = pools.iter().filter(|pool| pool.size < pool.max).copied().collect();
    shares.sort_by_key(|share| share.size);
    for _ in 0..new_nodes {
        let open = shares.iter_mut().filter(|share| share.size < share.max);
        let Some(smallest) = open.min_by_key(|share| share.size) else { break };
        smallest.size += 1;
    }
    let before =
        |share: &Share| pools.iter().find(|pool| pool.pool == share.pool).map(|pool| pool.size);
    shares.retain(|share| before(share) != Some(share.size));
    shares
}
