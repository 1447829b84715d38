//! What each stack costs against the share of requests that it keeps in time.

use crate::axis::Axis;
use crate::canvas::{self, Area, Drawn, Margins, Panel, px, stack_colour, type_at};
use crate::figure::FigureKind;
use crate::measure;
use crate::stats::Estimate;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use sim_core::outcome::Experiment;

/// The figure.
pub(crate) const FIGURE: FigureKind = FigureKind {
    name: "frontier",
    title: "Cost against requests in time",
    link: "cost and promise",
    caption: "Up is better, left is cheaper; bars are 95 % intervals over replications. The dashed line joins the stacks that no other beats on both. \
              The vertical axis counts nines: each step from 90 to 99 to 99.9 % misses a tenth as many.",
    is_of_service: true,
    is_of_requests: true,
    height: |_| 400,
    paint,
};

const MARGINS: Margins = Margins { left: 74, below: 44, right: 18 };

/// A stack's place on the figure.
struct Point<'a> {
    name: &'a str,
    colour: RGBColor,
    shape: usize,
    cost: Estimate,
    in_time: Estimate,
}

fn paint(area: &Area<'_>, experiment: &Experiment, service: usize) -> Drawn {
    let points = points(experiment, service);
    if points.is_empty() {
        return canvas::nothing(area, "No request arrived, so nothing was kept or missed.");
    }
    let highest_cost = points.iter().map(|point| point.cost.interval().1).fold(0.0, f64::max);
    let in_time = points.iter().map(|point| point.in_time.interval());
    let (low, high) =
        in_time.fold((100.0_f64, 0.0_f64), |(low, high), (from, to)| (low.min(from), high.max(to)));
    let x = Axis::from_zero("cost, USD per day", highest_cost * 1.12, 8);
    let y = Axis::of_nines("requests in time, %", low, high.min(99.999));
    let mut panel = canvas::panel(area, &x, &y, MARGINS)?;
    draw_frontier(&mut panel, &points)?;
    let spot = |cost: f64, in_time: f64| canvas::spot(area, &panel, (cost, in_time));
    for point in &points {
        draw_point(area, point, spot)?;
    }
    name_points(area, &points, spot)
}

fn points(experiment: &Experiment, service: usize) -> Vec<Point<'_>> {
    let stacks = experiment.stacks.iter().enumerate();
    stacks
        .filter_map(|(index, stack)| {
            Some(Point {
                name: &stack.name,
                colour: stack_colour(index),
                shape: index,
                cost: measure::COST.estimate(stack, service)?,
                in_time: measure::IN_TIME.estimate(stack, service)?,
            })
        })
        .collect()
}

/// The points that no other beats on both, from the cheapest on.
fn frontier<'a>(points: &'a [Point<'a>]) -> Vec<&'a Point<'a>> {
    let mut by_cost: Vec<_> = points.iter().collect();
    by_cost.sort_by(|a, b| {
        a.cost.mean.total_cmp(&b.cost.mean).then(b.in_time.mean.total_cmp(&a.in_time.mean))
    });
    let mut best = f64::NEG_INFINITY;
    by_cost.retain(|point| {
        let is_better = point.in_time.mean > best;
        best = best.max(point.in_time.mean);
        is_better
    });
    by_cost
}

