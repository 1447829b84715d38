//! LLM serving: one replica with continuous batching, as vLLM schedules it.
//!
//! A step serves every decoding sequence with one token and, within a token budget, pieces of prompts
//! (chunked prefill): first those already begun, then waiting requests, first come, first served, as long
//! as the KV cache holds their whole prompt. When the cache would overflow, the newest sequence is evicted
//! and starts again later with the tokens it has.
//!
//! Decode-only steps between two changes of the batch are taken at once, in closed form (`stretch.rs`), and
//! end to the picosecond where they would end one by one: a property test compares.

mod model;
#[cfg(test)]
mod naive;
mod replica;
mod sequences;
mod steady;
mod stretch;
mod time;

pub use model::{EngineSettings, StepModel, StepTables};
pub use replica::{Event, Replica, StepSeen};
pub use steady::{Load, Steady};
