//! What the freest node of a stretch of rows has free: a search passes over stretches where that is too little.

use super::row::Row;

/// Rows in a stretch.
pub(super) const STRETCH: usize = 64;

/// An upper bound for every stretch: raised at once when a node gets freer, lowered when a search finds it too high.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounds(Vec<Bound>);

#[derive(Clone, Copy, Debug)]
struct Bound {
    cpu: f64,
    memory: f64,
}

/// Of no rows.
const NOTHING: Bound = Bound { cpu: -1.0, memory: -1.0 };

impl Bound {
    fn raise(&mut self, row: &Row) {
        self.cpu = self.cpu.max(row.free_cpu);
        self.memory = self.memory.max(row.free_memory);
    }
}

impl Bounds {
    /// Whether some row of a stretch may have so much free.
    pub(super) fn admit(&self, stretch: usize, cpu: f64, memory: f64) -> bool {
        let bound = &self.0[stretch];
        cpu <= bound.cpu && memory <= bound.memory
    }

    /// A row changed.
    pub(super) fn raise(&mut self, place: usize, row: &Row) {
        self.0[place / STRETCH].raise(row);
    }

    /// Makes the bound of a stretch exact.
    pub(super) fn tighten(&mut self, stretch: usize, rows: &[Row]) {
        let end = rows.len().min((stretch + 1) * STRETCH);
        let mut bound = NOTHING;
        rows[stretch * STRETCH..end].iter().for_each(|row| bound.raise(row));
        self.0[stretch] = bound;
    }

    /// Rows moved to other places.
    pub(super) fn rebuild(&mut self, rows: &[Row]) {
        self.0 = vec![NOTHING; rows.len().div_ceil(STRETCH)];
        (0..self.0.len()).for_each(|stretch| self.tighten(stretch, rows));
    }
}
