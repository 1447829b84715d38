//! The tables of the page: comparison, differences, pools, replications.

use crate::canvas;
use crate::jobs;
use crate::measure::{self, Better, Measure};
use crate::number::{self, Column};
use crate::queues;
use crate::stats::{ByRun, Estimate};
use crate::table;
use maud::{Markup, html};
use sim_core::outcome::{Experiment, StackOutcome};
use std::collections::BTreeSet;

/// A stack's name behind a square of its colour.
pub(super) fn stack_name(index: usize, name: &str) -> Markup {
    let colour = index % canvas::STACKS.len();
    html! { span.stack data-stack=(colour) { i style={ "background: var(--stack-" (colour) ")" } {} (name) } }
}

/// Means with 95 % intervals; the best of each column is bold.
pub(super) fn comparison(experiment: &Experiment) -> Markup {
    let cells = |measure: &Measure, service: usize| {
        let values: Vec<_> =
            experiment.stacks.iter().map(|stack| measure.estimate(stack, service)).collect();
        let column = Column::of(measure, &values);
        let best = best(measure, &values).map(|best| column.number(best));
        let class = |value: &Option<Estimate>| {
            let shown = value.map(|value| column.number(value.mean));
            if shown.is_some() && shown == best { "best" } else { "" }
        };
        values.iter().map(|value| (column.estimate(*value), class(value))).collect()
    };
    html! {
        (matrix(experiment, 0, |measure| measure.unit, cells))
        p.note { (how_taken(experiment)) " Bold: best of its column." }
    }
}

fn how_taken(experiment: &Experiment) -> &'static str {
    match table::replications(experiment) {
        0 | 1 => "One replication, so without intervals.",
        _ => "Mean over replications, ± half of the 95 % interval (Student's t).",
    }
}

/// Differences to the first stack; those clear of zero say whether they are for better or worse.
pub(super) fn differences(experiment: &Experiment) -> Markup {
    let cells = |measure: &Measure, service: usize| {
        let values: Vec<_> = experiment
            .stacks
            .iter()
            .map(|stack| measure.difference(experiment, stack, service))
            .collect();
        let column = Column::of(measure, &values);
        let clear = |value: &Option<Estimate>| value.filter(|value| column.is_clear(*value));
        let class = |value| clear(value).map_or("", |value| verdict(measure, value));
        values.iter().map(|value| (column.difference(*value), class(value))).collect()
    };
    html! {
        (matrix(experiment, 1, Measure::difference_unit, cells))
        p.note { "Taken replication by replication: both stacks met the same arrivals and the same luck, so what they share cancels. "
            span.better { "Better" } " or " span.worse { "worse" } ": the 95 % interval leaves zero out." }
    }
}

/// The best mean of a column, when there are two that differ.
fn best(measure: &Measure, values: &[Option<Estimate>]) -> Option<f64> {
    let means: Vec<_> = values.iter().flatten().map(|value| value.mean).collect();
    let lowest = means.iter().copied().reduce(f64::min)?;
    let highest = means.iter().copied().reduce(f64::max)?;
    let best = if measure.better == Better::Lower { lowest } else { highest };
    (lowest < highest).then_some(best)
}

/// Which way a difference that is clear of zero goes.
fn verdict(measure: &Measure, value: Estimate) -> &'static str {
    let is_better = (value.mean < 0.0) == (measure.better == Better::Lower);
    if is_better { "better" } else { "worse" }
}

