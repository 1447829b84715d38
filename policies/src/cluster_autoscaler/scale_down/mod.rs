//! Which nodes are not needed, and which of them go now.

mod budget;
mod deletion;
mod disruptions;
mod drainability;
mod eligibility;
mod going;
mod removable;
mod simulation;
mod unneeded;
mod unremovable;
mod utilization;

pub use budget::{Bucket, Budget, buckets};
pub use deletion::{PoolCounts, Removable, nodes_to_delete};
pub use disruptions::Disruptions;
pub use drainability::{Blocker, Controller, DrainRules, Drainability, PodFacts};
pub use eligibility::Eligibility;
pub(super) use going::Going;
pub use removable::{PoolSize, UnneededNode};
pub use simulation::{Extent, Found, Movable, find_unneeded, still_to_place};
pub use unneeded::{UnneededTimes, unneeded_limit, unneeded_since};
pub use unremovable::Unremovable;
pub use utilization::{
    DevicePool, GPU_RESOURCE, NoUtilization, NodeUse, PodUse, Utilization, utilization,
};

use super::cluster_state::ClusterState;
use super::quota::{Amounts, Minimum};
use super::snapshot::{Guest, Snapshot};
use super::{Memory, Settings};
use contract::{
    Action, Instant, Micros, NodeId, NodeSeen, NodeStage, Observation, Owner, Plan, PoolId,
    PoolSeen, Reason, Resources, Subject,
};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// One loop's scale-down.
pub(super) struct ScaleDown<'a, 'b> {
    pub(super) seen: &'b Observation<'a>,
    pub(super) state: &'b ClusterState,
    pub(super) settings: &'b Settings,
}

/// An unneeded node, as long as nothing else is known of it.
#[derive(Clone, Copy, Debug)]
struct Unneeded<'a> {
    node: &'a NodeSeen,
    share: f64,
    movable: Movable,
}

