//! MIG: how a GPU model can be cut into instances.

use crate::{Bytes, GpuMilli};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A GPU that MIG can cut: an instance takes compute slices, and a run of memory slices that begins at an allowed one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MigBoard {
    /// Its name in the catalogue, such as `A100-80GB`.
    pub name: Arc<str>,
    /// Compute slices: 7 or 4.
    pub compute_slices: u8,
    /// Memory slices: 8 or 4.
    pub memory_slices: u8,
    /// What it can be cut into.
    pub profiles: Vec<MigProfile>,
}

impl MigBoard {
    /// The place of a profile by its name.
    pub fn profile(&self, name: &str) -> Option<u8> {
        let place = self.profiles.iter().position(|profile| &*profile.name == name)?;
        u8::try_from(place).ok()
    }
}

/// A kind of instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MigProfile {
    /// Its name, such as `3g.40gb` or `1g.10gb+me`.
    pub name: Arc<str>,
    /// Compute slices that it takes.
    pub compute_slices: u8,
    /// Memory slices that it takes.
    pub memory_slices: u8,
    /// Memory that its holder can use.
    pub memory: Bytes,
    /// It takes the media engines (`+me`), of which a GPU lends one set.
    pub media: bool,
    /// Memory slices at which it may begin, ascending.
    pub starts: Vec<u8>,
    /// Its throughput, in thousandths of the undivided GPU's.
    pub throughput: GpuMilli,
}

/// An instance on a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MigInstance {
    /// Which of the board's profiles.
    pub profile: u8,
    /// Its first memory slice.
    pub start: u8,
}
