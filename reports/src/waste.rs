//! Where the billed GPU time went.

use crate::axis::Axis;
use crate::canvas::{self, Area, Drawn, Margins, Swatch, px, stack_colour, type_at};
use crate::figure::FigureKind;
use crate::number;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use sim_core::outcome::{Experiment, GpuHours, RunSummary, StackOutcome};

/// The figure.
pub(crate) const FIGURE: FigureKind = FigureKind {
    name: "waste",
    title: "Billed GPU time by use",
    link: "GPU time",
    caption: "Mean over replications. Useful time served requests or did the work of jobs; everything right of it was paid for and did not. \
              Its money is the same share of the fleet's cost.",
    is_of_service: false,
    is_of_requests: false,
    height: |experiment| {
        26 + ROW * i32::try_from(experiment.stacks.len()).unwrap_or(1) + 8 + MARGINS.below + 4
    },
    paint,
};

/// Height of a stack's bar with its share of the gap, in pixels.
const ROW: i32 = 44;
const MARGINS: Margins = Margins { left: 190, below: 44, right: 190 };

/// A use of GPU time: its name, its colour, its part.
struct Use {
    name: &'static str,
    colour: RGBColor,
    hours: fn(&GpuHours) -> f64,
}

/// The uses, less what only divided GPUs and jobs know where nobody divides them and no job is.
fn uses(experiment: &Experiment) -> impl Iterator<Item = &'static Use> + Clone {
    let mut runs = experiment.stacks.iter().flat_map(|stack| &stack.runs);
    let divides = runs.any(|run| run.gpu.stranded > 0.0);
    let of_jobs: &[Use] = if experiment.jobs.is_empty() { &[] } else { &OF_JOBS };
    USES.iter().chain(divides.then_some(&STRANDED)).chain(of_jobs)
}

const STRANDED: Use = Use {
    name: "stranded: the rest of a GPU in part use",
    colour: RGBColor(0xBB, 0xCC, 0x33),
    hours: |gpu| gpu.stranded,
};

/// What only jobs do: pink, blue and olive of the same scheme as below.
const OF_JOBS: [Use; 3] = [
    Use {
        name: "partial gang: waits for pods of its job",
        colour: RGBColor(0xFF, 0xAA, 0xBB),
        hours: |gpu| gpu.partial_gangs,
    },
    Use {
        name: "checkpoints written and read",
        colour: RGBColor(0x77, 0xAA, 0xDD),
        hours: |gpu| gpu.checkpoints,
    },
    Use {
        name: "lost: work that was undone",
        colour: RGBColor(0xAA, 0xAA, 0x00),
        hours: |gpu| gpu.lost,
    },
];

/// Green serves, greys wait, yellow and orange start: the last two of Paul Tol's "light" scheme
/// ("Colour schemes", SRON technical note, 2021) beside its green and greys.
const USES: [Use; 5] = [
    Use { name: "useful", colour: RGBColor(0x44, 0xBB, 0x99), hours: |gpu| gpu.useful },
    Use {
        name: "idle: ready, nothing to do",
        colour: RGBColor(0xD0, 0xD5, 0xDB),
        hours: |gpu| gpu.idle_ready,
    },
    Use {
        name: "unallocated: node ready, no pod",
        colour: RGBColor(0xA3, 0xAC, 0xB8),
        hours: |gpu| gpu.unallocated,
    },
    Use {
        name: "loading: image, weights, engine",
        colour: RGBColor(0xEE, 0xDD, 0x88),
        hours: |gpu| gpu.loading,
    },
    Use {
        name: "booting or stopping",
        colour: RGBColor(0xEE, 0x88, 0x66),
        hours: |gpu| gpu.booting,
    },
];

