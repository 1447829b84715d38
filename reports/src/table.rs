//! The tables that the terminal shows: plain text, 120 columns, readable without colour.

use crate::fingerprint;
use crate::jobs;
use crate::measure::{self, Measure};
use crate::number::{self, Column};
use crate::queues;
use crate::stats::Estimate;
use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use sim_core::outcome::{Experiment, StackOutcome};

/// Columns of a terminal that the tables need.
const WIDTH: u16 = 120;

/// A line above, below and under the header; nothing between rows.
const STYLE: TableStyle = TableStyle::new()
    .top_border(LineStyle::none().fill('─').junction('─'))
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .bottom_border(LineStyle::none().fill('─').junction('─'));

/// The comparison as the terminal shows it: a table of means, one of differences to the first
/// stack, how to repeat the experiment, and the fingerprint over all runs.
pub fn table(experiment: &Experiment) -> String {
    let mut parts = vec![heading(experiment), means(experiment)];
    if experiment.stacks.len() > 1 {
        parts.push(differences_heading(experiment));
        parts.push(differences(experiment));
    }
    if !experiment.jobs.is_empty() {
        parts.push("\nJobs".to_owned());
        parts.push(jobs_table(experiment));
        parts.extend(jobs::waits(experiment));
    }
    let queues = queues::rows(experiment);
    if !queues.is_empty() {
        parts.push("\nQueues".to_owned());
        parts.push(queues_table(queues));
    }
    parts.push(footer(experiment));
    parts.join("\n")
}

fn heading(experiment: &Experiment) -> String {
    let runs = replications(experiment);
    let what = match runs {
        1 => "one replication".to_owned(),
        runs => format!("mean of {runs} replications ± half of the 95 % interval"),
    };
    let horizon = number::millis(experiment.horizon.as_millis_f64());
    format!("{}, {horizon}: {what}", experiment.scenario)
}

fn differences_heading(experiment: &Experiment) -> String {
    format!(
        "\nDifference to {}, replication by replication on the same arrivals and luck (* = clear of zero)",
        experiment.stacks[0].name
    )
}

fn means(experiment: &Experiment) -> String {
    let stacks: Vec<_> = experiment.stacks.iter().collect();
    rows(experiment, &stacks, |measure| measure.unit, Measure::estimate, Column::estimate)
}

fn differences(experiment: &Experiment) -> String {
    let stacks: Vec<_> = experiment.stacks.iter().skip(1).collect();
    rows(
        experiment,
        &stacks,
        Measure::difference_unit,
        |measure, stack, service| measure.difference(experiment, stack, service),
        |column, value| {
            let mark = if value.is_some_and(|value| column.is_clear(value)) { "*" } else { "" };
            column.difference(value) + mark
        },
    )
}

/// A table with a row a stack and service and a column a measure. What belongs to the whole fleet
/// stands in the row of the stack's first service only.
fn rows(
    experiment: &Experiment,
    stacks: &[&StackOutcome],
    unit: fn(&Measure) -> &'static str,
    estimate: impl Fn(&Measure, &StackOutcome, usize) -> Option<Estimate>,
    text: impl Fn(&Column, Option<Estimate>) -> String,
) -> String {
    // Without services a stack still has one row, for its fleet and its jobs.
    let services = experiment.services.len().max(1);
    let measures = measure::of(experiment);
    let places: Vec<_> = stacks
        .iter()
        .flat_map(|stack| (0..services).map(move |service| (*stack, service)))
        .collect();
    let mut lines: Vec<Vec<Cell>> =
        places.iter().map(|(stack, service)| names(experiment, stack, *service)).collect();
    for measure in &measures {
        let values: Vec<_> =
            places.iter().map(|(stack, service)| estimate(measure, stack, *service)).collect();
        let column = Column::of(measure, &values);
        for ((line, value), (_, service)) in lines.iter_mut().zip(values).zip(&places) {
            let is_repeated = measure.is_of_stack() && *service > 0;
            let text = if is_repeated { String::new() } else { text(&column, value) };
            // The interval stands under its mean, so that means stay in line.
            let text = text.replace(" ±", "\n±");
            line.push(Cell::new(text).set_alignment(CellAlignment::Right));
        }
    }
    lined_up(header(experiment, unit), lines)
}

