//! The sequences in a replica's batch: a slab, and the order in which they finish.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A request on its way through the batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sequence {
    pub(super) key: u32,
    /// Rises with every admission; 0 for a free place.
    pub(super) admission: u64,
    /// Tokens to prefill: the prompt, after an eviction also what had been generated.
    pub(super) prompt: u32,
    /// Of those, how many are in the cache.
    pub(super) prefilled: u32,
    /// Output tokens still to come when the prefill began.
    pub(super) left: u32,
    /// Whether its first token is out, from before an eviction.
    pub(super) first_sent: bool,
    /// The step at whose end it finishes, once it decodes.
    pub(super) finish: Option<u64>,
    /// Its client has gone; it leaves when the step under way ends.
    pub(super) aborted: bool,
}

impl Sequence {
    /// Tokens that it holds in the cache at the end of `step`, if it decodes.
    pub(super) fn context(&self, finish: u64, step: u64) -> u64 {
        // Its last step leaves it with the prompt and all output but the last token.
        u64::from(self.prompt) + u64::from(self.left - 1) - (finish - step)
    }
}

/// All sequences in the batch.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    slab: Vec<Sequence>,
    free: Vec<u32>,
    admissions: u64,
    /// (step, admission, place) of the finishes to come; entries of sequences that left early are stale.
    finishes: BinaryHeap<Reverse<(u64, u64, u32)>>,
}

impl Sequences {
    /// How many are in the batch.
    pub(super) fn len(&self) -> usize {
        self.slab.len() - self.free.len()
    }

    /// Takes a sequence in; gives it its admission number.
    pub(super) fn admit(&mut self, mut sequence: Sequence) -> u32 {
        self.admissions += 1;
        sequence.admission = self.admissions;
        if let Some(place) = self.free.pop() {
            self.slab[place as usize] = sequence;
            return place;
        }
        self.slab.push(sequence);
        u32::try_from(self.slab.len() - 1).expect("a batch is smaller than 2^32")
    }

    /// Lets a sequence go.
    pub(super) fn remove(&mut self, place: u32) -> Sequence {
        self.free.push(place);
        let sequence = self.slab[place as usize];
        self.slab[place as usize].admission = 0;
        sequence
    }

    pub(super) fn get(&self, place: u32) -> &Sequence {
        &self.slab[place as usize]
    }

    pub(super) fn get_mut(&mut self, place: u32) -> &mut Sequence {
        &mut self.slab[place as usize]
    }

    /// From now on it decodes, and finishes at the end of step `finish`.
    pub(super) fn finish_at(&mut self, place: u32, finish: u64) {
        let sequence = &mut self.slab[place as usize];
        sequence.finish = Some(finish);
        self.finishes.push(Reverse((finish, sequence.admission, place)));
    }

    /// The step at whose end the next one finishes.
    pub(super) fn next_finish(&mut self) -> Option<u64> {
        while let Some(&Reverse((finish, admission, place))) = self.finishes.peek() {
            if self.slab[place as usize].admission == admission {
                return Some(finish);
            }
            self.finishes.pop();
        }
        None
    }

    /// Takes out the next one that finishes at the end of `step` or before, in order of admission.
    pub(super) fn pop_finished(&mut self, step: u64) -> Option<u32> {
        if self.next_finish()? > step {
            return None;
        }
        self.finishes.pop().map(|Reverse((_, _, place))| place)
    }

    /// The place of the newest.
    pub(super) fn newest(&self) -> Option<u32> {
        self.alive().max_by_key(|(_, sequence)| sequence.admission).map(|(place, _)| place)
    }

    /// The place of a request.
    pub(super) fn find(&self, key: u32) -> Option<u32> {
        self.alive().find(|(_, sequence)| sequence.key == key).map(|(place, _)| place)
    }

    /// Everything in the batch, in no order that means anything.
    pub(super) fn alive(&self) -> impl Iterator<Item = (u32, &Sequence)> {
        (0_u32..).zip(&self.slab).filter(|(_, sequence)| sequence.admission > 0)
    }
}
