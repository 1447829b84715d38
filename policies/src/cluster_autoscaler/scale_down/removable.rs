//! Which unneeded nodes may go now.

use super::unneeded::UnneededTimes;
use super::unremovable::Unremovable;
use crate::cluster_autoscaler::quota::Minimum;
use contract::{Micros, NodeShape};

/// A pool's size while removals are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSize {
    /// Never fewer.
    pub min: u32,
    /// Its target, less the removals put together so far.
    pub size: u32,
    /// Nodes on their way out that the target still counts.
    pub ongoing_deletions: u32,
}

/// An unneeded node.
#[derive(Clone, Copy, Debug)]
pub struct UnneededNode<'a> {
    /// Ready, as opposed to broken.
    pub ready: bool,
    /// For how long it has been unneeded.
    pub unneeded_for: Micros,
    /// Someone forbade its removal since.
    pub disabled: bool,
    /// What it offers.
    pub shape: &'a NodeShape,
}

impl UnneededNode<'_> {
    /// Books the removal of the node.
    ///
    /// # Errors
    /// The first reason why it may not go now; then nothing is booked.
    pub fn remove(
        &self,
        pool: Option<&mut PoolSize>,
        times: UnneededTimes,
        minimum: &mut Minimum,
    ) -> Result<(), Unremovable> {
        if self.disabled {
            return Err(Unremovable::ScaleDownDisabledAnnotation);
        }
        let Some(pool) = pool else { return Err(Unremovable::NotAutoscaled) };
        if self.unneeded_for <= times.threshold(self.ready) {
            return Err(if self.ready {
                Unremovable::NotUnneededLongEnough
            } else {
                Unremovable::NotUnreadyLongEnough
            });
        }
        if pool.size.saturating_sub(pool.ongoing_deletions) <= pool.min {
            return Err(Unremovable::NodeGroupMinSizeReached);
        }
        if !minimum.remove(self.shape) {
            return Err(Unremovable::MinimalResourceLimitExceeded);
        }
        pool.size -= 1;
        Ok(())
    }
}
