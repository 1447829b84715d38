//! LLM serving: one replica with continuous batching.

mod model;

pub use model::{EngineSettings, StepModel};
