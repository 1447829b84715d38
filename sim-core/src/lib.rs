//! The engine: a clock, an event queue, and everything that happens between a request's arrival and
//! its last token. Knows the contract, but no policy by name; opens no file, prints nothing.

pub mod delay;
mod engine;
mod fingerprint;
mod fleet;
mod job;
pub mod llm;
mod metrics;
pub mod outcome;
pub mod queue;
pub mod random;
mod recorder;
mod server;
mod service;
mod source;
pub mod spec;
mod wakes;

pub use engine::{Histograms, Outcome, RunError, run};
pub use recorder::{DecisionLog, JobDecision, Recorder};
pub use source::{Arrival, ArrivalSource, JobArrival, JobSource, SourceError, Sources};
