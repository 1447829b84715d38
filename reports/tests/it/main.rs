//! The run folder, written and read as the command line does it.

#[path = "../../src/fixture.rs"]
mod fixture;
mod page;
mod run_folder;
