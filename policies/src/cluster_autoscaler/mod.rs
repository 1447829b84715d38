//! Cluster Autoscaler: adds nodes for pods that fit nowhere, removes nodes that nobody needs.
//!
//! ## What it does
//! Every 10 s, and as soon as a pod turns out unschedulable, it places pending pods in thought on nodes that
//! are there or on their way. For those left it packs new nodes of each pool, lets the expander choose one
//! pool, and asks for its nodes, shared out among pools that are alike if they are to be balanced. Otherwise it
//! looks for nodes at or below half use whose pods all fit on other nodes; those that stay so for 10 minutes go:
//! empty ones up to ten at a time, others drained one by one, each cordoned 5 s before; until then pods avoid
//! them (a soft taint). A pod keeps its node by its marks (`safe-to-evict`, local storage, `kube-system`) or by a
//! disruption budget that allows no eviction. A pool whose launch failed is left alone for 5 minutes, then 10,
//! 20, 30.
//!
//! With `enable-provisioning-requests` it answers one `ProvisioningRequest` a loop, in turns with pods that want nodes.
//! `check-capacity` only says whether all its pods fit; `best-effort-atomic-scale-up` adds the nodes that all of them
//! need, or none. Room is kept for 10 minutes, or until all its pods are on nodes, which get no nodes of their own.
//! Without room the request is looked at again after 1 minute, then 2, 4, 8, 10; it fails after 7 days, or at once if
//! it is a `check-capacity` request that is not to be tried again.
//!
//! ## What it looks at
//! Unschedulable pods and what they request; nodes with the requests of their pods, never with their real use;
//! pools with limits, prices, failed launches and nodes that are late or missing; quotas; provisioning requests.
//!
//! ## Settings
//! The flags of the real one that change decisions, by name, and two of its constants: `new-pods-wait` (2 s)
//! and `new-gpu-pods-wait` (30 s), during which it waits for a burst to be complete. `expander = ["random"]` is
//! the default of versions before 1.33. What a provider says of its groups stands in
//! `zero-or-max-node-scaling`, and what its template of an empty group leaves out in `template-lacks`; objects of the
//! cluster stand in `capacity-quotas` and `buffers` (`CapacityBuffer`, by service); `seed` is the luck of what upstream
//! leaves to chance.
//!
//! ## Where it falls short
//! It acts when pods are already pending, so every scale-up waits for a whole node. A fresh pod that asks for a
//! GPU waits another 30 s. Choosing among pools it does not see GPUs: least-waste and the packing order look at
//! CPU and memory alone. Its packing is not the scheduler's: with pods of several sizes every loop packs nodes
//! on their way in another order and orders more than it needs. A node that was found unremovable is not looked
//! at again for 5 minutes; nodes that never register are ordered again and again.
//! Where the nodes for a granted request fail to launch, its pods get no others.
//!
//! ## Source
//! kubernetes/autoscaler `cluster-autoscaler` 1.37: `core/static_autoscaler.go`, `core/scaleup`,
//! `core/scaledown`, `clusterstate`, `estimator`, `expander`, `utils/backoff`; flags and defaults from
//! `config/flags`.

pub mod cluster_state;
pub mod estimator;
pub mod expander;
pub mod quota;
pub mod scale_down;
pub mod scale_up;
pub mod snapshot;

mod flags;
mod growth;
mod luck;
mod node_group;
mod pending;
mod provisioning;
mod settings;
mod template;
mod total_range;

pub use node_group::NodeGroup;
pub use pending::PodGroup;
pub use settings::Settings;
pub use template::Lack;
pub use total_range::TotalRange;