fn paint(area: &Area<'_>, experiment: &Experiment, _service: usize) -> Drawn {
    let swatches: Vec<_> =
        uses(experiment).map(|it| (it.name.to_owned(), Swatch::Fill(it.colour, 1.0))).collect();
    let area = canvas::legend(area, &swatches)?;
    let most = experiment.stacks.iter().map(|stack| mean(stack, |run| run.gpu.total));
    let x = Axis::from_zero("GPU-hours billed per run", most.fold(0.0, f64::max), 8);
    let y = Axis::of_rows(experiment.stacks.len());
    let panel = canvas::panel(&area, &x, &y, MARGINS)?;
    for (index, stack) in experiment.stacks.iter().enumerate() {
        let row = y.ends.end - f64::from(u32::try_from(index)?);
        let corner = |hours: f64, row: f64| canvas::spot(&area, &panel, (hours, row));
        paint_stack(&area, stack, stack_colour(index), uses(experiment), |hours| {
            let ((left, top), (_, bottom)) = (corner(hours, row - 0.16), corner(hours, row - 0.84));
            (left, top, bottom)
        })?;
    }
    Ok(())
}

/// Draws a stack's bar; `edge` gives the place of a number of hours, the top and the bottom.
fn paint_stack(
    area: &Area<'_>,
    stack: &StackOutcome,
    colour: RGBColor,
    uses: impl Iterator<Item = &'static Use>,
    edge: impl Fn(f64) -> (i32, i32, i32),
) -> Drawn {
    let total = mean(stack, |run| run.gpu.total);
    let (start, top, bottom) = edge(0.0);
    let middle = i32::midpoint(top, bottom);
    let place = (start - px(10), middle);
    canvas::stack_name(area, (&stack.name, colour), 13, place, HPos::Right, start - px(12))?;
    let mut hours = 0.0;
    for part in uses {
        let left = edge(hours).0;
        let length = mean(stack, |run| (part.hours)(&run.gpu));
        hours += length;
        let right = edge(hours).0;
        area.draw(&Rectangle::new([(left, top), (right, bottom)], part.colour.filled()))?;
        let share = number::fixed(100.0 * length / total.max(f64::MIN_POSITIVE), 0) + " %";
        if canvas::width_of(area, &share, 12)? + px(8) < right - left {
            // Dark on every part's colour, in the light and in the dark.
            let style = type_at(12, ON_PARTS, HPos::Center, VPos::Center);
            area.draw(&Text::new(share, (i32::midpoint(left, right), middle), style))?;
        }
    }
    let end = edge(hours).0 + px(8);
    let price = mean(stack, |run| run.cost.usd_per_day);
    let sums = format!("{} h, {}", number::fixed(total, 0), usd_per_day(price));
    let style = |size, colour| type_at(size, colour, HPos::Left, VPos::Center);
    area.draw(&Text::new(sums, (end, middle - px(8)), style(13, canvas::INK)))?;
    let rest = format!("{} not useful", usd_per_day(mean(stack, not_useful_usd_per_day)));
    area.draw(&Text::new(rest, (end, middle + px(9)), style(12, canvas::MUTED)))?;
    Ok(())
}

/// Type on the parts, which keep their colours in the dark.
const ON_PARTS: RGBColor = RGBColor(0x1E, 0x22, 0x27);

/// The share of the fleet's cost that its GPU time was not useful.
fn not_useful_usd_per_day(run: &RunSummary) -> f64 {
    if run.gpu.total <= 0.0 {
        return 0.0;
    }
    run.cost.usd_per_day * (1.0 - run.gpu.useful / run.gpu.total)
}

fn usd_per_day(value: f64) -> String {
    format!("{} USD/day", number::fixed(value, if value < 100.0 { 2 } else { 0 }))
}

#[expect(clippy::cast_precision_loss, reason = "a handful of replications")]
fn mean(stack: &StackOutcome, of: impl Fn(&RunSummary) -> f64) -> f64 {
    let values = stack.runs.iter().map(of).filter(|value| value.is_finite());
    values.sum::<f64>() / stack.runs.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn money_is_split_as_gpu_time_is() {
        let mut run = fixture::run();
        run.cost.usd_per_day = 400.0;
        run.gpu = GpuHours { total: 20.0, useful: 15.0, idle_ready: 5.0, ..GpuHours::default() };
        assert!((not_useful_usd_per_day(&run) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_fleet_without_gpus_wastes_no_gpu_money() {
        let mut run = fixture::run();
        run.cost.usd_per_day = 400.0;
        assert!(not_useful_usd_per_day(&run).abs() < 1e-9);
    }
}
