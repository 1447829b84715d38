//! A service at run time: its gateway, its requests in flight, its score.

mod blame;
mod gateway;
mod requests;
mod score;

use crate::random::Stream;
use crate::spec::ServiceSpec;
use crate::{Arrival, ArrivalSource};
pub(crate) use blame::{CauseTrack, Causes};
use contract::Instant;
pub(crate) use gateway::Gateway;
pub(crate) use requests::{Request, Requests, Where};
pub use score::Histograms;
pub(crate) use score::{Ending, Score};
use std::collections::{BTreeMap, VecDeque};

/// Everything about one service that changes during a run, save its pods.
pub(crate) struct Service {
    pub(crate) spec: ServiceSpec,
    pub(crate) source: Box<dyn ArrivalSource>,
    /// The one pending arrival.
    pub(crate) next: Option<Arrival>,
    pub(crate) gateway: Gateway,
    pub(crate) requests: Requests,
    /// Time-outs to come, in time order because they are all equally long.
    pub(crate) timeouts: VecDeque<Timeout>,
    /// What requests that are tried again waited for in earlier attempts.
    pub(crate) earlier_waits: BTreeMap<u32, Causes>,
    pub(crate) causes: CauseTrack,
    pub(crate) score: Score,
    pub(crate) service_times: Stream,
    /// Pods ever made, and the slots of those that live, oldest first.
    pub(crate) pods_made: u64,
    pub(crate) arrived_at_last_scrape: u64,
    pub(crate) last_scrape: Instant,
}

/// A client's patience with one attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeout {
    pub(crate) at: Instant,
    pub(crate) key: u32,
    pub(crate) attempt: u32,
}
