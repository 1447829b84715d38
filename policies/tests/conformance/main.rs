//! What upstream decides on given inputs, and whether the policies decide the same.
//!
//! Each line of `cases/*.jsonl` is a case: a `function`, `inputs`, and what is `expected`. A case runs the very
//! code that policies run. `CONFORMANCE_DIR=<folder>` runs the files of another folder instead; a function that
//! is not known here fails. `cases/README.md` says where the cases come from.

#![expect(
    clippy::struct_excessive_bools,
    clippy::struct_field_names,
    reason = "inputs are named as cases name them"
)]

mod ca;
mod ca_estimator;
mod ca_expander;
mod ca_scale_down;
mod ca_scale_up;
mod case;
mod hpa_behavior;
mod hpa_calculator;
mod hpa_reconcile;
mod karpenter_consolidate;
mod karpenter_provision;
mod keda;
mod kpa;
mod scheduler;

use case::{Case, Check};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Failures that are printed in full for each function.
const FAILURES_SHOWN: usize = 3;

/// How each function is run.
fn checks() -> BTreeMap<&'static str, Check> {
    let tables = [
        ca_estimator::CHECKS,
        ca_expander::CHECKS,
        ca_scale_down::CHECKS,
        ca_scale_up::CHECKS,
        hpa_behavior::CHECKS,
        hpa_calculator::CHECKS,
        hpa_reconcile::CHECKS,
        karpenter_consolidate::CHECKS,
        karpenter_provision::CHECKS,
        keda::CHECKS,
        kpa::CHECKS,
        scheduler::CHECKS,
    ];
    tables.into_iter().flatten().copied().collect()
}

/// Cases of one function.
#[derive(Default)]
struct Tally {
    passed: usize,
    failures: Vec<String>,
}

#[expect(clippy::disallowed_methods, reason = "a test reads its cases, and where they are")]
fn main() -> ExitCode {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/cases");
    let folder = std::env::var_os("CONFORMANCE_DIR").map_or(own, PathBuf::from);
    let mut files = Vec::new();
    for entry in folder.read_dir().expect("a folder of cases") {
        let path = entry.expect("an entry of the folder").path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    let mut tallies = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a file of cases");
        run(&text, &mut tallies);
    }
    report(&tallies)
}

fn run(text: &str, tallies: &mut BTreeMap<String, Tally>) {
    let checks = checks();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let case: Case = serde_json::from_str(line).expect("a case is a JSON object on one line");
        let tally = tallies.entry(case.function.clone()).or_default();
        match case.run(checks.get(case.function.as_str())) {
            Ok(()) => tally.passed += 1,
            Err(failure) => tally.failures.push(failure),
        }
    }
}

#[expect(clippy::print_stdout, reason = "the table is what this test is for")]
fn report(tallies: &BTreeMap<String, Tally>) -> ExitCode {
    for (function, tally) in tallies {
        println!("{function}: {} passed, {} failed", tally.passed, tally.failures.len());
        for failure in tally.failures.iter().take(FAILURES_SHOWN) {
            println!("{failure}\n");
        }
    }
    let passed: usize = tallies.values().map(|tally| tally.passed).sum();
    let failed: usize = tallies.values().map(|tally| tally.failures.len()).sum();
    println!("total: {passed} passed, {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
