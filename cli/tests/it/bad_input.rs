//! Each kind of bad input: one error with the place, what was found, what was expected, a hint; a non-zero
//! exit code; nothing on standard output, no run folder.

use super::{complaint, windtunnel};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A scenario that flies as it stands; tests break it in one place.
const SOUND: &str = r#"name = "small"
about = "A test."
horizon = "10m"

[pool.l40s]
instance = "g6e.xlarge"
zones = ["us-east-1a"]
max = 4
initial = 2

[service.chat]
initial = 2

[service.chat.requests]
cpu = "3"
memory = "20GiB"

[service.chat.llm]
model = "Llama-3.1-8B"
gpus = ["L40S"]

[service.chat.slo]
ttft = "2s"

[service.chat.traffic.azure-csv]
path = "trace.csv"

[[stack]]
name = "static"
about = "Two replicas."
[stack.replicas.static-replicas]
replicas = 2
[stack.nodes.fixed-nodes]
"#;

const HEADER: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n";
const ROWS: &str = "2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,109\r\n";

fn sound_trace() -> String {
    format!("{HEADER}{ROWS}")
}

/// Writes scenario and trace into an empty folder.
fn folder(scenario: &str, trace: &[u8]) -> TempDir {
    let folder = TempDir::new().expect("a folder for a test");
    fs::write(folder.path().join("small.toml"), scenario).expect("written");
    fs::write(folder.path().join("trace.csv"), trace).expect("written");
    folder
}

#[track_caller]
fn check(name: &str, folder: &Path, args: &[&str]) {
    let output = windtunnel(folder, args);
    assert!(!output.status.success(), "{name}: bad input does not succeed");
    assert!(output.stdout.is_empty(), "{name}: no output that looks like a result");
    assert!(!folder.join("runs").exists(), "{name}: no run folder");
    insta::assert_snapshot!(name, complaint(&output));
}

#[track_caller]
fn check_scenario(name: &str, sound: &str, broken: &str) {
    assert!(SOUND.contains(sound), "the sound scenario holds what is to be broken");
    let folder = folder(&SOUND.replacen(sound, broken, 1), sound_trace().as_bytes());
    check(name, folder.path(), &["compare", "small.toml", "--runs", "1"]);
}

#[track_caller]
fn check_trace(name: &str, trace: &[u8]) {
    let folder = folder(SOUND, trace);
    check(name, folder.path(), &["compare", "small.toml", "--runs", "1"]);
}

#[test]
fn the_scenario_that_tests_break_is_sound() {
    let folder = folder(SOUND, sound_trace().as_bytes());
    let output = windtunnel(folder.path(), &["compare", "small.toml", "--runs", "1"]);
    assert!(output.status.success(), "{}", complaint(&output));
    assert!(folder.path().join("runs/small-seed1/report.html").is_file());
}

#[test]
fn a_misspelt_key_is_named_with_its_place_and_the_likely_key() {
    check_scenario("misspelt_key", "initial = 2\n\n[service.chat]", "inital = 2\n\n[service.chat]");
}

#[test]
fn a_duration_without_its_unit_is_refused() {
    check_scenario("wrong_unit", r#"ttft = "2s""#, r#"ttft = "2""#);
}

#[test]
fn a_negative_price_is_refused() {
    check_scenario("negative_price", "max = 4", "max = 4\nprice = \"-1 USD/h\"");
}

#[test]
fn an_unknown_gpu_is_refused() {
    check_scenario("unknown_gpu", r#"gpus = ["L40S"]"#, r#"gpus = ["L40"]"#);
}

#[test]
fn an_unknown_policy_is_refused() {
    check_scenario("unknown_policy", "stack.replicas.static-replicas", "stack.replicas.statc");
}

#[test]
fn a_truncated_trace_is_refused() {
    let trace = sound_trace();
    check_trace("truncated_trace", &trace.as_bytes()[..trace.len() - 6]);
}

#[test]
fn a_truncated_compressed_trace_is_refused() {
    let scenario = SOUND.replacen("trace.csv", "trace.csv.zst", 1);
    let folder = folder(&scenario, b"");
    let packed = zstd::encode_all(sound_trace().repeat(50).as_bytes(), 3).expect("packed");
    fs::write(folder.path().join("trace.csv.zst"), &packed[..packed.len() - 4]).expect("written");
    check("truncated_zst", folder.path(), &["compare", "small.toml", "--runs", "1"]);
}

#[test]
fn an_unsorted_trace_is_refused() {
    let mut rows: Vec<_> = ROWS.split_inclusive('\n').collect();
    rows.reverse();
    check_trace("unsorted_trace", format!("{HEADER}{}", rows.concat()).as_bytes());
}

#[test]
fn an_empty_trace_is_refused() {
    check_trace("empty_trace", HEADER.as_bytes());
}

#[test]
fn a_trace_that_is_not_there_is_refused_at_its_key() {
    let folder = folder(SOUND, sound_trace().as_bytes());
    fs::remove_file(folder.path().join("trace.csv")).expect("removed");
    check("missing_trace", folder.path(), &["compare", "small.toml", "--runs", "1"]);
}

#[test]
fn a_scenario_that_is_not_there_is_refused() {
    let folder = TempDir::new().expect("a folder for a test");
    check("missing_scenario", folder.path(), &["compare", "absent.toml"]);
    check("unknown_scenario", folder.path(), &["compare", "chat-dya"]);
}

#[test]
fn a_seed_that_is_no_number_is_refused() {
    let folder = TempDir::new().expect("a folder for a test");
    check("seed_no_number", folder.path(), &["compare", "--seed", "monday"]);
    check("runs_zero", folder.path(), &["compare", "--runs", "0"]);
    check("horizon_without_unit", folder.path(), &["compare", "--horizon", "90"]);
}

#[test]
fn an_unknown_stack_is_refused() {
    let folder = folder(SOUND, sound_trace().as_bytes());
    check("unknown_stack", folder.path(), &["run", "small.toml", "--stack", "statik"]);
}

#[test]
fn an_unknown_policy_cannot_be_explained() {
    let folder = TempDir::new().expect("a folder for a test");
    check("explain_unknown", folder.path(), &["explain", "hpaa"]);
}

#[test]
fn a_folder_that_is_not_a_run_folder_is_neither_read_nor_overwritten() {
    let folder = folder(SOUND, sound_trace().as_bytes());
    check("report_on_nothing", folder.path(), &["report", "absent"]);
    let precious = folder.path().join("precious");
    fs::create_dir(&precious).expect("made");
    fs::write(precious.join("thesis.txt"), "years of work").expect("written");
    let args = ["compare", "small.toml", "--runs", "1", "--out", "precious"];
    let output = windtunnel(folder.path(), &args);
    assert!(!output.status.success());
    insta::assert_snapshot!("not_a_run_folder", complaint(&output));
    assert_eq!(fs::read_to_string(precious.join("thesis.txt")).expect("kept"), "years of work");
}