use cluster_state::{ClusterState, Registry, long_unregistered};
use contract::{
    Action, Cadence, Instant, Micros, NodeId, NodeSeen, NodeShape, NodeStage, Observation, Plan,
    Policy, PoolId, ProvisioningAnswer, ProvisioningClass, ProvisioningRequest, Reason, ServiceId,
    StateError, Subject,
};
use growth::Growth;
use luck::Luck;
use node_group::managed;
use pending::Pending;
use placement::Candidate;
use provisioning::Requests;
use scale_down::{Going, ScaleDown};
use serde::{Deserialize, Serialize};
use snapshot::{SimNode, Snapshot};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the autoscaler remembers between two loops.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    /// Loops so far.
    turns: u64,
    /// When the last loop was.
    last_loop: Option<Instant>,
    /// The shortest time between two loops so far.
    shortest_interval: Option<Micros>,
    /// What is known of pools.
    registry: Registry,
    /// Nodes that nobody needs, and since when.
    unneeded: BTreeMap<NodeId, Instant>,
    /// Nodes whose pods fit nowhere else, and until when that is believed.
    unremovable: BTreeMap<NodeId, Instant>,
    /// Nodes that were told to go and are still there.
    going: BTreeMap<NodeId, Going>,
    /// Pods that were evicted and are not made anew yet.
    evicted: BTreeMap<ServiceId, u32>,
    /// When nodes were last asked for.
    added_at: BTreeMap<PoolId, Instant>,
    /// When nodes were last removed.
    removed_at: BTreeMap<PoolId, Instant>,
    /// What is known of provisioning requests.
    #[serde(default)]
    requests: Requests,
}

/// The policy.
#[derive(Debug)]
pub(crate) struct ClusterAutoscaler {
    settings: Settings,
    memory: Memory,
}

impl ClusterAutoscaler {
    /// With its flags carried out; flags that cannot be were found when the settings were checked.
    pub(crate) fn new(settings: Settings) -> Self {
        let settings = settings.resolved().unwrap_or(settings);
        Self { settings, memory: Memory::default() }
    }

    fn luck(&self) -> Luck {
        Luck { seed: self.settings.seed, turn: self.memory.turns }
    }

    fn count_loop(&mut self, now: Instant) {
        self.memory.turns += 1;
        if let Some(last) = self.memory.last_loop.replace(now) {
            let interval = now.since(last);
            let shortest = self.memory.shortest_interval.get_or_insert(interval);
            *shortest = interval.min(*shortest);
        }
    }

    /// Gives up nodes that are late: instances that never registered, and requests that never became instances.
    /// True if there were any of the latter: then sizes have to settle first.
    fn give_up_late_nodes(
        &self,
        seen: &Observation<'_>,
        late: &[(PoolId, u32)],
        plan: &mut Plan,
    ) -> bool {
        let mut spare: Vec<_> = seen.pools.iter().map(|pool| self.spare(pool)).collect();
        for node in long_unregistered(seen, &self.settings) {
            let spare = &mut spare[node.pool.index()];
            if *spare > 0 {
                *spare -= 1;
                let waited = seen.now.since(node.created).as_secs_f64();
                let reason = Reason::new("did not register in time").with("waited-s", waited);
                plan.act(Action::Delete { node: node.id }, reason);
            }
        }
        let stuck = self.memory.registry.too_small_for_long(seen.now, &self.settings);
        let mut settled = true;
        for (lacking, words, settles) in [
            (late, "scale-up timed out", true),
            (&stuck, "pool too small for the provision time", false),
        ] {
            for &(pool, missing) in lacking {
                let lacks =
                    |node: &&NodeSeen| node.pool == pool && node.stage == NodeStage::Requested;
                let most = missing.min(spare[pool.index()]) as usize;
                for node in seen.nodes.iter().filter(lacks).take(most) {
                    spare[pool.index()] -= 1;
                    settled &= settles;
                    let waited = seen.now.since(node.created).as_secs_f64();
                    let reason = Reason::new(words).with("waited-s", waited);
                    plan.act(Action::Delete { node: node.id }, reason);
                }
            }
        }
        !settled
    }

    /// How many nodes a pool may lose.
    fn spare(&self, pool: &contract::PoolSeen) -> u32 {
        let min = if self.settings.force_delete_unregistered_nodes { 0 } else { pool.min };
        pool.target.saturating_sub(min)
    }

