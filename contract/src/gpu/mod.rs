//! Parts of GPUs: what pods ask for beside whole ones, how a node's GPUs are divided, and who holds what.

mod counters;
mod mig;
mod request;
mod seen;
mod share;
mod sharing;

pub use counters::{CountedDevice, Counter, CounterSet};
pub use mig::{MigBoard, MigInstance, MigProfile};
pub use request::{GpuMemory, GpuRequest};
pub use seen::{GpuSeen, Held, Hold};
pub use share::{GpuMilli, GpuShare, TooManyMilli};
pub use sharing::Sharing;
