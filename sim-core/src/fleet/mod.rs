//! The fleet: nodes by pool, their lives, what stands on them, and what they cost.

mod check;
mod ledger;
mod node;
mod pipe;
mod racks;
mod standby;
mod starts;

use crate::random::Seed;
use crate::spec::{PoolSpec, StockOut};
use contract::{
    GpuSeen, Instant, LaunchFailure, LaunchFailureKind, Micros, NodeId, NodeSeen, NodeShape,
    NodeStage, PoolId, PoolSeen, Sharing, Taint, TaintEffect,
};
pub(crate) use ledger::Ledger;
pub(crate) use node::{ImageId, NodeLuck, NodeState, Occupancy, WeightsId};
use placement::device;
pub(crate) use racks::{BLOCK, RACK};
pub(crate) use standby::{Order, Standby};
pub(crate) use starts::Start;
use starts::Starts;
use std::sync::Arc;

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
    /// Nodes that take from the cloud's stock, by pool and zone.
    stock_taken: Vec<Vec<u32>>,
    /// By pool.
    starts: Vec<Starts>,
    /// By pool, for those that have instances on standby.
    standby: Vec<Option<Standby>>,
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
        let stock_taken = specs.iter().map(|spec| vec![0; spec.zones.len()]).collect();
        let starts = vec![Starts::default(); specs.len()];
        let standby = specs.iter().zip(0..).map(|(spec, place)| {
            spec.standby.clone().map(|standby| Standby::new(PoolId(place), standby))
        });
        Self {
            standby: standby.collect(),
            specs,
            pools,
            seen: Vec::new(),
            state: Vec::new(),
            ledger,
            seed,
            made: 0,
            made_in_pool,
            stock_taken,
            starts,
            launched: 0,
            launch_failures: 0,
            reclaimed: 0,
        }
    }

    /// Asks the cloud for one more node of a pool, in a zone or in the one whose turn it is. Its luck depends on
    /// the pool and on how many were asked for before, not on when: two policies meet the same.
    pub(crate) fn request(&mut self, now: Instant, pool: PoolId, zone: Option<usize>) -> NodeId {
        let (in_turn, mut luck) = self.next_luck(pool);
        let turn = zone.unwrap_or(in_turn);
        let zone = match zone {
            Some(zone) => Some(zone).filter(|&zone| self.has_stock(pool, zone)),
            None => self.zone_with_stock(pool, turn),
        };
        let waits = zone.is_none() && self.specs[pool.index()].stock_out == StockOut::Waits;
        let standby = self.standby[pool.index()].as_mut().filter(|_| zone.is_some());
        if zone.is_none() && !waits {
            luck.failure = Some(LaunchFailureKind::StockOut);
        } else if standby.is_some_and(|standby| standby.take(now, &mut self.ledger)) {
            luck.resume_from_standby();
            self.pools[pool.index()].standby -= 1;
        }
        self.starts[pool.index()].requested(waits || luck.failure.is_some());
        let id = self.insert(now, pool, luck, turn, zone);
        self.state.last_mut().expect("just inserted").awaits_stock = waits;
        id
    }

    /// The node that has waited longest for a pool's stock, if the cloud has one again in a zone: it takes that.
    pub(crate) fn end_of_wait(&mut self, pool: PoolId) -> Option<usize> {
        if self.specs[pool.index()].stock_out != StockOut::Waits {
            return None;
        }
        let waits =
            |place: &usize| self.seen[*place].pool == pool && self.state[*place].awaits_stock;
        let place = (0..self.seen.len()).find(waits)?;
        let zone = self.zone_with_stock(pool, 0)?;
        self.stock_taken[pool.index()][zone] += 1;
        self.seen[place].zone = self.specs[pool.index()].zones[zone].name.clone();
        let state = &mut self.state[place];
        state.stock_of = Some(zone);
        state.awaits_stock = false;
        self.starts[pool.index()].doomed_left();
        self.starts[pool.index()].requested(state.is_doomed());
        Some(place)
    }

    /// Orders what is missing on standby in a pool.
    pub(crate) fn order_standby(&mut self, pool: PoolId) -> Option<Order> {
        let spec = &self.specs[pool.index()];
        self.standby[pool.index()].as_mut()?.order(spec, self.seed)
    }

    /// A standby instance was launched, to be prepared.
    pub(crate) fn standby_launched(&mut self, now: Instant, pool: PoolId) {
        if let Some(standby) = &mut self.standby[pool.index()] {
            standby.launched(now, &mut self.ledger);
        }
    }

    /// A standby instance is prepared and switched off.
    pub(crate) fn standby_switched_off(&mut self, now: Instant, pool: PoolId) {
        if let Some(standby) = &mut self.standby[pool.index()] {
            standby.switched_off(now, &mut self.ledger);
            self.pools[pool.index()].standby = standby.prepared();
        }
    }

    /// Whether a node that resumes in a pool still has what was in memory.
    pub(crate) fn standby_keeps_memory(&self, pool: PoolId) -> bool {
        self.standby[pool.index()].as_ref().is_some_and(Standby::keeps_memory)
    }

    /// What the fleet costs per hour now.
    pub(crate) fn usd_per_hour(&self) -> f64 {
        let standby = self.standby.iter().zip(&self.specs);
        let standby =
            standby.filter_map(|(standby, spec)| Some(standby.as_ref()?.usd_per_hour(spec)));
        self.ledger.usd_per_hour() + standby.sum::<f64>()
    }

    /// A node that was there before the run began.
    pub(crate) fn initial(&mut self, pool: PoolId) -> NodeId {
        let (turn, mut luck) = self.next_luck(pool);
        luck.failure = None;
        let zone = self.zone_with_stock(pool, turn);
        let id = self.insert(Instant::ZERO, pool, luck, turn, zone);
        let place = self.place(id).expect("just inserted");
        self.seen[place].stage = NodeStage::Ready;
        self.begin_billing(place, Instant::ZERO);
        id
    }

    /// Which zone's turn it is, and the luck of the pool's next node.
    fn next_luck(&mut self, pool: PoolId) -> (usize, NodeLuck) {
        let spec = &self.specs[pool.index()];
        let ordinal = self.made_in_pool[pool.index()];
        self.made_in_pool[pool.index()] += 1;
        let turn = usize::try_from(ordinal).expect("fewer nodes than addresses") % spec.zones.len();
        let entity = u64::from(pool.0) << 40 | ordinal;
        (turn, NodeLuck::draw(spec, &mut self.seed.stream("node", entity)))
    }

    fn insert(
        &mut self,
        now: Instant,
        pool: PoolId,
        luck: NodeLuck,
        turn: usize,
        stock_of: Option<usize>,
    ) -> NodeId {
        let rack_place = self.free_rack_place(pool);
        let shape = self.shape_at(pool, rack_place);
        let spec = &self.specs[pool.index()];
        let id = NodeId(self.made);
        self.made += 1;
        self.pools[pool.index()].target += 1;
        if let Some(zone) = stock_of {
            self.stock_taken[pool.index()][zone] += 1;
        }
        self.seen.push(NodeSeen {
            id,
            pool,
            zone: spec.zones[stock_of.unwrap_or(turn)].name.clone(),
            stage: NodeStage::Requested,
            since: now,
            created: now,
            used: contract::Resources::default(),
            cordoned: false,
            softly_tainted: false,
            pods: Vec::new(),
            gpus: device::fresh(&spec.shape),
        });
        self.state.push(NodeState::new(shape, rack_place, luck, stock_of));
        id
    }

    /// The first zone from `turn` on that has something left.
    fn zone_with_stock(&self, pool: PoolId, turn: usize) -> Option<usize> {
        let zones = self.specs[pool.index()].zones.len();
        (0..zones).map(|step| (turn + step) % zones).find(|&zone| self.has_stock(pool, zone))
    }

    fn has_stock(&self, pool: PoolId, zone: usize) -> bool {
        let taken = self.stock_taken[pool.index()][zone];
        self.specs[pool.index()].zones[zone].stock.is_none_or(|stock| taken < stock)
    }

    /// Where a node stands in the tables; ids rise, so this is a binary search.
    pub(crate) fn place(&self, id: NodeId) -> Option<usize> {
        self.seen.binary_search_by_key(&id, |node| node.id).ok()
    }

    /// Parts of a node's GPUs were taken or given back.
    pub(crate) fn count_stranded(&mut self, place: usize) {
        let node = &self.seen[place];
        let sharing = &self.specs[node.pool.index()].shape.sharing;
        self.state[place].gpus_stranded = stranded(sharing, &node.gpus);
    }

    /// A node that the scheduler knows.
    ///
    /// # Panics
    /// When there is none of this id.
    pub(crate) fn node(&self, id: NodeId) -> &NodeSeen {
        &self.seen[self.place(id).expect("the scheduler knows live nodes")]
    }

    /// A node passes to another stage.
    pub(crate) fn enter(&mut self, place: usize, now: Instant, stage: NodeStage) {
        self.settle(place, now);
        let was = std::mem::replace(&mut self.seen[place].stage, stage);
        self.seen[place].since = now;
        self.starts[self.seen[place].pool.index()].moved(was, Some(stage));
        if was == NodeStage::Requested {
            self.begin_billing(place, now);
            if !self.ledger.is_closed() {
                self.launched += 1;
            }
        }
    }

    fn begin_billing(&mut self, place: usize, now: Instant) {
        self.ledger.node_up(self.seen[place].pool);
        self.state[place].alive_since = Some(now);
        self.state[place].settled = now;
    }

    /// A node counts no longer towards its pool's target: drained, deleted, reclaimed, failed.
    pub(crate) fn give_back(&mut self, place: usize) {
        if !std::mem::replace(&mut self.state[place].given_back, true) {
            self.pools[self.seen[place].pool.index()].target -= 1;
        }
    }

    /// A node counts towards its pool's target again, unless the pool is at its maximum; whether it does.
    pub(crate) fn take_back(&mut self, place: usize) -> bool {
        let pool = &mut self.pools[self.seen[place].pool.index()];
        let has_room = self.state[place].given_back && pool.target < pool.max;
        if has_room {
            self.state[place].given_back = false;
            pool.target += 1;
        }
        has_room
    }

    /// What a node is to the scheduler: its pool's shape where it stands, with the soft taint that was put on it.
    pub(crate) fn shape_of(&self, node: &NodeSeen) -> Arc<NodeShape> {
        let shape = &self.state[self.place(node.id).expect("a node that is there")].shape;
        if !node.softly_tainted {
            return shape.clone();
        }
        let mut tainted = NodeShape::clone(shape);
        tainted.taints.push(deletion_candidate());
        Arc::new(tainted)
    }

    /// A launch came to nothing.
    pub(crate) fn fail(&mut self, now: Instant, place: usize, kind: LaunchFailureKind) {
        if !self.ledger.is_closed() {
            self.launch_failures += 1;
        }
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
        let pool = node.pool.index();
        if let Some(zone) = state.stock_of {
            self.stock_taken[pool][zone] -= 1;
        }
        if node.stage == NodeStage::Requested && state.is_doomed() {
            self.starts[pool].doomed_left();
        } else {
            self.starts[pool].moved(node.stage, None);
        }
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
        for standby in self.standby.iter_mut().flatten() {
            standby.settle(now, &mut self.ledger);
        }
        for place in 0..self.seen.len() {
            self.settle(place, now);
            if let Some(since) = self.state[place].alive_since {
                self.ledger.book_node(now, self.seen[place].pool, since);
            }
        }
        self.ledger.close(now);
    }

    /// The cloud takes a node back.
    pub(crate) fn count_reclaim(&mut self) {
        if !self.ledger.is_closed() {
            self.reclaimed += 1;
        }
    }

    /// Nodes requested or starting.
    pub(crate) fn starting(&self) -> u32 {
        self.starts.iter().map(Starts::count).sum()
    }

    /// How far the most advanced start among some pools is.
    pub(crate) fn furthest_start(&self, of_pool: &[bool]) -> Start {
        let of_pool = self.starts.iter().zip(of_pool).filter(|(_, wanted)| **wanted);
        of_pool.map(|(starts, _)| starts.furthest()).max().unwrap_or(Start::None)
    }

    /// Whether a launch in one of some pools failed at or after `since`.
    pub(crate) fn failed_since(&self, of_pool: &[bool], since: Instant) -> bool {
        let of_pool = self.pools.iter().zip(of_pool).filter(|(_, wanted)| **wanted);
        of_pool.filter_map(|(pool, _)| pool.failure).any(|failure| failure.at >= since)
    }
}

