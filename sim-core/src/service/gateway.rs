//! The gateway: holds requests while no replica is ready, and chooses a replica for each.

use crate::random::Stream;
use crate::spec::Routing;
use contract::{Instant, Micros};
use std::collections::BTreeMap;

/// Which replicas there are, how loaded they were when last scraped, and who waits.
#[derive(Debug)]
pub(crate) struct Gateway {
    routing: Routing,
    scrape_every: Micros,
    last_scrape: Instant,
    /// Pod slots of ready replicas, in the order in which they became ready.
    ready: Vec<u32>,
    /// The way back: where in `ready` a slot stands, or [`NOWHERE`].
    places: Vec<u32>,
    /// Requests inside each ready replica now; not for routing to read.
    loads: Vec<u32>,
    /// The same as last scraped.
    scraped: Vec<u32>,
    /// Places with the least scraped load, rising; empty when that has to be found anew.
    least: Vec<u32>,
    /// Place at which the next turn begins.
    cursor: u32,
    luck: Stream,
    /// Keys of held requests by attempt: the oldest attempt goes first.
    held: BTreeMap<u32, u32>,
}

const NOWHERE: u32 = u32::MAX;

impl Gateway {
    /// A gateway without replicas. It scrapes them every `scrape_every`; zero reads the present.
    pub(crate) fn new(routing: Routing, scrape_every: Micros, luck: Stream) -> Self {
        Self {
            routing,
            scrape_every,
            last_scrape: Instant::ZERO,
            ready: Vec::new(),
            places: Vec::new(),
            loads: Vec::new(),
            scraped: Vec::new(),
            least: Vec::new(),
            cursor: 0,
            luck,
            held: BTreeMap::new(),
        }
    }

    /// A replica became ready.
    pub(crate) fn add(&mut self, slot: u32) {
        if self.places.len() <= slot as usize {
            self.places.resize(slot as usize + 1, NOWHERE);
        }
        self.places[slot as usize] = self.count();
        self.ready.push(slot);
        self.loads.push(0);
        self.scraped.push(0);
        self.least.clear();
    }

