//! What the command says about itself.

use super::windtunnel;
use std::path::Path;

#[track_caller]
fn check(name: &str, args: &[&str]) {
    let output = windtunnel(Path::new("."), args);
    assert!(output.status.success());
    insta::assert_snapshot!(name, String::from_utf8_lossy(&output.stdout));
}

#[test]
fn help_fits_a_screen_and_names_every_command() {
    check("help", &["--help"]);
    check("help_compare", &["compare", "--help"]);
    check("help_run", &["run", "--help"]);
    check("help_pack", &["pack", "--help"]);
}

#[test]
fn policies_are_listed_with_a_line_each() {
    check("policies", &["policies"]);
}

#[test]
fn built_in_scenarios_are_listed_with_a_line_each() {
    check("scenarios", &["scenarios"]);
}

#[test]
fn every_policy_explains_itself_under_the_same_headings() {
    for policy in policies::catalogue() {
        let output = windtunnel(Path::new("."), &["explain", policy.name]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let place = |heading| text.find(&format!("## {heading}\n"));
        let places: Vec<_> = policies::HEADINGS.into_iter().map(place).collect();
        assert!(places.iter().all(Option::is_some), "{}: {places:?}", policy.name);
        assert!(places.is_sorted(), "{}: {places:?}", policy.name);
    }
}

#[test]
fn the_schema_is_json_and_knows_the_stacks() {
    let output = windtunnel(Path::new("."), &["schema"]);
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(schema["properties"]["stack"].is_object());
}

#[test]
fn completions_and_the_manual_page_name_the_main_job() {
    for args in [&["completions", "bash"][..], &["completions", "fish"], &["man"]] {
        let output = windtunnel(Path::new("."), args);
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("compare"), "{args:?}");
    }
}