/// A table with a row a stack and service and a column a measure, from the stack `first` on.
/// `cells` gives a measure's cells, one a stack, each with its class.
fn matrix(
    experiment: &Experiment,
    first: usize,
    unit: fn(&Measure) -> &'static str,
    cells: impl Fn(&Measure, usize) -> Vec<(String, &'static str)>,
) -> Markup {
    // Without services a stack still has one row, for its fleet and its jobs.
    let services = experiment.services.len().max(1);
    let measures = measure::of(experiment);
    let columns: Vec<Vec<Vec<(String, &str)>>> = measures
        .iter()
        .map(|measure| (0..services).map(|service| cells(measure, service)).collect())
        .collect();
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th.name { "stack" }
                        @if services > 1 { th.name { "service" } }
                        @for measure in &measures {
                            th title=(measure.meaning) { (measure.title) br; small { (unit(measure)) } }
                        }
                    }
                }
                tbody {
                    @for (index, stack) in experiment.stacks.iter().enumerate().skip(first) {
                        @for service in 0..services {
                            tr.first[service == 0] {
                                @if service == 0 {
                                    th.name rowspan=(services) title=(stack.about) { (stack_name(index, &stack.name)) }
                                }
                                @if services > 1 { td.name { (experiment.services[service].name) } }
                                @for (measure, column) in measures.iter().zip(&columns) {
                                    @if service == 0 && measure.is_of_stack() {
                                        (cell(&column[service][index], services))
                                    } @else if !measure.is_of_stack() {
                                        (cell(&column[service][index], 1))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell((text, class): &(String, &str), rows: usize) -> Markup {
    let (mean, interval) = text.split_once(" ±").unwrap_or((text, ""));
    html! {
        td class=(class) rowspan=(rows) {
            (mean)
            @if !interval.is_empty() { br; small { "±" (interval) } }
        }
    }
}

/// A row a stack and class of jobs, means over replications.
pub(super) fn jobs(experiment: &Experiment) -> Markup {
    let classes = experiment.jobs.len();
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th.name { "stack" } th.name { "job" }
                        @for measure in jobs::measures(experiment) {
                            th title=(measure.meaning) { (measure.title) br; small { (measure.unit) } }
                        }
                    }
                }
                tbody {
                    @for (place, row) in jobs::rows(experiment).iter().enumerate() {
                        @let is_first = place % classes == 0;
                        tr.first[is_first] {
                            @if is_first { th.name rowspan=(classes) { (stack_name(row.stack, row.stack_name)) } }
                            td.name { (row.job) }
                            @for cell in &row.cells { td { (cell) } }
                        }
                    }
                }
            }
        }
        p.note { "Mean over replications. Partial gangs: pods that hold GPUs while too few others of their job have a node for any of them to work." }
        @for wait in jobs::waits(experiment) { p.note { (wait) "." } }
    }
}

/// A row a stack and queue, means over replications; none of stacks without queues.
pub(super) fn queues(experiment: &Experiment) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th.name { "stack" } th.name { "queue" }
                        @for column in &queues::COLUMNS {
                            th title=(column.meaning) { (column.title) br; small { (column.unit) } }
                        }
                    }
                }
                tbody {
                    @for row in queues::rows(experiment) {
                        tr.first {
                            th.name { (stack_name(row.stack, row.stack_name)) }
                            td.name { (row.queue) }
                            @for cell in &row.cells { td { (cell) } }
                        }
                    }
                }
            }
        }
        p.note { "Mean over replications. Each admission and eviction stands with its reason among the decisions." }
    }
}

/// Node-hours and money by pool, means over replications.
pub(super) fn pools(experiment: &Experiment) -> Markup {
    let any_standby =
        experiment.stacks.iter().flat_map(pools_of).any(|pool| pool.standby_usd > 0.0);
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th.name { "stack" } th.name { "pool" } th.name { "instance" }
                        th { "billed" br; small { "node-h" } }
                        @if any_standby { th { "standby" br; small { "USD" } } }
                        th { "cost" br; small { "USD" } }
                        th { "share" br; small { "%" } }
                    }
                }
                tbody {
                    @for (index, stack) in experiment.stacks.iter().enumerate() {
                        @let pools = pools_of(stack);
                        @let all: f64 = pools.iter().map(|pool| pool.usd).sum();
                        @for (row, pool) in pools.iter().enumerate() {
                            tr.first[row == 0] {
                                @if row == 0 { th.name rowspan=(pools.len()) { (stack_name(index, &stack.name)) } }
                                td.name { (pool.name) }
                                td.name { (pool.instance) }
                                td { (number::fixed(pool.node_hours, 1)) }
                                @if any_standby { td { (number::fixed(pool.standby_usd, 2)) } }
                                td { (number::fixed(pool.usd, 2)) }
                                td { (number::fixed(100.0 * pool.usd / all.max(f64::MIN_POSITIVE), 1)) }
                            }
                        }
                    }
                }
            }
        }
        p.note { "Mean over replications, for the length of a run." }
    }
}

