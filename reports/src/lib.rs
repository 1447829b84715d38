//! Outcomes to what people read: a terminal table, a run folder, figures, one self-contained page.

mod decisions_file;
mod error;
mod fingerprint;
#[cfg(test)]
mod fixture;
mod folder;
mod latency_file;
mod measure;
mod number;
mod stats;
mod summary;
mod summary_csv;
mod table;
mod timeline_file;

pub use error::ReportError;
pub use folder::{read_run_folder, render, write_run_folder};
pub use table::table;
