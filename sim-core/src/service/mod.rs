//! A service at run time: its gateway, its requests in flight, its score.

mod blame;
mod gateway;
mod latency;
mod patience;
mod requests;
mod score;
mod stages;
mod totals;

use crate::outcome::Cause;
use crate::random::Stream;
use crate::spec::ServiceSpec;
use crate::{Arrival, ArrivalSource};
pub(crate) use blame::{CauseTrack, Causes};
use contract::Instant;
pub(crate) use gateway::Gateway;
pub use latency::Histograms;
pub(crate) use patience::Patience;
pub(crate) use requests::{Request, Requests, Where};
pub(crate) use score::{Ending, Score};
pub(crate) use stages::Stages;
use std::collections::BTreeMap;
pub(crate) use totals::Totals;

/// Everything about one service that changes during a run, save its pods.
pub(crate) struct Service {
    pub(crate) spec: ServiceSpec,
    pub(crate) source: Box<dyn ArrivalSource>,
    /// The one pending arrival.
    pub(crate) next: Option<Arrival>,
    pub(crate) gateway: Gateway,
    pub(crate) requests: Requests,
    pub(crate) patience: Patience,
    /// Clients that pause between two tries.
    pub(crate) pausing: u32,
    /// What requests that are tried again waited for in earlier attempts.
    pub(crate) earlier_waits: BTreeMap<u32, Causes>,
    pub(crate) causes: CauseTrack,
    pub(crate) score: Score,
    pub(crate) work_luck: Stream,
    /// The replica count that has taken effect; policies write `replicas_wanted`.
    pub(crate) replicas: u32,
    /// Times that a policy wrote it: names the luck of the next time.
    pub(crate) actuations: u64,
    /// Pods ever made.
    pub(crate) pods_made: u64,
    /// Slots of living pods, in the order of `ServiceSeen::pods`.
    pub(crate) slots: Vec<u32>,
    /// How far its starting pods are.
    pub(crate) stages: Stages,
    /// By shape of its pods: where they have room.
    pub(crate) rooms: Vec<Room>,
}

/// Where pods of one shape have room.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    /// By pool: whether an empty node of it could hold one of the pods.
    pub(crate) pools: Vec<bool>,
    /// Some node may have room for one: false from when one fits nowhere until something makes room.
    pub(crate) may_be: bool,
}

impl Service {
    /// From now on requests that wait do so for `cause`. What no request in flight can have waited through is
    /// forgotten now and then.
    pub(crate) fn set_cause(&mut self, now: Instant, cause: Cause) {
        self.causes.set(now, cause);
        if self.causes.is_long() {
            self.causes.forget_before(self.requests.oldest_arrival().unwrap_or(now));
        }
    }
}
