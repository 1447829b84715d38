//! Quotas: how much of what the cluster, or some of its pools, may have in all.

use contract::{Bytes, NodeShape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An upper limit (`CapacityQuota`). What is left out is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Quota {
    /// Its name, for reasons.
    pub name: String,
    /// The pools that share it; empty means all nodes of the cluster.
    pub pools: Vec<String>,
    /// Cores; each node counts with its cores rounded up.
    pub cores: Option<u64>,
    /// Memory.
    pub memory: Option<Bytes>,
    /// GPUs.
    pub gpus: Option<u64>,
    /// Nodes.
    pub nodes: Option<u64>,
}

/// What a quota counts: of one node, or in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Cores.
    pub cores: u64,
    /// Memory in bytes.
    pub memory: u64,
    /// GPUs.
    pub gpus: u64,
    /// Nodes.
    pub nodes: u64,
}

impl Amounts {
    /// What one node counts for.
    pub fn of_node(shape: &NodeShape) -> Self {
        let all = &shape.allocatable;
        let (memory, gpus) = (all.memory.0, u64::from(all.gpus));
        Self { cores: all.cpu.0.div_ceil(1000), memory, gpus, nodes: 1 }
    }

    /// So many times that.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        let Self { cores, memory, gpus, nodes } = self;
        Self {
            cores: cores * count,
            memory: memory * count,
            gpus: gpus * count,
            nodes: nodes * count,
        }
    }

    /// In the order of [`NAMES`].
    fn parts(&self) -> [u64; 4] {
        [self.cores, self.memory, self.gpus, self.nodes]
    }
}

/// What quotas are about, in upstream's words.
const NAMES: [&str; 4] = ["cpu", "memory", "gpu", "nodes"];

/// A quota that would be exceeded, and in what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Its name.
    pub quota: String,
    /// Resources.
    pub resources: Vec<&'static str>,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exceeded quota: \"{}\", resources: {}", self.quota, self.resources.join(", "))
    }
}

/// What is left of each quota while a scale-up is put together.
#[derive(Clone, Debug)]
pub struct Tracker<'a> {
    quotas: Vec<(&'a Quota, Amounts)>,
}

impl<'a> Tracker<'a> {
    /// Counts what is there and on its way: shapes with the pool's name (`None` is no pool) and how many.
    pub fn new<'b>(
        quotas: &'a [Quota],
        nodes: &(impl Iterator<Item = (Option<&'b str>, &'b NodeShape, u32)> + Clone),
    ) -> Self {
        let used = |quota: &Quota| {
            let mut used = Amounts::default();
            let covered = nodes.clone().filter(|(pool, ..)| quota.covers(*pool));
            for (_, shape, count) in covered {
                used.add(Amounts::of_node(shape).times(count.into()));
            }
            used
        };
        Self { quotas: quotas.iter().map(|quota| (quota, used(quota))).collect() }
    }

    /// The first quota that so many more nodes of a pool would exceed.
    pub fn exceeded_by(&self, pool: &str, shape: &NodeShape, count: u32) -> Option<Exceeded> {
        let more = Amounts::of_node(shape).times(count.into());
        let covering = self.quotas.iter().filter(|(quota, _)| quota.covers(Some(pool)));
        covering.into_iter().find_map(|(quota, used)| quota.exceeded(*used, more))
    }

    /// How many of so many more nodes of a pool all quotas allow.
    pub fn cap(&self, pool: &str, shape: &NodeShape, count: u32) -> u32 {
        let one = Amounts::of_node(shape);
        let covering = self.quotas.iter().filter(|(quota, _)| quota.covers(Some(pool)));
        covering.map(|(quota, used)| quota.room_for(*used, one)).fold(count, u32::min)
    }

    /// Books so many more nodes of a pool.
    pub fn book(&mut self, pool: &str, shape: &NodeShape, count: u32) {
        let more = Amounts::of_node(shape).times(count.into());
        for (quota, used) in &mut self.quotas {
            if quota.covers(Some(pool)) {
                used.add(more);
            }
        }
    }
}

impl Amounts {
    /// Adds to it.
    pub(super) fn add(&mut self, more: Self) {
        self.cores += more.cores;
        self.memory += more.memory;
        self.gpus += more.gpus;
        self.nodes += more.nodes;
    }
}

impl Quota {
    fn covers(&self, pool: Option<&str>) -> bool {
        self.pools.is_empty() || pool.is_some_and(|pool| self.pools.iter().any(|own| own == pool))
    }

    fn limits(&self) -> [Option<u64>; 4] {
        [self.cores, self.memory.map(|memory| memory.0), self.gpus, self.nodes]
    }

    fn exceeded(&self, used: Amounts, more: Amounts) -> Option<Exceeded> {
        let (used, more, limits) = (used.parts(), more.parts(), self.limits());
        let over = |part: &usize| {
            let wanted = used[*part] + more[*part];
            more[*part] > 0 && limits[*part].is_some_and(|limit| wanted > limit)
        };
        let resources: Vec<_> = (0..NAMES.len()).filter(over).map(|part| NAMES[part]).collect();
        (!resources.is_empty()).then(|| Exceeded { quota: self.name.clone(), resources })
    }

    fn room_for(&self, used: Amounts, one: Amounts) -> u32 {
        let (used, one, limits) = (used.parts(), one.parts(), self.limits());
        let room = |part: usize| limits[part]?.saturating_sub(used[part]).checked_div(one[part]);
        let room = (0..NAMES.len()).filter_map(room).min().unwrap_or(u64::MAX);
        u32::try_from(room).unwrap_or(u32::MAX)
    }
}

/// Lower limits of the whole cluster, below which no node is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minimum {
    /// What must stay.
    pub least: Amounts,
    /// What is left while removals are put together.
    pub left: Amounts,
}

impl Minimum {
    /// Takes a node away if enough is left without it; says whether it did.
    pub fn remove(&mut self, shape: &NodeShape) -> bool {
        let one = Amounts::of_node(shape);
        let (left, less, least) = (self.left.parts(), one.parts(), self.least.parts());
        let spared = |part: usize| least[part] == 0 || left[part] >= least[part] + less[part];
        let fits = (0..NAMES.len()).all(spared);
        if fits {
            self.left.cores -= one.cores.min(self.left.cores);
            self.left.memory -= one.memory.min(self.left.memory);
            self.left.gpus -= one.gpus.min(self.left.gpus);
            self.left.nodes -= one.nodes.min(self.left.nodes);
        }
        fits
    }
}
