//! Settings of the Cluster Autoscaler, by the names of its flags.

use super::NodeGroup;
use super::cluster_state::{HealthLimits, StartTimes};
use super::expander::{Expander, GrpcReply, PodPrices, PriorityTier};
use super::quota::{Amounts, Quota};
use super::scale_down::{DrainRules, UnneededTimes};
use super::scale_up::Similarity;
use super::template::Lack;
use super::total_range::TotalRange;
use crate::Invalid;
use crate::invalid::ensure;
use crate::karpenter::buffer::BufferSize;
use contract::{Bytes, Micros};
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Settings, as they stand under `[stack.nodes.cluster-autoscaler]`; names and defaults of the 1.37 flags.
#[expect(clippy::struct_excessive_bools, reason = "one a flag, each as independent as flags are")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// Command-line flags as a cluster has them, `--flag=value` each; they overrule the settings beside them.
    pub flags: Vec<String>,
    /// Time between two loops.
    pub scan_interval: Micros,
    /// The time that one loop takes at least (no flag: logs of real clusters show about a second, an idle small one
    /// 0.1 s).
    pub loop_time: Micros,
    /// Also loop as soon as a pod turns out unschedulable, and at once after a loop that acted.
    pub frequent_loops_enabled: bool,
    /// Never more nodes in the cluster than this; 0 is no limit.
    pub max_nodes_total: u32,
    /// Cores in the whole cluster, least and most, each node's rounded up.
    pub cores_total: TotalRange,
    /// Memory in the whole cluster in GiB, least and most.
    pub memory_total: TotalRange,
    /// Further upper limits, of the cluster or of some pools (`CapacityQuota`).
    pub capacity_quotas: Vec<Quota>,
    /// Never more new nodes of a pool at a time than this; 0 is no limit.
    pub max_nodes_per_scaleup: u32,
    /// How to choose among pools that help, filter after filter; the first pool of what is left wins.
    pub expander: Vec<Expander>,
    /// What the `priority` expander prefers.
    pub priorities: Vec<PriorityTier>,
    /// What the `price` expander thinks pods are worth.
    pub pod_prices: PodPrices,
    /// What the server of the `grpc` expander answers.
    pub grpc_reply: GrpcReply,
    /// Pods younger than this do not count.
    pub new_pod_scale_up_delay: Micros,
    /// While the oldest pending pod is younger than this, more are expected (a constant upstream).
    pub new_pods_wait: Micros,
    /// The same when pods ask for GPUs (a constant upstream).
    pub new_gpu_pods_wait: Micros,
    /// Also grow a cluster that has no ready node.
    pub scale_up_from_zero: bool,
    /// Pools that are brought up to their minimum.
    pub enforce_node_group_min_size: bool,
    /// Share new nodes among pools that are alike.
    pub balance_similar_node_groups: bool,
    /// Labels by which pools that are alike may differ, beside zone and host name.
    pub balancing_ignore_label: Vec<String>,
    /// If there are any, pools with the same values of these labels are alike, and no others.
    pub balancing_label: Vec<String>,
    /// Pools that are alike may differ in memory by this share.
    pub memory_difference_ratio: f64,
    /// They may differ by this share in what pods may use.
    pub max_allocatable_difference_ratio: f64,
    /// They may differ by this share in what is free on an empty node.
    pub max_free_difference_ratio: f64,
    /// Several scale-ups in one loop, as long as pods are left that a pool helps.
    pub salvo_scale_up: bool,
    /// Pack the group of equal pods that takes the most steps by division.
    pub fastpath_binpacking_enabled: bool,
    /// Pools that have all their nodes or none (`ZeroOrMaxNodeScaling`, which their provider says).
    pub zero_or_max_node_scaling: Vec<String>,
    /// What the provider's template of a pool without a ready node lacks, by pool; nothing unless given.
    pub template_lacks: BTreeMap<String, Vec<Lack>>,
    /// Pods of a lower priority than this get no nodes.
    pub expendable_pods_priority_cutoff: i32,
    /// A node that has not registered after this long is given up.
    pub max_node_provision_time: Micros,
    /// A registered node that is not ready after this long is no longer expected.
    pub max_node_startup_time: Micros,
    /// Nothing is done while more nodes than this, in per cent, are unready,
    pub max_total_unready_percentage: f64,
    /// and more than this many.
    pub ok_total_unready_count: u32,
    /// Give up nodes that have not registered even below the minimum of their pool.
    pub force_delete_unregistered_nodes: bool,
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
    /// These three look at each pool by itself.
    pub scale_down_delay_type_local: bool,
    /// A node goes after it has been unneeded for longer than this.
    pub scale_down_unneeded_time: Micros,
    /// The same for a node that is not ready.
    pub scale_down_unready_time: Micros,
    /// Nodes that are not ready may go at all.
    pub scale_down_unready_enabled: bool,
    /// A node is underused up to this share of its requests, CPU or memory, whichever is more.
    pub scale_down_utilization_threshold: f64,
    /// The same for nodes with GPUs, of which only the GPUs count.
    pub scale_down_gpu_utilization_threshold: f64,
    /// Never more nodes being removed at a time than this.
    pub max_scale_down_parallelism: u32,
    /// Never more of them with pods than this.
    pub max_drain_parallelism: u32,
    /// A node that goes is cordoned this long before its pods are evicted and it is deleted.
    pub node_delete_delay_after_taint: Micros,
    /// A node whose pods fit nowhere else is not looked at again for this long.
    pub unremovable_node_recheck_timeout: Micros,
    /// What daemons request does not count as use of their node.
    pub ignore_daemonsets_utilization: bool,
    /// Pods of a service that wants fewer replicas than this keep their node.
    pub min_replica_count: u32,
    /// Pods of the system keep their node, unless they have a disruption budget,
    pub skip_nodes_with_system_pods: bool,
    /// until they are this old.
    pub blocking_system_pod_disruption_timeout: Micros,
    /// Pods that keep data on their node keep it.
    pub skip_nodes_with_local_storage: bool,
    /// Pods whose controller Kubernetes does not bring keep their node.
    pub skip_nodes_with_custom_controller_pods: bool,
    /// A drain that disruption budgets hold up is given up after this long.
    pub max_pod_eviction_time: Micros,
    /// Never more soft taints put on or taken off in one loop than this; 0 leaves nodes without.
    pub max_bulk_soft_taint_count: u32,
    /// Room that is kept for pods of a service that are not there yet (`CapacityBuffer`), by service.
    pub buffers: BTreeMap<String, BufferSize>,
    /// Answer provisioning requests.
    pub enable_provisioning_requests: bool,
    /// How long a request that found no room waits for its next look; doubles with each look after that.
    pub provisioning_request_initial_backoff_time: Micros,
    /// The longest such time.
    pub provisioning_request_max_backoff_time: Micros,
    /// The node groups, `min:max:pool` each; pools that are none of them are left alone. All are unless given.
    pub nodes: Vec<NodeGroup>,
    /// Luck in what upstream leaves to chance: the order of pods, and which of equally good pools grows.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let similarity = Similarity::default();
        Self {
            flags: Vec::new(),
            scan_interval: Micros::from_secs(10),
            loop_time: Micros::from_secs(1),
            frequent_loops_enabled: true,
            max_nodes_total: 0,
            cores_total: TotalRange { min: 0, max: 320_000 },
            memory_total: TotalRange { min: 0, max: 6_400_000 },
            capacity_quotas: Vec::new(),
            max_nodes_per_scaleup: 1000,
            expander: vec![Expander::LeastWaste],
            priorities: Vec::new(),
            pod_prices: PodPrices::default(),
            grpc_reply: GrpcReply::default(),
            new_pod_scale_up_delay: Micros::ZERO,
            new_pods_wait: Micros::from_secs(2),
            new_gpu_pods_wait: Micros::from_secs(30),
            scale_up_from_zero: true,
            enforce_node_group_min_size: false,
            balance_similar_node_groups: false,
            balancing_ignore_label: Vec::new(),
            balancing_label: Vec::new(),
            memory_difference_ratio: similarity.memory_difference_ratio,
            max_allocatable_difference_ratio: similarity.max_allocatable_difference_ratio,
            max_free_difference_ratio: similarity.max_free_difference_ratio,
            salvo_scale_up: false,
            fastpath_binpacking_enabled: false,
            zero_or_max_node_scaling: Vec::new(),
            template_lacks: BTreeMap::new(),
            expendable_pods_priority_cutoff: -10,
            max_node_provision_time: Micros::from_mins(15),
            max_node_startup_time: Micros::from_mins(15),
            max_total_unready_percentage: 45.0,
            ok_total_unready_count: 3,
            force_delete_unregistered_nodes: false,
            initial_node_group_backoff_duration: Micros::from_mins(5),
            max_node_group_backoff_duration: Micros::from_mins(30),
            node_group_backoff_reset_timeout: Micros::from_mins(180),
            scale_down_enabled: true,
            scale_down_delay_after_add: Micros::from_mins(10),
            scale_down_delay_after_delete: Micros::ZERO,
            scale_down_delay_after_failure: Micros::from_mins(3),
            scale_down_delay_type_local: false,
            scale_down_unneeded_time: Micros::from_mins(10),
            scale_down_unready_time: Micros::from_mins(20),
            scale_down_unready_enabled: true,
            scale_down_utilization_threshold: 0.5,
            scale_down_gpu_utilization_threshold: 0.5,
            max_scale_down_parallelism: 10,
            max_drain_parallelism: 1,
            node_delete_delay_after_taint: Micros::from_secs(5),
            unremovable_node_recheck_timeout: Micros::from_mins(5),
            ignore_daemonsets_utilization: false,
            min_replica_count: 0,
            skip_nodes_with_system_pods: true,
            blocking_system_pod_disruption_timeout: Micros::from_mins(60),
            skip_nodes_with_local_storage: true,
            skip_nodes_with_custom_controller_pods: true,
            max_pod_eviction_time: Micros::from_mins(2),
            max_bulk_soft_taint_count: 10,
            buffers: BTreeMap::new(),
            enable_provisioning_requests: false,
            provisioning_request_initial_backoff_time: Micros::from_mins(1),
            provisioning_request_max_backoff_time: Micros::from_mins(10),
            nodes: Vec::new(),
            seed: 0,
        }
    }
}

