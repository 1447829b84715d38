//! A day under each stack: demand, replicas, queue, on one clock.

use crate::axis::Axis;
use crate::canvas::{self, Area, Drawn, Margins, Panel, Swatch, px, stack_colour};
use crate::figure::FigureKind;
use crate::series::{self, Moment};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use sim_core::outcome::{Experiment, StackOutcome};

/// The figure.
pub(crate) const FIGURE: FigureKind = FigureKind {
    name: "timeline",
    title: "The first replication, moment by moment",
    link: "timeline",
    caption: "All stacks meet the same arrivals. Replicas wanted but not ready are what a spin-up costs; replicas ready above the need are what being late is avoided with. \
              Replica axes are the same for all stacks; the queue's axis is logarithmic.",
    is_of_service: true,
    is_of_requests: false,
    height: |experiment| {
        let stacks = i32::try_from(experiment.stacks.len()).unwrap_or(1);
        LEGEND + DEMAND + stacks * STACK + CLOCK
    },
    paint,
};

/// Heights in pixels.
const LEGEND: i32 = 26;
const DEMAND: i32 = 130;
const NAME: i32 = 28;
const REPLICAS: i32 = 130;
const QUEUE: i32 = 84;
const STACK: i32 = NAME + REPLICAS + QUEUE;
/// Names of the hours, below the last panel.
const CLOCK: i32 = 44;

const MARGINS: Margins = Margins { left: 74, below: 0, right: 18 };

/// Capacity that is on its way.
const STARTING: RGBColor = canvas::INK;

/// Where the run begins and ends on the figure, as shares of its width.
pub(crate) fn span() -> (f64, f64) {
    let share = |pixels: i32| f64::from(pixels) / f64::from(canvas::WIDTH);
    let edge = canvas::EDGE;
    (share(edge + MARGINS.left), share(canvas::WIDTH - edge - MARGINS.right))
}

/// Axes that all stacks share.
struct Axes {
    time: Axis,
    demand: Axis,
    replicas: Axis,
    queue: Axis,
}

fn paint(area: &Area<'_>, experiment: &Experiment, service: usize) -> Drawn {
    let days: Vec<(&StackOutcome, Vec<Moment>)> = experiment
        .stacks
        .iter()
        .map(|stack| (stack, series::moments(experiment, &stack.timeline, service)))
        .collect();
    let axes = axes(experiment, &days);
    let area = canvas::legend(area, &swatches())?;
    let (demand, mut rest) = area.split_vertically(px(DEMAND));
    if let Some((_, day)) = days.first() {
        let mut panel = canvas::panel(&demand, &axes.time, &axes.demand, MARGINS)?;
        let rates = day.iter().map(|moment| (*moment, moment.demand_rps));
        line(&mut panel, steps(rates), canvas::INK)?;
    }
    for (index, (stack, day)) in days.iter().enumerate() {
        let is_last = index + 1 == days.len();
        let height = STACK + if is_last { CLOCK } else { 0 };
        let (place, below) = rest.split_vertically(px(height));
        paint_stack(&place, stack, stack_colour(index), day, &axes, is_last)?;
        rest = below;
    }
    Ok(())
}

fn swatches() -> [(String, Swatch); 4] {
    [
        (
            "replicas ready, in the colour of the stack".to_owned(),
            Swatch::Fill(stack_colour(0), 0.45),
        ),
        ("replicas starting, on top of those ready".to_owned(), Swatch::Fill(STARTING, 0.5)),
        ("replicas wanted by the policy".to_owned(), Swatch::Line(canvas::INK)),
        ("requests waiting".to_owned(), Swatch::Line(canvas::MUTED)),
    ]
}

fn axes(experiment: &Experiment, days: &[(&StackOutcome, Vec<Moment>)]) -> Axes {
    let most = |of: fn(&Moment) -> f64| {
        days.iter().flat_map(|(_, day)| day).map(of).fold(0.0_f64, f64::max)
    };
    Axes {
        time: Axis::of_run(experiment.horizon),
        demand: Axis::from_zero("demand, req/s", most(|it| it.demand_rps), 4),
        replicas: Axis::from_zero(
            "replicas",
            most(|it| it.wanted.max(it.ready + it.starting)).max(1.0),
            4,
        ),
        queue: Axis::log_count("queue, req", most(|it| it.queue)),
    }
}

fn paint_stack(
    area: &Area<'_>,
    stack: &StackOutcome,
    colour: RGBColor,
    day: &[Moment],
    axes: &Axes,
    is_last: bool,
) -> Drawn {
    let (name, rest) = area.split_vertically(px(NAME));
    let room = name.dim_in_pixel().0.cast_signed() - px(MARGINS.left);
    let place = (px(MARGINS.left), px(NAME - 9));
    canvas::stack_name(&name, (&stack.name, colour), 14, place, HPos::Left, room)?;
    let (replicas, queue) = rest.split_vertically(px(REPLICAS));
    paint_replicas(&replicas, colour, day, axes)?;
    let below = if is_last { CLOCK } else { 0 };
    let mut panel = canvas::panel(&queue, &axes.time, &axes.queue, Margins { below, ..MARGINS })?;
    let waiting = day.iter().map(|moment| (*moment, moment.queue));
    let outline: Vec<_> = steps(waiting).collect();
    panel.draw_series(AreaSeries::new(outline.iter().copied(), 0.0, canvas::MUTED.mix(0.25)))?;
    line(&mut panel, outline.into_iter(), canvas::MUTED)
}

fn paint_replicas(area: &Area<'_>, colour: RGBColor, day: &[Moment], axes: &Axes) -> Drawn {
    let mut panel = canvas::panel(area, &axes.time, &axes.replicas, MARGINS)?;
    let outline =
        |of: fn(&Moment) -> f64| steps(day.iter().map(move |moment| (*moment, of(moment))));
    let ready: Vec<_> = outline(|it| it.ready).collect();
    let all: Vec<_> = outline(|it| it.ready + it.starting).collect();
    let between: Vec<_> = all.into_iter().chain(ready.iter().rev().copied()).collect();
    panel.draw_series([Polygon::new(between, STARTING.mix(0.5))])?;
    panel.draw_series(AreaSeries::new(ready, 0.0, colour.mix(0.45)))?;
    line(&mut panel, outline(|it| it.wanted), canvas::INK)
}

/// The corners of a staircase: each value holds from the start of its moment to its end.
fn steps(values: impl Iterator<Item = (Moment, f64)>) -> impl Iterator<Item = (f64, f64)> {
    values.flat_map(|(moment, value)| [(moment.from_h, value), (moment.to_h, value)])
}

fn line(
    panel: &mut Panel<'_, '_>,
    corners: impl Iterator<Item = (f64, f64)>,
    colour: RGBColor,
) -> Drawn {
    let style = colour.stroke_width(px(1).unsigned_abs());
    panel.draw_series(std::iter::once(PathElement::new(corners.collect::<Vec<_>>(), style)))?;
    Ok(())
}
