//! What a scenario may write, and what is known about it before a run.

use crate::traffic;
use traces::{LengthTable, NamedTable, Profile, Traffic};

#[test]
fn the_schema_knows_every_profile_and_table() {
    let schema = serde_json::to_string(&schemars::schema_for!(Traffic)).unwrap();
    for name in Profile::all().keys().chain(LengthTable::all().keys()) {
        assert!(schema.contains(&format!("\"{name}\"")), "{name}");
    }
}

#[track_caller]
fn check(settings: &str, has_tokens: bool) {
    assert_eq!(traffic(settings).has_tokens(), has_tokens);
}

#[test]
fn requests_have_tokens_when_both_lengths_are_set() {
    check("synthetic = { rate = \"1 req/s\" }", false);
    check("synthetic = { rate = \"1 req/s\", prompt.fixed = 9 }", false);
    check("synthetic = { rate = \"1 req/s\", prompt.fixed = 9, output.fixed = 9 }", true);
    check("azure-csv = { path = \"x.csv\" }", true);
}

#[test]
fn requests_of_a_plain_service_have_no_tokens() {
    let arrivals = crate::fly("synthetic = { rate = \"1 req/s\" }", crate::SEED, crate::HOUR);
    assert!(!arrivals.is_empty());
    assert!(arrivals.iter().all(|a| a.prompt_tokens == 0 && a.output_tokens == 0));
}
