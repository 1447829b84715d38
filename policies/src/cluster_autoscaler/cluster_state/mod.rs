//! What is known of each pool: how far its nodes are, what is under way, what went wrong.

mod backoff;
mod incorrect_size;
mod readiness;
mod requests;

pub use backoff::{Backoff, BackoffRules};
pub use incorrect_size::{IncorrectSize, incorrect_size};
pub use readiness::{HealthLimits, Readiness, StartTimes, acceptable_range, is_healthy};
pub use requests::ScaleUpRequest;

use super::Settings;
use super::scale_up::Standing;
use contract::{Instant, NodeSeen, NodeStage, Observation, PoolId, PoolSeen};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is remembered of pools between two loops.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registry {
    /// Pools that are left alone, or were.
    backoffs: BTreeMap<PoolId, Backoff>,
    /// Failed launches by pool that have been dealt with.
    failures: BTreeMap<PoolId, u32>,
    /// Scale-ups under way.
    requests: BTreeMap<PoolId, ScaleUpRequest>,
    /// Pools with other nodes than they should have.
    incorrect: BTreeMap<PoolId, IncorrectSize>,
    /// When a scale-up last failed, by pool.
    failed_at: BTreeMap<PoolId, Instant>,
}

/// A pool at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolState {
    /// Its nodes by state.
    pub(crate) readiness: Readiness,
    /// Nodes that will be there soon.
    pub(crate) upcoming: u32,
    /// Whether it may grow.
    pub(crate) standing: Standing,
}

/// All pools at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClusterState {
    /// By pool.
    pub(crate) pools: Vec<PoolState>,
    /// Few enough nodes are unready.
    pub(crate) healthy: bool,
}

impl ClusterState {
    /// Nodes that are registered or will be there soon.
    pub(crate) fn nodes(&self) -> u32 {
        let of_pool = |pool: &PoolState| {
            let readiness = &pool.readiness;
            readiness.ready + readiness.unready + readiness.deleted + pool.upcoming
        };
        self.pools.iter().map(of_pool).sum()
    }

    /// Ready nodes.
    pub(crate) fn ready(&self) -> u32 {
        self.pools.iter().map(|pool| pool.readiness.ready).sum()
    }
}

impl Registry {
    /// Takes in what has changed since the last loop: failures, scale-ups that are complete or late, sizes.
    /// Gives the pools whose scale-up is late, with the number of nodes that are missing.
    pub(crate) fn update(
        &mut self,
        seen: &Observation<'_>,
        settings: &Settings,
    ) -> (ClusterState, Vec<(PoolId, u32)>) {
        let now = seen.now;
        let rules = BackoffRules::from(settings);
        self.backoffs.retain(|_, backoff| !backoff.is_stale(now, rules));
        let readiness = readiness(seen, settings);
        self.note_failures(seen, rules);
        let late = self.close_requests(seen, &readiness, rules);
        self.note_sizes(seen, &readiness);
        (self.state(seen, &readiness, settings), late)
    }

    /// Launches that failed since the last loop lower the scale-up and block the pool.
    fn note_failures(&mut self, seen: &Observation<'_>, rules: BackoffRules) {
        for pool in seen.pools {
            let Some(failure) = pool.failure else { continue };
            let known = self.failures.insert(pool.id, failure.count).unwrap_or(0);
            let failed = failure.count.saturating_sub(known);
            if failed == 0 {
                continue;
            }
            if let Some(request) = self.requests.remove(&pool.id)
                && let Some(lowered) = request.lowered(failed)
            {
                self.requests.insert(pool.id, lowered);
            }
            self.block(pool.id, seen.now, rules);
        }
    }

    fn block(&mut self, pool: PoolId, now: Instant, rules: BackoffRules) {
        let previous = self.backoffs.get(&pool).copied();
        self.backoffs.insert(pool, Backoff::after_failure(previous, now, rules));
        self.failed_at.insert(pool, now);
    }

    /// A scale-up ends when no node of its pool is on its way any more. That nodes which never registered were
    /// given up counts as an end too: only a scale-up that still waits when its time is up has failed.
    fn close_requests(
        &mut self,
        seen: &Observation<'_>,
        readiness: &[Readiness],
        rules: BackoffRules,
    ) -> Vec<(PoolId, u32)> {
        let mut late = Vec::new();
        for (pool, readiness) in seen.pools.iter().zip(readiness) {
            let Some(request) = self.requests.get(&pool.id) else { continue };
            let upcoming = readiness.upcoming(pool.target);
            if upcoming == 0 {
                self.requests.remove(&pool.id);
            } else if request.is_late(seen.now) {
                late.push((pool.id, upcoming.min(request.increase)));
                self.requests.remove(&pool.id);
                self.block(pool.id, seen.now, rules);
            }
        }
        late
    }

