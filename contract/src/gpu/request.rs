//! What a pod asks of GPUs beside whole ones.

use super::GpuMilli;
use crate::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::sync::Arc;

/// Parts of GPUs, each as the people who use it write it. Whole GPUs stand in [`Resources`](crate::Resources).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum GpuRequest {
    /// A fraction of one GPU (`gpu_milli` of the Alibaba traces), from 1. Nothing isolates its holder.
    Milli(GpuMilli),
    /// Replicas of time-sliced GPUs or of GPUs under MPS (`nvidia.com/gpu.shared`).
    Shares(NonZeroU32),
    /// Virtual GPUs of `HAMi`, each on a GPU of its own (`nvidia.com/gpu`, `gpumem`, `gpumem-percentage`, `gpucores`).
    #[serde(rename_all = "kebab-case")]
    Hami {
        /// How many.
        #[serde(default = "one")]
        gpus: NonZeroU32,
        /// Memory of each.
        #[serde(default)]
        memory: GpuMemory,
        /// Per cent of the cores of each; 0 takes what others leave, 100 wants a GPU that nobody else uses.
        #[serde(default)]
        cores: u8,
    },
    /// MIG devices (`nvidia.com/mig-<profile>`, the mixed strategy).
    #[serde(rename_all = "kebab-case")]
    Mig {
        /// Profile, such as `3g.40gb`.
        profile: Arc<str>,
        /// How many.
        #[serde(default = "one")]
        count: NonZeroU32,
    },
    /// Request and limit on one GPU, as CPU has them: no device plugin offers this today.
    #[serde(rename_all = "kebab-case")]
    Burst {
        /// Guaranteed.
        request: GpuMilli,
        /// At most, while others leave it idle.
        limit: GpuMilli,
    },
    /// Devices of a class by a resource claim (dynamic resource allocation).
    #[serde(rename_all = "kebab-case")]
    Claim {
        /// Device class, such as `gpu` or `mig-3g.40gb`.
        class: Arc<str>,
        /// How many.
        #[serde(default = "one")]
        count: NonZeroU32,
    },
}

/// Memory of a virtual GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GpuMemory {
    /// So much.
    Size(Bytes),
    /// Per cent of the GPU's, 1 to 100.
    Percent(u8),
}

impl Default for GpuMemory {
    /// All of it: what `HAMi` takes when a pod does not say.
    fn default() -> Self {
        Self::Percent(100)
    }
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<GpuRequest, &str>) {
        let found = serde_json::from_str::<GpuRequest>(text).map_err(|error| error.to_string());
        match expected {
            Ok(request) => assert_eq!(found, Ok(request)),
            Err(part) => assert!(found.clone().is_err_and(|e| e.contains(part)), "{found:?}"),
        }
    }

    #[test]
    fn what_is_left_out_is_one_device_with_all_its_memory() {
        let mig = GpuRequest::Mig { profile: "3g.40gb".into(), count: NonZeroU32::MIN };
        check(r#"{ "mig": { "profile": "3g.40gb" } }"#, Ok(mig));
        let all = GpuMemory::Percent(100);
        let virtual_gpu = GpuRequest::Hami { gpus: NonZeroU32::MIN, memory: all, cores: 30 };
        check(r#"{ "hami": { "cores": 30 } }"#, Ok(virtual_gpu));
    }

    #[test]
    fn no_share_and_more_than_a_gpu_cannot_be_written() {
        check(r#"{ "shares": 0 }"#, Err("nonzero u32"));
        check(r#"{ "milli": 1001 }"#, Err("thousandths of one GPU"));
    }
}
