//! The numbers that the page's script reads out where the pointer is on a timeline.

use crate::canvas::STACKS;
use crate::figure::Figure;
use crate::series::{self, Moment};
use crate::timeline;
use maud::{Markup, PreEscaped, html};
use serde::Serialize;
use sim_core::outcome::Experiment;

/// A timeline in numbers.
#[derive(Serialize)]
struct Readout<'a> {
    /// The figure's section.
    id: &'a str,
    /// Where the run begins and ends on the figure, as shares of its width.
    span: (f64, f64),
    /// Length of the run.
    horizon_h: f64,
    /// Starts of the moments.
    from_h: Vec<f64>,
    /// Arrivals.
    demand_rps: Vec<f64>,
    stacks: Vec<StackReadout<'a>>,
}

/// A stack's part of a timeline.
#[derive(Serialize)]
struct StackReadout<'a> {
    name: &'a str,
    colour: usize,
    ready: Vec<f64>,
    starting: Vec<f64>,
    wanted: Vec<f64>,
    queue: Vec<f64>,
}

/// The numbers of every timeline, as JSON in a script element.
pub(super) fn data(experiment: &Experiment, figures: &[Figure]) -> Markup {
    let timelines = figures.iter().filter(|figure| figure.kind == timeline::FIGURE.name);
    let readouts: Vec<_> = timelines.map(|figure| readout(experiment, figure)).collect();
    let json = serde_json::to_string(&readouts).expect("numbers and names");
    // A name could hold what ends the script element.
    let json = json.replace('<', "\\u003c");
    html! { script #readouts type="application/json" { (PreEscaped(json)) } }
}

fn readout<'a>(experiment: &'a Experiment, figure: &'a Figure) -> Readout<'a> {
    let days: Vec<_> = experiment
        .stacks
        .iter()
        .map(|stack| series::moments(experiment, &stack.timeline, figure.service))
        .collect();
    let first = days.first().map_or(&[][..], Vec::as_slice);
    let stacks = experiment.stacks.iter().zip(&days).enumerate();
    Readout {
        id: &figure.name,
        span: timeline::span(),
        horizon_h: experiment.horizon.as_secs_f64() / 3600.0,
        from_h: list(first, |moment| moment.from_h),
        demand_rps: list(first, |moment| moment.demand_rps),
        stacks: stacks
            .map(|(index, (stack, day))| StackReadout {
                name: &stack.name,
                colour: index % STACKS.len(),
                ready: list(day, |moment| moment.ready),
                starting: list(day, |moment| moment.starting),
                wanted: list(day, |moment| moment.wanted),
                queue: list(day, |moment| moment.queue),
            })
            .collect(),
    }
}

/// One figure of every moment, to a thousandth.
fn list(day: &[Moment], of: fn(&Moment) -> f64) -> Vec<f64> {
    day.iter().map(|moment| (of(moment) * 1000.0).round() / 1000.0).collect()
}
