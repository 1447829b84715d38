//! Requests in flight: a slab, so that a request costs no allocation.

use contract::{Instant, Micros};

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    /// Nowhere: the place in the slab is free.
    Gone,
    /// Held by the gateway.
    Held,
    /// Inside the replica in this pod slot.
    Inside(u32),
    /// With the client, between two tries.
    BackingOff,
}

/// One request, over all its attempts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// When it first reached the gateway.
    pub(crate) arrived: Instant,
    /// When this attempt reached the gateway.
    pub(crate) attempted: Instant,
    /// When a replica first worked on this attempt; [`Instant::FAR`] before.
    pub(crate) started: Instant,
    /// When this attempt's first token left; [`Instant::FAR`] before.
    pub(crate) first_token: Instant,
    /// Service time on a plain server.
    pub(crate) work: Micros,
    pub(crate) prompt: u32,
    pub(crate) output: u32,
    /// Names this attempt: never used twice within a service.
    pub(crate) attempt: u32,
    /// Tries that the client has made, the first included.
    pub(crate) tries: u32,
    pub(crate) place: Where,
}

/// All requests in flight of one service, by key.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    slab: Vec<Request>,
    free: Vec<u32>,
    attempts: u32,
}

impl Requests {
    /// Takes a request in and names it.
    pub(crate) fn insert(&mut self, request: Request) -> u32 {
        if let Some(key) = self.free.pop() {
            self.slab[key as usize] = request;
            return key;
        }
        self.slab.push(request);
        u32::try_from(self.slab.len() - 1).expect("fewer than 2^32 requests at once")
    }

    /// Lets a request go.
    pub(crate) fn remove(&mut self, key: u32) {
        self.slab[key as usize].place = Where::Gone;
        self.free.push(key);
    }

    /// A name for the next attempt. Wraps after 2^32; time-outs are shorter than that many attempts.
    pub(crate) fn next_attempt(&mut self) -> u32 {
        self.attempts = self.attempts.wrapping_add(1);
        self.attempts
    }

    pub(crate) fn get(&self, key: u32) -> &Request {
        &self.slab[key as usize]
    }

    pub(crate) fn get_mut(&mut self, key: u32) -> &mut Request {
        &mut self.slab[key as usize]
    }

    /// How many are in flight.
    pub(crate) fn len(&self) -> usize {
        self.slab.len() - self.free.len()
    }

    /// Keys of everything in flight, lowest first.
    pub(crate) fn keys(&self) -> Vec<u32> {
        let key = |(place, _)| u32::try_from(place).expect("keys are u32");
        self.slab.iter().enumerate().filter(|(_, request)| request.is_alive()).map(key).collect()
    }

    /// When the oldest request in flight arrived.
    pub(crate) fn oldest_arrival(&self) -> Option<Instant> {
        self.slab.iter().filter(|request| request.is_alive()).map(|request| request.arrived).min()
    }
}

impl Request {
    fn is_alive(&self) -> bool {
        self.place != Where::Gone
    }
}
