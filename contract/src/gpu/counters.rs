//! Partitionable devices of dynamic resource allocation (KEP-4815): devices that draw on shared counters.

use crate::{Bytes, GpuMilli};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the driver publishes of one GPU: counters, and devices of which any set may be allocated at once whose draws
/// do not exceed them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CounterSet {
    /// What devices draw on.
    pub counters: Vec<Counter>,
    /// Devices, in the order in which the allocator tries them.
    pub devices: Vec<CountedDevice>,
}

/// A counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Counter {
    /// Its name, such as `memory-slice-3`.
    pub name: Arc<str>,
    /// How much there is.
    pub value: u64,
}

/// A device that can be allocated once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CountedDevice {
    /// Its name, such as `3g.40gb-at-4`.
    pub name: Arc<str>,
    /// The device class that selects it.
    pub class: Arc<str>,
    /// What it draws: (place of the counter, amount).
    pub draws: Vec<(u16, u64)>,
    /// Memory that its holder can use.
    pub memory: Bytes,
    /// Its throughput, in thousandths of the undivided GPU's.
    pub throughput: GpuMilli,
}
