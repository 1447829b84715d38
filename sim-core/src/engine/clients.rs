//! Clients: their patience, their retries, and what they notice of a replica that dies.

use super::requests::add_waits;
use super::{Engine, Event, id};
use crate::queue::Class;
use crate::service::{Ending, Where};
use crate::spec::TimeoutOn;
use contract::{Instant, Micros, ServiceId};

impl Engine<'_> {
    /// A client's patience with an attempt is over, if the attempt still waits.
    pub(super) fn time_out(&mut self, place: usize) {
        let service = &mut self.services[place];
        let timeout = service.patience.pop().expect("a time-out was due");
        if timeout.concerns(&service.requests) {
            self.lose_patience(place, timeout.key, timeout.attempt);
        }
        let service = &mut self.services[place];
        service.patience.forget_ended(&service.requests);
        self.timeouts.set(id(place), service.patience.next());
    }

    fn lose_patience(&mut self, place: usize, key: u32, attempt: u32) {
        let service = &mut self.services[place];
        match service.requests.get(key).place {
            Where::Held => service.gateway.let_go(attempt),
            Where::Inside(slot) => {
                self.catch_up(place, slot);
                if self.is_served(place, key) {
                    return;
                }
                let server = self.servers[slot as usize].as_mut();
                server.expect("requests are in live replicas").abort(self.now, key);
                self.after_change(place, slot);
                self.give_up_or_retry(place, key, Ending::TimedOut);
                self.remove_if_drained(slot);
                return;
            }
            Where::BackingOff | Where::Gone => return,
        }
        self.give_up_or_retry(place, key, Ending::TimedOut);
    }

    /// Whether what the client waits for has come.
    fn is_served(&self, place: usize, key: u32) -> bool {
        let service = &self.services[place];
        let request = service.requests.get(key);
        match service.spec.gateway.timeout_on {
            TimeoutOn::FirstToken => request.first_token <= self.now,
            TimeoutOn::Response => request.place == Where::Gone,
        }
    }

    /// The client tries again after a pause, or the request has failed.
    pub(super) fn give_up_or_retry(&mut self, place: usize, key: u32, ending: Ending) {
        let now = self.now;
        let service = &mut self.services[place];
        let request = *service.requests.get(key);
        if request.tries > service.spec.gateway.retries {
            self.end(place, key, now, ending);
            return;
        }
        self.book_waits(place, key);
        let service = &mut self.services[place];
        let request = service.requests.get_mut(key);
        let doublings = (request.tries - 1).min(LONGEST_DOUBLING);
        let pause = service.spec.gateway.retry_backoff.0.saturating_mul(1 << doublings);
        request.tries += 1;
        request.place = Where::BackingOff;
        request.attempted = now;
        let event = Event::Retry { service: ServiceId(id(place)), key, attempt: request.attempt };
        service.pausing += 1;
        self.queue.push(now + Micros(pause), Class::Arrival, event);
    }

    /// A client tries again.
    pub(super) fn retry(&mut self, service: ServiceId, key: u32, attempt: u32) {
        let place = service.index();
        let request = self.services[place].requests.get(key);
        if request.place == Where::BackingOff && request.attempt == attempt {
            self.book_waits(place, key);
            self.services[place].pausing -= 1;
            self.attempt(place, key);
        }
    }

    /// The replica of a request died. Before the first token the gateway sends the request elsewhere and the
    /// client notices nothing but the time; after it the stream breaks, and the client asks anew.
    pub(super) fn lose(&mut self, place: usize, key: u32) {
        self.services[place].score.counts.lost_with_replica += 1;
        let has_begun = self.services[place].requests.get(key).first_token < Instant::FAR;
        self.book_waits(place, key);
        if has_begun {
            self.attempt(place, key);
        } else {
            self.route(place, key);
        }
    }

    /// Remembers what a request has waited for so far; a new stretch begins.
    fn book_waits(&mut self, place: usize, key: u32) {
        let service = &mut self.services[place];
        let request = service.requests.get(key);
        let waits = service.earlier_waits.entry(key).or_default();
        add_waits(&service.causes, request, self.now, waits);
    }
}

/// A pause doubles so often at most: a million times the first.
const LONGEST_DOUBLING: u32 = 20;
