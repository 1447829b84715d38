//! The scores of all nodes for one class of pods, so that the best node is found without asking all of them.
//!
//! A tournament: leaves are the nodes' scores, each inner place holds the better of its two. A node that
//! changes moves only the places above it, and only as far as the better of two changes.

/// The score of a node on which the pod does not fit.
const UNFIT: i32 = i32::MIN;

/// Scores of nodes.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The root is at 1, the children of a place at twice it and one more; leaves fill the upper half.
    scores: Vec<i32>,
}

impl Index {
    /// Of these nodes' scores; `None` for those on which the pod does not fit.
    pub(super) fn fill(&mut self, nodes: impl ExactSizeIterator<Item = Option<i32>>) {
        let leaves = nodes.len().next_power_of_two();
        self.scores.clear();
        self.scores.resize(2 * leaves, UNFIT);
        for (leaf, score) in self.scores[leaves..].iter_mut().zip(nodes) {
            *leaf = score.unwrap_or(UNFIT);
        }
        for place in (1..leaves).rev() {
            self.scores[place] = self.better_below(place);
        }
    }

    /// A node's score has changed.
    pub(super) fn update(&mut self, node: usize, score: Option<i32>) {
        let mut place = self.leaves() + node;
        self.scores[place] = score.unwrap_or(UNFIT);
        while place > 1 {
            place /= 2;
            let better = self.better_below(place);
            if self.scores[place] == better {
                break;
            }
            self.scores[place] = better;
        }
    }

    /// The first of the nodes with the highest score; `None` if the pod fits on none.
    pub(super) fn best(&self) -> Option<usize> {
        let top = self.scores[1];
        if top == UNFIT {
            return None;
        }
        let mut place = 1;
        while place < self.leaves() {
            place *= 2;
            if self.scores[place] < top {
                place += 1;
            }
        }
        Some(place - self.leaves())
    }

    /// On how many nodes the pod fits.
    pub(super) fn fitting(&self) -> u32 {
        self.scores[self.leaves()..].iter().map(|score| u32::from(*score != UNFIT)).sum()
    }

    /// The node that comes after `before` others among those on which the pod fits.
    pub(super) fn nth_fitting(&self, before: u32) -> Option<usize> {
        let leaves = self.scores[self.leaves()..].iter().enumerate();
        leaves.filter(|(_, score)| **score != UNFIT).nth(before as usize).map(|(node, _)| node)
    }

    fn leaves(&self) -> usize {
        self.scores.len() / 2
    }

    fn better_below(&self, place: usize) -> i32 {
        self.scores[2 * place].max(self.scores[2 * place + 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(scores: &[Option<i32>], changes: &[(usize, Option<i32>)], expected: Option<usize>) {
        let mut index = Index::default();
        index.fill(scores.iter().copied());
        for &(node, score) in changes {
            index.update(node, score);
        }
        assert_eq!(index.best(), expected);
    }

    #[test]
    fn the_first_of_the_best_wins() {
        check(&[Some(3), Some(7), None, Some(7), Some(2)], &[], Some(1));
        check(&[Some(0)], &[], Some(0));
        check(&[None, None, None], &[], None);
    }

    #[test]
    fn a_change_is_seen_at_the_top() {
        check(&[Some(3), Some(7), Some(1)], &[(2, Some(8))], Some(2));
        check(&[Some(3), Some(7), Some(3)], &[(1, None)], Some(0));
        check(&[Some(3)], &[(0, None)], None);
    }
}
