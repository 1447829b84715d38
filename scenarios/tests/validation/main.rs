//! The replica model against measured runs of real engines: `llm_*.json` (a run, request by request) and
//! `llm_closed_loop.csv` (fixed lengths at a fixed concurrency); packing against the published curves of a study
//! (`fgd/`).
//!
//! Reads `../shared/validation` beside the workspace, or the folder that `VALIDATION_DIR` names. To see the
//! tables: `cargo test --release -p scenarios --test validation -- --nocapture`. What the figures mean and
//! where the model is off stands in `docs/validation.md`.

#![expect(clippy::print_stdout, reason = "the tables are what the tests are run for")]

mod closed_loop;
mod open_loop;
mod packing;

use std::path::PathBuf;

/// Where the measured runs are; `None`, said loudly, when they are not there.
fn folder() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/validation");
    let folder = std::env::var_os("VALIDATION_DIR").map_or_else(|| beside.into(), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("NOT JUDGED: no folder of measured runs at {}", folder.display());
    None
}

/// Mean of some figures.
#[expect(clippy::cast_precision_loss, reason = "thousands of figures")]
fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0_usize), |(s, n), v| (s + v, n + 1));
    sum / count as f64
}

/// Simulated against measured, in percent of the measured.
fn error_percent(simulated: f64, measured: f64) -> f64 {
    (simulated / measured - 1.0) * 100.0
}
