//! Which pool gets how many new nodes.

use super::estimator::estimate;
use super::expander::{Preferences, ScaleUpOption, filter};
use super::pending::{Pending, PodGroup};
use super::{Memory, Settings};
use contract::{Action, Observation, Plan, PoolSeen, Reason, Subject};
use placement::fits_fresh;

/// Asks for nodes for the pods that are left; true if it did.
pub(super) fn scale_up(
    seen: &Observation<'_>,
    pending: &Pending<'_>,
    settings: &Settings,
    memory: &Memory,
    plan: &mut Plan,
) -> bool {
    let options = options(seen, pending, settings, memory, plan);
    let count = options.len();
    let preferences = Preferences {
        priorities: &settings.priorities,
        pod_prices: settings.pod_prices,
        cluster_nodes: cluster_nodes(seen),
    };
    let Some(&best) = filter(&settings.expander, options, &preferences).first() else {
        return false;
    };
    let reason = Reason::new("pending pods fit on no node")
        .with("pods", f64::from(pending.count()))
        .with("helped", f64::from(best.estimate.pods))
        .with("options", f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    plan.act(Action::AddNodes { pool: best.pool.id, count: best.estimate.nodes }, reason);
    true
}

/// What each pool could do. Pools that would help but may not grow say why.
fn options<'a>(
    seen: &Observation<'a>,
    pending: &Pending<'_>,
    settings: &Settings,
    memory: &Memory,
    plan: &mut Plan,
) -> Vec<ScaleUpOption<'a>> {
    let mut options = Vec::new();
    let mut helpful = 0;
    for pool in seen.pools {
        let groups = groups_that_fit(pool, &pending.groups);
        if groups.is_empty() {
            continue;
        }
        helpful += 1;
        if let Err(reason) = may_grow(pool, seen, settings, memory) {
            plan.hold(Subject::Pool(pool.id), reason);
            continue;
        }
        let estimate = estimate(&pool.shape, &groups, room(pool, seen, settings));
        if estimate.nodes > 0 {
            options.push(ScaleUpOption { pool, estimate });
        }
    }
    if helpful == 0 {
        let pods = f64::from(pending.count());
        plan.hold(
            Subject::Cluster,
            Reason::new("no pool has nodes for these pods").with("pods", pods),
        );
    }
    options
}

/// The pods that an empty node of the pool would take.
fn groups_that_fit<'a>(pool: &PoolSeen, groups: &[PodGroup<'a>]) -> Vec<PodGroup<'a>> {
    let fits = |group: &&PodGroup<'_>| fits_fresh(group.spec, &pool.shape).is_ok();
    groups.iter().filter(fits).copied().collect()
}

fn may_grow(
    pool: &PoolSeen,
    seen: &Observation<'_>,
    settings: &Settings,
    memory: &Memory,
) -> Result<(), Reason> {
    let backoff = memory.backoffs.get(&pool.id).filter(|backoff| backoff.blocks(seen.now));
    if let Some(backoff) = backoff {
        let left = backoff.left(seen.now).as_secs_f64();
        return Err(Reason::new("backed off after a failed launch").with("left-s", left));
    }
    if pool.target >= pool.max {
        return Err(Reason::new("pool at its maximum").with("nodes", f64::from(pool.target)));
    }
    if room(pool, seen, settings) == 0 {
        let nodes = f64::from(cluster_nodes(seen));
        return Err(Reason::new("cluster at its maximum").with("nodes", nodes));
    }
    Ok(())
}

/// How many nodes more the pool, the cluster and one scale-up may have.
fn room(pool: &PoolSeen, seen: &Observation<'_>, settings: &Settings) -> u32 {
    let in_pool = pool.max.saturating_sub(pool.target);
    let in_cluster = match settings.max_nodes_total {
        0 => u32::MAX,
        max => max.saturating_sub(cluster_nodes(seen)),
    };
    in_pool.min(in_cluster).min(settings.max_nodes_per_scaleup)
}

/// Nodes asked for and not given back.
fn cluster_nodes(seen: &Observation<'_>) -> u32 {
    seen.pools.iter().map(|pool| pool.target).sum()
}
