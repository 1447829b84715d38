//! Outcomes to what people read: a terminal table, a run folder, figures, one self-contained page.

mod axis;
mod blame;
mod canvas;
mod decisions_file;
mod error;
mod figure;
mod fingerprint;
#[cfg(test)]
mod fixture;
mod folder;
mod frontier;
mod jobs;
mod latency;
mod latency_file;
mod measure;
mod number;
mod packing;
mod page;
mod queues;
mod series;
mod stats;
mod summary;
mod summary_csv;
mod table;
mod timeline;
mod timeline_file;
mod waste;

pub use error::ReportError;
pub use folder::{read_run_folder, render, write_run_folder};
pub use packing::{packing_table, write_packing_folder};
pub use table::table;

/// Every figure, in the order of the page. A new one is a file with a `FIGURE` and a line here.
const FIGURES: [figure::FigureKind; 5] =
    [frontier::FIGURE, timeline::FIGURE, latency::FIGURE, waste::FIGURE, blame::FIGURE];
