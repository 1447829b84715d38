//! One stream out of several.

use super::body::Body;
use super::pulse::PulseArrivals;
use sim_core::Arrival;
use std::iter::Peekable;

/// The body and its pulses in time order; at equal times the body goes first, then the pulses in theirs.
pub(super) struct Merged {
    body: Peekable<Body>,
    pulses: Vec<Peekable<PulseArrivals>>,
}

impl Merged {
    pub(super) fn new(body: Body, pulses: Vec<PulseArrivals>) -> Self {
        let pulses = pulses.into_iter().map(Iterator::peekable).collect();
        Self { body: body.peekable(), pulses }
    }
}

impl Iterator for Merged {
    type Item = Arrival;
    fn next(&mut self) -> Option<Arrival> {
        let due = self.pulses.iter_mut().filter_map(|pulse| Some((pulse.peek()?.at, pulse)));
        let Some((at, pulse)) = due.min_by_key(|(at, _)| *at) else { return self.body.next() };
        match self.body.peek() {
            Some(body) if body.at <= at => self.body.next(),
            _ => pulse.next(),
        }
    }
}