impl Settings {
    /// Checks what types cannot; `pools` are the names of the cluster's pools.
    pub fn validate(&self, pools: &[&str]) -> Result<(), Invalid> {
        self.resolved()?.validate_resolved(pools)
    }

    /// Whether requests are answered, be it by a flag.
    pub(crate) fn answers_provisioning_requests(&self) -> bool {
        self.resolved().is_ok_and(|settings| settings.enable_provisioning_requests)
    }

    fn validate_resolved(&self, pools: &[&str]) -> Result<(), Invalid> {
        let interval = self.scan_interval;
        ensure(interval > Micros::ZERO, "scan-interval", interval, "more than no time")?;
        let time = self.loop_time;
        ensure(time > Micros::ZERO, "loop-time", time, "more than no time")?;
        ensure(!self.expander.is_empty(), "expander", "[]", "at least one expander")?;
        ensure_share("scale-down-utilization-threshold", self.scale_down_utilization_threshold)?;
        let gpu = self.scale_down_gpu_utilization_threshold;
        ensure_share("scale-down-gpu-utilization-threshold", gpu)?;
        ensure_share("memory-difference-ratio", self.memory_difference_ratio)?;
        let allocatable = self.max_allocatable_difference_ratio;
        ensure_share("max-allocatable-difference-ratio", allocatable)?;
        ensure_share("max-free-difference-ratio", self.max_free_difference_ratio)?;
        let unready = self.max_total_unready_percentage;
        let percent = (0.0..=100.0).contains(&unready);
        ensure(percent, "max-total-unready-percentage", unready, "0 to 100 per cent")?;
        self.validate_parallelism()?;
        self.validate_provisioning()?;
        self.validate_buffers()?;
        self.validate_pools(pools)?;
        self.validate_priorities(pools)
    }

