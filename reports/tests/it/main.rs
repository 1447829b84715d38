//! The run folder, written and read as the command line does it.

#[expect(dead_code, reason = "the unit tests use the rest")]
#[path = "../../src/fixture.rs"]
mod fixture;
mod page;
mod run_folder;
