//! The books: node time by pool, GPU time by use. Integers until the report.

use crate::job::Spent;
use crate::outcome::{Cost, GpuHours, PoolCost};
use crate::server::GpuUse;
use crate::spec::PoolSpec;
use contract::{Instant, Micros, PoolId, UsdPerHour};

/// GPUs by use, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GpuParts<N> {
    /// Held by ready or draining replicas, useful and idle together.
    pub(crate) serving: N,
    /// Held by pods that start.
    pub(crate) loading: N,
    /// GPUs that nobody holds any of.
    pub(crate) free: N,
    /// What is left of GPUs that somebody holds a part of.
    pub(crate) stranded: N,
    /// The node is starting or stopping.
    pub(crate) booting: N,
    /// Held by jobs that cannot run for want of members.
    pub(crate) partial_gangs: N,
}

impl GpuParts<u128> {
    fn sum(&self) -> u128 {
        let held = self.serving + self.loading + self.partial_gangs;
        held + self.free + self.stranded + self.booting
    }
}

/// Microseconds of nodes and of GPUs.
#[derive(Debug)]
pub(crate) struct Ledger {
    horizon: Instant,
    closed: bool,
    pools: Vec<PoolBook>,
    /// GPU time by use, in thousandths of a microsecond.
    gpus: GpuParts<u128>,
    /// GPU time in which ready replicas computed, and jobs did work that nothing has undone.
    useful: GpuUse,
    /// GPU time of jobs that wrote or read checkpoints, in thousandths of a microsecond.
    checkpoints: u128,
    /// GPU time of work that was undone, likewise.
    lost: u128,
    nodes_up: u32,
    nodes_peak: u32,
    /// Price of everything that is up.
    rate: Vec<u32>,
}

#[derive(Debug)]
struct PoolBook {
    name: String,
    instance: String,
    price: UsdPerHour,
    minimum: Micros,
    gpus: u32,
    billed: u128,
    alive: u128,
    /// What a prepared standby instance costs.
    holding: UsdPerHour,
    prepared: u128,
    preparing: u128,
}

impl Ledger {
    /// Empty books for these pools; nothing is booked past the horizon.
    pub(crate) fn new(specs: &[PoolSpec], horizon: Instant) -> Self {
        let book = |spec: &PoolSpec| PoolBook {
            name: spec.name.to_string(),
            instance: spec.instance.to_string(),
            price: spec.price,
            minimum: spec.billing_minimum,
            gpus: spec.shape.allocatable.gpus,
            billed: 0,
            alive: 0,
            holding: spec.standby.as_ref().map_or(UsdPerHour(0.0), |standby| standby.holding),
            prepared: 0,
            preparing: 0,
        };
        Self {
            horizon,
            closed: false,
            pools: specs.iter().map(book).collect(),
            gpus: GpuParts::default(),
            useful: GpuUse::default(),
            checkpoints: 0,
            lost: 0,
            nodes_up: 0,
            nodes_peak: 0,
            rate: vec![0; specs.len()],
        }
    }

    /// A node begins to cost money.
    pub(crate) fn node_up(&mut self, pool: PoolId) {
        self.nodes_up += 1;
        if !self.closed {
            self.nodes_peak = self.nodes_peak.max(self.nodes_up);
        }
        self.rate[pool.index()] += 1;
    }

    /// A node that cost money since `since` stops.
    pub(crate) fn node_down(&mut self, now: Instant, pool: PoolId, since: Instant) {
        self.nodes_up -= 1;
        self.rate[pool.index()] -= 1;
        self.book_node(now, pool, since);
    }

    /// Books a node's time from `since` to `now`.
    pub(crate) fn book_node(&mut self, now: Instant, pool: PoolId, since: Instant) {
        if self.closed {
            return;
        }
        let book = &mut self.pools[pool.index()];
        let alive = now.since(since);
        // A minimum charge cannot reach past the end of the run that is counted.
        let longest = self.horizon.since(since);
        book.alive += u128::from(alive.0);
        book.billed += u128::from(alive.max(book.minimum.min(longest)).0);
    }

    /// Time of standby instances: switched off, and on while they are prepared.
    pub(crate) fn standby(&mut self, pool: PoolId, time: Micros, prepared: u32, preparing: u32) {
        if !self.closed {
            let book = &mut self.pools[pool.index()];
            book.prepared += u128::from(time.0) * u128::from(prepared);
            book.preparing += u128::from(time.0) * u128::from(preparing);
        }
    }

    /// A node's GPUs were used so for a while.
    pub(crate) fn gpus(&mut self, time: Micros, parts: GpuParts<u32>) {
        if self.closed {
            return;
        }
        let of = |milli: u32| u128::from(time.0) * u128::from(milli);
        self.gpus.serving += of(parts.serving);
        self.gpus.loading += of(parts.loading);
        self.gpus.free += of(parts.free);
        self.gpus.stranded += of(parts.stranded);
        self.gpus.booting += of(parts.booting);
        self.gpus.partial_gangs += of(parts.partial_gangs);
    }