    fn validate_parallelism(&self) -> Result<(), Invalid> {
        let (all, drains) = (self.max_scale_down_parallelism, self.max_drain_parallelism);
        ensure(all > 0, "max-scale-down-parallelism", all, "at least 1")?;
        let expected = format!("at most `max-scale-down-parallelism` ({all})");
        ensure(drains <= all, "max-drain-parallelism", drains, expected)
    }

    fn validate_provisioning(&self) -> Result<(), Invalid> {
        let initial = self.provisioning_request_initial_backoff_time;
        let max = self.provisioning_request_max_backoff_time;
        let expected = format!("at least `provisioning-request-initial-backoff-time` ({initial})");
        ensure(max >= initial, "provisioning-request-max-backoff-time", max, expected)
    }

    fn validate_buffers(&self) -> Result<(), Invalid> {
        for (service, buffer) in &self.buffers {
            let has_count = buffer.replicas.or(buffer.percentage).is_some();
            let is_sized = has_count || buffer.limits.is_some();
            let key = format!("buffers.{service}");
            ensure(is_sized, &key, "no size", "`replicas`, `percentage` or `limits`")?;
        }
        Ok(())
    }

    /// Names of pools must be names of pools.
    fn validate_pools(&self, pools: &[&str]) -> Result<(), Invalid> {
        let expected = || format!("one of the pools `{}`", pools.join("`, `"));
        let known = |name: &String| pools.contains(&name.as_str());
        for group in &self.nodes {
            ensure(known(&group.name), "nodes", &group.name, expected())?;
        }
        for name in &self.zero_or_max_node_scaling {
            ensure(known(name), "zero-or-max-node-scaling", name, expected())?;
        }
        for name in self.template_lacks.keys() {
            ensure(known(name), "template-lacks", name, expected())?;
        }
        for (place, quota) in self.capacity_quotas.iter().enumerate() {
            for name in &quota.pools {
                ensure(known(name), &format!("capacity-quotas[{place}].pools"), name, expected())?;
            }
        }
        Ok(())
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

    pub(super) fn start_times(&self) -> StartTimes {
        StartTimes { provision: self.max_node_provision_time, startup: self.max_node_startup_time }
    }

    pub(super) fn health_limits(&self) -> HealthLimits {
        let percentage = self.max_total_unready_percentage;
        HealthLimits { count: self.ok_total_unready_count, percentage }
    }

    pub(super) fn unneeded_times(&self) -> UnneededTimes {
        let (ready, unready) = (self.scale_down_unneeded_time, self.scale_down_unready_time);
        UnneededTimes { ready, unready }
    }

    pub(super) fn similarity(&self) -> Option<Similarity> {
        self.balance_similar_node_groups.then(|| Similarity {
            memory_difference_ratio: self.memory_difference_ratio,
            max_allocatable_difference_ratio: self.max_allocatable_difference_ratio,
            max_free_difference_ratio: self.max_free_difference_ratio,
            ignore_labels: self.balancing_ignore_label.clone(),
            labels: self.balancing_label.clone(),
        })
    }

    /// The upper limits of the whole cluster, then the others.
    pub(super) fn quotas(&self) -> Vec<Quota> {
        let cluster = Quota {
            name: "cluster-wide".into(),
            cores: Some(self.cores_total.max),
            memory: Some(gib(self.memory_total.max)),
            ..Quota::default()
        };
        std::iter::once(cluster).chain(self.capacity_quotas.iter().cloned()).collect()
    }

    /// The lower limits of the whole cluster.
    pub(super) fn least(&self) -> Amounts {
        let memory = gib(self.memory_total.min).0;
        Amounts { cores: self.cores_total.min, memory, ..Amounts::default() }
    }

    /// Flags about pods.
    pub(super) fn drain_rules(&self) -> DrainRules {
        DrainRules {
            skip_system: self.skip_nodes_with_system_pods,
            system_timeout: self.blocking_system_pod_disruption_timeout,
            skip_local_storage: self.skip_nodes_with_local_storage,
            skip_custom_controllers: self.skip_nodes_with_custom_controller_pods,
            min_replicas: self.min_replica_count,
        }
    }
}

fn ensure_share(key: &str, found: f64) -> Result<(), Invalid> {
    ensure((0.0..=1.0).contains(&found), key, found, "a share from 0 to 1")
}

/// Saturates, so that any limit can be written.
fn gib(gib: u64) -> Bytes {
    Bytes(gib.saturating_mul(1 << 30))
}