fn draw_frontier(panel: &mut Panel<'_, '_>, points: &[Point<'_>]) -> Drawn {
    let places = frontier(points).into_iter().map(|it| (it.cost.mean, it.in_time.mean));
    let style = canvas::MUTED.stroke_width(px(1).unsigned_abs());
    let (dash, gap) = (px(5).unsigned_abs(), px(4).unsigned_abs());
    panel.draw_series(DashedLineSeries::new(places, dash, gap, style))?;
    Ok(())
}

fn draw_point(
    area: &Area<'_>,
    point: &Point<'_>,
    spot: impl Fn(f64, f64) -> (i32, i32) + Copy,
) -> Drawn {
    for ends in bars(point, spot) {
        area.draw(&PathElement::new(ends, point.colour.stroke_width(px(2).unsigned_abs())))?;
    }
    let (x, y) = spot(point.cost.mean, point.in_time.mean);
    let fill = point.colour.filled();
    let r = px(7);
    // Shapes tell the stacks apart where colours do not.
    match point.shape % 4 {
        0 => area.draw(&Circle::new((x, y), r, fill))?,
        1 => area.draw(&Rectangle::new([(x - r + 2, y - r + 2), (x + r - 2, y + r - 2)], fill))?,
        2 => area
            .draw(&Polygon::new([(x, y - r - 2), (x + r + 1, y + r), (x - r - 1, y + r)], fill))?,
        _ => area.draw(&Polygon::new(
            [(x, y - r - 3), (x + r + 3, y), (x, y + r + 3), (x - r - 3, y)],
            fill,
        ))?,
    }
    Ok(())
}

/// The ends of a point's two intervals.
fn bars(point: &Point<'_>, spot: impl Fn(f64, f64) -> (i32, i32)) -> [[(i32, i32); 2]; 2] {
    let (cost, in_time) = (point.cost, point.in_time);
    [
        [spot(cost.interval().0, in_time.mean), spot(cost.interval().1, in_time.mean)],
        [spot(cost.mean, in_time.interval().0), spot(cost.mean, in_time.interval().1)],
    ]
}

/// Names stand beside their points, above or below where that is taken.
fn name_points(
    area: &Area<'_>,
    points: &[Point<'_>],
    spot: impl Fn(f64, f64) -> (i32, i32) + Copy,
) -> Drawn {
    let at: Vec<_> = points.iter().map(|it| spot(it.cost.mean, it.in_time.mean)).collect();
    let mut taken: Vec<_> = at.iter().map(|place| Frame::around(*place, px(9))).collect();
    taken.extend(line_frames(points, spot));
    taken.extend(points.iter().flat_map(|point| bars(point, spot)).map(Frame::around_bar));
    let (width, height) = area.dim_in_pixel();
    let whole = Frame {
        left: px(MARGINS.left),
        right: width.cast_signed(),
        top: 0,
        bottom: height.cast_signed() - px(MARGINS.below),
    };
    for (point, place) in points.iter().zip(&at) {
        let text = canvas::fitted(area, point.name, 13, px(300))?;
        let length = canvas::width_of(area, &text, 13)?;
        let is_free =
            |frame: &Frame| whole.holds(frame) && taken.iter().all(|other| !other.meets(frame));
        let free = Frame::beside(*place, length).find(is_free);
        // With no place left, the point's shape and colour must do.
        let Some(frame) = free else { continue };
        let middle = i32::midpoint(frame.top, frame.bottom);
        let style = type_at(13, canvas::INK, HPos::Left, VPos::Center);
        area.draw(&Text::new(text, (frame.left, middle), style))?;
        taken.push(frame);
    }
    Ok(())
}

/// Small frames along the frontier, so that no name stands on the line.
fn line_frames(points: &[Point<'_>], spot: impl Fn(f64, f64) -> (i32, i32)) -> Vec<Frame> {
    const PARTS: i32 = 100;
    let corners: Vec<_> =
        frontier(points).into_iter().map(|it| spot(it.cost.mean, it.in_time.mean)).collect();
    let between = |from: i32, to: i32, part: i32| from + (to - from) * part / PARTS;
    let legs =
        corners.windows(2).flat_map(|leg| (0..=PARTS).map(move |part| (leg[0], leg[1], part)));
    legs.map(|(from, to, part)| {
        Frame::around((between(from.0, to.0, part), between(from.1, to.1, part)), px(2))
    })
    .collect()
}

/// A rectangle that a name or a point takes up.
#[derive(Clone, Copy)]
struct Frame {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

impl Frame {
    /// Places for a name of a length beside a point, the nearest first.
    fn beside((x, y): (i32, i32), length: i32) -> impl Iterator<Item = Self> {
        const ROW: i32 = px(18);
        let lefts = [x + px(13), x - px(13) - length];
        let rows = (0..).flat_map(|row| [-row, row]).take(24);
        rows.flat_map(move |row| lefts.map(|left| (left, y + row * ROW))).map(
            move |(left, middle)| Self {
                left,
                right: left + length,
                top: middle - ROW / 2,
                bottom: middle + ROW / 2,
            },
        )
    }

    /// A square around a point.
    fn around((x, y): (i32, i32), half: i32) -> Self {
        Self { left: x - half, right: x + half, top: y - half, bottom: y + half }
    }

    /// What an interval's bar takes up, from its left or lower end to the other.
    fn around_bar([from, to]: [(i32, i32); 2]) -> Self {
        Self { left: from.0 - 2, right: to.0 + 2, top: to.1 - 2, bottom: from.1 + 2 }
    }

    fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn holds(&self, other: &Self) -> bool {
        self.left <= other.left
            && other.right <= self.right
            && self.top <= other.top
            && other.bottom <= self.bottom
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(points: &[(f64, f64)], expected: &[usize]) {
        let estimate = |mean| Estimate { mean, half_width: None };
        let points: Vec<_> = (0..)
            .zip(points)
            .map(|(shape, (cost, in_time))| Point {
                name: "",
                colour: canvas::INK,
                shape,
                cost: estimate(*cost),
                in_time: estimate(*in_time),
            })
            .collect();
        let found: Vec<_> = frontier(&points).iter().map(|point| point.shape).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_stack_that_costs_more_and_keeps_less_is_off_the_frontier() {
        check(&[(30.0, 99.0), (10.0, 90.0), (20.0, 95.0), (25.0, 94.0)], &[1, 2, 0]);
    }

    #[test]
    fn of_two_that_keep_as_much_the_cheaper_is_on_the_frontier() {
        check(&[(30.0, 99.0), (10.0, 99.0)], &[1]);
        check(&[(10.0, 90.0), (10.0, 99.0)], &[1]);
    }
}
