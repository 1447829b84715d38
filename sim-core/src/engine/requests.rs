//! Requests: from the client through the gateway into a replica and back.

use super::{Engine, RunError, id, pull, tag};
use crate::llm;
use crate::outcome::Cause;
use crate::queue::Class;
use crate::server::Job;
use crate::service::{Causes, Ending, Request, Timeout, Where};
use crate::spec::{ServiceKind, TimeoutOn};
use contract::{Instant, Micros, ServiceId};

impl Engine<'_> {
    /// The pending arrival of a service reaches its gateway.
    pub(super) fn arrive(&mut self, place: usize) -> Result<(), RunError> {
        let horizon = Instant::ZERO + self.spec.horizon;
        let now = self.now;
        let service = &mut self.services[place];
        let arrival = service.next.take().expect("an arrival was due");
        service.next = pull(service, horizon, arrival.at)?;
        let work = match &service.spec.kind {
            ServiceKind::Llm { .. } => Micros::ZERO,
            ServiceKind::Plain { service_time, .. } => {
                service_time.draw(&mut service.service_times)
            }
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

    /// A request reaches the gateway, for the first time or again.
    pub(super) fn attempt(&mut self, place: usize, key: u32) {
        let now = self.now;
        let service = &mut self.services[place];
        let attempt = service.requests.next_attempt();
        let request = service.requests.get_mut(key);
        request.attempt = attempt;
        request.attempted = now;
        request.started = Instant::FAR;
        request.first_token = Instant::FAR;
        service.score.counts.attempts += 1;
        if let Some(patience) = service.spec.gateway.timeout {
            service.timeouts.push_back(Timeout { at: now + patience, key, attempt });
        }
        if service.gateway.ready() > 0 {
            self.send(place, key);
        } else if service.gateway.held() < service.spec.gateway.queue_limit {
            service.requests.get_mut(key).place = Where::Held;
            service.gateway.hold(key, attempt);
        } else {
            self.give_up_or_retry(place, key, Ending::Rejected);
        }
    }

    /// The gateway gives a request to a replica; one must be ready.
    fn send(&mut self, place: usize, key: u32) {
        let now = self.now;
        let service = &mut self.services[place];
        service.gateway.scrape_until(now);
        let slot = service.gateway.choose();
        let request = service.requests.get_mut(key);
        request.place = Where::Inside(slot);
        let job = Job { key, prompt: request.prompt, output: request.output, work: request.work };
        self.fingerprint.event(now, tag::SENT, u64::from(slot));
        let server = self.servers[slot as usize].as_mut().expect("ready replicas have a server");
        if server.submit(now, job) {
            self.after_change(place, slot);
        } else {
            self.end(place, key, now, Ending::Impossible);
        }
    }

    /// Held requests go out as soon as a replica is ready.
    pub(super) fn release_held(&mut self, place: usize) {
        while self.services[place].gateway.ready() > 0 {
            let Some((key, attempt)) = self.services[place].gateway.take_held() else { return };
            let request = self.services[place].requests.get(key);
            if request.place == Where::Held && request.attempt == attempt {
                self.services[place].gateway.forget_one();
                self.send(place, key);
            }
        }
    }

    /// A replica reached the end of a stretch of steps.
    pub(super) fn wake(&mut self) {
        let slot = self.wakes.slot();
        let now = self.now;
        let service = self.pods[slot as usize].as_ref().expect("only pods wake").service;
        let place = service.index();
        let mut happened = std::mem::take(&mut self.happened);
        let server = self.servers[slot as usize].as_mut().expect("only ready replicas wake");
        server.advance(now, &mut happened);
        for event in happened.drain(..) {
            match event {
                llm::Event::Started { key, at } => {
                    let request = self.services[place].requests.get_mut(key);
                    request.started = request.started.min(at);
                }
                llm::Event::FirstToken { key, at } => self.first_token(place, key, at),
                llm::Event::Finished { key, at } => {
                    debug_assert_eq!(at, now, "a replica wakes when a request finishes");
                    self.end(place, key, at, Ending::Completed);
                }
            }
        }
        self.happened = happened;
        self.after_change(place, slot);
        self.remove_if_drained(slot);
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
        self.wakes.set(slot, server.next_wake());
        let inside = server.running() + server.waiting();
        let hint = self.pods[slot as usize].as_ref().map_or(0, |pod| pod.gateway_place);
        self.services[place].gateway.note_load(slot, hint, inside);
    }

    /// A client's patience with an attempt is over, if the attempt still waits.
    pub(super) fn time_out(&mut self, place: usize) {
        let now = self.now;
        let service = &mut self.services[place];
        let timeout = service.timeouts.pop_front().expect("a time-out was due");
        let request = service.requests.get(timeout.key);
        let served = match service.spec.gateway.timeout_on {
            TimeoutOn::FirstToken => request.first_token <= now,
            TimeoutOn::Response => false,
        };
        if request.place == Where::Gone || request.attempt != timeout.attempt || served {
            return;
        }
        match request.place {
            Where::Held => service.gateway.forget_one(),
            Where::Inside(slot) => {
                let server =
                    self.servers[slot as usize].as_mut().expect("requests are in live replicas");
                server.abort(now, timeout.key);
                self.after_change(place, slot);
            }
            Where::BackingOff | Where::Gone => return,
        }
        self.give_up_or_retry(place, timeout.key, Ending::TimedOut);
    }

    /// The client tries again after a while, or the request has failed.
    fn give_up_or_retry(&mut self, place: usize, key: u32, ending: Ending) {
        let now = self.now;
        let service = &mut self.services[place];
        let request = *service.requests.get(key);
        if request.tries > service.spec.gateway.retries || self.past_horizon {
            self.end(place, key, now, ending);
            return;
        }
        let waits = service.earlier_waits.entry(key).or_default();
        attempt_waits(&service.causes, &request, now, waits);
        let doublings = (request.tries - 1).min(20);
        let pause = Micros(service.spec.gateway.retry_backoff.0 << doublings);
        waits.add(Cause::RetryBackoff, pause);
        let request = service.requests.get_mut(key);
        request.tries += 1;
        request.place = Where::BackingOff;
        let event =
            super::Event::Retry { service: ServiceId(id(place)), key, attempt: request.attempt };
        self.queue.push(now + pause, Class::Arrival, event);
    }

    /// A client tries again.
    pub(super) fn retry(&mut self, service: ServiceId, key: u32, attempt: u32) {
        let request = self.services[service.index()].requests.get(key);
        if request.place == Where::BackingOff && request.attempt == attempt {
            self.attempt(service.index(), key);
        }
    }

    /// The replica of a request died; the gateway sends the request elsewhere.
    pub(super) fn lose(&mut self, place: usize, key: u32) {
        let now = self.now;
        let service = &mut self.services[place];
        service.score.counts.lost_with_replica += 1;
        let request = *service.requests.get(key);
        let waits = service.earlier_waits.entry(key).or_default();
        attempt_waits(&service.causes, &request, now, waits);
        self.attempt(place, key);
    }

    /// A request ends, for good.
    fn end(&mut self, place: usize, key: u32, at: Instant, ending: Ending) {
        let service = &mut self.services[place];
        let request = *service.requests.get(key);
        assert!(request.place != Where::Gone, "a request ends once");
        service.requests.remove(key);
        let missed = service.score.ended(at, &request, ending);
        let earlier = if request.tries > 1 || missed || !service.earlier_waits.is_empty() {
            service.earlier_waits.remove(&key)
        } else {
            None
        };
        self.fingerprint.event(at, tag::ENDED, u64::from(key) << 3 | ending as u64);
        if missed {
            let service = &mut self.services[place];
            let mut waits = earlier.unwrap_or_default();
            let ttft = request.first_token.since(request.arrived);
            // Late with the first token: blame the wait for it. Late otherwise: blame all of it.
            let late_first = ending == Ending::Completed && service.score.is_late_ttft(ttft);
            let until = if late_first { request.first_token } else { at };
            attempt_waits(&service.causes, &request, until, &mut waits);
            if request.place == Where::BackingOff {
                // The pause was booked whole when it began; what lies past the end was not waited for.
                waits = Causes::default();
                service.causes.cut(request.arrived, until, &mut waits);
            }
            assert_eq!(waits.total(), until.since(request.arrived), "blame sums to the wait");
            service.score.blame(&waits);
        }
    }

    /// The run is over: what is still inside has not finished.
    pub(super) fn end_all_unfinished(&mut self) {
        let now = self.now;
        for place in 0..self.services.len() {
            for key in self.services[place].requests.keys() {
                self.end(place, key, now, Ending::Unfinished);
            }
        }
    }
}

/// What the current attempt of a request waited for until `until`: in line along the track of causes,
/// then its own steps.
fn attempt_waits(
    track: &crate::service::CauseTrack,
    request: &Request,
    until: Instant,
    into: &mut Causes,
) {
    if request.place == Where::BackingOff {
        return;
    }
    let in_line_until = request.started.min(until).max(request.attempted);
    track.cut(request.attempted, in_line_until, into);
    into.add(Cause::Compute, until.since(in_line_until));
}
