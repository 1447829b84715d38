//! MIG boards: what GPU models can be cut into.

use contract::{Bytes, GpuMilli, MigBoard, MigProfile};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Throughput of all instances of a fully cut board, as a share of the undivided GPU: seven times the measured share of
/// a 1g.10gb on an A100 of 80 GB (`MLPerf` inference 2.1, see `mig.toml`). Instances that nobody measured get their part
/// of it by compute slices, on every board: an assumption.
const CUT_THROUGHPUT: f64 = 7.0 * 0.136;

/// A board, as a table of `mig.toml` holds it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MigRow {
    /// GPU models that are this board.
    pub gpus: Vec<String>,
    /// Compute slices in all.
    pub compute_slices: u8,
    /// Memory slices in all.
    pub memory_slices: u8,
    /// Keys in the file's list of sources.
    pub sources: Vec<String>,
    /// How far the placements are to be trusted.
    pub note: String,
    /// What it can be cut into.
    pub profile: Vec<MigProfileRow>,
}

/// A profile of a board.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MigProfileRow {
    /// As `nvidia-smi` writes it.
    pub name: String,
    /// Compute slices that it takes.
    pub compute_slices: u8,
    /// Memory slices that it takes.
    pub memory_slices: u8,
    /// Memory that its holder can use.
    pub memory: Bytes,
    /// Memory slices at which it may begin.
    pub starts: Vec<u8>,
    /// How many of it alone a board holds, by the maker.
    pub most: u8,
    /// Its throughput as a share of the undivided GPU's, where it was measured.
    pub throughput: Option<f64>,
}

impl MigRow {
    /// The board as policies and the scheduler know it.
    pub fn board(&self, name: &str) -> MigBoard {
        let profile = |row: &MigProfileRow| MigProfile {
            name: row.name.as_str().into(),
            compute_slices: row.compute_slices,
            memory_slices: row.memory_slices,
            memory: row.memory,
            media: row.name.ends_with("+me"),
            starts: row.starts.clone(),
            throughput: milli(row.throughput.unwrap_or_else(|| self.by_slices(row))),
        };
        MigBoard {
            name: name.into(),
            compute_slices: self.compute_slices,
            memory_slices: self.memory_slices,
            profiles: self.profile.iter().map(profile).collect(),
        }
    }

    fn by_slices(&self, row: &MigProfileRow) -> f64 {
        CUT_THROUGHPUT * f64::from(row.compute_slices) / f64::from(self.compute_slices)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 0 to 1")]
fn milli(share: f64) -> GpuMilli {
    GpuMilli::try_from((share * 1000.0).round() as u16).expect("tests read every row")
}

/// `mig.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MigFile {
    pub(super) source: BTreeMap<String, String>,
    pub(super) board: BTreeMap<String, MigRow>,
}
