//! Experiments: the same whatever the threads, complete, and told as they fly.

use contract::{JournalEntry, Micros};
use scenarios::settings::Length;
use scenarios::{ExperimentError, Journal, Options, Scenario, builtin_text, compare, run};
use sim_core::outcome::{Experiment, RequestCounts};
use sim_core::random::Seed;
use std::io::BufRead;
use std::path::Path;
use std::sync::Mutex;

/// The first minutes of the embedded default.
fn morning(minutes: u64) -> Scenario {
    let scenario = Scenario::builtin("chat-day").expect("built in").expect("valid");
    let horizon = Length::try_from(Micros::from_mins(minutes)).expect("not zero");
    scenario.with_horizon(horizon)
}

fn options(runs: u32, threads: usize) -> Options {
    Options { seed: 7, runs, stacks: Vec::new(), threads }
}

fn fly(scenario: &Scenario, options: &Options) -> Experiment {
    compare(scenario, options, &|_| ()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn one_thread_and_two_give_the_same_experiment() {
    let scenario = morning(5);
    assert_eq!(fly(&scenario, &options(3, 1)), fly(&scenario, &options(3, 2)));
}

#[test]
fn every_request_ends_exactly_once_and_all_stacks_meet_the_same_arrivals() {
    let experiment = fly(&morning(10), &options(2, 0));
    let all_requests = |run: usize| {
        let of_stack =
            |stack: &sim_core::outcome::StackOutcome| stack.runs[run].services[0].requests;
        experiment.stacks.iter().map(of_stack).collect::<Vec<RequestCounts>>()
    };
    for run in 0..2 {
        let requests = all_requests(run);
        for counts in &requests {
            let ends = [
                counts.completed,
                counts.timed_out,
                counts.rejected,
                counts.impossible,
                counts.unfinished,
            ];
            assert_eq!(ends.iter().sum::<u64>(), counts.arrived);
            assert_eq!(counts.arrived, requests[0].arrived);
        }
    }
    assert_ne!(all_requests(0)[0].arrived, all_requests(1)[0].arrived, "replications differ");
}

#[test]
fn stacks_come_in_the_order_asked_for_and_unknown_ones_are_an_error() {
    let scenario = morning(1);
    let stacks = vec!["static-generous".to_owned(), "static-lean".to_owned()];
    let experiment = fly(&scenario, &Options { stacks, ..options(1, 2) });
    let names: Vec<_> = experiment.stacks.iter().map(|stack| stack.name.as_str()).collect();
    assert_eq!(names, ["static-generous", "static-lean"]);
    assert_eq!(
        experiment.repeat,
        "windtunnel compare chat-day --horizon 1m --seed 7 --runs 1 --stack static-generous --stack static-lean"
    );
    let stacks = vec!["static-leen".to_owned()];
    let error = compare(&scenario, &Options { stacks, ..options(1, 1) }, &|_| ());
    let error = error.expect_err("there is no such stack");
    assert_eq!(error.hint(), Some("did you mean `static-lean`?"));
}

#[test]
fn progress_rises_to_one_in_every_run() {
    let told = Mutex::new(vec![Vec::new(); 2]);
    let stacks = vec!["static-lean".to_owned()];
    let tell = |progress: scenarios::Progress<'_>| {
        assert_eq!((progress.stack, progress.jobs), ("static-lean", 2));
        told.lock().expect("no thread panics")[progress.job].push(progress.fraction);
    };
    compare(&morning(10), &Options { stacks, ..options(2, 2) }, &tell).expect("flies");
    for fractions in told.into_inner().expect("no thread panics") {
        assert!(fractions.len() > 2 && fractions.is_sorted(), "{fractions:?}");
        assert_eq!(fractions.last(), Some(&1.0));
    }
}

#[test]
fn a_journal_reads_back_turn_by_turn() {
    let mut journal = Journal::new(Vec::new()).expect("memory can be written");
    let seed = Seed { seed: 7, run: 3 };
    let experiment = run(&morning(5), "static-lean", seed, &mut journal, &|_| ()).expect("flies");
    let bytes = journal.finish().expect("memory can be written");
    let lines = zstd::stream::read::Decoder::new(bytes.as_slice()).expect("compressed");
    let entries: Vec<JournalEntry> = std::io::BufReader::new(lines)
        .lines()
        .map(|line| serde_json::from_str(&line.expect("text")).expect("an entry"))
        .collect();
    assert!(entries.len() > 2 && entries.is_sorted_by_key(|entry| entry.seen.now));
    assert_eq!(entries[0].policy, "static-replicas");
    assert_eq!(experiment.stacks[0].runs[0].run, 3);
    assert_eq!(
        experiment.repeat,
        "windtunnel run chat-day --horizon 5m --stack static-lean --seed 7 --run 3"
    );
}

#[test]
fn a_trace_that_is_not_there_is_found_before_the_run_at_its_key() {
    let text = builtin_text("chat-hour").expect("built in");
    let scenario = Scenario::parse(text, "chat-hour", Path::new("nowhere")).expect("valid");
    let error = compare(&scenario, &options(1, 1), &|_| ()).expect_err("there is no such file");
    assert!(matches!(error, ExperimentError::Scenario(_)));
    insta::assert_snapshot!(error, @"chat-hour:41:8: `service.chat.traffic.azure-csv.path`: found no file `nowhere/../shared/traces/azure-llm-2023/AzureLLMInferenceTrace_conv.csv.zst`");
    insta::assert_snapshot!(error.hint().unwrap_or_default(), @"a relative path starts at the folder of the scenario file, that of a built-in scenario at the current folder");
}
