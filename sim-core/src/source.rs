//! Where requests come from: one pending arrival at a time, never a whole trace.

use contract::Instant;

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
