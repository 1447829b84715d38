//! The engine: a clock, an event queue, and everything that happens between a request's arrival and
//! its last token. Knows the contract, but no policy by name; opens no file, prints nothing.

pub mod delay;
pub mod llm;
pub mod outcome;
pub mod random;
mod source;
pub mod spec;

pub use source::{Arrival, ArrivalSource, SourceError};