/// A row a stack and class of jobs, a column a measure.
fn jobs_table(experiment: &Experiment) -> String {
    let mut header = vec![Cell::new("stack"), Cell::new("job")];
    let measures = jobs::measures(experiment);
    header.extend(measures.iter().map(|it| right(format!("{}\n{}", it.title, it.unit))));
    let lines = jobs::rows(experiment).into_iter().map(|row| {
        let mut line = vec![Cell::new(row.stack_name), Cell::new(row.job)];
        line.extend(row.cells.into_iter().map(right));
        line
    });
    lined_up(header, lines.collect())
}

/// A row a stack and queue, for stacks that have queues.
fn queues_table(rows: Vec<queues::Row<'_>>) -> String {
    let mut header = vec![Cell::new("stack"), Cell::new("queue")];
    header.extend(queues::COLUMNS.iter().map(|it| right(format!("{}\n{}", it.title, it.unit))));
    let lines = rows.into_iter().map(|row| {
        let mut line = vec![Cell::new(row.stack_name), Cell::new(row.queue)];
        line.extend(row.cells.into_iter().map(right));
        line
    });
    lined_up(header, lines.collect())
}

/// A cell of a column of numbers.
fn right(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// A table in the form of all tables.
pub(crate) fn lined_up(header: Vec<Cell>, rows: Vec<Vec<Cell>>) -> String {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .force_no_tty()
        .set_header(header)
        .add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    table.trim_fmt()
}

fn names(experiment: &Experiment, stack: &StackOutcome, service: usize) -> Vec<Cell> {
    let name = if service == 0 { stack.name.as_str() } else { "" };
    let mut cells = vec![Cell::new(name)];
    if experiment.services.len() > 1 {
        cells.push(Cell::new(&experiment.services[service].name));
    }
    cells
}

fn header(experiment: &Experiment, unit: fn(&Measure) -> &'static str) -> Vec<Cell> {
    let mut cells = vec![Cell::new("stack")];
    if experiment.services.len() > 1 {
        cells.push(Cell::new("service"));
    }
    let all = measure::of(experiment);
    let measures = all.iter().map(|measure| {
        Cell::new(format!("{}\n{}", measure.title, unit(measure)))
            .set_alignment(CellAlignment::Right)
    });
    cells.extend(measures);
    cells
}

fn footer(experiment: &Experiment) -> String {
    format!(
        "\nrepeat with: {}\nfingerprint over all runs ({}): {}\n",
        experiment.repeat,
        fingerprint::runs(experiment),
        fingerprint::of_all(experiment)
    )
}

/// The most replications that any stack has.
pub(crate) fn replications(experiment: &Experiment) -> usize {
    experiment.stacks.iter().map(|stack| stack.runs.len()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[track_caller]
    fn assert_fits(text: &str) {
        for line in text.lines() {
            assert!(line.chars().count() <= usize::from(WIDTH), "too wide: {line}");
        }
    }

    #[test]
    fn four_stacks_and_five_replications_fit_a_terminal() {
        let text = table(&fixture::day());
        assert_fits(&text);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn two_services_share_the_figures_of_the_fleet() {
        let text = table(&fixture::experiment(4, 5, 2));
        assert_fits(&text);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn one_stack_and_one_replication_show_no_intervals_and_no_differences() {
        insta::assert_snapshot!(table(&fixture::experiment(1, 1, 1)));
    }

    #[test]
    fn jobs_have_a_table_of_their_own() {
        let text = table(&fixture::with_jobs());
        assert_fits(&text);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn queues_have_a_table_and_jobs_without_services_a_comparison() {
        let text = table(&fixture::with_queues());
        assert_fits(&text);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_long_name_is_folded() {
        let mut experiment = fixture::experiment(2, 5, 1);
        experiment.stacks[1].name =
            "horizontal-pod-autoscaler-on-concurrency-with-a-warm-pool-of-two".to_owned();
        let text = table(&experiment);
        assert_fits(&text);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_day_without_requests_shows_dashes() {
        let mut experiment = fixture::experiment(2, 2, 1);
        for run in experiment.stacks.iter_mut().flat_map(|stack| &mut stack.runs) {
            run.services = vec![fixture::service()];
        }
        insta::assert_snapshot!(table(&experiment));
    }
}
