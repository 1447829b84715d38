//! Daemon sets: what they leave of each node.

use super::Check;
use crate::document::key;
use crate::error::ScenarioError;
use crate::settings::DaemonSet;
use contract::Resources;
use indexmap::IndexMap;
use sim_core::spec::PoolSpec;
use std::sync::Arc;

impl Check<'_> {
    /// Takes what daemon sets hold off the nodes of their pools.
    pub(super) fn daemon_sets(
        &self,
        sets: &IndexMap<String, DaemonSet>,
        pools: &mut [PoolSpec],
    ) -> Result<(), ScenarioError> {
        for (name, set) in sets {
            let known = || pools.iter().map(|pool| &*pool.name);
            if let Some(stray) = set.pools.iter().find(|own| !known().any(|pool| pool == **own)) {
                return Err(self.unknown(
                    &key(["daemon-set", name, "pools"]),
                    "pool",
                    stray,
                    known(),
                ));
            }
            let runs_on = |pool: &&mut PoolSpec| {
                set.pools.is_empty() || set.pools.iter().any(|own| **own == *pool.name)
            };
            for pool in pools.iter_mut().filter(runs_on) {
                self.take_from(pool, name, set)?;
            }
        }
        Ok(())
    }

    fn take_from(
        &self,
        pool: &mut PoolSpec,
        name: &str,
        set: &DaemonSet,
    ) -> Result<(), ScenarioError> {
        let requests = Resources { cpu: set.requests.cpu, memory: set.requests.memory, gpus: 0 };
        let shape = Arc::make_mut(&mut pool.shape);
        if !shape.allocatable.holds(&requests) || shape.pod_limit == 0 {
            let (found, left) = (requests.to_string(), shape.allocatable);
            let expected = format!("at most what is left of a node of `{}`, {left}", pool.name);
            return Err(self.misfit(&key(["daemon-set", name, "requests"]), &found, &expected));
        }
        shape.allocatable -= requests;
        shape.pod_limit -= 1;
        shape.daemons.requests += requests;
        shape.daemons.pods += 1;
        Ok(())
    }
}
