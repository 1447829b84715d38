//! Which pools may grow.

use crate::cluster_autoscaler::quota::{Exceeded, Tracker};
use contract::{Micros, NodeShape, UsdPerHour};
use std::fmt;
use std::sync::Arc;

/// Whether a pool's state lets it grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Good,
    /// It misses too many nodes that it should have.
    Unhealthy,
    /// It failed, and is left alone for so long.
    BackedOff(Micros),
}

/// A pool as a scale-up sees it.
#[derive(Clone, Copy, Debug)]
pub struct Pool<'a> {
    /// Its name.
    pub name: &'a str,
    /// One of its nodes.
    pub shape: &'a Arc<NodeShape>,
    /// Never more nodes than this.
    pub max: u32,
    /// Nodes asked for and not given back.
    pub target: u32,
    /// It has all its nodes or none (`ZeroOrMaxNodeScaling`).
    pub zero_or_max: bool,
    /// Whether it may grow.
    pub standing: Standing,
    /// Price of one node, if known.
    pub price: Option<UsdPerHour>,
}

/// Why a pool may not grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// It misses too many nodes.
    Unhealthy,
    /// It failed, and is left alone for so long.
    BackedOff(Micros),
    /// It is at its maximum.
    MaxSize,
    /// All its nodes at once are more than the cluster may have.
    AtomicExceedsCluster,
    /// One more node, or all at once, exceed a quota.
    Quota(Exceeded),
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unhealthy => f.write_str("not ready for scale-up"),
            Self::BackedOff(_) => f.write_str("in backoff after failed scale-up"),
            Self::MaxSize => f.write_str("max node group size reached"),
            Self::AtomicExceedsCluster => {
                f.write_str("atomic scale-up exceeds cluster node count limit")
            }
            Self::Quota(exceeded) => exceeded.fmt(f),
        }
    }
}

impl Pool<'_> {
    /// Whether the pool may grow by a node, or by all that it lacks, in a cluster of so many nodes.
    ///
    /// # Errors
    /// The first reason why not.
    pub fn may_grow(
        &self,
        quotas: &Tracker<'_>,
        cluster_nodes: u32,
        max_nodes_total: u32,
    ) -> Result<(), Skip> {
        match self.standing {
            Standing::Unhealthy => return Err(Skip::Unhealthy),
            Standing::BackedOff(left) => return Err(Skip::BackedOff(left)),
            Standing::Good => {}
        }
        if self.target >= self.max {
            return Err(Skip::MaxSize);
        }
        let at_once = if self.zero_or_max { self.max - self.target } else { 1 };
        let too_many = max_nodes_total > 0 && cluster_nodes + at_once > max_nodes_total;
        if self.zero_or_max && too_many {
            return Err(Skip::AtomicExceedsCluster);
        }
        match quotas.exceeded_by(self.name, self.shape, at_once) {
            Some(exceeded) => Err(Skip::Quota(exceeded)),
            None => Ok(()),
        }
    }
}
