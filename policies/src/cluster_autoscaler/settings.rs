//! Settings of the Cluster Autoscaler, by the names of its flags.

use super::expander::{Expander, PodPrices, PriorityTier};
use crate::Invalid;
use crate::invalid::ensure;
use contract::Micros;
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings, as they stand under `[stack.nodes.cluster-autoscaler]`; names and defaults of the 1.37 flags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// Time between two loops.
    pub scan_interval: Micros,
    /// Also loop as soon as a pod turns out unschedulable, and at once after a loop that acted.
    pub frequent_loops_enabled: bool,
    /// Never more nodes in the cluster than this; 0 is no limit.
    pub max_nodes_total: u32,
    /// Never more new nodes at a time than this.
    pub max_nodes_per_scaleup: u32,
    /// How to choose among pools that help, filter after filter; the first pool of what is left wins.
    pub expander: Vec<Expander>,
    /// What the `priority` expander prefers.
    pub priorities: Vec<PriorityTier>,
    /// What the `price` expander thinks pods are worth.
    pub pod_prices: PodPrices,
    /// Pods younger than this do not count.
    pub new_pod_scale_up_delay: Micros,
    /// While the oldest pending pod is younger than this, more are expected (a constant upstream).
    pub new_pods_wait: Micros,
    /// The same when pods ask for GPUs (a constant upstream).
    pub new_gpu_pods_wait: Micros,
    /// Pods of a lower priority than this get no nodes.
    pub expendable_pods_priority_cutoff: i32,
    /// A node that has not registered after this long is given up, and its pool backed off.
    pub max_node_provision_time: Micros,
    /// A registered node that is not ready after this long is no longer expected.
    pub max_node_startup_time: Micros,
    /// How long a pool is left alone after a failed launch; doubles with each failure after that.
    pub initial_node_group_backoff_duration: Micros,
    /// The longest such time.
    pub max_node_group_backoff_duration: Micros,
    /// Failures older than this are forgotten.
    pub node_group_backoff_reset_timeout: Micros,
    /// Whether nodes are ever removed.
    pub scale_down_enabled: bool,
    /// No removal this long after nodes were added.
    pub scale_down_delay_after_add: Micros,
    /// No removal this long after a removal.
    pub scale_down_delay_after_delete: Micros,
    /// No removal this long after a failed launch.
    pub scale_down_delay_after_failure: Micros,
    /// A node goes after it has been unneeded for longer than this.
    pub scale_down_unneeded_time: Micros,
    /// A node is underused up to this share of its requests, CPU or memory, whichever is more.
    pub scale_down_utilization_threshold: f64,
    /// The same for nodes with GPUs, of which only the GPUs count.
    pub scale_down_gpu_utilization_threshold: f64,
    /// Never more nodes being removed at a time than this.
    pub max_scale_down_parallelism: u32,
    /// Never more of them with pods than this.
    pub max_drain_parallelism: u32,
    /// A node whose pods fit nowhere else is not looked at again for this long.
    pub unremovable_node_recheck_timeout: Micros,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            scan_interval: Micros::from_secs(10),
            frequent_loops_enabled: true,
            max_nodes_total: 0,
            max_nodes_per_scaleup: 1000,
            expander: vec![Expander::LeastWaste],
            priorities: Vec::new(),
            pod_prices: PodPrices::default(),
            new_pod_scale_up_delay: Micros::ZERO,
            new_pods_wait: Micros::from_secs(2),
            new_gpu_pods_wait: Micros::from_secs(30),
            expendable_pods_priority_cutoff: -10,
            max_node_provision_time: Micros::from_mins(15),
            max_node_startup_time: Micros::from_mins(15),
            initial_node_group_backoff_duration: Micros::from_mins(5),
            max_node_group_backoff_duration: Micros::from_mins(30),
            node_group_backoff_reset_timeout: Micros::from_mins(180),
            scale_down_enabled: true,
            scale_down_delay_after_add: Micros::from_mins(10),
            scale_down_delay_after_delete: Micros::ZERO,
            scale_down_delay_after_failure: Micros::from_mins(3),
            scale_down_unneeded_time: Micros::from_mins(10),
            scale_down_utilization_threshold: 0.5,
            scale_down_gpu_utilization_threshold: 0.5,
            max_scale_down_parallelism: 10,
            max_drain_parallelism: 1,
            unremovable_node_recheck_timeout: Micros::from_mins(5),
        }
    }
}

impl Settings {
    /// Checks what types cannot; `pools` are the names of the cluster's pools.
    pub fn validate(&self, pools: &[&str]) -> Result<(), Invalid> {
        let interval = self.scan_interval;
        ensure(interval > Micros::ZERO, "scan-interval", interval, "more than no time")?;
        ensure(!self.expander.is_empty(), "expander", "[]", "at least one expander")?;
        ensure_share("scale-down-utilization-threshold", self.scale_down_utilization_threshold)?;
        let gpu = self.scale_down_gpu_utilization_threshold;
        ensure_share("scale-down-gpu-utilization-threshold", gpu)?;
        self.validate_parallelism()?;
        self.validate_priorities(pools)
    }

    fn validate_parallelism(&self) -> Result<(), Invalid> {
        let (all, drains) = (self.max_scale_down_parallelism, self.max_drain_parallelism);
        ensure(all > 0, "max-scale-down-parallelism", all, "at least 1")?;
        let expected = format!("at most `max-scale-down-parallelism` ({all})");
        ensure(drains <= all, "max-drain-parallelism", drains, expected)
    }

    fn validate_priorities(&self, pools: &[&str]) -> Result<(), Invalid> {
        let uses = self.expander.contains(&Expander::Priority);
        let expected = "at least one tier for expander `priority`";
        ensure(!uses || !self.priorities.is_empty(), "priorities", "[]", expected)?;
        for (place, tier) in self.priorities.iter().enumerate() {
            for pattern in &tier.pools {
                let key = format!("priorities[{place}].pools");
                let found = Regex::new(pattern)
                    .map_err(|_| Invalid::new(&key, pattern, "a regular expression"))?;
                let expected =
                    format!("a pattern that matches one of the pools `{}`", pools.join("`, `"));
                let matches = pools.iter().any(|pool| found.is_match(pool));
                ensure(matches, &key, pattern, expected)?;
            }
        }
        Ok(())
    }
}

fn ensure_share(key: &str, found: f64) -> Result<(), Invalid> {
    ensure((0.0..=1.0).contains(&found), key, found, "a share from 0 to 1")
}