    /// Nodes that are ready, others as ghosts, and empty nodes in place of those that will be there soon.
    fn snapshot<'a>(
        &self,
        seen: &Observation<'a>,
        state: &ClusterState,
        templates: &'a [Arc<NodeShape>],
    ) -> Snapshot<'a> {
        let real = seen.nodes.iter().filter(|node| node.stage >= NodeStage::AcceleratorStarting);
        let real = real.map(|node| {
            let shape = &*seen.pools[node.pool.index()].shape;
            let pods = u32::try_from(node.pods.len()).unwrap_or(u32::MAX);
            let going = self.memory.going.contains_key(&node.id);
            SimNode {
                id: Some(node.id),
                pool: node.pool.index(),
                closed: node.stage != NodeStage::Ready || going,
                removed: false,
                candidate: Candidate { shape, used: node.used, pods, cordoned: node.cordoned },
                residents: &node.pods,
                guests: Vec::new(),
            }
        });
        let upcoming = state.pools.iter().enumerate().flat_map(|(place, pool)| {
            let shape = &*templates[place];
            std::iter::repeat_with(move || SimNode::upcoming(place, shape))
                .take(pool.upcoming as usize)
        });
        Snapshot::new(real.chain(upcoming).collect())
    }

    /// Asks for nodes if pods need them; true if nothing else should be done in this loop.
    fn scale_up(
        &mut self,
        seen: &Observation<'_>,
        state: &ClusterState,
        templates: &[Arc<NodeShape>],
        mut pending: Pending<'_>,
        plan: &mut Plan,
    ) -> bool {
        if pending.count() == 0 {
            if pending.helped > 0 {
                let reason =
                    Reason::new("pending pods fit on nodes that are there or on their way");
                plan.hold(Subject::Cluster, reason.with("pods", f64::from(pending.helped)));
            }
            return false;
        }
        if let Some(ends_loop) = self.waits(seen, state, &pending, plan) {
            return ends_loop;
        }
        let growth = self.growth(seen, state, templates);
        let increases = growth.run(&mut pending, plan);
        self.note_increases(&increases, seen.now)
    }

    /// Whether pods are to wait although they fit nowhere, and if so, whether nothing else should be done in this
    /// loop.
    fn waits(
        &self,
        seen: &Observation<'_>,
        state: &ClusterState,
        pending: &Pending<'_>,
        plan: &mut Plan,
    ) -> Option<bool> {
        let pods = |reason: Reason| reason.with("pods", f64::from(pending.count()));
        if self.settings.max_nodes_total > 0 && state.ready() >= self.settings.max_nodes_total {
            plan.hold(Subject::Cluster, pods(Reason::new("cluster at its maximum")));
            return Some(false);
        }
        if pending.is_new(seen.now, &self.settings) {
            let reason = Reason::new("pending pods are new, more may follow");
            plan.hold(Subject::Cluster, pods(reason));
            return Some(true);
        }
        None
    }

    fn growth<'a, 'b>(
        &'b self,
        seen: &'b Observation<'a>,
        state: &'b ClusterState,
        templates: &'b [Arc<NodeShape>],
    ) -> Growth<'a, 'b> {
        let (settings, luck) = (&self.settings, self.luck());
        Growth { seen, state, templates, settings, luck, all_or_nothing: false }
    }

    /// Remembers what was asked for; true if anything was.
    fn note_increases(&mut self, increases: &[(PoolId, u32)], now: Instant) -> bool {
        for &(pool, by) in increases {
            self.asked_for(pool, by, now);
        }
        !increases.is_empty()
    }

    /// Looks at a provisioning request and answers it; true if nothing else should be done in this loop.
    fn provision<'a>(
        &mut self,
        seen: &Observation<'a>,
        state: &ClusterState,
        templates: &[Arc<NodeShape>],
        request: &'a ProvisioningRequest,
        snapshot: &mut Snapshot<'a>,
        plan: &mut Plan,
    ) -> bool {
        let all = Pending::requested(request, request.pods);
        if let Some(ends_loop) = self.waits(seen, state, &all, plan) {
            return ends_loop;
        }
        self.memory.requests.look(request, &self.settings);
        let left = request.pods - provisioning::room(request, snapshot);
        let checks = request.class == ProvisioningClass::CheckCapacity;
        let (answer, words) = if left == 0 {
            let words = "requested pods fit on nodes that are there or on their way";
            (ProvisioningAnswer::Found, words)
        } else if !checks && self.scale_up_whole(seen, state, templates, request, left, plan) {
            (ProvisioningAnswer::Provisioned, "nodes for all requested pods")
        } else if request.no_retry {
            (ProvisioningAnswer::Failed, "no room for all requested pods")
        } else {
            (ProvisioningAnswer::NotFound, "no room for all requested pods")
        };
        provisioning::answer(request, answer, words, plan);
        // Upstream: `ScaleUpSuccessful` ends the loop, `ScaleUpNotNeeded` and `ScaleUpNoOptionsAvailable` do not.
        answer == ProvisioningAnswer::Provisioned || (checks && left == 0)
    }

    /// Asks for nodes for all pods of a request that are left, or for none.
    fn scale_up_whole(
        &mut self,
        seen: &Observation<'_>,
        state: &ClusterState,
        templates: &[Arc<NodeShape>],
        request: &ProvisioningRequest,
        left: u32,
        plan: &mut Plan,
    ) -> bool {
        let mut pending = Pending::requested(request, left);
        let growth = Growth { all_or_nothing: true, ..self.growth(seen, state, templates) };
        let increases = growth.run(&mut pending, plan);
        self.note_increases(&increases, seen.now)
    }

    fn asked_for(&mut self, pool: PoolId, by: u32, now: Instant) {
        self.memory.added_at.insert(pool, now);
        self.memory.registry.asked_for(pool, by, now, &self.settings);
    }

    /// Brings pools up to their minimum, if that is asked for.
    fn enforce_minimum(
        &mut self,
        seen: &Observation<'_>,
        state: &ClusterState,
        templates: &[Arc<NodeShape>],
        plan: &mut Plan,
    ) {
        if !self.settings.enforce_node_group_min_size {
            return;
        }
        let increases = self.growth(seen, state, templates).below_minimum(plan);
        self.note_increases(&increases, seen.now);
    }
}