impl<'a> ScaleDown<'a, '_> {
    /// Brings the list of unneeded nodes up to date, and removes those that have been on it for long enough, unless
    /// a cool-down is on.
    pub(super) fn run(&self, snapshot: &mut Snapshot<'a>, memory: &mut Memory, plan: &mut Plan) {
        self.place_evicted(snapshot, memory);
        let unneeded = self.find(snapshot, memory, plan);
        tell_news(&unneeded, memory, plan);
        let ids = unneeded.iter().map(|found| found.node.id);
        memory.unneeded = unneeded_since(&memory.unneeded, ids, self.seen.now);
        if let Some((words, left)) = self.cooling_down(None, memory) {
            if !unneeded.is_empty() {
                let reason = Reason::new(words).with("left-s", left.as_secs_f64());
                plan.hold(Subject::Cluster, reason);
            }
            return;
        }
        if !self.remove(&unneeded, memory, plan) {
            self.taint_softly(memory, plan);
        }
    }

    /// Has pods avoid nodes that nobody needs, and no longer those that are needed after all, so many at a time.
    fn taint_softly(&self, memory: &Memory, plan: &mut Plan) {
        let is_there = |node: &&NodeSeen| {
            let is_up = (NodeStage::AcceleratorStarting..=NodeStage::Ready).contains(&node.stage);
            is_up && !memory.going.contains_key(&node.id)
        };
        let differs =
            |node: &&NodeSeen| node.softly_tainted != memory.unneeded.contains_key(&node.id);
        let at_a_time = self.settings.max_bulk_soft_taint_count as usize;
        for found in self.seen.nodes.iter().filter(is_there).filter(differs).take(at_a_time) {
            let node = found.id;
            if found.softly_tainted {
                plan.act(Action::UntaintSoftly { node }, Reason::new("needed after all"));
            } else {
                plan.act(Action::TaintSoftly { node }, Reason::new("may go"));
            }
        }
    }

    /// Pods that were evicted and are not made anew yet will need a place.
    fn place_evicted(&self, snapshot: &mut Snapshot<'a>, memory: &mut Memory) {
        let services = self.seen.services;
        let short = |owner: Owner| {
            let service = owner.service().map(|service| &services[service.index()]);
            service.map_or(0, |service| {
                let there =
                    service.replicas.pending + service.replicas.starting + service.replicas.ready;
                service.replicas_wanted.saturating_sub(there)
            })
        };
        memory.evicted.retain(|service, _| short(Owner::Service(*service)) > 0);
        let evicted = memory.evicted.iter().flat_map(|(service, count)| {
            let guest = Guest { spec: &services[service.index()].spec, pod: None };
            std::iter::repeat_n((Some(Owner::Service(*service)), guest), *count as usize)
        });
        for guest in still_to_place(evicted, short) {
            // One that fits nowhere blocks nothing.
            let _ = snapshot.place(guest, |node| node.id.is_some());
        }
    }

    /// Underused nodes whose pods all find other places.
    fn find(
        &self,
        snapshot: &mut Snapshot<'a>,
        memory: &mut Memory,
        plan: &mut Plan,
    ) -> Vec<Unneeded<'a>> {
        let now = self.seen.now;
        memory.unremovable.retain(|_, until| now < *until);
        let mut candidates = Vec::new();
        let mut shares = BTreeMap::new();
        for node in self.candidates(snapshot, memory) {
            let Some(place) = snapshot.find(node.id) else { continue };
            let used = snapshot.nodes[place].candidate.used;
            let Ok(share) = self.eligible_share(node, used, memory) else { continue };
            shares.insert(place, (node, share));
            candidates.push(place);
        }
        let extent = Extent { limit: self.limit(memory), time_for: usize::MAX };
        let rules = self.settings.drain_rules();
        let goes_whole = |pool: usize| self.goes_whole(&self.seen.pools[pool]);
        let facts = |guest: &Guest<'_>| self.facts(guest);
        let mut disruptions = Disruptions::of(self.seen.services);
        let found = find_unneeded(
            snapshot,
            &candidates,
            &rules,
            extent,
            &mut disruptions,
            &facts,
            &goes_whole,
        );
        for (place, reason) in found.unremovable {
            let (node, share) = shares[&place];
            let until = now + self.settings.unremovable_node_recheck_timeout;
            memory.unremovable.insert(node.id, until);
            let words = match reason {
                Unremovable::BlockedByPod(_) => "underused, but one of its pods may not be moved",
                _ => "underused, but its pods fit nowhere else",
            };
            let reason = Reason::new(words).with("utilization", share);
            plan.hold(Subject::Node(node.id), reason);
        }
        let unneeded = found.unneeded.into_iter().map(|movable| {
            let (node, share) = shares[&movable.place];
            Unneeded { node, share, movable }
        });
        unneeded.collect()
    }

    fn limit(&self, memory: &Memory) -> usize {
        let interval = memory.shortest_interval.unwrap_or(self.settings.scan_interval);
        unneeded_limit(
            memory.unneeded.len(),
            self.settings.max_scale_down_parallelism,
            self.settings.scale_down_unneeded_time,
            interval.min(self.settings.scan_interval),
        )
    }

    /// Nodes of pools above their minimum: those already unneeded first, then empty ones.
    fn candidates(&self, snapshot: &Snapshot<'_>, memory: &Memory) -> Vec<&'a NodeSeen> {
        let may_go = |node: &&NodeSeen| {
            let pool = &self.seen.pools[node.pool.index()];
            pool.target > pool.min
                && !self.is_starting(node)
                && !self.waits_locally(pool.id, memory)
        };
        let is_empty = |node: &NodeSeen| {
            let guests = snapshot.find(node.id).map(|place| snapshot.nodes[place].guests.len());
            node.pods.is_empty() && guests == Some(0)
        };
        let mut found: Vec<_> = self.seen.nodes.iter().filter(may_go).collect();
        found.sort_by_cached_key(|node| {
            Reverse((memory.unneeded.contains_key(&node.id), is_empty(node)))
        });
        found
    }

    /// Whether a node is still on its way up.
    fn is_starting(&self, node: &NodeSeen) -> bool {
        let within = self.seen.now.since(node.since) < self.settings.max_node_startup_time;
        node.stage < NodeStage::AcceleratorStarting
            || (node.stage == NodeStage::AcceleratorStarting && within)
    }

    /// How much of a node is requested, pods in thought included, if it may be looked at.
    fn eligible_share(
        &self,
        node: &NodeSeen,
        used: Resources,
        memory: &Memory,
    ) -> Result<f64, Unremovable> {
        let pool = &self.seen.pools[node.pool.index()];
        let utilization =
            utilization(used, &pool.shape, self.settings.ignore_daemonsets_utilization);
        let going = memory.going.contains_key(&node.id) || node.stage >= NodeStage::Draining;
        let eligibility = Eligibility {
            told_to_go_for: going.then_some(Micros::ZERO),
            disabled: false,
            in_pool: true,
            ready: node.stage == NodeStage::Ready,
            unready_may_go: self.settings.scale_down_unready_enabled,
            utilization: utilization.as_ref().map_err(|error| *error),
            threshold: match pool.shape.gpu {
                Some(_) => self.settings.scale_down_gpu_utilization_threshold,
                None => self.settings.scale_down_utilization_threshold,
            },
        };
        eligibility.check()?;
        if memory.unremovable.contains_key(&node.id) {
            return Err(Unremovable::RecentlyUnremovable);
        }
        utilization.map(|found| found.share).map_err(|_| Unremovable::UnexpectedError)
    }

    fn goes_whole(&self, pool: &PoolSeen) -> bool {
        self.settings.zero_or_max_node_scaling.iter().any(|name| **name == *pool.name)
    }

    /// What of a pod matters to whether it may move.
    fn facts(&self, guest: &Guest<'_>) -> PodFacts {
        let service = guest.pod.and_then(|pod| pod.owner.service());
        let replicas = service.map(|service| self.seen.services[service.index()].replicas_wanted);
        let marks = &guest.spec.eviction;
        let controller = if marks.custom_controller {
            Controller::Custom
        } else {
            Controller::Known { replicas, exists: true }
        };
        PodFacts {
            controller,
            safe_to_evict: marks.safe_to_evict,
            system: marks.system,
            local_storage: marks.local_storage,
            ..PodFacts::replicated(
                guest.pod.map_or(Micros::ZERO, |pod| self.seen.now.since(pod.created)),
            )
        }
    }

    /// Whether a pool's own cool-down is on (`scale-down-delay-type-local`).
    fn waits_locally(&self, pool: PoolId, memory: &Memory) -> bool {
        self.settings.scale_down_delay_type_local && self.cooling_down(Some(pool), memory).is_some()
    }

    /// The cool-down that is on, of a pool or of the cluster, and how long it will still be.
    fn cooling_down(
        &self,
        pool: Option<PoolId>,
        memory: &Memory,
    ) -> Option<(&'static str, Micros)> {
        let settings = self.settings;
        if settings.scale_down_delay_type_local && pool.is_none() {
            return None;
        }
        let last = |times: &BTreeMap<PoolId, Instant>| match pool {
            Some(pool) => times.get(&pool).copied(),
            None => times.values().max().copied(),
        };
        let cooldowns = [
            (
                "cooling down after adding nodes",
                last(&memory.added_at),
                settings.scale_down_delay_after_add,
            ),
            (
                "cooling down after removing nodes",
                last(&memory.removed_at),
                settings.scale_down_delay_after_delete,
            ),
            (
                "cooling down after a failed launch",
                memory.registry.failed_at(pool),
                settings.scale_down_delay_after_failure,
            ),
        ];
        cooldowns.into_iter().find_map(|(words, at, delay)| {
            let until = at? + delay;
            (self.seen.now < until).then(|| (words, until.since(self.seen.now)))
        })
    }

    /// Removes what has been unneeded for long enough: empty nodes first and many at a time, nodes with pods as far
    /// as the budget of drains goes. True if there was any.
    fn remove(&self, unneeded: &[Unneeded<'a>], memory: &mut Memory, plan: &mut Plan) -> bool {
        let removable = self.removable(unneeded, memory);
        let counts = self.pool_counts();
        let (empty, drain) = nodes_to_delete(removable, &counts);
        let by_pool = |nodes: Vec<Removable<usize>>| {
            buckets(nodes.into_iter().map(|removable| (removable.pool, removable.node)))
        };
        let (empty, drain) = self.budget(memory).crop(by_pool(empty), by_pool(drain), &counts);
        let mut removes = false;
        for (buckets, drains) in [(empty, false), (drain, true)] {
            for place in buckets.into_iter().flat_map(|bucket| bucket.nodes) {
                self.remove_one(&unneeded[place], drains, memory, plan);
                removes = true;
            }
        }
        removes
    }

    /// Nodes that have been unneeded for long enough and that pool and cluster can spare, by place in the list.
    fn removable(&self, unneeded: &[Unneeded<'_>], memory: &Memory) -> Vec<Removable<usize>> {
        let mut sizes = self.pool_sizes(memory);
        let mut minimum = self.minimum();
        let mut order: Vec<_> = (0..unneeded.len()).collect();
        order.sort_by_key(|&place| unneeded[place].movable.pods > 0);
        let mut removable = Vec::new();
        for place in order {
            let found = &unneeded[place];
            let pool = found.node.pool.index();
            let node = UnneededNode {
                ready: found.node.stage == NodeStage::Ready,
                unneeded_for: self.seen.now.since(memory.unneeded[&found.node.id]),
                disabled: false,
                shape: &self.seen.pools[pool].shape,
            };
            let times = self.settings.unneeded_times();
            if node.remove(Some(&mut sizes[pool]), times, &mut minimum).is_ok() {
                let Movable { pods, on_completion, risky, .. } = found.movable;
                removable.push(Removable { node: place, pool, pods, on_completion, risky });
            }
        }
        removable
    }

    fn pool_sizes(&self, memory: &Memory) -> Vec<PoolSize> {
        // The target counts a node until it drains.
        let counted = |id: &NodeId| {
            let place = self.seen.nodes.binary_search_by_key(id, |node| node.id);
            place.is_ok_and(|place| self.seen.nodes[place].stage < NodeStage::Draining)
        };
        let ongoing = |pool: &PoolSeen| {
            let going = memory.going.iter();
            let going = going.filter(|(id, going)| going.pool == pool.id && counted(id));
            u32::try_from(going.count()).unwrap_or(u32::MAX)
        };
        let size = |pool: &PoolSeen| PoolSize {
            min: pool.min,
            size: pool.target,
            ongoing_deletions: ongoing(pool),
        };
        self.seen.pools.iter().map(size).collect()
    }

    fn minimum(&self) -> Minimum {
        let mut left = Amounts::default();
        for (pool, state) in self.seen.pools.iter().zip(&self.state.pools) {
            let nodes = state.readiness.ready + state.readiness.unready;
            left.add(Amounts::of_node(&pool.shape).times(nodes.into()));
        }
        Minimum { least: self.settings.least(), left }
    }

    fn pool_counts(&self) -> Vec<PoolCounts> {
        let counts = |(pool, state): (&PoolSeen, &super::cluster_state::PoolState)| PoolCounts {
            target: pool.target,
            registered: state.readiness.registered - state.readiness.deleted,
            zero_or_max: self.goes_whole(pool),
        };
        self.seen.pools.iter().zip(&self.state.pools).map(counts).collect()
    }

    fn budget(&self, memory: &Memory) -> Budget {
        let count = |drains| {
            let going = memory.going.values().filter(|going| going.drains == drains);
            u32::try_from(going.count()).unwrap_or(u32::MAX)
        };
        Budget::new(
            self.settings.max_scale_down_parallelism,
            self.settings.max_drain_parallelism,
            count(false),
            count(true),
        )
    }

    fn remove_one(&self, found: &Unneeded<'_>, drains: bool, memory: &mut Memory, plan: &mut Plan) {
        let (node, now) = (found.node, self.seen.now);
        let since = memory.unneeded.remove(&node.id).unwrap_or(now);
        let unneeded_for = now.since(since).as_secs_f64();
        let reason = |words| Reason::new(words).with("unneeded-s", unneeded_for);
        let reason = if drains {
            let pods = u32::try_from(found.movable.pods).unwrap_or(u32::MAX);
            reason("underused for the unneeded time")
                .with("utilization", found.share)
                .with("pods", f64::from(pods))
        } else {
            reason("empty for the unneeded time")
        };
        let after = self.settings.node_delete_delay_after_taint;
        plan.act(Action::Retire { node: node.id, after }, reason);
        memory.goes(node, drains, now, now + after);
    }
}

/// Says which nodes are unneeded from now on.
fn tell_news(unneeded: &[Unneeded<'_>], memory: &Memory, plan: &mut Plan) {
    for found in unneeded.iter().filter(|found| !memory.unneeded.contains_key(&found.node.id)) {
        let reason = Reason::new("unneeded from now on").with("utilization", found.share);
        plan.hold(Subject::Node(found.node.id), reason);
    }
}
