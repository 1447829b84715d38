//! Fingerprints of short versions of the built-in scenarios stand in `fingerprints.toml`: whatever moves a
//! result shows there as a changed line.
//!
//! `ACCEPT_FINGERPRINTS=1 cargo test -p scenarios fingerprints` writes the file anew.

use contract::Micros;
use scenarios::settings::Length;
use scenarios::{Options, Scenario, builtin_names, builtin_text, compare};
use sim_core::outcome::{Experiment, StackOutcome};
use std::collections::BTreeMap;
use std::path::Path;

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fingerprints.toml");

const HEAD: &str = "\
# Fingerprints of the built-in scenarios, cut short: scenario, stack, hash of every event and action. A changed
# line means changed results: say in the changelog what moved and why.
";

/// By scenario, then by stack.
type Fingerprints = BTreeMap<String, BTreeMap<String, String>>;

/// A built-in scenario; relative paths in it start at the workspace, as for those who run it from there.
fn whole(name: &str) -> Scenario {
    let text = builtin_text(name).expect("built in");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    Scenario::parse(text, name, &workspace).unwrap_or_else(|error| panic!("{error}"))
}

/// Long enough for scale-ups to finish and for a few scale-downs, short enough for a test: a twenty-fourth of
/// the scenario, 40 minutes at least.
fn short(name: &str) -> Scenario {
    let scenario = whole(name);
    let whole = scenario.horizon();
    let horizon = Micros(whole.0 / 24).max(Micros::from_mins(40)).min(whole);
    scenario.with_horizon(Length::try_from(horizon).expect("not zero"))
}

fn fly(scenario: &Scenario) -> Experiment {
    let options = Options { seed: 1, runs: 1, stacks: Vec::new(), threads: 0 };
    compare(scenario, &options, &|_| ()).unwrap_or_else(|error| panic!("{error}"))
}

/// By stack.
fn fingerprints(experiment: Experiment) -> BTreeMap<String, String> {
    let one = |stack: StackOutcome| (stack.name, stack.runs[0].fingerprint.clone());
    experiment.stacks.into_iter().map(one).collect()
}

#[expect(clippy::print_stderr, reason = "a test that checks less says so")]
fn has_traces(name: &str, scenario: &Scenario) -> bool {
    let found = scenario.check_traces().is_ok();
    if !found {
        eprintln!("SKIPPED: `{name}` needs ../shared/traces, which is not here");
    }
    found
}

#[test]
fn every_request_of_a_trace_is_replayed_and_ends_once() {
    for (name, requests) in [("chat-hour", 19_366), ("code-hour", 8_819)] {
        let scenario = whole(name);
        if !has_traces(name, &scenario) {
            continue;
        }
        for stack in fly(&scenario).stacks {
            let counts = stack.runs[0].services[0].requests;
            assert_eq!(counts.arrived, requests, "{name}, {}", stack.name);
            let lost = counts.timed_out + counts.rejected + counts.impossible + counts.unfinished;
            assert_eq!(counts.completed + lost, requests, "{name}, {}", stack.name);
        }
    }
}

#[test]
fn fingerprints_are_those_of_the_baseline_twice() {
    let text = std::fs::read_to_string(BASELINE).expect("the baseline is part of the repository");
    let mut baseline: Fingerprints = toml::from_str(&text).expect("a table for each scenario");
    let accept = std::env::var_os("ACCEPT_FINGERPRINTS").is_some();
    baseline.retain(|name, _| builtin_names().any(|known| known == name));
    for name in builtin_names() {
        let scenario = short(name);
        if !has_traces(name, &scenario) {
            continue;
        }
        let found = fingerprints(fly(&scenario));
        assert_eq!(fingerprints(fly(&scenario)), found, "`{name}` differs from itself");
        if accept {
            baseline.insert(name.to_owned(), found);
        } else {
            assert_eq!(
                baseline.get(name),
                Some(&found),
                "`{name}` has moved: see the head of this file"
            );
        }
    }
    if accept {
        let table = toml::to_string(&baseline).expect("names and hashes");
        std::fs::write(BASELINE, format!("{HEAD}\n{table}"))
            .expect("the repository can be written");
    }
}
