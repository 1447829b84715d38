//! Scenario files and the catalogue: from TOML to a wired run.

pub mod catalog;
