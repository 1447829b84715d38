//! Token lengths of public traces, from `tables/lengths.toml`.

use super::profile::Provenance;
use crate::named::NamedTable;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// How long the prompts and outputs of a service were.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LengthTable {
    /// What it is, in a sentence.
    pub about: String,
    /// Where it comes from.
    pub source: String,
    /// How it was read.
    pub provenance: Provenance,
    /// Prompts.
    pub prompt: Quantiles,
    /// Outputs.
    pub output: Quantiles,
}

/// Quantiles of a length in tokens.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantiles {
    /// Mean of the raw data, where known.
    pub mean: Option<f64>,
    /// Pairs of a level and a length, both rising; levels from 0 to 1 in whole thousandths.
    pub quantiles: Vec<(f64, f64)>,
    /// Lengths at every thousandth, so that a draw is one look-up.
    #[serde(skip)]
    grid: Vec<f64>,
}

/// Cells of the grid; every level of the tables falls on the edge of one.
const CELLS: u32 = 1_000;

impl NamedTable for LengthTable {
    const WHAT: &'static str = "length table";

    fn all() -> &'static BTreeMap<String, Self> {
        static ALL: LazyLock<BTreeMap<String, LengthTable>> = LazyLock::new(|| {
            let mut all: BTreeMap<String, LengthTable> =
                toml::from_str(include_str!("../../tables/lengths.toml"))
                    .expect("a test reads the embedded table");
            for table in all.values_mut() {
                table.prompt.fill_grid();
                table.output.fill_grid();
            }
            all
        });
        &ALL
    }
}

impl Quantiles {
    /// The length at `level`, 0 to 1 without its end: inverse distribution function.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to CELLS")]
    pub(super) fn at(&self, level: f64) -> f64 {
        let place = level * f64::from(CELLS);
        let cell = place as usize;
        let (low, high) = (self.grid[cell], self.grid[cell + 1]);
        low + (high - low) * place.fract()
    }

    fn fill_grid(&mut self) {
        let levels = (0..=CELLS).map(|cell| f64::from(cell) / f64::from(CELLS));
        self.grid = levels.map(|level| self.between_knots(level)).collect();
    }

    /// Spaced evenly in the logarithm between two knots: lengths span decades, and of the raw means
    /// this misses 1 % where even spacing misses 3 %.
    fn between_knots(&self, level: f64) -> f64 {
        let knots = &self.quantiles;
        let right = knots.partition_point(|knot| knot.0 < level).clamp(1, knots.len() - 1);
        let ((low, from), (high, to)) = (knots[right - 1], knots[right]);
        from * (to / from).powf((level - low) / (high - low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_column(check: impl Fn(&str, &Quantiles)) {
        for (name, table) in LengthTable::all() {
            check(&format!("{name} prompt"), &table.prompt);
            check(&format!("{name} output"), &table.output);
        }
    }

    #[test]
    fn a_table_rises_from_level_0_to_1_in_whole_thousandths() {
        every_column(|name, Quantiles { quantiles, .. }| {
            assert!(quantiles.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{name}");
            assert!(quantiles[0].0.abs() < 1e-9 && quantiles[0].1 >= 1.0, "{name} begins");
            assert!((quantiles[quantiles.len() - 1].0 - 1.0).abs() < 1e-9, "{name} ends");
            let whole = |level: f64| (level * 1e3 - (level * 1e3).round()).abs() < 1e-9;
            assert!(quantiles.iter().all(|knot| whole(knot.0)), "{name}");
        });
    }

    #[test]
    fn a_table_gives_its_own_knots_back() {
        every_column(|name, column| {
            for &(level, tokens) in column.quantiles.iter().filter(|knot| knot.0 < 1.0) {
                // Off the knot by rounding only: within a cell, the curve is steep in places.
                let found = column.at(level + 1e-12);
                assert!((found / tokens - 1.0).abs() < 1e-6, "{name} at {level}: {found}");
            }
        });
    }

    #[test]
    fn the_mean_of_a_measured_table_is_that_of_its_raw_data() {
        every_column(|name, column| {
            let Some(mean) = column.mean else { return };
            let levels = (0..100_000).map(|step| (f64::from(step) + 0.5) / 1e5);
            let found = levels.map(|level| column.at(level)).sum::<f64>() / 1e5;
            // 44 knots are not the data: the long tails cost up to 2.3 %.
            assert!((found / mean - 1.0).abs() < 0.025, "{name}: {found:.1} for {mean}");
        });
    }

    #[test]
    fn a_table_says_where_it_is_from_and_measured_ones_know_their_mean() {
        for (name, table) in LengthTable::all() {
            assert!(!table.about.is_empty() && !table.source.is_empty(), "{name}");
            let measured = table.provenance == Provenance::Measured;
            assert_eq!(table.prompt.mean.is_some(), measured, "{name}");
            assert_eq!(table.output.mean.is_some(), measured, "{name}");
        }
    }
}