    fn note_sizes(&mut self, seen: &Observation<'_>, readiness: &[Readiness]) {
        let previous = std::mem::take(&mut self.incorrect);
        for (pool, readiness) in seen.pools.iter().zip(readiness) {
            let unregistered = readiness.unregistered + readiness.long_unregistered;
            let old = previous.get(&pool.id).copied();
            let registered = readiness.registered;
            if let Some(wrong) =
                incorrect_size(registered, pool.target, unregistered, old, seen.now)
            {
                self.incorrect.insert(pool.id, wrong);
            }
        }
    }

    fn state(
        &self,
        seen: &Observation<'_>,
        readiness: &[Readiness],
        settings: &Settings,
    ) -> ClusterState {
        let limits = settings.health_limits();
        let pools = seen.pools.iter().zip(readiness);
        let pools = pools.map(|(pool, readiness)| self.pool_state(pool, readiness, seen, limits));
        let unready = readiness.iter().map(|pool| pool.unready).sum();
        let registered = readiness.iter().map(|pool| pool.registered).sum();
        ClusterState { pools: pools.collect(), healthy: limits.allow(unready, registered) }
    }

    fn pool_state(
        &self,
        pool: &PoolSeen,
        readiness: &Readiness,
        seen: &Observation<'_>,
        limits: HealthLimits,
    ) -> PoolState {
        let request = self.requests.get(&pool.id);
        let backoff = self.backoffs.get(&pool.id).filter(|backoff| backoff.blocks(seen.now));
        let increase = request.map_or(0, |request| request.increase);
        let range =
            acceptable_range(pool.target, readiness.long_unregistered, increase, readiness.deleted);
        let standing = if !is_healthy(readiness, &range, pool.target, limits) {
            Standing::Unhealthy
        } else if let Some(backoff) = backoff {
            Standing::BackedOff(backoff.left(seen.now))
        } else {
            Standing::Good
        };
        // Without a scale-up under way, or after a failed one, nothing is expected.
        let expects = request.is_some() && backoff.is_none();
        let upcoming = if expects { readiness.upcoming(pool.target) } else { 0 };
        PoolState { readiness: *readiness, upcoming, standing }
    }

    /// More nodes have been asked for.
    pub(crate) fn asked_for(&mut self, pool: PoolId, by: u32, now: Instant, settings: &Settings) {
        let previous = self.requests.get(&pool).copied();
        let provision = settings.max_node_provision_time;
        self.requests.insert(pool, ScaleUpRequest::raised(previous, by, now, provision));
    }

    /// The pool with the size that has been too small for longest, if that is long enough to give up, and by how
    /// much.
    pub(crate) fn too_small_for_long(
        &self,
        now: Instant,
        settings: &Settings,
    ) -> Vec<(PoolId, u32)> {
        let missing = |(pool, size): (&PoolId, &IncorrectSize)| {
            let long = now.since(size.since) >= settings.max_node_provision_time;
            let short = size.expected.saturating_sub(size.current);
            (long && short > 0).then_some((*pool, short))
        };
        self.incorrect.iter().filter_map(missing).collect()
    }

    /// When a scale-up of a pool, or of any, last failed.
    pub(crate) fn failed_at(&self, pool: Option<PoolId>) -> Option<Instant> {
        match pool {
            Some(pool) => self.failed_at.get(&pool).copied(),
            None => self.failed_at.values().max().copied(),
        }
    }
}

/// The states of all nodes, by pool.
fn readiness(seen: &Observation<'_>, settings: &Settings) -> Vec<Readiness> {
    let times = settings.start_times();
    let mut readiness = vec![Readiness::default(); seen.pools.len()];
    for node in seen.nodes {
        readiness[node.pool.index()].count(node, seen.now, times);
    }
    readiness
}

/// Nodes of a pool that have not registered for too long.
pub(crate) fn long_unregistered<'a>(
    seen: &Observation<'a>,
    settings: &Settings,
) -> impl Iterator<Item = &'a NodeSeen> {
    let (now, provision) = (seen.now, settings.max_node_provision_time);
    seen.nodes.iter().filter(move |node| {
        let no_node_yet = matches!(node.stage, NodeStage::Booting | NodeStage::Registering);
        no_node_yet && now.since(node.created) > provision
    })
}
