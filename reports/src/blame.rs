//! What late and failed requests waited for.

use crate::canvas::{self, Area, Drawn, px, stack_colour, type_at};
use crate::figure::FigureKind;
use crate::number;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use sim_core::outcome::{Cause, Experiment, StackOutcome};

/// The figure.
pub(crate) const FIGURE: FigureKind = FigureKind {
    name: "blame",
    title: "What late and failed requests waited for",
    link: "blame",
    caption: "Waiting, summed over all late and failed requests of a run, mean over replications; the wait of each request is split among its causes without remainder. \
              In brackets: requests for which that cause was the largest part. Bars compare the causes within a stack, not the stacks.",
    is_of_service: true,
    is_of_requests: true,
    height: |experiment| {
        let bands = experiment.stacks.len().div_ceil(COLUMNS);
        i32::try_from(bands).unwrap_or(1) * BAND
    },
    paint,
};

/// Stacks side by side.
const COLUMNS: usize = 4;
/// Height of a cause's row, in pixels.
const ROW: i32 = 24;
/// Height of a row of stacks: their names, every cause, a gap.
const BAND: i32 = 30 + ROW * 13 + 18;
/// Room for the causes' names, in pixels.
const NAMES: i32 = 210;
/// Room for the figures beside a bar, in pixels.
const FIGURES: i32 = 134;

/// A cause in words.
pub(crate) fn name(cause: Cause) -> &'static str {
    match cause {
        Cause::Decision => "no decision to scale yet",
        Cause::MetricDelay => "metrics out of date",
        Cause::Scheduling => "pod not made or bound yet",
        Cause::NoNode => "no node for the pod",
        Cause::StockOut => "cloud out of stock",
        Cause::NodeBoot => "node boot",
        Cause::Accelerator => "driver, device plugin",
        Cause::ImagePull => "image pull",
        Cause::ContainerStart => "container start",
        Cause::WeightsLoad => "weights load",
        Cause::EngineInit => "engine start, readiness",
        Cause::RetryBackoff => "client's wait before a retry",
        Cause::Compute => "computing, shared batch",
    }
}

/// A cause's part in a stack, mean over replications.
#[derive(Clone, Copy, Default)]
struct Part {
    seconds: f64,
    requests: f64,
}

fn paint(area: &Area<'_>, experiment: &Experiment, service: usize) -> Drawn {
    let stacks: Vec<_> = experiment.stacks.iter().enumerate().collect();
    let parts = |stack: &StackOutcome| Cause::ALL.map(|cause| part(stack, service, cause));
    let mut rest = area.clone();
    for band in stacks.chunks(COLUMNS) {
        let (place, below) = rest.split_vertically(px(BAND));
        let (names, columns) = place.split_horizontally(px(NAMES));
        paint_names(&names)?;
        for ((index, stack), column) in band.iter().zip(columns.split_evenly((1, COLUMNS))) {
            paint_stack(&column, &stack.name, stack_colour(*index), &parts(stack))?;
        }
        rest = below;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "request counts stay far below 2^53")]
fn part(stack: &StackOutcome, service: usize, cause: Cause) -> Part {
    let runs = stack.runs.len().max(1) as f64;
    let services = stack.runs.iter().filter_map(|run| run.services.get(service));
    let blames = services.flat_map(|service| &service.blame).filter(|blame| blame.cause == cause);
    blames.filter(|blame| blame.seconds.is_finite()).fold(Part::default(), |sum, blame| Part {
        seconds: sum.seconds + blame.seconds / runs,
        requests: sum.requests + blame.requests as f64 / runs,
    })
}

/// The middle of a cause's row.
fn middle(row: usize) -> i32 {
    px(30 + ROW / 2) + px(ROW) * i32::try_from(row).unwrap_or(0)
}

fn paint_names(area: &Area<'_>) -> Drawn {
    let style = type_at(12, canvas::MUTED, HPos::Right, VPos::Center);
    area.draw(&Text::new("waiting in a run (requests)", (px(NAMES - 12), px(14)), style))?;
    for (row, cause) in Cause::ALL.into_iter().enumerate() {
        let style = type_at(13, canvas::INK, HPos::Right, VPos::Center);
        area.draw(&Text::new(name(cause), (px(NAMES - 12), middle(row)), style))?;
    }
    Ok(())
}

fn paint_stack(area: &Area<'_>, stack: &str, colour: RGBColor, parts: &[Part]) -> Drawn {
    let width = area.dim_in_pixel().0.cast_signed();
    canvas::stack_name(area, (stack, colour), 13, (0, px(14)), HPos::Left, width - px(8))?;
    let foot = px(30) + px(ROW) * i32::try_from(parts.len())?;
    let axis = [(0, px(28)), (0, foot)];
    area.draw(&PathElement::new(axis, canvas::MUTED.mix(0.6).stroke_width(px(1).unsigned_abs())))?;
    // Stacks may differ a thousandfold: each is drawn against its own longest, and says how long.
    let longest = parts.iter().map(|part| part.seconds).fold(f64::MIN_POSITIVE, f64::max);
    for (row, part) in parts.iter().enumerate() {
        let (y, room) = (middle(row), width - px(FIGURES));
        let end = (part.seconds / longest * f64::from(room)).round();
        #[expect(clippy::cast_possible_truncation, reason = "at most the column's width")]
        let end = end as i32;
        let corners = [(0, y - px(7)), (end, y + px(7))];
        area.draw(&Rectangle::new(corners, colour.mix(0.8).filled()))?;
        let style = type_at(12, canvas::MUTED, HPos::Left, VPos::Center);
        area.draw(&Text::new(figures(*part), (end + px(6), y), style))?;
    }
    Ok(())
}

/// `12.3 h (1,234)`; a dash when nothing waited.
fn figures(part: Part) -> String {
    if part.seconds <= 0.0 {
        return number::ABSENT.to_owned();
    }
    let time = number::millis(1e3 * part.seconds);
    format!("{time} ({})", number::fixed(part.requests, 0))
}
