//! From pods that are left to nodes that are asked for: the scale-up, told about the cluster, with its reasons.

use super::Settings;
use super::cluster_state::ClusterState;
use super::estimator::Surroundings;
use super::expander::{Offer, Preferences, best, preferred_cpu};
use super::luck::Luck;
use super::pending::Pending;
use super::quota::{Quota, Tracker};
use super::scale_up::{
    Pool, Rules, ScaleUp, ScaleUpOption, Similarity, Situation, Skip, Verdict, scale_up,
};
use contract::{
    Action, Instant, NodeSeen, NodeShape, NodeStage, Observation, Plan, PoolId, PoolSeen, Reason,
    Subject,
};
use placement::{Cluster, Resident};
use std::sync::Arc;

/// What a scale-up looks at.
pub(super) struct Growth<'a, 'b> {
    pub(super) seen: &'b Observation<'a>,
    pub(super) state: &'b ClusterState,
    /// What a new node of each pool is thought to be.
    pub(super) templates: &'b [Arc<NodeShape>],
    pub(super) settings: &'b Settings,
    pub(super) luck: Luck,
    /// Pods of a provisioning request: nodes for all of them, or none.
    pub(super) all_or_nothing: bool,
}

impl Growth<'_, '_> {
    /// Asks for nodes for the pods that are left, once, or until nothing helps any more; says for which pools and
    /// how many.
    pub(super) fn run(&self, pending: &mut Pending<'_>, plan: &mut Plan) -> Vec<(PoolId, u32)> {
        let quotas = self.settings.quotas();
        let similarity = self.settings.similarity();
        let mut asked = Vec::new();
        loop {
            let more = self.once(pending, &quotas, similarity.as_ref(), &asked, plan);
            let grew = !more.is_empty();
            asked.extend(more);
            if !grew || !self.settings.salvo_scale_up || pending.count() == 0 {
                return asked;
            }
        }
    }

    fn once(
        &self,
        pending: &mut Pending<'_>,
        quotas: &[Quota],
        similarity: Option<&Similarity>,
        asked: &[(PoolId, u32)],
        plan: &mut Plan,
    ) -> Vec<(PoolId, u32)> {
        let pools = self.pools(asked);
        let looks_around = pending.groups.iter().any(|group| group.spec.constraints.is_some());
        let around = looks_around.then(|| self.surroundings());
        let situation = Situation {
            pools: &pools,
            pods: &pending.groups,
            quotas: tracker(quotas, &pools),
            cluster_nodes: self.state.nodes() + asked.iter().map(|(_, by)| by).sum::<u32>(),
            around: around.as_ref(),
        };
        let rules = Rules {
            max_nodes_total: self.settings.max_nodes_total,
            all_or_nothing: self.all_or_nothing,
            balance: similarity,
            fastpath: self.settings.fastpath_binpacking_enabled,
            max_per_estimate: Some(self.settings.max_nodes_per_scaleup),
        };
        let found = scale_up(&situation, &rules, |options| self.choose(options, asked.len()));
        self.tell_skipped(&found, pending, plan);
        let increases = self.ask(&found, pending, plan);
        if let Some(chosen) = found.chosen() {
            pending.take(&chosen.estimate.placed);
        }
        increases
    }

