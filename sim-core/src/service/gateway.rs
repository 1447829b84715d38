//! The gateway: holds requests while no replica is ready, and chooses a replica for each.

use crate::random::Stream;
use crate::spec::Routing;
use contract::{Instant, Micros};
use std::collections::VecDeque;

/// Which replicas there are, how loaded they were when last scraped, and who waits.
#[derive(Debug)]
pub(crate) struct Gateway {
    routing: Routing,
    scrape_every: Micros,
    last_scrape: Instant,
    /// Pod slots of ready replicas, in the order in which they became ready.
    ready: Vec<u32>,
    /// Requests inside each of them now; not for routing to read.
    loads: Vec<u32>,
    /// The same as last scraped.
    scraped: Vec<u32>,
    cursor: usize,
    luck: Stream,
    held: VecDeque<(u32, u32)>,
    held_alive: u32,
}

impl Gateway {
    /// A gateway without replicas.
    pub(crate) fn new(routing: Routing, scrape_every: Micros, luck: Stream) -> Self {
        Self {
            routing,
            scrape_every,
            last_scrape: Instant::ZERO,
            ready: Vec::new(),
            loads: Vec::new(),
            scraped: Vec::new(),
            cursor: 0,
            luck,
            held: VecDeque::new(),
            held_alive: 0,
        }
    }

    /// A replica became ready.
    pub(crate) fn add(&mut self, slot: u32) {
        self.ready.push(slot);
        self.loads.push(0);
        self.scraped.push(0);
    }

    /// A replica takes no more work.
    pub(crate) fn remove(&mut self, slot: u32) {
        if let Some(place) = self.ready.iter().position(|&ready| ready == slot) {
            self.ready.remove(place);
            self.loads.remove(place);
            self.scraped.remove(place);
        }
    }

    /// How many replicas take work.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Place of a slot in the list of ready replicas, for [`Gateway::note_load`].
    pub(crate) fn note_load(&mut self, slot: u32, place_hint: u32, inside: u32) {
        let place = place_hint as usize;
        if self.ready.get(place) == Some(&slot) {
            self.loads[place] = inside;
        } else if let Some(place) = self.ready.iter().position(|&ready| ready == slot) {
            self.loads[place] = inside;
        }
    }

    /// The place of `slot` among the ready replicas, as a hint for later.
    pub(crate) fn place(&self, slot: u32) -> u32 {
        let place = self.ready.iter().position(|&ready| ready == slot).unwrap_or(0);
        u32::try_from(place).expect("fewer than 2^32 replicas")
    }

    /// Scrapes the replicas if a scrape was due before `now`. Nothing changes between two events, so the
    /// state just before an event is the state at every scrape since the last event.
    pub(crate) fn scrape_until(&mut self, now: Instant) {
        if now.since(self.last_scrape) < self.scrape_every {
            return;
        }
        self.scraped.copy_from_slice(&self.loads);
        let rounds = now.since(self.last_scrape).0 / self.scrape_every.0.max(1);
        self.last_scrape = self.last_scrape + Micros(rounds * self.scrape_every.0);
    }

    /// The pod slot that gets the next request. There must be one ready.
    pub(crate) fn choose(&mut self) -> u32 {
        let count = self.ready.len();
        let place = match self.routing {
            Routing::RoundRobin => self.cursor % count,
            Routing::LeastLoaded => self.least_from(self.cursor % count),
            Routing::PowerOfTwo => {
                let below = u32::try_from(count).expect("fewer than 2^32 replicas");
                let first = self.luck.below(below) as usize;
                let second = self.luck.below(below) as usize;
                if self.scraped[second] < self.scraped[first] { second } else { first }
            }
        };
        self.cursor = (place + 1) % count;
        self.ready[place]
    }

    /// The least loaded place; of equals, the first at or after `from`, so that equals take turns.
    fn least_from(&self, from: usize) -> usize {
        let least = self.scraped.iter().copied().min().unwrap_or(0);
        let is_least = |load: &u32| *load == least;
        match self.scraped[from..].iter().position(is_least) {
            Some(offset) => from + offset,
            None => self.scraped.iter().position(is_least).unwrap_or(0),
        }
    }

    /// Holds a request.
    pub(crate) fn hold(&mut self, key: u32, attempt: u32) {
        self.held.push_back((key, attempt));
        self.held_alive += 1;
    }

    /// A held request left by another way: its client gave up.
    pub(crate) fn forget_one(&mut self) {
        self.held_alive -= 1;
    }

    /// Takes the oldest entry; the caller checks that the attempt is still held, then calls
    /// [`Gateway::forget_one`].
    pub(crate) fn take_held(&mut self) -> Option<(u32, u32)> {
        self.held.pop_front()
    }

    /// Requests held.
    pub(crate) fn held(&self) -> u32 {
        self.held_alive
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seed;

    fn gateway(routing: Routing, loads: &[u32]) -> Gateway {
        let luck = Seed { seed: 1, run: 0 }.stream("routing", 0);
        let mut gateway = Gateway::new(routing, Micros::from_millis(50), luck);
        for (slot, &load) in (10..).zip(loads) {
            gateway.add(slot);
            gateway.note_load(slot, slot - 10, load);
        }
        gateway
    }

    fn choices(gateway: &mut Gateway, count: usize) -> Vec<u32> {
        (0..count).map(|_| gateway.choose()).collect()
    }

    #[test]
    fn round_robin_takes_turns() {
        let mut gateway = gateway(Routing::RoundRobin, &[9, 0, 0]);
        assert_eq!(choices(&mut gateway, 4), [10, 11, 12, 10]);
    }

    #[test]
    fn least_loaded_reads_the_scrape_not_the_present() {
        let mut gateway = gateway(Routing::LeastLoaded, &[3, 1, 2]);
        assert_eq!(choices(&mut gateway, 2), [10, 11], "before the first scrape all look empty");
        gateway.scrape_until(Instant(49_999));
        assert_eq!(choices(&mut gateway, 1), [12]);
        gateway.scrape_until(Instant(50_000));
        assert_eq!(choices(&mut gateway, 2), [11, 11], "a burst herds until the next scrape");
    }

    #[test]
    fn the_less_loaded_of_two_is_never_the_most_loaded_of_all() {
        let mut gateway = gateway(Routing::PowerOfTwo, &[0, 0]);
        gateway.note_load(10, 0, 5);
        gateway.scrape_until(Instant(50_000));
        let loaded = choices(&mut gateway, 1000).iter().filter(|&&slot| slot == 10).count();
        assert!((200..300).contains(&loaded), "chosen only when drawn twice, a quarter: {loaded}");
    }

    #[test]
    fn a_removed_replica_gets_nothing() {
        let mut gateway = gateway(Routing::RoundRobin, &[0, 0]);
        gateway.remove(10);
        assert_eq!(choices(&mut gateway, 2), [11, 11]);
    }
}
