//! Pods that fitted nowhere when arrivals ended, with the scheduler's words.

use super::tables::stack_name;
use crate::number;
use maud::{Markup, html};
use sim_core::outcome::{Experiment, StackOutcome, UNPLACED, Unplaced};

/// Whether there is any to show.
pub(super) fn is_any(experiment: &Experiment) -> bool {
    experiment.stacks.iter().any(|stack| !of_first_run(stack).is_empty())
}

/// A row a group of pods.
pub(super) fn section(experiment: &Experiment) -> Markup {
    html! {
        p { "At the end of arrivals, in each stack's first replication; longest waiting first, " (UNPLACED) " groups a stack at most." }
        div.scroll {
            table {
                thead { tr {
                    th.name { "stack" } th.name { "whose" } th { "pods" } th { "oldest" br; small { "waited" } }
                    th.name { "what the scheduler says" }
                } }
                tbody {
                    @for (index, stack) in experiment.stacks.iter().enumerate() {
                        @for group in of_first_run(stack) {
                            tr {
                                td.name { (stack_name(index, &stack.name)) }
                                td.name { (group.owner) }
                                td { (number::count(group.pods.into())) }
                                td { (number::millis(group.waited.as_millis_f64())) }
                                td.reason { (group.message) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn of_first_run(stack: &StackOutcome) -> &[Unplaced] {
    stack.runs.first().map_or(&[], |run| &run.unplaced)
}
