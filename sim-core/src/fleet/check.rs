//! What must hold of every node and pool at every moment.

use super::{Fleet, NodeState, stranded};
use contract::{NodeSeen, NodeShape, NodeStage, PoolSeen, Resources};
use placement::device;

impl Fleet {
    /// Checks it.
    ///
    /// # Panics
    /// If it does not hold.
    pub(crate) fn check(&self) {
        for (node, state) in self.seen.iter().zip(&self.state) {
            let shape = &self.specs[node.pool.index()].shape;
            let requests = node.pods.iter().map(|pod| pod.spec.requests);
            let sum = requests.fold(Resources::default(), |sum, pod| sum + pod);
            assert_eq!(node.used, sum, "node {}: used is the sum of its pods' requests", node.id);
            let holds = shape.allocatable.holds(&node.used);
            assert!(holds, "node {}: holds more than it has", node.id);
            let gpus = state.gpus_serving + state.gpus_loading + state.gpus_partial;
            assert!(gpus <= 1000 * shape.allocatable.gpus, "node {}: GPUs held twice", node.id);
            check_devices(node, state, shape);
        }
        for pool in &self.pools {
            let held = |node: &&NodeSeen| node.pool == pool.id;
            let kept = self.seen.iter().zip(&self.state).filter(|(node, _)| held(node));
            let count = kept.filter(|(_, state)| !state.given_back).count();
            assert_eq!(count, pool.target as usize, "pool {}: target is what it has", pool.name);
            assert!(pool.target <= pool.max, "pool {}: more nodes than its maximum", pool.name);
            self.check_counts(pool);
        }
    }

    /// The running counts of a pool are what a count from scratch gives.
    fn check_counts(&self, pool: &PoolSeen) {
        let of_pool = || self.seen.iter().zip(&self.state).filter(|(node, _)| node.pool == pool.id);
        let starting = of_pool().filter(|(node, _)| node.stage < NodeStage::Ready).count();
        let counted = self.starts[pool.id.index()].count();
        assert_eq!(starting, counted as usize, "pool {}: nodes on their way", pool.name);
        for (zone, &taken) in self.stock_taken[pool.id.index()].iter().enumerate() {
            let here = of_pool().filter(|(_, state)| state.stock_of == Some(zone)).count();
            assert_eq!(here, taken as usize, "pool {}: stock taken in zone {zone}", pool.name);
            let stock = self.specs[pool.id.index()].zones[zone].stock;
            let within = stock.is_none_or(|stock| taken <= stock);
            assert!(within, "pool {}: zone {zone} gave more than it had", pool.name);
        }
    }
}

/// GPUs that are divided are in a state that can be, whoever holds a part is on the node, and the sums are right.
fn check_devices(node: &NodeSeen, state: &NodeState, shape: &NodeShape) {
    for (place, gpu) in node.gpus.iter().enumerate() {
        let sound = device::check(&shape.sharing, gpu);
        assert_eq!(sound, Ok(()), "node {}, GPU {place}: {gpu:?}", node.id);
        for hold in &gpu.holds {
            let is_here = node.pods.iter().any(|pod| pod.id == hold.pod);
            assert!(is_here, "node {}: pod {} holds a part from elsewhere", node.id, hold.pod);
        }
    }
    if !shape.sharing.is_whole() {
        let holds = node.gpus.iter().flat_map(|gpu| &gpu.holds);
        let own = |held| u32::from(device::own(&shape.sharing, held).get());
        let sum: u32 = holds.map(|hold| own(hold.held)).sum();
        let held = state.gpus_serving + state.gpus_loading;
        assert_eq!(held, sum, "node {}: GPU parts in use are those that are held", node.id);
    }
    let left = stranded(&shape.sharing, &node.gpus);
    assert_eq!(state.gpus_stranded, left, "node {}: what is stranded", node.id);
}
