//! `curves.csv`: a row a strategy, run and percent of arrived load; `curves-mean.csv`: the means over runs.

use super::spread::{self, Spread};
use placement::packing::{Point, StrategyCurves};

/// A column: its name, and what it shows of a point.
type Column = (&'static str, fn(&Point) -> f64);

/// The columns, with units in their names.
const COLUMNS: [Column; 3] = [
    ("alloc_pct", |point| point.allocated),
    ("frag_pct_of_total", |point| point.fragments),
    ("frag_pct_of_idle", |point| point.fragments_of_idle),
];

/// Every point of every run.
pub(super) fn write(curves: &[StrategyCurves]) -> csv::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let start = ["profile", "seed", "arrived_pct"];
    writer.write_record(start.into_iter().chain(COLUMNS.map(|(name, _)| name)))?;
    for of_strategy in curves {
        for (seed, curve) in &of_strategy.runs {
            for (load, point) in curve.iter().enumerate() {
                let name = of_strategy.strategy.name().to_owned();
                let start = [name, seed.to_string(), load.to_string()];
                let values = COLUMNS.map(|(_, of)| cell(of(point)));
                writer.write_record(start.into_iter().chain(values))?;
            }
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// Means and standard deviations over runs.
pub(super) fn write_means(curves: &[StrategyCurves]) -> csv::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let start = ["profile", "arrived_pct"].map(str::to_owned);
    let names = COLUMNS.iter().flat_map(|(name, _)| [format!("{name}_mean"), format!("{name}_sd")]);
    writer.write_record(start.into_iter().chain(names))?;
    for of_strategy in curves {
        for load in 0..=spread::last_load(std::slice::from_ref(of_strategy)) {
            let start = [of_strategy.strategy.name().to_owned(), load.to_string()];
            let values =
                COLUMNS.iter().flat_map(|(_, of)| pair(spread::at(of_strategy, load, *of)));
            writer.write_record(start.into_iter().chain(values))?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn pair(spread: Option<Spread>) -> [String; 2] {
    let mean = spread.map(|spread| cell(spread.mean));
    let deviation = spread.and_then(|spread| spread.deviation).map(cell);
    [mean.unwrap_or_default(), deviation.unwrap_or_default()]
}

fn cell(value: f64) -> String {
    format!("{value:.4}")
}
