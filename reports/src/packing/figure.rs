//! Allocation and fragmentation of each strategy against the load that has arrived, means over runs.

use super::spread;
use crate::ReportError;
use crate::axis::Axis;
use crate::canvas::{self, Area, Drawn, Margins, Swatch, px, stack_colour};
use placement::packing::{Point, StrategyCurves};
use plotters::prelude::*;

/// The name of the figure's files.
pub(super) const NAME: &str = "packing";

const TITLE: &str = "GPU in use and fragments, by arrived load";
/// Heights in pixels.
const LEGEND: i32 = 26;
const PANEL: i32 = 260;

/// Draws it: an SVG.
pub(super) fn draw(curves: &[StrategyCurves]) -> Result<String, ReportError> {
    canvas::draw(Some(TITLE), LEGEND + 2 * PANEL, |area| paint(area, curves)).map_err(|error| {
        ReportError::Figure { figure: NAME.to_owned(), problem: error.to_string() }
    })
}

fn paint(area: &Area<'_>, curves: &[StrategyCurves]) -> Drawn {
    let name = |(index, of): (usize, &StrategyCurves)| {
        (of.strategy.name().to_owned(), Swatch::Line(stack_colour(index)))
    };
    let names: Vec<_> = curves.iter().enumerate().map(name).collect();
    let below = canvas::legend(area, &names)?;
    let (upper, lower) = below.split_vertically(px(PANEL));
    paint_panel(&upper, curves, "GPU in use, % of all GPUs", |point| point.allocated, 8)?;
    paint_panel(&lower, curves, "fragments, % of all GPUs", |point| point.fragments, 5)
}

fn paint_panel(
    area: &Area<'_>,
    curves: &[StrategyCurves],
    title: &str,
    of: fn(&Point) -> f64,
    ticks: usize,
) -> Drawn {
    let lines: Vec<_> = curves.iter().map(|strategy| line(strategy, of)).collect();
    let highest = lines.iter().flatten().map(|(_, value)| *value).fold(0.0, f64::max);
    let right = lines.iter().flatten().map(|(load, _)| *load).fold(1.0, f64::max);
    let x = Axis::from_zero("arrived load, % of all GPUs", right, 14);
    let y = Axis::from_zero(title, highest, ticks);
    let mut panel = canvas::panel(area, &x, &y, Margins::default())?;
    for (index, line) in lines.into_iter().enumerate() {
        let style = stack_colour(index).stroke_width(px(2).unsigned_abs());
        panel.draw_series(LineSeries::new(line, style))?;
    }
    Ok(())
}

/// Loads and means.
fn line(strategy: &StrategyCurves, of: fn(&Point) -> f64) -> Vec<(f64, f64)> {
    let loads = 0..=spread::last_load(std::slice::from_ref(strategy));
    let point = |load: usize| {
        let mean = spread::at(strategy, load, of)?.mean;
        Some((f64::from(u32::try_from(load).ok()?), mean))
    };
    loads.filter_map(point).collect()
}
