//! Provisioning requests: which one is looked at, what is kept for those that were granted.

use super::Settings;
use super::snapshot::{Guest, Snapshot};
use contract::{
    Action, Instant, JobId, Micros, Observation, Owner, PendingPod, Plan, ProvisioningAnswer,
    ProvisioningRequest, ProvisioningState, Reason,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long room is kept for the pods of a granted request (`defaultReservationTime`).
const RESERVATION: Micros = Micros::from_mins(10);

/// A request that was not granted for this long fails (`defaultExpirationTime`).
const EXPIRATION: Micros = Micros::from_mins(7 * 24 * 60);

/// So many requests may expire in one loop (`defaultMaxUpdated`).
const EXPIRED_PER_LOOP: usize = 20;

/// What is remembered of requests between two loops.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Requests {
    /// How long requests that found no room wait for their next look, if not the first such time.
    waits: BTreeMap<JobId, Micros>,
    /// Where pods and a request both want nodes, it is the pods' turn.
    pods_next: bool,
}

impl Requests {
    /// Fails requests that are too old, and forgets those that are gone or granted.
    pub(super) fn refresh(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        let found_none = |request: &ProvisioningRequest| {
            matches!(request.state, ProvisioningState::NotFound { .. })
        };
        self.waits.retain(|job, _| {
            seen.provisioning.iter().any(|request| request.job == *job && found_none(request))
        });
        let old = seen.provisioning.iter().filter(|request| is_old(request, seen.now));
        for request in old.take(EXPIRED_PER_LOOP) {
            answer(request, ProvisioningAnswer::Failed, "provisioning request expired", plan);
        }
    }

    /// The oldest request that waits for a look, unless it is the turn of pods that want nodes too.
    pub(super) fn next<'a>(
        &mut self,
        seen: &Observation<'a>,
        pods: u32,
        settings: &Settings,
    ) -> Option<&'a ProvisioningRequest> {
        let is_due = |request: &&ProvisioningRequest| match request.state {
            _ if is_old(request, seen.now) => false,
            ProvisioningState::New => true,
            ProvisioningState::NotFound { at } => seen.now > at + self.wait(request.job, settings),
            ProvisioningState::Provisioned { .. } => false,
        };
        let due = settings.enable_provisioning_requests.then_some(seen.provisioning)?;
        let request = due.iter().find(is_due);
        let request = request.filter(|_| pods == 0 || !self.pods_next);
        self.pods_next = request.is_some();
        request
    }

    fn wait(&self, job: JobId, settings: &Settings) -> Micros {
        let first = settings.provisioning_request_initial_backoff_time;
        self.waits.get(&job).copied().unwrap_or(first)
    }

    /// A request is looked at: each look after the first doubles the wait for the next.
    pub(super) fn look(&mut self, request: &ProvisioningRequest, settings: &Settings) {
        if request.state != ProvisioningState::New {
            let doubled = Micros(self.wait(request.job, settings).0.saturating_mul(2));
            let longest = settings.provisioning_request_max_backoff_time;
            self.waits.insert(request.job, doubled.min(longest));
        }
    }
}

/// Whether a request is not granted and will not be any more.
fn is_old(request: &ProvisioningRequest, now: Instant) -> bool {
    request.is_open() && request.created + EXPIRATION < now
}

/// Keeps room for all pods of granted requests in thought, until all are there or the time is over.
pub(super) fn book<'a>(seen: &Observation<'a>, snapshot: &mut Snapshot<'a>) {
    let is_booked = |request: &&ProvisioningRequest| match request.state {
        ProvisioningState::Provisioned { at } => {
            at + RESERVATION >= seen.now && placed(request, seen) < request.pods as usize
        }
        ProvisioningState::New | ProvisioningState::NotFound { .. } => false,
    };
    for request in seen.provisioning.iter().filter(is_booked) {
        place(request, snapshot);
    }
}

/// Pods of a request that are on nodes.
fn placed(request: &ProvisioningRequest, seen: &Observation<'_>) -> usize {
    let pods = seen.nodes.iter().flat_map(|node| &node.pods);
    pods.filter(|pod| pod.owner == Owner::Job(request.job)).count()
}

/// Places the pods of a request in thought; gives the places of those that fit.
fn place<'a>(request: &'a ProvisioningRequest, snapshot: &mut Snapshot<'a>) -> Vec<usize> {
    let guest = Guest { spec: &request.spec, pod: None };
    let places = (0..request.pods).map_while(|_| snapshot.place(guest, |_| true));
    places.collect()
}

/// How many pods of a request fit on nodes that are there or on their way.
pub(super) fn room<'a>(request: &'a ProvisioningRequest, snapshot: &mut Snapshot<'a>) -> u32 {
    let places = place(request, snapshot);
    for &place in places.iter().rev() {
        snapshot.take_back(place);
    }
    u32::try_from(places.len()).expect("no more than were asked for")
}

/// Whether a pod has come because a request was granted: it gets no nodes of its own.
pub(super) fn is_granted(pod: &PendingPod, seen: &Observation<'_>) -> bool {
    seen.provisioning.iter().any(|request| pod.owner == Owner::Job(request.job))
}

/// Answers a request.
pub(super) fn answer(
    request: &ProvisioningRequest,
    answer: ProvisioningAnswer,
    words: &'static str,
    plan: &mut Plan,
) {
    let reason = Reason::new(words).with("pods", f64::from(request.pods));
    plan.act(Action::AnswerProvisioning { job: request.job, answer }, reason);
}

#[cfg(test)]
mod tests;
