//! How much of a node is requested.

use contract::{Micros, NodeShape, Resources};

/// Upstream's name of the GPU resource in the outcome.
pub const GPU_RESOURCE: &str = "nvidia.com/gpu";

/// A pod's part in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodUse {
    /// What it requests.
    pub requests: Resources,
    /// Made by a daemon set.
    pub daemon: bool,
    /// A mirror of a static pod.
    pub mirror: bool,
    /// Past its grace period and the time after it.
    pub long_gone: bool,
}

impl PodUse {
    /// Whether a pod that has been terminating for so long should be gone.
    pub fn is_long_gone(terminating_for: Micros, grace: Micros) -> bool {
        // Upstream: `PodLongTerminatingExtraThreshold`.
        terminating_for > grace + Micros::from_secs(30)
    }
}

/// Devices of a pool of a DRA driver on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevicePool {
    /// `driver/pool`.
    pub name: String,
    /// Devices; `None` if not all slices of the pool have been published.
    pub devices: Option<u32>,
    /// Devices in use.
    pub allocated: u32,
}

/// What counts of a node.
#[derive(Clone, Copy, Debug)]
pub struct NodeUse<'a> {
    /// What pods may use.
    pub allocatable: Resources,
    /// It has GPUs, or should have: they alone count.
    pub has_gpus: bool,
    /// Its DRA devices, if it has any and they count; then they alone do.
    pub devices: &'a [DevicePool],
    /// Pods of daemon sets are left out of both sides (`ignore-daemonsets-utilization`).
    pub ignore_daemons: bool,
    /// Mirror pods likewise (`ignore-mirror-pods-utilization`).
    pub ignore_mirrors: bool,
}

/// Shares of a node that are in use.
#[derive(Clone, Debug, PartialEq)]
pub struct Utilization {
    /// The share that decides; above 1 if more is requested than there is.
    pub share: f64,
    /// CPU, where it counts.
    pub cpu: Option<f64>,
    /// Memory, where it counts.
    pub memory: Option<f64>,
    /// What decides.
    pub resource: String,
}

/// Why it cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoUtilization {
    /// The node offers none of something that every node offers.
    NothingAllocatable,
    /// Slices of a device pool are missing.
    IncompletePool,
}

impl NodeUse<'_> {
    /// Share of the node that its pods request: of a node with GPUs the GPUs alone (nothing while they cannot be
    /// given out), of one with DRA devices the fullest pool, else CPU or memory, whichever is more.
    ///
    /// # Errors
    /// When the node does not say what it offers.
    pub fn utilization(
        &self,
        pods: impl Iterator<Item = PodUse> + Clone,
    ) -> Result<Utilization, NoUtilization> {
        if self.has_gpus {
            let share = self.share(pods, |all| all.gpus.into()).unwrap_or(0.0);
            let resource = GPU_RESOURCE.to_owned();
            return Ok(Utilization { share, cpu: None, memory: None, resource });
        }
        if !self.devices.is_empty() {
            return self.fullest_pool();
        }
        let cpu = self.share(pods.clone(), |all| all.cpu.0);
        let memory = self.share(pods, |all| all.memory.0);
        let (Some(cpu), Some(memory)) = (cpu, memory) else {
            return Err(NoUtilization::NothingAllocatable);
        };
        let resource = if cpu > memory { "cpu" } else { "memory" }.to_owned();
        Ok(Utilization { share: cpu.max(memory), cpu: Some(cpu), memory: Some(memory), resource })
    }

    /// `None` if the node has none of it.
    #[expect(clippy::cast_precision_loss, reason = "amounts stay below 2^53")]
    fn share(
        &self,
        pods: impl Iterator<Item = PodUse>,
        amount: impl Fn(&Resources) -> u64,
    ) -> Option<f64> {
        let (mut used, mut left_out) = (0, 0);
        for pod in pods.filter(|pod| !pod.long_gone) {
            let ignored =
                (pod.daemon && self.ignore_daemons) || (pod.mirror && self.ignore_mirrors);
            *(if ignored { &mut left_out } else { &mut used }) += amount(&pod.requests);
        }
        let all = amount(&self.allocatable);
        (all > 0).then(|| used as f64 / all.saturating_sub(left_out) as f64)
    }

    fn fullest_pool(&self) -> Result<Utilization, NoUtilization> {
        let mut fullest: Option<(f64, &str)> = None;
        for pool in self.devices {
            let devices = pool.devices.ok_or(NoUtilization::IncompletePool)?;
            let share = f64::from(pool.allocated) / f64::from(devices.max(1));
            if fullest.is_none_or(|(most, _)| share > most) {
                fullest = Some((share, &pool.name));
            }
        }
        let (share, resource) = fullest.expect("there is a pool");
        Ok(Utilization { share, cpu: None, memory: None, resource: resource.to_owned() })
    }
}

/// The utilisation of a node of which pods of services and jobs request so much, and daemons what its shape says.
/// Simulated clusters have no mirror pods.
pub fn utilization(
    used: Resources,
    shape: &NodeShape,
    ignore_daemons: bool,
) -> Result<Utilization, NoUtilization> {
    let counts = NodeUse {
        allocatable: shape.allocatable + shape.daemons.requests,
        has_gpus: shape.gpu.is_some(),
        devices: &[],
        ignore_daemons,
        ignore_mirrors: false,
    };
    let pods = PodUse { requests: used, ..PodUse::default() };
    let daemons = PodUse { requests: shape.daemons.requests, daemon: true, ..PodUse::default() };
    counts.utilization([pods, daemons].into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{pool, resources};

    #[track_caller]
    fn check(gpus: u32, used: Resources, expected: f64) {
        let shape = pool(0, "pool", gpus, (0, 0, 1)).shape;
        let found = utilization(used, &shape, false);
        assert!((found.unwrap().share - expected).abs() < 1e-9);
    }

    #[test]
    fn without_gpus_the_scarcer_of_cpu_and_memory_counts() {
        check(0, resources(4_000, 8, 0), 0.5);
        check(0, resources(2_000, 24, 0), 0.75);
    }

    #[test]
    fn daemons_count_like_other_pods_unless_they_are_ignored() {
        let mut shape = (*pool(0, "pool", 0, (0, 0, 1)).shape).clone();
        shape.allocatable = resources(7_000, 31, 0);
        shape.daemons = contract::Daemons { requests: resources(1_000, 1, 0), pods: 1 };
        let share = |ignore| utilization(resources(3_000, 1, 0), &shape, ignore).unwrap().share;
        assert!((share(false) - 0.5).abs() < 1e-9);
        assert!((share(true) - 3.0 / 7.0).abs() < 1e-9);
    }

    #[test]
    fn with_gpus_nothing_else_counts() {
        check(4, resources(8_000, 32, 1), 0.25);
        check(4, resources(0, 0, 0), 0.0);
    }
}