/// The taint that Cluster Autoscaler puts on nodes that it may remove.
fn deletion_candidate() -> Taint {
    let key = "DeletionCandidateOfClusterAutoscaler".into();
    Taint { key, value: String::new(), effect: TaintEffect::PreferNoSchedule }
}

/// Thousandths that nobody holds of GPUs that somebody holds a part of.
fn stranded(sharing: &Sharing, gpus: &[GpuSeen]) -> u32 {
    let left = |gpu: &GpuSeen| {
        let own = |held| u32::from(device::own(sharing, held).get());
        1000 - gpu.holds.iter().map(|hold| own(hold.held)).sum::<u32>()
    };
    gpus.iter().filter(|gpu| !gpu.is_idle()).map(left).sum()
}

fn pool_seen(place: usize, spec: &PoolSpec) -> PoolSeen {
    PoolSeen {
        id: PoolId(u32::try_from(place).expect("fewer than 2^32 pools")),
        name: spec.name.clone(),
        shape: spec.shape.clone(),
        price: spec.price,
        spot: spec.spot.is_some(),
        zones: spec.zones.iter().map(|zone| zone.name.clone()).collect(),
        min: spec.min,
        max: spec.max,
        target: 0,
        standby: spec.standby.as_ref().map_or(0, |standby| standby.nodes),
        failure: None,
    }
}

/// What something that takes so long per unit takes for an amount.
pub(crate) fn scaled(per_unit: Micros, amount: f64) -> Micros {
    Micros::from_secs_f64(per_unit.as_secs_f64() * amount)
}
