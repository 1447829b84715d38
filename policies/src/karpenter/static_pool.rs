//! Static pools: a fixed number of nodes, whatever the pods do.

use super::disruption::budgets::UNLIMITED;

/// Nodes to create and to delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// More.
    pub create: u32,
    /// Fewer.
    pub delete: u32,
}

/// What keeps a pool at its number: `running` counts claims that are not being deleted, `deleting` the others,
/// which count towards the limit until they are gone.
pub fn change(replicas: u32, running: u32, deleting: u32, node_limit: Option<u32>) -> Change {
    let room = node_limit.map_or(UNLIMITED, |limit| limit.saturating_sub(running + deleting));
    Change {
        create: replicas.saturating_sub(running).min(room),
        delete: running.saturating_sub(replicas),
    }
}

/// How many drifted nodes are replaced now, one for one: within budget and node limit, and not while the pool
/// has more nodes than it should.
pub fn drift_commands(
    replicas: u32,
    running: u32,
    drifted: u32,
    node_limit: Option<u32>,
    budget: u32,
) -> u32 {
    if running > replicas {
        return 0;
    }
    let room = node_limit.map_or(UNLIMITED, |limit| limit.saturating_sub(running));
    drifted.min(room).min(budget)
}
