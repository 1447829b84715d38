//! A plain server: c requests at a time, each for its own service time, the rest in line.

use crate::llm::Event;
use crate::spec::Pace;
use contract::{Instant, Micros};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// First come, first served, by `concurrency` workers.
#[derive(Debug)]
pub(crate) struct PlainServer {
    concurrency: u32,
    pace: Pace,
    /// (end, key) of what is worked on.
    running: BinaryHeap<Reverse<(Instant, u32)>>,
    waiting: VecDeque<(u32, Micros)>,
    /// Started since the last `advance` and when; told with the next one.
    started: Vec<(u32, Instant)>,
    busy: Micros,
    busy_since: Option<Instant>,
}

impl PlainServer {
    /// An idle server that works at a pace.
    pub(crate) fn new(concurrency: u32, pace: Pace) -> Self {
        assert!(concurrency > 0, "scenario checks concurrency");
        Self {
            concurrency,
            pace,
            running: BinaryHeap::new(),
            waiting: VecDeque::new(),
            started: Vec::new(),
            busy: Micros::ZERO,
            busy_since: None,
        }
    }

    pub(crate) fn submit(&mut self, now: Instant, key: u32, work: Micros) {
        self.waiting.push_back((key, work));
        self.start(now);
    }

    pub(crate) fn abort(&mut self, now: Instant, key: u32) -> bool {
        // Clients give up in the order in which they came: the oldest stands in front.
        if let Some(place) = self.waiting.iter().position(|&(waiting, _)| waiting == key) {
            self.waiting.remove(place);
            return true;
        }
        let before = self.running.len();
        self.running.retain(|&Reverse((_, running))| running != key);
        if self.running.len() == before {
            return false;
        }
        self.started.retain(|&(started, _)| started != key);
        self.start(now);
        self.note_idle(now);
        true
    }

    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.running.peek().map(|&Reverse((end, _))| end)
    }

    pub(crate) fn advance(&mut self, now: Instant, events: &mut Vec<Event>) {
        self.tell_started(events);
        while let Some(&Reverse((end, key))) = self.running.peek() {
            if end > now {
                break;
            }
            self.running.pop();
            events.push(Event::FirstToken { key, at: end });
            events.push(Event::Finished { key, at: end });
            self.start(end);
            self.tell_started(events);
            self.note_idle(end);
        }
    }

    pub(crate) fn running(&self) -> u32 {
        u32::try_from(self.running.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn waiting(&self) -> u32 {
        u32::try_from(self.waiting.len()).unwrap_or(u32::MAX)
    }

    /// Time with at least one request in work.
    pub(crate) fn busy(&self, now: Instant) -> Micros {
        self.busy + self.busy_since.map_or(Micros::ZERO, |since| now.since(since))
    }

    pub(crate) fn into_keys(mut self) -> Vec<u32> {
        let mut running: Vec<_> = self.running.drain().map(|Reverse((_, key))| key).collect();
        running.sort_unstable();
        running.extend(self.waiting.drain(..).map(|(key, _)| key));
        running
    }

    fn start(&mut self, now: Instant) {
        while self.running() < self.concurrency {
            let Some((key, work)) = self.waiting.pop_front() else { return };
            self.running.push(Reverse((now + self.pace.time_for(work), key)));
            self.started.push((key, now));
            self.busy_since.get_or_insert(now);
        }
    }

    fn tell_started(&mut self, events: &mut Vec<Event>) {
        events.extend(self.started.drain(..).map(|(key, at)| Event::Started { key, at }));
    }

    fn note_idle(&mut self, now: Instant) {
        if self.running.is_empty()
            && let Some(since) = self.busy_since.take()
        {
            self.busy += now.since(since);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_request_waits_for_the_first_of_two_workers() {
        let mut server = PlainServer::new(2, Pace::REFERENCE);
        for (key, work) in [(1, 30), (2, 10), (3, 5)] {
            server.submit(Instant(0), key, Micros(work));
        }
        assert_eq!((server.running(), server.waiting()), (2, 1));
        let mut events = Vec::new();
        server.advance(Instant(30), &mut events);
        let ends: Vec<_> = events
            .iter()
            .filter_map(|event| match *event {
                Event::Finished { key, at } => Some((key, at.0)),
                _ => None,
            })
            .collect();
        assert_eq!(ends, [(2, 10), (3, 15), (1, 30)]);
        assert_eq!(server.busy(Instant(99)), Micros(30));
    }

    #[test]
    fn an_aborted_request_gives_its_worker_to_the_next() {
        let mut server = PlainServer::new(1, Pace::REFERENCE);
        server.submit(Instant(0), 1, Micros(100));
        server.submit(Instant(0), 2, Micros(10));
        assert!(server.abort(Instant(20), 1));
        assert_eq!(server.next_wake(), Some(Instant(30)));
        assert!(!server.abort(Instant(20), 1));
        let mut events = Vec::new();
        server.advance(Instant(20), &mut events);
        let of_the_second = Event::Started { key: 2, at: Instant(20) };
        assert_eq!(events, [of_the_second], "nothing is told of a request that has left");
    }
}
