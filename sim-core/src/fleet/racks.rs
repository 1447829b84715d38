//! Racks in blocks: where a pool's nodes stand, as labels tell it.

use super::Fleet;
use crate::spec::RackSpec;
use contract::{NodeShape, PoolId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Label of a node's block (the name that Kueue's documentation of topology-aware scheduling uses).
pub(crate) const BLOCK: &str = "cloud.provider.com/topology-block";

/// Label of its rack, likewise.
pub(crate) const RACK: &str = "cloud.provider.com/topology-rack";

impl Fleet {
    /// The lowest place in the racks of a pool where no node stands; `None` if the pool has no racks.
    pub(super) fn free_rack_place(&self, pool: PoolId) -> Option<u32> {
        self.specs[pool.index()].racks?;
        let nodes = self.seen.iter().zip(&self.state).filter(|(seen, _)| seen.pool == pool);
        let taken: BTreeSet<_> = nodes.filter_map(|(_, state)| state.rack_place).collect();
        // One of so many is free, for fewer are taken.
        let places = 0..=u32::try_from(taken.len()).expect("fewer than 2^32 nodes");
        places.into_iter().find(|place| !taken.contains(place))
    }

    /// What a node at this place offers: the pool's shape, with labels of its rack and block.
    pub(super) fn shape_at(&self, pool: PoolId, place: Option<u32>) -> Arc<NodeShape> {
        let spec = &self.specs[pool.index()];
        match (spec.racks, place) {
            (Some(racks), Some(place)) => {
                let mut shape = (*spec.shape).clone();
                shape.labels.extend(labels(&spec.name, racks, place));
                Arc::new(shape)
            }
            _ => spec.shape.clone(),
        }
    }
}

/// Block and rack of a place; names hold for one pool only.
fn labels(pool: &str, racks: RackSpec, place: u32) -> [(String, String); 2] {
    let rack = place / racks.nodes_per_rack;
    let block = rack / racks.racks_per_block;
    let (block_name, rack_name) = (format!("{pool}-{block}"), format!("{pool}-{block}-{rack}"));
    [(BLOCK.to_owned(), block_name), (RACK.to_owned(), rack_name)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_fill_racks_and_racks_fill_blocks() {
        let racks = RackSpec { nodes_per_rack: 2, racks_per_block: 2 };
        let found = [0, 1, 2, 3, 4]
            .map(|place| labels("gpu", racks, place).map(|(_, name)| name).join(" "));
        assert_eq!(
            found,
            ["gpu-0 gpu-0-0", "gpu-0 gpu-0-0", "gpu-0 gpu-0-1", "gpu-0 gpu-0-1", "gpu-1 gpu-1-2"]
        );
    }
}
