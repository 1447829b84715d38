//! The fleet: nodes by pool, their lives, what stands on them, and what they cost.

mod ledger;
mod node;
mod pipe;

use crate::random::Seed;
use crate::spec::PoolSpec;
use contract::{
    Instant, LaunchFailure, LaunchFailureKind, Micros, NodeId, NodeSeen, NodeStage, PoolId,
    PoolSeen,
};
pub(crate) use ledger::Ledger;
pub(crate) use node::{NodeLuck, NodeState};

/// All nodes. `seen` is what policies see; `state` lies beside it, index by index.
pub(crate) struct Fleet {
    pub(crate) specs: Vec<PoolSpec>,
    pub(crate) pools: Vec<PoolSeen>,
    pub(crate) seen: Vec<NodeSeen>,
    pub(crate) state: Vec<NodeState>,
    pub(crate) ledger: Ledger,
    seed: Seed,
    made: u32,
    made_in_pool: Vec<u64>,
    pub(crate) launched: u64,
    pub(crate) launch_failures: u64,
    pub(crate) reclaimed: u64,
}

impl Fleet {
    /// Pools without nodes.
    pub(crate) fn new(specs: Vec<PoolSpec>, seed: Seed, horizon: Instant) -> Self {
        let pools = specs.iter().enumerate().map(|(place, spec)| pool_seen(place, spec)).collect();
        let ledger = Ledger::new(&specs, horizon);
        let made_in_pool = vec![0; specs.len()];
        Self {
            specs,
            pools,
            seen: Vec::new(),
            state: Vec::new(),
            ledger,
            seed,
            made: 0,
            made_in_pool,
            launched: 0,
            launch_failures: 0,
            reclaimed: 0,
        }
    }

    /// Asks the cloud for one more node of a pool. Its luck depends on the pool and on how many were asked
    /// for before, not on when: two policies meet the same.
    pub(crate) fn request(&mut self, now: Instant, pool: PoolId) -> NodeId {
        let spec = &self.specs[pool.index()];
        let ordinal = self.made_in_pool[pool.index()];
        self.made_in_pool[pool.index()] += 1;
        let turn = usize::try_from(ordinal).expect("fewer nodes than addresses") % spec.zones.len();
        let entity = u64::from(pool.0) << 40 | ordinal;
        let mut luck = NodeLuck::draw(spec, &mut self.seed.stream("node", entity));
        let zone = self.zone_with_stock(pool, turn);
        let zone_name = spec.zones[zone.unwrap_or(turn)].name.clone();
        if zone.is_none() {
            luck.failure = Some(LaunchFailureKind::StockOut);
        }
        let id = NodeId(self.made);
        self.made += 1;
        self.pools[pool.index()].target += 1;
        self.seen.push(NodeSeen {
            id,
            pool,
            zone: zone_name,
            stage: NodeStage::Requested,
            since: now,
            created: now,
            used: contract::Resources::default(),
            cordoned: false,
            pods: Vec::new(),
        });
        self.state.push(NodeState::new(spec, luck, zone.unwrap_or(turn)));
        id
    }

    /// The first zone from `turn` on that has something left.
    fn zone_with_stock(&self, pool: PoolId, turn: usize) -> Option<usize> {
        let zones = &self.specs[pool.index()].zones;
        let taken = |zone: usize| {
            let here = |place: &usize| {
                self.seen[*place].pool == pool && self.state[*place].holds_stock_of(zone)
            };
            (0..self.seen.len()).filter(here).count()
        };
        let has_stock =
            |zone: &usize| zones[*zone].stock.is_none_or(|stock| taken(*zone) < stock as usize);
        (0..zones.len()).map(|step| (turn + step) % zones.len()).find(has_stock)
    }

    /// Where a node stands in the tables; ids rise, so this is a binary search.
    pub(crate) fn place(&self, id: NodeId) -> Option<usize> {
        self.seen.binary_search_by_key(&id, |node| node.id).ok()
    }

    /// A node passes to another stage.
    pub(crate) fn enter(&mut self, place: usize, now: Instant, stage: NodeStage) {
        self.settle(place, now);
        let was = self.seen[place].stage;
        if was == NodeStage::Requested {
            self.launched += 1;
            self.ledger.node_up(self.seen[place].pool);
            self.state[place].alive_since = Some(now);
            self.state[place].settled = now;
        }
        self.seen[place].stage = stage;
        self.seen[place].since = now;
    }

