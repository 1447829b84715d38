//! The event queue: what happens next, by (time, class, sequence).

use contract::Instant;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Which of the events of one instant comes first: completions before arrivals before policy turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A replica finished a step, a request, its work.
    Completion,
    /// A node, a pod or a transfer reached its next stage.
    Stage,
    /// A request arrives, or is tried again.
    Arrival,
    /// A client gives up.
    Timeout,
    /// A metric is read.
    Scrape,
    /// A policy is asked.
    Turn,
    /// A bin of the timeline closes, the horizon is reached.
    Bookkeeping,
}

/// A min-heap of events. Equal times go by class, equal classes first in, first out.
#[derive(Debug)]
pub struct EventQueue<E> {
    heap: BinaryHeap<Entry<E>>,
    sequence: u64,
}

/// Class and sequence share a word: a comparison is two integers.
#[derive(Debug)]
struct Entry<E> {
    at: Instant,
    order: u64,
    event: E,
}

const CLASS_SHIFT: u32 = 56;

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    /// Reversed: the standard heap gives its greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl<E> Default for EventQueue<E> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), sequence: 0 }
    }
}

impl<E> EventQueue<E> {
    /// Adds an event.
    pub fn push(&mut self, at: Instant, class: Class, event: E) {
        let order = ((class as u64) << CLASS_SHIFT) | self.sequence;
        self.sequence += 1;
        self.heap.push(Entry { at, order, event });
    }

    /// Time and class of the next event.
    pub fn peek(&self) -> Option<(Instant, Class)> {
        self.heap.peek().map(|entry| (entry.at, class_of(entry.order)))
    }

    /// Takes the next event.
    pub fn pop(&mut self) -> Option<(Instant, E)> {
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

fn class_of(order: u64) -> Class {
    match order >> CLASS_SHIFT {
        0 => Class::Completion,
        1 => Class::Stage,
        2 => Class::Arrival,
        3 => Class::Timeout,
        4 => Class::Scrape,
        5 => Class::Turn,
        _ => Class::Bookkeeping,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLASSES: [Class; 7] = [
        Class::Completion,
        Class::Stage,
        Class::Arrival,
        Class::Timeout,
        Class::Scrape,
        Class::Turn,
        Class::Bookkeeping,
    ];

    #[test]
    fn completions_come_before_arrivals_before_turns_at_one_instant() {
        let mut queue = EventQueue::default();
        queue.push(Instant(5), Class::Turn, "turn");
        queue.push(Instant(5), Class::Arrival, "first arrival");
        queue.push(Instant(5), Class::Arrival, "second arrival");
        queue.push(Instant(5), Class::Completion, "completion");
        queue.push(Instant(4), Class::Bookkeeping, "earlier");
        let order: Vec<_> = std::iter::from_fn(|| queue.pop().map(|(_, event)| event)).collect();
        assert_eq!(order, ["earlier", "completion", "first arrival", "second arrival", "turn"]);
    }

    proptest! {
        #[test]
        fn events_leave_by_time_then_class_then_entry(
            pushes in prop::collection::vec((0_u64..50, 0_usize..7), 0..200),
        ) {
            let mut queue = EventQueue::default();
            for (place, &(at, class)) in pushes.iter().enumerate() {
                queue.push(Instant(at), CLASSES[class], place);
            }
            let mut expected: Vec<_> = pushes.iter().copied().enumerate().collect();
            expected.sort_by_key(|&(place, (at, class))| (at, class, place));
            for (place, (at, class)) in expected {
                prop_assert_eq!(queue.peek(), Some((Instant(at), CLASSES[class])));
                prop_assert_eq!(queue.pop(), Some((Instant(at), place)));
            }
            prop_assert!(queue.is_empty());
        }
    }
}
