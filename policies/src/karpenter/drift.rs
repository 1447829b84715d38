//! Drift: since when nodes are not what their pool would make by now.

use super::Settings;
use super::memory::Memory;
use super::requirements::{NODE_POOL_KEY, Requirements};
use super::world::described;
use contract::Observation;

/// Takes note of nodes that drifted since the last look, and of those that a change has made right again: another
/// template than that of the pool, or labels that its requirements do not let in any more.
pub(super) fn note(seen: &Observation<'_>, settings: &Settings, memory: &mut Memory) {
    if settings.changes.is_empty() {
        return;
    }
    for node in seen.nodes {
        let Some(known) = memory.nodes.get_mut(&node.id) else { continue };
        let Some(pool) = settings.node_pools.get(&*known.node_pool) else { continue };
        let requirements = Requirements::of_pool(&pool.requirements);
        let of_node = described(seen, settings, node);
        let is_let_in = requirements.hold_for(|key| match key {
            NODE_POOL_KEY => Some(&*known.node_pool),
            _ => of_node.label(key),
        });
        let is_drifted = known.template != pool.template() || !is_let_in;
        known.drifted = is_drifted.then(|| known.drifted.unwrap_or(seen.now));
    }
}
