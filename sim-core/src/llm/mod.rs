//! LLM serving: one replica with continuous batching.

mod model;
mod stub;

pub use model::{EngineSettings, StepModel, StepTables};
pub use stub::*;
