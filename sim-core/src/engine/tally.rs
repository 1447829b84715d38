//! Replica statistics of a service, up to the horizon.

use contract::{Instant, Micros};

/// Running sums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    /// Microseconds times ready replicas.
    pub(super) ready_integral: u128,
    ready: u32,
    ready_since: Instant,
    pub(super) ready_peak: u32,
    pub(super) wanted_peak: u32,
    pub(super) created: u64,
    pub(super) starts: u64,
    pub(super) start_sum: u128,
    pub(super) start_max: u64,
    /// Of replicas that are gone.
    pub(super) preemptions: u64,
    closed: bool,
}

impl Tally {
    /// Of a service that begins with so many replicas asked for.
    pub(super) fn new(wanted: u32) -> Self {
        Self {
            ready_integral: 0,
            ready: 0,
            ready_since: Instant::ZERO,
            ready_peak: 0,
            wanted_peak: wanted,
            created: 0,
            starts: 0,
            start_sum: 0,
            start_max: 0,
            preemptions: 0,
            closed: false,
        }
    }

    /// From now on so many replicas are ready.
    pub(super) fn ready(&mut self, now: Instant, ready: u32) {
        if self.closed {
            return;
        }
        self.settle(now);
        self.ready = ready;
        self.ready_peak = self.ready_peak.max(ready);
    }

    /// So many replicas were asked for.
    pub(super) fn wanted(&mut self, wanted: u32) {
        if !self.closed {
            self.wanted_peak = self.wanted_peak.max(wanted);
        }
    }

    /// A pod was made.
    pub(super) fn created(&mut self) {
        if !self.closed {
            self.created += 1;
        }
    }

    /// A replica became ready this long after it was made.
    pub(super) fn started(&mut self, start: Micros) {
        if self.closed {
            return;
        }
        self.starts += 1;
        self.start_sum += u128::from(start.0);
        self.start_max = self.start_max.max(start.0);
    }

    /// The horizon: what happens from here on is not counted.
    pub(super) fn close(&mut self, now: Instant) {
        self.settle(now);
        self.closed = true;
    }

    fn settle(&mut self, now: Instant) {
        let time = now.since(self.ready_since).0;
        self.ready_integral += u128::from(time) * u128::from(self.ready);
        self.ready_since = now;
    }
}
