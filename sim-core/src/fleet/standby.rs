//! Instances of a pool that are prepared and switched off: a request resumes one of them before it asks the cloud
//! for a new one, and another is prepared in its place.

use super::NodeLuck;
use super::ledger::Ledger;
use crate::random::Seed;
use crate::spec::{PoolSpec, StandbySpec};
use contract::{Instant, Micros, PoolId};

/// The standby instances of one pool.
#[derive(Debug)]
pub(crate) struct Standby {
    pool: PoolId,
    spec: StandbySpec,
    /// Asked for, not yet instances.
    ordered: u32,
    /// Running while image and drivers are put on them.
    preparing: u32,
    /// Switched off, to be resumed.
    prepared: u32,
    settled: Instant,
    made: u64,
}

/// How long the next standby instance takes to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    /// From the request to an instance that is billed.
    pub(crate) launch: Micros,
    /// From there until it is switched off.
    pub(crate) prepare: Micros,
}

impl Standby {
    /// All prepared: they were there before the run began.
    pub(crate) fn new(pool: PoolId, spec: StandbySpec) -> Self {
        let prepared = spec.nodes;
        let settled = Instant::ZERO;
        Self { pool, spec, ordered: 0, preparing: 0, prepared, settled, made: 0 }
    }

    /// How many could be resumed now.
    pub(crate) fn prepared(&self) -> u32 {
        self.prepared
    }

    /// Whether page caches survive.
    pub(crate) fn keeps_memory(&self) -> bool {
        self.spec.keeps_memory
    }

    /// Takes one to resume, if there is one.
    pub(crate) fn take(&mut self, now: Instant, ledger: &mut Ledger) -> bool {
        self.settle(now, ledger);
        let Some(left) = self.prepared.checked_sub(1) else { return false };
        self.prepared = left;
        true
    }

    /// Orders one more if one is missing.
    pub(crate) fn order(&mut self, pool: &PoolSpec, seed: Seed) -> Option<Order> {
        if self.ordered + self.preparing + self.prepared >= self.spec.nodes {
            return None;
        }
        let entity = u64::from(self.pool.0) << 40 | self.made;
        let mut luck = seed.stream("standby", entity);
        self.made += 1;
        self.ordered += 1;
        let NodeLuck { launch, boot, register, accelerator, .. } = NodeLuck::draw(pool, &mut luck);
        let prepare = boot + register + accelerator + self.spec.prepare.draw(&mut luck);
        Some(Order { launch, prepare })
    }

    /// What was ordered is an instance now.
    pub(crate) fn launched(&mut self, now: Instant, ledger: &mut Ledger) {
        self.settle(now, ledger);
        self.ordered -= 1;
        self.preparing += 1;
    }

    /// An instance is switched off.
    pub(crate) fn switched_off(&mut self, now: Instant, ledger: &mut Ledger) {
        self.settle(now, ledger);
        self.preparing -= 1;
        self.prepared += 1;
    }

    /// Books the time since the last booking.
    pub(crate) fn settle(&mut self, now: Instant, ledger: &mut Ledger) {
        let time = now.since(self.settled);
        self.settled = now;
        ledger.standby(self.pool, time, self.prepared, self.preparing);
    }

    /// What its instances cost an hour now.
    pub(crate) fn usd_per_hour(&self, pool: &PoolSpec) -> f64 {
        f64::from(self.prepared) * self.spec.holding.0 + f64::from(self.preparing) * pool.price.0
    }
}
