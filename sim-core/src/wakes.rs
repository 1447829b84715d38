//! When each replica next changes by itself: a tournament tree, one leaf a slot.
//!
//! A replica's next change moves with every arrival. In a heap the old entries would pile up; here a
//! slot has one entry that is overwritten, in a few comparisons.

use contract::Instant;

/// The earliest of many moving times.
#[derive(Debug)]
pub(crate) struct Wakes {
    /// A complete binary tree: leaves in the second half, each inner node the lesser of its children.
    tree: Vec<Instant>,
    leaves: usize,
}

impl Default for Wakes {
    fn default() -> Self {
        Self { tree: vec![Instant::FAR; 2], leaves: 1 }
    }
}

impl Wakes {
    /// Sets the time of `slot`; [`Instant::FAR`] for never.
    pub(crate) fn set(&mut self, slot: u32, at: Instant) {
        let slot = slot as usize;
        if slot >= self.leaves {
            self.grow(slot);
        }
        let mut place = self.leaves + slot;
        self.tree[place] = at;
        while place > 1 {
            let least = self.tree[place].min(self.tree[place ^ 1]);
            place /= 2;
            if self.tree[place] == least {
                break;
            }
            self.tree[place] = least;
        }
    }

    /// The earliest time.
    pub(crate) fn at(&self) -> Instant {
        self.tree[1]
    }

    /// The slot of the earliest time; of several, the lowest.
    pub(crate) fn slot(&self) -> u32 {
        let least = self.tree[1];
        let mut place = 1;
        while place < self.leaves {
            place *= 2;
            if self.tree[place] != least {
                place += 1;
            }
        }
        u32::try_from(place - self.leaves).expect("slots are u32")
    }

    fn grow(&mut self, slot: usize) {
        let leaves = (slot + 1).next_power_of_two();
        let mut tree = vec![Instant::FAR; 2 * leaves];
        tree[leaves..leaves + self.leaves].copy_from_slice(&self.tree[self.leaves..]);
        for place in (1..leaves).rev() {
            tree[place] = tree[2 * place].min(tree[2 * place + 1]);
        }
        *self = Self { tree, leaves };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_earliest_slot_wins_and_the_lowest_of_equals(
            sets in prop::collection::vec((0_u32..40, 0_u64..30), 1..200),
        ) {
            let mut wakes = Wakes::default();
            let mut plain = [Instant::FAR; 40];
            for (slot, at) in sets {
                wakes.set(slot, Instant(at));
                plain[slot as usize] = Instant(at);
                let least = plain.iter().min().copied().unwrap_or(Instant::FAR);
                prop_assert_eq!(wakes.at(), least);
                let first = plain.iter().position(|at| *at == least).unwrap_or(0);
                prop_assert_eq!(wakes.slot() as usize, first);
            }
        }
    }
}
