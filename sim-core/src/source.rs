//! Where requests and jobs come from: one pending arrival at a time, never a whole trace.

use contract::{Instant, Micros, PodSpec};
use std::sync::Arc;

/// A request as a trace or a generator tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it reaches the gateway.
    pub at: Instant,
    /// Prompt length in tokens; zero for plain services.
    pub prompt_tokens: u32,
    /// Output length in tokens; zero for plain services.
    pub output_tokens: u32,
}

/// What went wrong inside a source: its message carries file, row and hint.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Gives the arrivals of one service in time order.
pub trait ArrivalSource: Send {
    /// The next arrival, not before the last one; `None` when the source has run dry.
    fn next_arrival(&mut self) -> Result<Option<Arrival>, SourceError>;
}

impl<I: Iterator<Item = Arrival> + Send> ArrivalSource for I {
    fn next_arrival(&mut self) -> Result<Option<Arrival>, SourceError> {
        Ok(self.next())
    }
}

/// A job as a trace or a generator tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct JobArrival {
    /// When it is submitted.
    pub at: Instant,
    /// How many pods it wants; at least one.
    pub width: u32,
    /// How many must run for its work to go on, from one to `width`: all of them for a gang.
    pub min_count: u32,
    /// What each of them asks for.
    pub pod: Arc<PodSpec>,
    /// How long its work takes with all of them; with fewer it takes longer in proportion.
    pub duration: Micros,
}

/// Gives the jobs of one class in time order.
pub trait JobSource: Send {
    /// The next job, not before the last one; `None` when the source has run dry.
    fn next_job(&mut self) -> Result<Option<JobArrival>, SourceError>;
}

impl<I: Iterator<Item = JobArrival> + Send> JobSource for I {
    fn next_job(&mut self) -> Result<Option<JobArrival>, SourceError> {
        Ok(self.next())
    }
}

/// Everything that arrives during a run.
#[derive(Default)]
pub struct Sources {
    /// Requests, by service.
    pub requests: Vec<Box<dyn ArrivalSource>>,
    /// Jobs, by class.
    pub jobs: Vec<Box<dyn JobSource>>,
}

impl From<Vec<Box<dyn ArrivalSource>>> for Sources {
    /// Requests alone.
    fn from(requests: Vec<Box<dyn ArrivalSource>>) -> Self {
        Self { requests, jobs: Vec::new() }
    }
}
