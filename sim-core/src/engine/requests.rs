//! Requests: through the gateway into a replica and back. What clients do when it takes too long is in `clients`.

use super::pods::PodRef;
use super::{CHECKED, Engine, RunError, id, pull, tag};
use crate::llm;
use crate::outcome::Cause;
use crate::server::Job;
use crate::service::{CauseTrack, Causes, Ending, Request, Where};
use crate::spec::ServiceKind;
use contract::{Instant, Micros, NodeStage, Owner, PodStage, ServiceId};

impl Engine<'_> {
    /// The pending arrival of a service reaches its gateway.
    pub(super) fn arrive(&mut self, place: usize) -> Result<(), RunError> {
        let horizon = Instant::ZERO + self.spec.horizon;
        let now = self.now;
        let service = &mut self.services[place];
        let arrival = service.next.take().expect("an arrival was due");
        service.next = pull(service, horizon, arrival.at)?;
        self.arrivals.set(id(place), service.next.map_or(Instant::FAR, |next| next.at));
        let work = match &service.spec.kind {
            ServiceKind::Llm { .. } => Micros::ZERO,
            ServiceKind::Plain { service_time, .. } => service_time.draw(&mut service.work_luck),
        };
        service.score.arrived(now);
        let key = service.requests.insert(Request {
            arrived: now,
            attempted: now,
            started: Instant::FAR,
            first_token: Instant::FAR,
            work,
            prompt: arrival.prompt_tokens,
            output: arrival.output_tokens,
            attempt: 0,
            tries: 1,
            place: Where::Held,
        });
        let lengths = u64::from(arrival.prompt_tokens) << 24 ^ u64::from(arrival.output_tokens);
        self.fingerprint.event(now, tag::ARRIVED, lengths);
        self.attempt(place, key);
        Ok(())
    }

    /// A client's attempt reaches the gateway, its first or another.
    pub(super) fn attempt(&mut self, place: usize, key: u32) {
        let now = self.now;
        let service = &mut self.services[place];
        let attempt = service.requests.next_attempt();
        service.requests.get_mut(key).attempt = attempt;
        service.score.counts.attempts += 1;
        if let Some(patience) = service.spec.gateway.timeout {
            service.patience.begin(now, patience, key, attempt);
            self.timeouts.set(id(place), service.patience.next());
        }
        self.route(place, key);
    }

    /// The gateway finds a place for a request: in a replica, in its queue, or none.
    pub(super) fn route(&mut self, place: usize, key: u32) {
        let service = &mut self.services[place];
        let request = service.requests.get_mut(key);
        request.attempted = self.now;
        request.started = Instant::FAR;
        request.first_token = Instant::FAR;
        if service.gateway.ready() > 0 {
            self.send(place, key);
        } else if service.gateway.held() < service.spec.gateway.queue_limit {
            request.place = Where::Held;
            let attempt = request.attempt;
            service.gateway.hold(key, attempt);
            let is_first = service.gateway.held() == 1;
            if is_first && self.services_seen[place].replicas_wanted == 0 {
                self.poke_controllers(ServiceId(id(place)));
            }
        } else {
            self.give_up_or_retry(place, key, Ending::Rejected);
        }
    }

    /// The gateway gives a request to a replica; one must be ready.
    fn send(&mut self, place: usize, key: u32) {
        let now = self.now;
        let service = &mut self.services[place];
        let slot = service.gateway.choose(now);
        let request = service.requests.get_mut(key);
        request.place = Where::Inside(slot);
        let job = Job { key, prompt: request.prompt, output: request.output, work: request.work };
        if CHECKED {
            self.check_serves(place, slot);
        }
        self.fingerprint.event(now, tag::SENT, u64::from(slot));
        let server = self.servers[slot as usize].as_mut().expect("ready replicas have a server");
        if server.submit(now, job) {
            self.after_change(place, slot);
        } else {
            self.end(place, key, now, Ending::Impossible);
        }
    }

    /// Only ready replicas on living nodes get work.
    fn check_serves(&self, place: usize, slot: u32) {
        let pod = self.pods[slot as usize].as_ref().expect("requests go to living pods");
        let service = ServiceId(id(place));
        assert_eq!(pod.owner, Owner::Service(service), "requests go to their own service");
        let stage = self.stage(PodRef { id: pod.id, slot });
        assert_eq!(stage, Some(PodStage::Ready), "requests go to ready replicas");
        let node = pod.node.and_then(|node| self.fleet.place(node));
        let stage = node.map(|place| self.fleet.seen[place].stage);
        // A pod whose eviction from a draining node was refused serves on.
        assert!(stage.is_some_and(|stage| stage <= NodeStage::Draining), "dead nodes get no work");
    }

    /// Held requests go out as soon as a replica is ready.
    pub(super) fn release_held(&mut self, place: usize) {
        while self.services[place].gateway.ready() > 0 {
            let Some(key) = self.services[place].gateway.take_held() else { return };
            self.send(place, key);
        }
    }

    /// A replica reached the end of a stretch of steps.
    pub(super) fn wake(&mut self) {
        let slot = self.wakes.slot();
        let pod = self.pods[slot as usize].as_ref().expect("only pods wake");
        let place = pod.owner.service().expect("only replicas wake").index();
        self.catch_up(place, slot);
        self.after_change(place, slot);
        self.remove_if_drained(slot);
    }

    /// A replica lives on to now, and its requests learn what happened to them.
    pub(super) fn catch_up(&mut self, place: usize, slot: u32) {
        let Some(server) = self.servers[slot as usize].as_mut() else { return };
        let mut happened = std::mem::take(&mut self.happened);
        server.advance(self.now, &mut happened);
        for event in happened.drain(..) {
            match event {
                llm::Event::Started { key, at } => {
                    let request = self.services[place].requests.get_mut(key);
                    request.started = request.started.min(at);
                }
                llm::Event::FirstToken { key, at } => self.first_token(place, key, at),
                llm::Event::Finished { key, at } => {
                    debug_assert_eq!(at, self.now, "a replica wakes when a request finishes");
                    self.end(place, key, at, Ending::Completed);
                }
            }
        }
        self.happened = happened;
    }

    fn first_token(&mut self, place: usize, key: u32, at: Instant) {
        let service = &mut self.services[place];
        let request = service.requests.get_mut(key);
        if request.first_token == Instant::FAR {
            request.first_token = at;
            let ttft = at.since(request.arrived);
            service.score.first_token(ttft);
            self.fingerprint.event(at, tag::FIRST_TOKEN, u64::from(key));
        }
    }

    /// After anything changed inside a replica: when it wakes next, how loaded it is.
    pub(super) fn after_change(&mut self, place: usize, slot: u32) {
        let Some(server) = self.servers[slot as usize].as_mut() else { return };
        if server.activity_changed() {
            self.activity_changed(slot);
        }
        let Some(server) = self.servers[slot as usize].as_mut() else { return };
        self.wakes.set(slot, server.next_wake());
        let inside = server.running() + server.waiting();
        self.services[place].gateway.note_load(self.now, slot, inside);
    }

    /// A request ends, for good.
    pub(super) fn end(&mut self, place: usize, key: u32, at: Instant, ending: Ending) {
        let service = &mut self.services[place];
        let request = *service.requests.get(key);
        assert!(request.place != Where::Gone, "a request ends once");
        service.requests.remove(key);
        if service.patience.forget_ended(&service.requests) {
            self.timeouts.set(id(place), service.patience.next());
        }
        self.fingerprint.event(at, tag::ENDED, u64::from(key) << 3 | ending as u64);
        let earlier = service.earlier_waits.remove(&key);
        if service.score.ended(at, &request, ending) {
            // Late with the first token: blame the wait for it. Late otherwise: blame all of it.
            let ttft = request.first_token.since(request.arrived);
            let late_first = ending == Ending::Completed && service.score.is_late_ttft(ttft);
            let until = if late_first { request.first_token } else { at };
            let mut waits = earlier.unwrap_or_default();
            add_waits(&service.causes, &request, until, &mut waits);
            assert_eq!(waits.total(), until.since(request.arrived), "blame sums to the wait");
            service.score.blame(&waits);
        }
    }

    /// The run is over: what is still inside has not finished.
    pub(super) fn end_all_unfinished(&mut self) {
        for slot in 0..self.pods.len() {
            let owner = self.pods[slot].as_ref().map(|pod| pod.owner);
            if let Some(service) = owner.and_then(Owner::service) {
                self.catch_up(service.index(), id(slot));
            }
        }
        for place in 0..self.services.len() {
            for key in self.services[place].requests.keys() {
                self.end(place, key, self.now, Ending::Unfinished);
            }
        }
    }
}

/// What a request waited for from `attempted` until `until`: in line along the track of causes, then its own
/// steps; or a client's pause, all of it.
pub(super) fn add_waits(track: &CauseTrack, request: &Request, until: Instant, into: &mut Causes) {
    if request.place == Where::BackingOff {
        into.add(Cause::RetryBackoff, until.since(request.attempted));
        return;
    }
    let in_line_until = request.started.min(until).max(request.attempted);
    track.cut(request.attempted, in_line_until, into);
    into.add(Cause::Compute, until.since(in_line_until));
}