/// What a stack used of a pool, mean over replications.
struct Pool<'a> {
    name: &'a str,
    instance: &'a str,
    node_hours: f64,
    standby_usd: f64,
    usd: f64,
}

#[expect(clippy::cast_precision_loss, reason = "a handful of replications")]
fn pools_of(stack: &StackOutcome) -> Vec<Pool<'_>> {
    let runs = stack.runs.len().max(1) as f64;
    let all = || stack.runs.iter().flat_map(|run| &run.cost.pools);
    let names: BTreeSet<_> =
        all().map(|pool| (pool.pool.as_str(), pool.instance.as_str())).collect();
    let of = |(name, instance)| {
        let its = all().filter(|it| (it.pool.as_str(), it.instance.as_str()) == (name, instance));
        let none = Pool { name, instance, node_hours: 0.0, standby_usd: 0.0, usd: 0.0 };
        its.fold(none, |sum, it| Pool {
            node_hours: sum.node_hours + it.node_hours / runs,
            standby_usd: sum.standby_usd + it.standby_usd / runs,
            usd: sum.usd + it.usd / runs,
            ..sum
        })
    };
    names.into_iter().map(of).collect()
}

/// A row for each run and service, or for each run if there are none, with its fingerprint.
pub(super) fn replications(experiment: &Experiment) -> Markup {
    let shown = measure::of_runs(experiment);
    let services = experiment.services.len();
    html! {
        details {
            summary { "Every run on its own" }
            div.scroll {
                table {
                    thead {
                        tr {
                            th.name { "stack" } th { "run" }
                            @if services > 1 { th.name { "service" } }
                            @if services > 0 { th { "requests" br; small { "arrived" } } }
                            @for measure in &shown { th { (measure.title) br; small { (measure.unit) } } }
                            th.name { "fingerprint" }
                        }
                    }
                    tbody {
                        @for (index, stack) in experiment.stacks.iter().enumerate() {
                            @for run in &stack.runs {
                                @for position in 0..services.max(1) {
                                    tr {
                                        td.name { (stack_name(index, &stack.name)) }
                                        td { (run.run) }
                                        @if let Some(service) = run.services.get(position) {
                                            @if services > 1 { td.name { (service.name) } }
                                            td { (number::count(service.requests.arrived)) }
                                        }
                                        @for measure in &shown {
                                            td { (alone(measure, measure.in_run(run, position))) }
                                        }
                                        td.name { code { (run.fingerprint) } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// One run's figure in the form of its measure.
fn alone(measure: &Measure, value: Option<f64>) -> String {
    let estimate = value.and_then(|value| Estimate::of(&ByRun::from([(0, value)])));
    Column::of(measure, &[estimate]).estimate(estimate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(mean: f64, half_width: f64) -> Estimate {
        Estimate { mean, half_width: Some(half_width) }
    }

    #[test]
    fn a_clear_difference_is_better_or_worse_by_its_measure() {
        assert_eq!(verdict(&measure::COST, estimate(-5.0, 1.0)), "better");
        assert_eq!(verdict(&measure::COST, estimate(5.0, 1.0)), "worse");
        assert_eq!(verdict(&measure::IN_TIME, estimate(5.0, 1.0)), "better");
    }

    #[test]
    fn of_equals_none_is_best() {
        let values = [Some(estimate(1.0, 0.0)), Some(estimate(1.0, 0.0))];
        assert_eq!(best(&measure::COST, &values), None);
        let values = [Some(estimate(1.0, 0.0)), None, Some(estimate(2.0, 0.0))];
        assert_eq!(best(&measure::COST, &values), Some(1.0));
        assert_eq!(best(&measure::IN_TIME, &values), Some(2.0));
    }
}