    /// A node counts no longer towards its pool's target: drained, deleted, reclaimed, failed.
    pub(crate) fn give_back(&mut self, place: usize) {
        if !std::mem::replace(&mut self.state[place].given_back, true) {
            self.pools[self.seen[place].pool.index()].target -= 1;
        }
    }

    /// A launch came to nothing.
    pub(crate) fn fail(&mut self, now: Instant, place: usize, kind: LaunchFailureKind) {
        self.launch_failures += 1;
        self.give_back(place);
        let pool = &mut self.pools[self.seen[place].pool.index()];
        let count = pool.failure.map_or(0, |failure| failure.count) + 1;
        pool.failure = Some(LaunchFailure { at: now, kind, count });
        self.remove(now, place);
    }

    /// A node is gone.
    pub(crate) fn remove(&mut self, now: Instant, place: usize) {
        self.settle(place, now);
        assert!(self.seen[place].pods.is_empty(), "a node goes when its pods have gone");
        self.give_back(place);
        let node = self.seen.remove(place);
        let state = self.state.remove(place);
        if let Some(since) = state.alive_since {
            self.ledger.node_down(now, node.pool, since);
        }
    }

    /// Books the time since the last booking by what the GPUs did.
    pub(crate) fn settle(&mut self, place: usize, now: Instant) {
        let ready = self.seen[place].stage == NodeStage::Ready
            || self.seen[place].stage == NodeStage::Draining;
        self.state[place].settle(ready, now, &mut self.ledger);
    }

    /// Brings the books up to date and closes them at the horizon.
    pub(crate) fn close_books(&mut self, now: Instant) {
        for place in 0..self.seen.len() {
            self.settle(place, now);
            if let Some(since) = self.state[place].alive_since {
                self.ledger.book_node(now, self.seen[place].pool, since);
            }
        }
        self.ledger.close(now);
    }

    /// Nodes requested or starting.
    pub(crate) fn starting(&self) -> usize {
        self.seen.iter().filter(|node| node.stage < NodeStage::Ready).count()
    }

    /// How far the most advanced starting node is.
    pub(crate) fn most_advanced_start(&self) -> Option<NodeStage> {
        self.seen.iter().map(|node| node.stage).filter(|stage| *stage < NodeStage::Ready).max()
    }

    /// Whether a launch failed at or after `since`.
    pub(crate) fn failed_since(&self, since: Instant) -> bool {
        self.pools.iter().any(|pool| pool.failure.is_some_and(|failure| failure.at >= since))
    }

    /// Checks what must hold of every node at every moment.
    ///
    /// # Panics
    /// If it does not.
    pub(crate) fn check(&self) {
        for (node, state) in self.seen.iter().zip(&self.state) {
            let shape = &self.specs[node.pool.index()].shape;
            let sum = node
                .pods
                .iter()
                .fold(contract::Resources::default(), |sum, pod| sum + pod.requests);
            assert_eq!(node.used, sum, "node {}: used is the sum of its pods' requests", node.id);
            assert!(
                shape.allocatable.holds(&node.used),
                "node {}: holds more than it has",
                node.id
            );
            assert!(
                state.gpus_serving + state.gpus_loading <= shape.allocatable.gpus,
                "node {}: GPUs held twice",
                node.id
            );
        }
        for pool in &self.pools {
            let held = |node: &&NodeSeen| node.pool == pool.id;
            let kept = self.seen.iter().zip(&self.state).filter(|(node, _)| held(node));
            let count = kept.filter(|(_, state)| !state.given_back).count();
            assert_eq!(count, pool.target as usize, "pool {}: target is what it has", pool.name);
            assert!(pool.target <= pool.max, "pool {}: more nodes than its maximum", pool.name);
        }
    }
}

fn pool_seen(place: usize, spec: &PoolSpec) -> PoolSeen {
    PoolSeen {
        id: PoolId(u32::try_from(place).expect("fewer than 2^32 pools")),
        name: spec.name.clone(),
        shape: spec.shape.clone(),
        price: spec.price,
        spot: spec.spot.is_some(),
        min: spec.min,
        max: spec.max,
        target: 0,
        failure: None,
    }
}

/// A rate that a node drew, applied to an amount.
pub(crate) fn scaled(per_unit: Micros, amount: f64) -> Micros {
    Micros::from_secs_f64(per_unit.as_secs_f64() * amount)
}