    /// Pools as a scale-up sees them, with what this loop has asked for already.
    fn pools(&self, asked: &[(PoolId, u32)]) -> Vec<Pool<'_>> {
        let pools = self.seen.pools.iter().zip(&self.state.pools);
        let pool = |(pool, state): (&'_ PoolSeen, &super::cluster_state::PoolState)| {
            let more = asked.iter().filter(|(id, _)| *id == pool.id).map(|(_, by)| by);
            // Nodes that were given up in this loop still count in what is seen.
            let target = pool.target - state.readiness.long_unregistered.min(pool.target);
            (target + more.sum::<u32>(), state.standing)
        };
        let states: Vec<_> = pools.map(pool).collect();
        let pools = self.seen.pools.iter().zip(self.templates).zip(states);
        let zero_or_max = |pool: &PoolSeen| {
            self.settings.zero_or_max_node_scaling.iter().any(|name| **name == *pool.name)
        };
        let pools = pools.map(|((pool, shape), (target, standing))| Pool {
            name: &pool.name,
            shape,
            max: pool.max,
            target,
            zero_or_max: zero_or_max(pool),
            standing,
            price: Some(pool.price),
        });
        pools.collect()
    }

    /// The cluster for pods that look at others. Which zone a new node will be in nobody knows.
    fn surroundings(&self) -> Surroundings {
        let mut cluster = Cluster::default();
        let there = |node: &&NodeSeen| node.stage == NodeStage::Ready;
        let nodes: Vec<_> = self.seen.nodes.iter().filter(there).collect();
        for node in &nodes {
            let shape = &self.seen.pools[node.pool.index()].shape;
            cluster.add_node(node.id, shape, Some(&node.zone));
            for pod in &node.pods {
                let (id, spec, started) = (pod.id, pod.spec.clone(), Instant::ZERO);
                let pod = Resident { id, spec, started, budget: None, terminating: false };
                cluster.add_pod(node.id, pod);
            }
        }
        let nodes = nodes.into_iter().map(|node| node.id).collect();
        Surroundings { cluster, nodes, zone: None }
    }

    /// The option that the expanders prefer, one of several drawn; `nth` counts the choices of the loop.
    fn choose(&self, options: &[ScaleUpOption], nth: usize) -> Option<usize> {
        let offers: Vec<_> = options.iter().map(|option| self.offer(option)).collect();
        let preferences = Preferences {
            priorities: &self.settings.priorities,
            grpc: &self.settings.grpc_reply,
            stabilisation: Some(self.settings.pod_prices.stabilisation()),
            preferred_cpu: preferred_cpu(self.state.nodes()),
        };
        self.luck.choose(nth, &best(&self.settings.expander, &offers, &preferences))
    }

    fn offer(&self, option: &ScaleUpOption) -> Offer<'_> {
        let pool = &self.seen.pools[option.pool];
        let template = &self.templates[option.pool];
        let (pods, requests) = (option.estimate.pods(), option.estimate.requests);
        Offer {
            pool: &pool.name,
            nodes: option.estimate.nodes,
            pods,
            requests,
            capacity: Some(template.allocatable),
            has_gpus: template.gpu.is_some(),
            exists: true,
            node_price: Some(pool.price.0),
            pods_price: Some(self.settings.pod_prices.price(pods, &requests)),
        }
    }

    /// Says why pools that would help may not grow; that no pool helps at all, if so.
    fn tell_skipped(&self, found: &ScaleUp, pending: &Pending<'_>, plan: &mut Plan) {
        let fits = |pool: usize| {
            let shape = &self.templates[pool];
            pending.groups.iter().any(|group| placement::fits_fresh(group.spec, shape).is_ok())
        };
        let mut helpful = found.takes.iter().flatten().any(|groups| !groups.is_empty());
        for (pool, skip) in found.skipped.iter().filter(|(pool, _)| fits(*pool)) {
            helpful = true;
            plan.hold(Subject::Pool(self.seen.pools[*pool].id), self.words(*pool, skip));
        }
        if !helpful {
            let reason = Reason::new("no pool has nodes for these pods");
            plan.hold(Subject::Cluster, reason.with("pods", f64::from(pending.count())));
        }
    }

    fn words(&self, pool: usize, skip: &Skip) -> Reason {
        let target = f64::from(self.seen.pools[pool].target);
        match skip {
            Skip::Unhealthy => Reason::new("pool misses too many nodes").with("nodes", target),
            Skip::BackedOff(left) => {
                Reason::new("backed off after a failed launch").with("left-s", left.as_secs_f64())
            }
            Skip::MaxSize => Reason::new("pool at its maximum").with("nodes", target),
            Skip::AtomicExceedsCluster => {
                Reason::new("the whole pool is more than the cluster may have")
            }
            Skip::Quota(_) => Reason::new("quota exhausted").with("nodes", target),
        }
    }

    fn ask(&self, found: &ScaleUp, pending: &Pending<'_>, plan: &mut Plan) -> Vec<(PoolId, u32)> {
        let pods = f64::from(pending.count());
        let increases = match &found.verdict {
            Verdict::Grow { increases, .. } => increases,
            Verdict::ClusterFull => {
                let reason = Reason::new("cluster at its maximum");
                let nodes = f64::from(self.state.nodes());
                plan.hold(Subject::Cluster, reason.with("nodes", nodes));
                return Vec::new();
            }
            Verdict::NoOptions | Verdict::NotAll => return Vec::new(),
        };
        let helped = found.chosen().map_or(0, |option| option.estimate.pods());
        let options = u32::try_from(found.options.len()).unwrap_or(u32::MAX);
        let mut asked = Vec::new();
        for increase in increases {
            let pool = self.seen.pools[increase.pool].id;
            let words = if self.all_or_nothing {
                "requested pods fit on no node"
            } else {
                "pending pods fit on no node"
            };
            let reason = Reason::new(words)
                .with("pods", pods)
                .with("helped", f64::from(helped))
                .with("options", f64::from(options));
            plan.act(Action::AddNodes { pool, count: increase.by }, reason);
            asked.push((pool, increase.by));
        }
        asked
    }

    /// Asks for what pools lack of their minimum, as far as limits allow.
    pub(super) fn below_minimum(&self, plan: &mut Plan) -> Vec<(PoolId, u32)> {
        let quotas = self.settings.quotas();
        let pools = self.pools(&[]);
        let mut tracker = tracker(&quotas, &pools);
        let mut nodes = self.state.nodes();
        let mut asked = Vec::new();
        for (pool, seen) in pools.iter().zip(self.seen.pools) {
            let lacks = seen.min.saturating_sub(pool.target);
            let max = self.settings.max_nodes_total;
            if lacks == 0 || pool.may_grow(&tracker, nodes, max).is_err() {
                continue;
            }
            let room = if max == 0 { u32::MAX } else { max.saturating_sub(nodes) };
            let by = tracker.cap(pool.name, pool.shape, lacks.min(room));
            if by > 0 {
                tracker.book(pool.name, pool.shape, by);
                nodes += by;
                let reason = Reason::new("pool below its minimum").with("lacks", lacks.into());
                plan.act(Action::AddNodes { pool: seen.id, count: by }, reason);
                asked.push((seen.id, by));
            }
        }
        asked
    }
}

/// What quotas leave, with all targets counted.
fn tracker<'a>(quotas: &'a [Quota], pools: &[Pool<'_>]) -> Tracker<'a> {
    let nodes = pools.iter().map(|pool| (Some(pool.name), &**pool.shape, pool.target));
    Tracker::new(quotas, &nodes)
}
