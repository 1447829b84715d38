//! `CapacityBuffer`: room for pods that are not there yet.

use contract::Resources;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many chunks a buffer holds, as its object says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct BufferSize {
    /// So many.
    pub replicas: Option<u32>,
    /// So many percent of the workload's replicas.
    pub percentage: Option<u32>,
    /// Never more than fit into this; a resource that is left out does not count.
    pub limits: Option<BufferLimits>,
}

/// Limits of a buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct BufferLimits {
    /// CPU.
    pub cpu: Option<contract::MilliCpu>,
    /// Memory.
    pub memory: Option<contract::Bytes>,
    /// GPUs.
    pub gpus: Option<u32>,
}

/// How a percentage that is not a whole number of chunks is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Implementation {
    /// Up.
    ClusterAutoscaler,
    /// Up, and at least one for a workload that runs.
    Karpenter,
}

/// Nothing says how large a buffer is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found none of `replicas`, `percentage`, `limits`, expected at least one")]
pub struct Unsized;

impl BufferSize {
    /// How many chunks: the larger of number and percentage (the documents say the smaller, the code of both
    /// autoscalers takes the larger), as far as limits allow; limits alone give as many as fit.
    ///
    /// # Errors
    /// If nothing is set, or limits alone are that do not limit what a chunk asks for.
    pub fn chunks(
        &self,
        implementation: Implementation,
        workload_replicas: u32,
        chunk: &Resources,
    ) -> Result<u32, Unsized> {
        let share = self.percentage.map(|percent| {
            let chunks = (u64::from(percent) * u64::from(workload_replicas)).div_ceil(100);
            let least = match implementation {
                Implementation::ClusterAutoscaler => 0,
                Implementation::Karpenter => u64::from(percent.min(workload_replicas).min(1)),
            };
            u32::try_from(chunks.max(least)).unwrap_or(u32::MAX)
        });
        let most = self.limits.and_then(|limits| limits.most(chunk));
        match (self.replicas.max(share), most) {
            (Some(wanted), Some(most)) => Ok(wanted.min(most)),
            (Some(count), None) | (None, Some(count)) => Ok(count),
            (None, None) => Err(Unsized),
        }
    }
}

impl BufferLimits {
    /// How many chunks fit; `None` if no limited resource is asked for.
    fn most(&self, chunk: &Resources) -> Option<u32> {
        let limits = [
            (self.cpu.map(|cpu| cpu.0), chunk.cpu.0),
            (self.memory.map(|memory| memory.0), chunk.memory.0),
            (self.gpus.map(u64::from), u64::from(chunk.gpus)),
        ];
        let fit = |(limit, request): (Option<u64>, u64)| limit.and_then(|l| l.checked_div(request));
        let most = limits.into_iter().filter_map(fit).min();
        most.map(|most| u32::try_from(most).unwrap_or(u32::MAX))
    }
}
