//! What a scaling policy may see and may ask for.
//!
//! The same words serve the simulator and the live controller, so a policy cannot tell which of the
//! two is asking. Nothing here has a clock, does I/O or keeps global state.

mod constraints;
mod eviction;
mod gpu;
mod ids;
mod journal;
mod observation;
mod owner;
mod plan;
mod pods;
mod policy;
mod provisioning;
mod resources;
mod units;

pub use constraints::{
    Constraints, HOSTNAME_KEY, HostPort, Image, PodAffinity, Preference, Protocol, Requirement,
    Selector, Test, TopologySpread, ZONE_KEY,
};
pub use eviction::{DisruptionBudget, DoNotDisrupt, EvictionMarks, IntOrPercent, SafeToEvict};
pub use gpu::{
    CountedDevice, Counter, CounterSet, GpuMemory, GpuMilli, GpuRequest, GpuSeen, GpuShare, Held,
    Hold, MigBoard, MigInstance, MigProfile, Sharing, TooManyMilli,
};
pub use ids::{JobId, NodeId, PodId, PoolId, ServiceId};
pub use journal::{JournalEntry, ObservationRecord};
pub use observation::{
    Counts, LaunchFailure, LaunchFailureKind, Metric, NodeSeen, NodeStage, Observation, PendingPod,
    PlacedPod, PodSeen, PodStage, PoolSeen, Sample, ServiceSeen,
};
pub use owner::Owner;
pub use plan::{Action, Decision, Plan, Reason, Subject};
pub use pods::{Pods, Sampled};
pub use policy::{Cadence, Policy, StateError};
pub use provisioning::{
    ProvisioningAnswer, ProvisioningClass, ProvisioningRequest, ProvisioningState,
};
pub use resources::{
    Daemons, GpuModel, NodeShape, PodSpec, Resources, Taint, TaintEffect, Toleration,
};
pub use units::{Bytes, Instant, Micros, MilliCpu, UnitError, UsdPerHour, thousandths};
