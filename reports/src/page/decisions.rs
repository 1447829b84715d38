//! Decisions with their reasons: a table that can be filtered, capped so that the page stays small.

use super::tables::stack_name;
use crate::number;
use contract::Instant;
use maud::{Markup, html};
use sim_core::outcome::{DecisionRow, Experiment};

/// Most decisions shown of a stack.
const MOST: usize = 300;

/// The section's table and controls.
pub(super) fn section(experiment: &Experiment) -> Markup {
    let shown: Vec<_> = experiment.stacks.iter().map(|stack| chosen(&stack.decisions)).collect();
    let all = experiment.stacks.iter().map(|stack| stack.decisions.len()).sum::<usize>();
    if all == 0 {
        return html! { p { "No policy decided anything." } };
    }
    html! {
        p { "Of each stack's first replication. " (note(shown.iter().map(Vec::len).sum(), all)) }
        div.filter hidden {
            label { "Stack " select #decision-stack {
                option value="" { "all" }
                @for stack in &experiment.stacks { option { (stack.name) } }
            } }
            label { "Containing " input #decision-text type="search" placeholder="scale-up, l40s, pending …"; }
            label { input #decision-holds type="checkbox" checked; " also decisions to hold" }
            output #decision-count {}
        }
        div.scroll.tall {
            table #decision-table {
                thead { tr {
                    th { "time" br; small { "h:min:s" } }
                    @for title in ["stack", "policy", "about", "action", "reason"] { th.name { (title) } }
                } }
                tbody {
                    @for (index, rows) in shown.iter().enumerate() {
                        @for row in rows { (line(index, row)) }
                    }
                }
            }
        }
    }
}

fn note(shown: usize, all: usize) -> String {
    let (shown, all) = (shown as u64, all as u64);
    if shown == all {
        return format!("All {} are shown.", number::count(all));
    }
    format!(
        "{} of {} are shown: those that acted before those that held, evenly over the run. All of them stand in decisions.jsonl.zst.",
        number::count(shown),
        number::count(all)
    )
}

/// All decisions when they are few enough; else those that acted, evenly over the run; then holds in
/// the room that is left.
fn chosen(decisions: &[DecisionRow]) -> Vec<&DecisionRow> {
    let (acted, held): (Vec<_>, Vec<_>) =
        decisions.iter().partition(|decision| !decision.action.is_empty());
    let acted = evenly(acted, MOST);
    let held = evenly(held, MOST - acted.len());
    let mut chosen: Vec<_> = acted.into_iter().chain(held).collect();
    chosen.sort_by_key(|decision| decision.at);
    chosen
}

/// At most `most` of the items, at even distances.
fn evenly<T>(items: Vec<T>, most: usize) -> Vec<T> {
    let count = items.len();
    if count <= most {
        return items;
    }
    let is_kept = |index: usize| (index + 1) * most / count > index * most / count;
    items
        .into_iter()
        .enumerate()
        .filter(|(index, _)| is_kept(*index))
        .map(|(_, item)| item)
        .collect()
}

fn line(stack: usize, row: &DecisionRow) -> Markup {
    let is_hold = row.action.is_empty();
    html! {
        tr.hold[is_hold] {
            td { (clock(row.at)) }
            td.name { (stack_name(stack, &row.stack)) }
            td.name { (row.policy) }
            td.name { (row.subject) }
            td.name { @if is_hold { "hold" } @else { (row.action) } }
            td.reason { (row.reason) }
        }
    }
}

/// Hours, minutes and seconds since the run began.
fn clock(at: Instant) -> String {
    let seconds = at.0 / 1_000_000;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(minute: u64, action: &str) -> DecisionRow {
        DecisionRow {
            stack: "lean".to_owned(),
            run: 0,
            at: Instant(minute * 60_000_000),
            policy: "hpa".to_owned(),
            subject: "service chat".to_owned(),
            action: action.to_owned(),
            reason: String::new(),
        }
    }

    #[test]
    fn decisions_that_acted_come_before_those_that_held() {
        let held = (0..1000).map(|minute| decision(minute, ""));
        let acted = (0..100).map(|minute| decision(10 * minute, "set-replicas 3"));
        let all: Vec<_> = held.chain(acted).collect();
        let chosen = chosen(&all);
        assert_eq!(chosen.len(), MOST);
        assert_eq!(chosen.iter().filter(|decision| !decision.action.is_empty()).count(), 100);
        assert!(chosen.is_sorted_by_key(|decision| decision.at));
    }

    #[test]
    fn many_are_thinned_evenly() {
        assert_eq!(evenly((1..=10).collect(), 5), [2, 4, 6, 8, 10]);
        assert_eq!(evenly((1..=10).collect(), 0), Vec::<i32>::new());
        assert_eq!(evenly((1..=3).collect(), 3), [1, 2, 3]);
    }

    #[test]
    fn the_clock_counts_hours_beyond_a_day() {
        assert_eq!(clock(Instant(90_061_000_000)), "25:01:01");
    }
}
