//! Node repair: unhealthy nodes are replaced, unless so many are unhealthy that the fault lies elsewhere.

/// Share of a pool that may be unhealthy, in percent (`designs/node-repair.md`).
const MOST_UNHEALTHY_PERCENT: u32 = 20;

/// Whether unhealthy nodes of a pool are replaced: not if they are more than a fifth of it, rounded up.
pub fn allowed(nodes: u32, unhealthy: u32) -> bool {
    unhealthy <= (nodes * MOST_UNHEALTHY_PERCENT).div_ceil(100)
}