    /// A replica computed for so much GPU time.
    pub(crate) fn useful(&mut self, used: GpuUse) {
        if !self.closed {
            self.useful.own += used.own;
            self.useful.burst += used.burst;
        }
    }

    /// Members of a job on this many GPUs each worked and wrote checkpoints for so long.
    pub(crate) fn job(&mut self, spent: Spent, gpus: u32) {
        if !self.closed {
            self.useful.own += spent.worked * milli(gpus);
            self.checkpoints += spent.overhead * milli(gpus);
        }
    }

    /// Work of members of a job on this many GPUs each was undone.
    pub(crate) fn undone(&mut self, work: u128, gpus: u32) {
        if !self.closed {
            self.useful.own -= work * milli(gpus);
            self.lost += work * milli(gpus);
        }
    }

    /// Nothing is booked from here on.
    pub(crate) fn close(&mut self, now: Instant) {
        assert!(now <= self.horizon, "the books close at the horizon at the latest");
        self.closed = true;
        self.check();
    }

    /// Whether the run that is counted is over.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Nodes that cost money now.
    pub(crate) fn nodes_up(&self) -> u32 {
        self.nodes_up
    }

    /// Most nodes at once.
    pub(crate) fn nodes_peak(&self) -> u32 {
        self.nodes_peak
    }

    /// What the fleet costs per hour now.
    pub(crate) fn usd_per_hour(&self) -> f64 {
        self.pools.iter().zip(&self.rate).map(|(book, up)| book.price.0 * f64::from(*up)).sum()
    }

    /// Money: node time by price.
    #[expect(clippy::cast_precision_loss, reason = "figures for reports")]
    pub(crate) fn cost(&self, length: Micros, tokens: u64) -> Cost {
        let pool = |book: &PoolBook| {
            let node_hours = hours(book.billed);
            let (prepared, preparing) = (hours(book.prepared), hours(book.preparing));
            let standby_usd = prepared * book.holding.0 + preparing * book.price.0;
            PoolCost {
                pool: book.name.clone(),
                instance: book.instance.clone(),
                node_hours,
                standby_hours: prepared,
                standby_usd,
                usd: node_hours * book.price.0 + standby_usd,
            }
        };
        let pools: Vec<_> = self.pools.iter().map(pool).collect();
        let usd: f64 = pools.iter().map(|pool| pool.usd).sum();
        let days = length.as_secs_f64() / 86_400.0;
        Cost {
            usd,
            usd_per_day: if days > 0.0 { usd / days } else { 0.0 },
            usd_per_million_tokens: (tokens > 0).then(|| usd / tokens as f64 * 1e6),
            pools,
        }
    }

    /// GPU-hours by use.
    pub(crate) fn gpu_hours(&self) -> GpuHours {
        let GpuParts { serving, loading, free, stranded, booting, partial_gangs } = self.gpus;
        GpuHours {
            total: gpu_hours(self.gpus.sum()),
            useful: gpu_hours(self.useful.own),
            idle_ready: gpu_hours(serving - self.worked()),
            loading: gpu_hours(loading),
            booting: gpu_hours(booting),
            unallocated: gpu_hours(free),
            stranded: gpu_hours(stranded),
            burst: gpu_hours(self.useful.burst),
            partial_gangs: gpu_hours(partial_gangs),
            checkpoints: gpu_hours(self.checkpoints),
            lost: gpu_hours(self.lost),
        }
    }

    /// Mean number of nodes over the run.
    pub(crate) fn nodes_mean(&self, length: Micros) -> f64 {
        let alive: u128 = self.pools.iter().map(|book| book.alive).sum();
        hours(alive) / hours(u128::from(length.0.max(1)))
    }

    /// Jobs' own books say the same.
    pub(crate) fn check_jobs(&self, partial_gangs: u128, lost: u128) {
        assert_eq!(self.gpus.partial_gangs, 1000 * partial_gangs, "partial gangs stand on nodes");
        assert_eq!(self.lost, 1000 * lost, "what is lost was worked on nodes");
    }

    /// GPU time in which something computed, whatever became of it.
    fn worked(&self) -> u128 {
        self.useful.own + self.checkpoints + self.lost
    }

    /// GPU time by use sums to the time that the GPUs were paid for, and no more was useful than served.
    fn check(&self) {
        let alive: u128 = self.pools.iter().map(|book| book.alive * u128::from(book.gpus)).sum();
        assert_eq!(self.gpus.sum(), 1000 * alive, "GPU time by use sums to the GPUs' node time");
        assert!(self.worked() <= self.gpus.serving, "what computed was ready");
    }
}

/// Whole GPUs in thousandths.
fn milli(gpus: u32) -> u128 {
    1000 * u128::from(gpus)
}

#[expect(clippy::cast_precision_loss, reason = "figures for reports")]
fn hours(micros: u128) -> f64 {
    micros as f64 / 3.6e9
}

/// Hours of thousandths of a microsecond. Whole microseconds apart, so that whole GPUs give what they always gave.
#[expect(clippy::cast_precision_loss, reason = "figures for reports")]
fn gpu_hours(milli: u128) -> f64 {
    hours(milli / 1000) + (milli % 1000) as f64 / 3.6e12
}
