//! Which nodes have changed, so that each class of pods catches up when its turn comes.

/// The latest changes of nodes, at least as many as there are nodes.
#[derive(Debug)]
pub(super) struct Changes {
    /// Nodes in the order of their changes; the change of number `n` stands at `n` modulo the length.
    latest: Vec<u32>,
    /// By node: the number of its last change.
    last: Vec<u64>,
    /// How many changes there were. The first is number 0.
    count: u64,
}

impl Changes {
    /// None yet, of so many nodes.
    pub(super) fn none(nodes: usize) -> Self {
        Self { latest: vec![0; nodes], last: vec![0; nodes], count: 0 }
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// A node has changed.
    #[expect(clippy::cast_possible_truncation, reason = "places in vectors of nodes")]
    pub(super) fn tell(&mut self, node: usize) {
        let place = (self.count % self.latest.len() as u64) as usize;
        self.latest[place] = node as u32;
        self.last[node] = self.count;
        self.count += 1;
    }

    /// The nodes that have changed since there were `seen` changes, each once. `None` if that is longer ago than
    /// is remembered: then all of them may have.
    pub(super) fn since(&self, seen: u64) -> Option<impl Iterator<Item = usize>> {
        let length = self.latest.len() as u64;
        let is_last = |(number, node): &(u64, usize)| self.last[*node] == *number;
        #[expect(clippy::cast_possible_truncation, reason = "a place in a vector")]
        let node = move |number: u64| self.latest[(number % length) as usize] as usize;
        let changes = (seen..self.count).map(move |number| (number, node(number)));
        (self.count - seen <= length).then(|| changes.filter(is_last).map(|(_, node)| node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(nodes: usize, changed: &[usize], seen: u64, expected: Option<&[usize]>) {
        let mut changes = Changes::none(nodes);
        for node in changed {
            changes.tell(*node);
        }
        let found = changes.since(seen).map(Iterator::collect::<Vec<_>>);
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn a_node_that_changed_twice_is_named_once() {
        check(4, &[2, 1, 2], 0, Some(&[1, 2]));
        check(4, &[2, 1, 2], 2, Some(&[2]));
        check(4, &[2, 1, 2], 3, Some(&[]));
    }

    #[test]
    fn what_is_longer_ago_than_there_are_nodes_is_forgotten() {
        check(3, &[0, 1, 2, 0], 1, Some(&[1, 2, 0]));
        check(3, &[0, 1, 2, 0], 0, None);
    }
}
