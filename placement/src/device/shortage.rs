//! What is short, in the words of whoever says so in a cluster.

use contract::GpuRequest;
use std::fmt;

/// Why a node's GPUs do not serve a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviceShortage {
    /// A resource that a device plugin counts (kube-scheduler: `Insufficient nvidia.com/mig-3g.40gb`).
    Resource(String),
    /// Devices for its claims (kube-scheduler: `cannot allocate all claims`).
    Claims,
    /// Virtual GPUs: why each GPU was turned down, as `HAMi` counts it (`2/4 CardInsufficientMemory`).
    Cards(String),
}

impl DeviceShortage {
    /// Of what a pod asks for.
    pub(super) fn of(request: &GpuRequest) -> Self {
        match request {
            GpuRequest::Claim { .. } => Self::Claims,
            request => Self::Resource(resource(request)),
        }
    }

    /// Of whole GPUs.
    pub(super) fn gpus() -> Self {
        Self::Resource("nvidia.com/gpu".to_owned())
    }
}

impl fmt::Display for DeviceShortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource(name) => write!(f, "Insufficient {name}"),
            Self::Claims => f.write_str("cannot allocate all claims"),
            Self::Cards(reasons) => f.write_str(reasons),
        }
    }
}

/// The name of the resource that a request counts. Requests and limits on GPUs exist nowhere yet: their name is
/// this project's own.
fn resource(request: &GpuRequest) -> String {
    match request {
        GpuRequest::Milli(_) => "alibabacloud.com/gpu-milli".to_owned(),
        GpuRequest::Shares(_) => "nvidia.com/gpu.shared".to_owned(),
        // NVIDIA's device plugin writes `+me` as `.me`: a resource name holds no plus sign.
        GpuRequest::Mig { profile, .. } => format!("nvidia.com/mig-{}", profile.replace('+', ".")),
        GpuRequest::Burst { .. } => "windtunnel/gpu-milli".to_owned(),
        GpuRequest::Hami { .. } | GpuRequest::Claim { .. } => "nvidia.com/gpu".to_owned(),
    }
}
