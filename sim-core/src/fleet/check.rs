//! What must hold of every node and pool at every moment.

use super::Fleet;
use contract::{NodeSeen, NodeStage, PoolSeen, Resources};

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
            let gpus = state.gpus_serving + state.gpus_loading;
            assert!(gpus <= shape.allocatable.gpus, "node {}: GPUs held twice", node.id);
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