impl Policy for ClusterAutoscaler {
    fn name(&self) -> &'static str {
        "cluster-autoscaler"
    }

    fn cadence(&self) -> Cadence {
        let on_unschedulable = self.settings.frequent_loops_enabled;
        let regular = Cadence::regular(self.settings.scan_interval, Micros::ZERO);
        Cadence { on_unschedulable, gap: self.settings.loop_time, ..regular }
    }

    /// One loop, in upstream's order of steps (`StaticAutoscaler.RunOnce`).
    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        let pools = managed(seen.pools, &self.settings.nodes);
        let seen = &Observation { pools: &pools, ..*seen };
        self.count_loop(seen.now);
        self.memory.forget_gone(seen);
        self.memory.requests.refresh(seen, plan);
        self.memory.give_up_drains(seen, self.settings.max_pod_eviction_time, plan);
        let (state, late) = self.memory.registry.update(seen, &self.settings);
        if state.ready() == 0 && !self.settings.scale_up_from_zero {
            plan.hold(Subject::Cluster, Reason::new("no node is ready"));
            return;
        }
        if !state.healthy {
            self.memory.unneeded.clear();
            plan.hold(Subject::Cluster, Reason::new("too many nodes are unready"));
            return;
        }
        if self.give_up_late_nodes(seen, &late, plan) {
            return;
        }
        let templates = template::templates(seen, &state, &self.settings);
        let mut snapshot = self.snapshot(seen, &state, &templates);
        let pending = Pending::of(seen, &mut snapshot, &self.settings, self.luck());
        provisioning::book(seen, &mut snapshot);
        let grows = match self.memory.requests.next(seen, pending.count(), &self.settings) {
            Some(request) => self.provision(seen, &state, &templates, request, &mut snapshot, plan),
            None => self.scale_up(seen, &state, &templates, pending, plan),
        };
        if !grows && self.settings.scale_down_enabled {
            let scale_down = ScaleDown { seen, state: &state, settings: &self.settings };
            scale_down.run(&mut snapshot, &mut self.memory, plan);
        }
        self.enforce_minimum(seen, &state, &templates, plan);
    }

    fn save(&self) -> serde_json::Value {
        crate::state::save(&self.memory)
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), StateError> {
        self.memory = crate::state::restore(self.name(), state)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
