//! A packing study: a table for the terminal, curves as CSV, a figure.

mod curves_csv;
mod figure;
mod folder;
mod spread;
mod table;

pub use folder::write_packing_folder;
pub use table::packing_table;
