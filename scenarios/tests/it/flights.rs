//! Built-in scenarios, flown once.

use scenarios::{Options, Scenario, compare};
use sim_core::outcome::{Experiment, ServiceSummary, StackOutcome};

/// One replication of a built-in scenario.
pub(crate) fn fly(name: &str) -> Experiment {
    let scenario = Scenario::builtin(name).expect("built in").expect("valid");
    let options = Options { seed: 1, runs: 1, stacks: Vec::new(), threads: 0 };
    compare(&scenario, &options, &|_| ()).unwrap_or_else(|error| panic!("{error}"))
}

/// A stack by its name.
pub(crate) fn stack<'a>(experiment: &'a Experiment, name: &str) -> &'a StackOutcome {
    let found = experiment.stacks.iter().find(|stack| stack.name == name);
    found.unwrap_or_else(|| panic!("no stack `{name}`"))
}

/// The figures of a stack's only service.
pub(crate) fn service(stack: &StackOutcome) -> &ServiceSummary {
    &stack.runs[0].services[0]
}

/// Replica counts that were written, in order, with why.
pub(crate) fn written(stack: &StackOutcome) -> Vec<(u32, &str)> {
    let rows = stack.decisions.iter().filter_map(|row| {
        let replicas = row.action.strip_prefix("set-replicas ")?;
        Some((replicas.parse().expect("a count"), row.reason.as_str()))
    });
    rows.collect()
}

/// Whether a decision's reason begins with these words.
pub(crate) fn says(stack: &StackOutcome, words: &str) -> bool {
    stack.decisions.iter().any(|row| row.reason.starts_with(words))
}
