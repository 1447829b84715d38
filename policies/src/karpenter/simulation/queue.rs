//! The queue of pods: the largest first, and those that found no place again until nothing moves any more.

use super::asking::{Ask, Shapes};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// Pods that wait for a place.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<usize>,
    /// The shape of each pod by now: preferences go one by one.
    shapes: Vec<usize>,
    /// How long the queue was when a pod last came back.
    length_when_pushed: BTreeMap<usize, usize>,
}

impl Queue {
    /// By CPU, then by memory, the largest first; then the oldest; then by number. GPUs play no part.
    pub(super) fn of(asks: &[Ask], shapes: &Shapes) -> Self {
        let mut waiting: Vec<_> = (0..asks.len()).collect();
        waiting.sort_by_key(|&place| {
            let ask = &asks[place];
            let requests = ask.spec.requests;
            (Reverse(requests.cpu), Reverse(requests.memory), ask.created, ask.id)
        });
        Self {
            waiting: waiting.into(),
            shapes: shapes.of_asks().to_vec(),
            length_when_pushed: BTreeMap::new(),
        }
    }

    /// The next pod, unless a full pass has made no progress.
    pub(super) fn pop(&mut self) -> Option<usize> {
        let ask = *self.waiting.front()?;
        if self.length_when_pushed.get(&ask) == Some(&self.waiting.len()) {
            return None;
        }
        self.waiting.pop_front()
    }

    /// A pod comes back, with fewer preferences or with the same ones.
    pub(super) fn push(&mut self, ask: usize, relaxed: Option<usize>) {
        self.waiting.push_back(ask);
        if let Some(shape) = relaxed {
            self.shapes[ask] = shape;
            self.length_when_pushed.clear();
        } else {
            self.length_when_pushed.insert(ask, self.waiting.len());
        }
    }

    /// The shape of a pod by now.
    pub(super) fn shape(&self, ask: usize) -> usize {
        self.shapes[ask]
    }
}
