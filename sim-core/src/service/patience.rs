//! Clients' patience: time-outs to come.

use super::requests::{Requests, Where};
use contract::{Instant, Micros};
use std::collections::VecDeque;

/// A client's patience with one attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeout {
    pub(crate) at: Instant,
    pub(crate) key: u32,
    pub(crate) attempt: u32,
}

/// Time-outs in time order, because they are all equally long. No longer than what arrives in one of them.
#[derive(Debug, Default)]
pub(crate) struct Patience(VecDeque<Timeout>);

impl Patience {
    /// An attempt begins.
    pub(crate) fn begin(&mut self, now: Instant, patience: Micros, key: u32, attempt: u32) {
        self.0.push_back(Timeout { at: now + patience, key, attempt });
    }

    /// When the next time-out is due; [`Instant::FAR`] if none is.
    pub(crate) fn next(&self) -> Instant {
        self.0.front().map_or(Instant::FAR, |timeout| timeout.at)
    }

    /// Takes the next time-out.
    pub(crate) fn pop(&mut self) -> Option<Timeout> {
        self.0.pop_front()
    }

    /// Drops time-outs at the front whose attempts have ended. True if there were any.
    pub(crate) fn forget_ended(&mut self, requests: &Requests) -> bool {
        let before = self.0.len();
        while self.0.front().is_some_and(|timeout| !timeout.concerns(requests)) {
            self.0.pop_front();
        }
        self.0.len() < before
    }
}

impl Timeout {
    /// Whether the attempt is still under way.
    pub(crate) fn concerns(&self, requests: &Requests) -> bool {
        let request = requests.get(self.key);
        request.attempt == self.attempt && request.place != Where::Gone
    }
}