    /// A replica takes no more work.
    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(place) = self.place(slot) else { return };
        self.places[slot as usize] = NOWHERE;
        self.ready.remove(place);
        self.loads.remove(place);
        self.scraped.remove(place);
        self.least.clear();
        for &later in &self.ready[place..] {
            self.places[later as usize] -= 1;
        }
        if self.cursor as usize > place {
            self.cursor -= 1;
        }
    }

    /// How many replicas take work.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// So many requests are inside a replica from now on.
    pub(crate) fn note_load(&mut self, now: Instant, slot: u32, inside: u32) {
        let Some(place) = self.place(slot) else { return };
        self.scrape_until(now);
        self.loads[place] = inside;
        if self.scrape_every == Micros::ZERO {
            self.scraped[place] = inside;
            self.least.clear();
        }
    }

    /// The pod slot that gets the next request. There must be one ready.
    pub(crate) fn choose(&mut self, now: Instant) -> u32 {
        self.scrape_until(now);
        let place = match self.routing {
            Routing::RoundRobin => self.cursor % self.count(),
            Routing::LeastLoaded => self.least_in_turn(),
            Routing::PowerOfTwo => self.less_of_two(),
        };
        self.cursor = place + 1;
        self.ready[place as usize]
    }

    /// Holds a request.
    pub(crate) fn hold(&mut self, key: u32, attempt: u32) {
        self.held.insert(attempt, key);
    }

    /// A held request leaves: its client gave up.
    pub(crate) fn let_go(&mut self, attempt: u32) {
        self.held.remove(&attempt);
    }

    /// Takes the oldest held request.
    pub(crate) fn take_held(&mut self) -> Option<u32> {
        self.held.pop_first().map(|(_, key)| key)
    }

    /// Requests held.
    pub(crate) fn held(&self) -> u32 {
        u32::try_from(self.held.len()).expect("keys are u32")
    }

    fn count(&self) -> u32 {
        u32::try_from(self.ready.len()).expect("fewer than 2^32 replicas")
    }

    fn place(&self, slot: u32) -> Option<usize> {
        let place = *self.places.get(slot as usize)?;
        (place != NOWHERE).then_some(place as usize)
    }

    /// Scrapes the replicas if that was due by `now`. Called before anything changes at `now`, so what is
    /// there is what was there when the scrape was due.
    fn scrape_until(&mut self, now: Instant) {
        let since = now.since(self.last_scrape);
        if since < self.scrape_every || self.scrape_every == Micros::ZERO {
            return;
        }
        self.scraped.copy_from_slice(&self.loads);
        self.least.clear();
        let rounds = since.0 / self.scrape_every.0;
        self.last_scrape = self.last_scrape + Micros(rounds * self.scrape_every.0);
    }

    /// Of the least loaded places the first at or after the cursor, so that equals take turns.
    fn least_in_turn(&mut self) -> u32 {
        if self.least.is_empty() {
            self.find_least();
        }
        let next = self.least.partition_point(|&place| place < self.cursor);
        self.least[if next < self.least.len() { next } else { 0 }]
    }

    /// Every place is written down and kept if it counts: a branch would be mispredicted half the time, and
    /// this runs after every scrape.
    fn find_least(&mut self) {
        let least = self.scraped.iter().copied().fold(u32::MAX, u32::min);
        self.least.resize(self.scraped.len(), 0);
        let mut found = 0;
        for (place, &load) in (0..).zip(&self.scraped) {
            self.least[found] = place;
            found += usize::from(load == least);
        }
        self.least.truncate(found);
    }

    fn less_of_two(&mut self) -> u32 {
        let count = self.count();
        let (first, second) = (self.luck.below(count), self.luck.below(count));
        let load = |place: u32| self.scraped[place as usize];
        if load(second) < load(first) { second } else { first }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seed;

    const START: Instant = Instant::ZERO;

    fn gateway(routing: Routing, scrape_ms: u64, loads: &[u32]) -> Gateway {
        let luck = Seed { seed: 1, run: 0 }.stream("routing", 0);
        let mut gateway = Gateway::new(routing, Micros::from_millis(scrape_ms), luck);
        for (slot, &load) in (10..).zip(loads) {
            gateway.add(slot);
            gateway.note_load(START, slot, load);
        }
        gateway
    }

    fn choices(gateway: &mut Gateway, now: u64, count: usize) -> Vec<u32> {
        (0..count).map(|_| gateway.choose(Instant(now))).collect()
    }

    #[test]
    fn round_robin_takes_turns() {
        let mut gateway = gateway(Routing::RoundRobin, 50, &[9, 0, 0]);
        assert_eq!(choices(&mut gateway, 0, 4), [10, 11, 12, 10]);
    }

    #[test]
    fn least_loaded_reads_the_scrape_not_the_present() {
        let mut gateway = gateway(Routing::LeastLoaded, 50, &[3, 1, 2]);
        assert_eq!(choices(&mut gateway, 0, 2), [10, 11], "before the first scrape all look empty");
        assert_eq!(choices(&mut gateway, 49_999, 1), [12]);
        assert_eq!(
            choices(&mut gateway, 50_000, 2),
            [11, 11],
            "a burst herds until the next scrape"
        );
    }

    #[test]
    fn a_scrape_reads_the_state_of_its_own_time_even_when_nobody_routes_then() {
        let mut gateway = gateway(Routing::LeastLoaded, 50, &[3, 1]);
        gateway.note_load(Instant(60_000), 10, 0);
        assert_eq!(choices(&mut gateway, 70_000, 1), [11], "at 50 ms the first still held three");
        assert_eq!(choices(&mut gateway, 100_000, 1), [10]);
    }

    #[test]
    fn without_a_scrape_interval_routing_reads_the_present() {
        let mut gateway = gateway(Routing::LeastLoaded, 0, &[3, 1, 2]);
        assert_eq!(choices(&mut gateway, 0, 1), [11]);
        gateway.note_load(START, 11, 4);
        assert_eq!(choices(&mut gateway, 0, 1), [12]);
    }

    #[test]
    fn equally_loaded_replicas_take_turns() {
        let mut gateway = gateway(Routing::LeastLoaded, 50, &[1, 0, 1, 0]);
        assert_eq!(choices(&mut gateway, 50_000, 5), [11, 13, 11, 13, 11]);
    }

    #[test]
    fn the_less_loaded_of_two_is_never_the_most_loaded_of_all() {
        let mut gateway = gateway(Routing::PowerOfTwo, 50, &[5, 0]);
        let chosen = choices(&mut gateway, 50_000, 1000);
        let loaded = chosen.iter().filter(|&&slot| slot == 10).count();
        assert!((200..300).contains(&loaded), "chosen only when drawn twice, a quarter: {loaded}");
    }

    #[test]
    fn a_removed_replica_gets_nothing_and_costs_nobody_its_turn() {
        let mut gateway = gateway(Routing::RoundRobin, 50, &[0, 0, 0]);
        assert_eq!(choices(&mut gateway, 0, 2), [10, 11]);
        gateway.remove(10);
        gateway.note_load(START, 12, 7);
        assert_eq!(choices(&mut gateway, 0, 3), [12, 11, 12]);
        assert_eq!(choices(&mut gateway, 50_000, 1), [11]);
    }

    #[test]
    fn the_oldest_attempt_is_let_out_first() {
        let mut gateway = gateway(Routing::RoundRobin, 50, &[]);
        for attempt in [7, 3, 5] {
            gateway.hold(attempt * 10, attempt);
        }
        gateway.let_go(3);
        assert_eq!((gateway.held(), gateway.take_held()), (2, Some(50)));
    }
}
