//! The tables that the terminal shows.

use super::spread;
use crate::number::{self, ABSENT};
use crate::table::lined_up;
use comfy_table::{Cell, CellAlignment};
use placement::packing::{Point, StrategyCurves};

/// Loads that the tables show, in percent of all GPUs: those of the published tables.
const LOADS: [usize; 6] = [80, 90, 95, 100, 110, 130];

/// Allocation and fragmentation of each strategy at a few loads: means over runs ± standard deviations.
pub fn packing_table(curves: &[StrategyCurves]) -> String {
    let runs = curves.iter().map(|of| of.runs.len()).max().unwrap_or(0);
    let what = match runs {
        1 => "one run".to_owned(),
        runs => format!("mean of {runs} runs ± standard deviation"),
    };
    format!(
        "GPU in use, % of all GPUs, by arrived load in % of all GPUs: {what}\n{}\n\
         \nfragments (idle GPU that typical pods cannot use), % of all GPUs\n{}\n",
        rows(curves, |point| point.allocated),
        rows(curves, |point| point.fragments),
    )
}

fn rows(curves: &[StrategyCurves], of: fn(&Point) -> f64) -> String {
    let row = |strategy: &StrategyCurves| {
        let name = Cell::new(strategy.strategy.name());
        let values = LOADS.map(|load| right(&text(spread::at(strategy, load, of))));
        std::iter::once(name).chain(values).collect::<Vec<_>>()
    };
    let loads = LOADS.map(|load| right(&load.to_string()));
    let header = std::iter::once(Cell::new("profile")).chain(loads).collect();
    lined_up(header, curves.iter().map(row).collect())
}

fn right(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn text(value: Option<spread::Spread>) -> String {
    let Some(spread::Spread { mean, deviation }) = value else { return ABSENT.to_owned() };
    match deviation {
        Some(deviation) => {
            format!("{} ± {}", number::fixed(mean, 2), number::fixed(deviation, 2))
        }
        None => number::fixed(mean, 2),
    }
}
