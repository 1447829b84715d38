//! Scenario files and the catalogue: from TOML to a wired run, from runs to an experiment.
//!
//! [`Scenario`] reads and checks a file, [`compare`] flies all its stacks. A new built-in scenario is a file
//! under `scenarios/files/`; a new node type, delay or model is a row of `scenarios/catalog/`.

mod builtin;
pub mod catalog;
mod document;
mod error;
mod experiment;
mod journal;
mod manifest;
pub mod packing;
mod progress;
mod scenario;
pub mod settings;
mod suggest;
mod wire;

pub use builtin::{DEFAULT_SCENARIO, DEFAULTS, names as builtin_names, text as builtin_text};
pub use error::{Place, ScenarioError};
pub use experiment::{ExperimentError, Options, compare, run};
pub use journal::Journal;
pub use progress::Progress;
pub use scenario::{Scenario, scenario_schema};
