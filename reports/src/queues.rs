//! What queues gave their jobs, where Kueue admits them, for the terminal and the page.

use crate::number;
use sim_core::outcome::{Experiment, QueueSummary, StackOutcome};

/// A column of the table: a mean over replications.
pub(crate) struct Column {
    /// What it is, in a word or two.
    pub(crate) title: &'static str,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// Digits shown after the point.
    decimals: usize,
    /// What it means, in a sentence.
    pub(crate) meaning: &'static str,
    of: fn(&QueueSummary) -> f64,
}

/// Every column, in order.
pub(crate) const COLUMNS: [Column; 5] = [
    Column {
        title: "own",
        unit: "GPUs",
        decimals: 0,
        meaning: "nominal quota, all flavors together",
        of: |queue| count(queue.nominal_gpus),
    },
    Column {
        title: "admitted",
        unit: "times",
        decimals: 0,
        meaning: "admissions of its jobs, again after evictions included",
        of: |queue| count(queue.admitted),
    },
    Column {
        title: "evicted",
        unit: "times",
        decimals: 0,
        meaning: "times that one of its jobs lost its quota",
        of: |queue| count(queue.evicted),
    },
    Column {
        title: "quota",
        unit: "GPU-h",
        decimals: 1,
        meaning: "GPU-hours of quota that its jobs had, whether or not they used them",
        of: |queue| queue.reserved_gpu_hours,
    },
    Column {
        title: "borrowed",
        unit: "GPU-h",
        decimals: 1,
        meaning: "the part of them beyond its own, lent by others of its cohort",
        of: |queue| queue.borrowed_gpu_hours,
    },
];

/// A row of the table: a stack and one of its queues.
pub(crate) struct Row<'a> {
    /// Place of the stack.
    pub(crate) stack: usize,
    /// Its name.
    pub(crate) stack_name: &'a str,
    /// The queue.
    pub(crate) queue: &'a str,
    /// A mean over replications for each column.
    pub(crate) cells: Vec<String>,
}

/// The rows, by stack, then by queue; none of stacks without queues.
pub(crate) fn rows(experiment: &Experiment) -> Vec<Row<'_>> {
    let of_stack = |(stack, outcome)| {
        let queues = queues(outcome).iter().enumerate();
        queues.map(move |(place, queue)| row(stack, outcome, place, &queue.name))
    };
    experiment.stacks.iter().enumerate().flat_map(of_stack).collect()
}

fn queues(stack: &StackOutcome) -> &[QueueSummary] {
    stack.runs.first().map_or(&[], |run| &run.queues)
}

fn row<'a>(stack: usize, outcome: &'a StackOutcome, place: usize, queue: &'a str) -> Row<'a> {
    let mean = |column: &Column| {
        let values = outcome.runs.iter().filter_map(|run| run.queues.get(place)).map(column.of);
        number::fixed(values.sum::<f64>() / count(outcome.runs.len() as u64), column.decimals)
    };
    Row { stack, stack_name: &outcome.name, queue, cells: COLUMNS.iter().map(mean).collect() }
}

#[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 of anything")]
fn count(count: u64) -> f64 {
    count as f64
}
