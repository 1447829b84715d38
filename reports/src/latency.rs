//! How long requests took: the share served within a time, per stack.

use crate::axis::Axis;
use crate::canvas::{self, Area, Drawn, Margins, Panel, Swatch, px, stack_colour, type_at};
use crate::figure::FigureKind;
use crate::number;
use contract::Micros;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use sim_core::outcome::{Experiment, LatencyCurves, ServiceInfo};

/// The figure.
pub(crate) const FIGURE: FigureKind = FigureKind {
    name: "latency",
    title: "Share of completed requests served within a time",
    link: "latency",
    caption: "Further left is faster. Read it at 99 % for the p99. The dashed line is the limit of the SLO: a curve that crosses it at 99 % keeps it for all but one in a hundred of the completed requests. \
              All replications together; requests that failed are not in it.",
    is_of_service: true,
    is_of_requests: true,
    height: |_| 390,
    paint,
};

/// One of the three latencies.
struct Kind {
    title: &'static str,
    curve: fn(&LatencyCurves) -> &[(f64, f64)],
    limit: fn(&ServiceInfo) -> Option<Micros>,
}

const KINDS: [Kind; 3] = [
    Kind {
        title: "time to first token (TTFT)",
        curve: |curves| &curves.ttft,
        limit: |service| service.slo_ttft,
    },
    Kind {
        title: "time per output token (TPOT)",
        curve: |curves| &curves.tpot,
        limit: |service| service.slo_tpot,
    },
    Kind {
        title: "end to end (E2E)",
        curve: |curves| &curves.e2e,
        limit: |service| service.slo_e2e,
    },
];

/// The furthest quantile shown, in percent: beyond it single requests speak.
const TOP: f64 = 99.99;
/// From this quantile on the curves set the time axis; the fastest few in a thousand do not.
const BOTTOM: f64 = 0.005;

fn paint(area: &Area<'_>, experiment: &Experiment, service: usize) -> Drawn {
    let stacks = experiment.stacks.iter().enumerate();
    let names: Vec<_> = stacks
        .map(|(index, stack)| (stack.name.clone(), Swatch::Line(stack_colour(index))))
        .collect();
    let area = canvas::legend(area, &names)?;
    for (kind, place) in KINDS.iter().zip(area.split_evenly((1, KINDS.len()))) {
        paint_kind(&place, experiment, service, kind)?;
    }
    Ok(())
}

fn paint_kind(area: &Area<'_>, experiment: &Experiment, service: usize, kind: &Kind) -> Drawn {
    let curves: Vec<(usize, &[(f64, f64)])> = experiment
        .stacks
        .iter()
        .enumerate()
        .filter_map(|(index, stack)| Some((index, (kind.curve)(stack.curves.get(service)?))))
        .filter(|(_, curve)| !curve.is_empty())
        .collect();
    let (head, area) = area.split_vertically(px(22));
    head.draw(&Text::new(kind.title, (px(74), 0), canvas::type_of(13, canvas::INK)))?;
    if curves.is_empty() {
        return canvas::nothing(&area, "No request completed.");
    }
    let limit = experiment.services.get(service).and_then(kind.limit).map(Micros::as_millis_f64);
    let shown = curves
        .iter()
        .flat_map(|(_, curve)| curve.iter())
        .filter(|(quantile, _)| (BOTTOM..=TOP / 100.0).contains(quantile));
    let x = Axis::log_millis(shown.map(|(_, millis)| *millis).chain(limit), 4);
    let y = Axis::of_nines("share served within, %", 0.0, TOP);
    let mut panel = canvas::panel(&area, &x, &y, Margins { left: 74, ..Margins::default() })?;
    if let Some(limit) = limit {
        paint_limit(&mut panel, limit, &y)?;
    }
    for (index, curve) in curves {
        let points = curve.iter().filter(|(quantile, millis)| {
            millis.is_finite() && (BOTTOM..=TOP / 100.0).contains(quantile)
        });
        let places = points.map(|(quantile, millis)| (*millis, 100.0 * quantile));
        let style = stack_colour(index).stroke_width(px(2).unsigned_abs());
        panel.draw_series(LineSeries::new(places, style))?;
    }
    Ok(())
}

fn paint_limit(panel: &mut Panel<'_, '_>, limit: f64, y: &Axis) -> Drawn {
    let ends = [(limit, y.ends.start), (limit, y.ends.end)];
    let style = canvas::ALERT.stroke_width(px(1).unsigned_abs());
    let (dash, gap) = (px(5).unsigned_abs(), px(4).unsigned_abs());
    panel.draw_series(DashedLineSeries::new(ends, dash, gap, style))?;
    // Above the panel, where no curve goes.
    let name = format!("SLO {}", number::millis(limit));
    let style = type_at(12, canvas::ALERT, HPos::Center, VPos::Bottom);
    let text = Text::new(name, (0, -px(2)), style);
    panel.draw_series([EmptyElement::at((limit, y.ends.end)) + text])?;
    Ok(())
}
