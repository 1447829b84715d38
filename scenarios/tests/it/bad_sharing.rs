//! What is wrong with a way of dividing GPUs is said at its key.

use insta::assert_snapshot;
use scenarios::Scenario;
use std::path::Path;

/// An A100 of 80 GB, a model on it, and what is wrong.
const BASE: &str = r#"
name = "my"
about = "mine"
horizon = "1h"
[pool.gpu]
instance = "a2-ultragpu-1g"
max = 8
SHARING
[service.chat]
PART
[service.chat.llm]
model = "Llama-3.1-8B"
gpus = ["A100-80GB-SXM"]
[service.chat.traffic.synthetic]
rate = "2 req/s"
prompt = { table = "azure-2024-chat" }
output = { table = "azure-2024-chat" }
[[stack]]
name = "static"
about = "Fixed counts."
STACK
[stack.replicas.static-replicas]
replicas = 1
[stack.nodes.fixed-nodes]
"#;

fn parse(sharing: &str, part: &str, stack: &str) -> Result<Scenario, String> {
    let text = BASE.replace("SHARING", sharing).replace("PART", part).replace("STACK", stack);
    Scenario::parse(&text, "my.toml", Path::new("")).map_err(|error| {
        let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        format!("{error}{hint}")
    })
}

/// The error of a pool that divides its GPUs so.
#[track_caller]
fn pool(sharing: &str) -> String {
    parse(&format!("sharing = {{ {sharing} }}"), "", "").expect_err("a bad way of sharing")
}

/// The error of a service that asks a pool for a part.
#[track_caller]
fn service(sharing: &str, part: &str) -> String {
    let found =
        parse(&format!("sharing = {{ {sharing} }}"), &format!("gpu-part = {{ {part} }}"), "");
    found.expect_err("a bad request")
}

const HALVES: &str = r#"mig = { layout = ["3g.40gb", "3g.40gb"] }"#;

#[test]
fn a_layout_that_does_not_fit_is_named_by_the_instance_that_has_no_place() {
    assert_snapshot!(pool(r#"mig = { layout = ["3g.40gb", "3g.40gb", "1g.10gb"] }"#), @"");
}

#[test]
fn a_profile_of_another_board_is_unknown_on_this_one() {
    assert_snapshot!(pool(r#"mig = { layout = ["3g.20gb"] }"#), @"");
}

#[test]
fn mps_has_a_most_of_clients() {
    assert_snapshot!(pool("mps = { replicas = 49 }"), @"");
}

#[test]
fn a_part_that_no_pool_gives_is_said_in_the_words_of_the_scheduler() {
    assert_snapshot!(service(HALVES, r#"mig = { profile = "4g.40gb" }"#), @"");
    assert_snapshot!(service(HALVES, "shares = 1"), @"");
    assert_snapshot!(service("dra = {}", r#"claim = { class = "mig-9g" }"#), @"");
    assert_snapshot!(parse("sharing = { mps = { replicas = 2 } }", "", "").expect_err("whole"), @"");
}

#[test]
fn a_model_that_does_not_fit_into_the_part_is_said_with_its_size() {
    let small = r#"mig = { layout = ["1g.10gb"] }"#;
    assert_snapshot!(service(small, r#"mig = { profile = "1g.10gb" }"#), @"");
}

#[test]
fn a_part_that_makes_no_sense_is_said_at_its_number() {
    assert_snapshot!(service("milli = {}", "milli = 0"), @"");
    assert_snapshot!(service("burst = {}", "burst = { request = 500, limit = 400 }"), @"");
    assert_snapshot!(service("hami = {}", "hami = { cores = 101 }"), @"");
    assert_snapshot!(service("hami = {}", "hami = { memory = { percent = 0 } }"), @"");
    assert_snapshot!(service(HALVES, r#"mig = { profile = "3g.40gb", count = 2 }"#), @"");
}

#[test]
fn a_stack_of_its_own_way_is_told_at_the_stack() {
    let stack = |text: &str| parse("", "", text).expect_err("a bad stack");
    assert_snapshot!(stack("sharing = { cpu = { dra = {} } }"), @"");
    assert_snapshot!(stack("gpu-part = { code = { shares = 1 } }"), @"");
    assert_snapshot!(stack(r#"sharing = { gpu = { mig = { layout = ["9g"] } } }"#), @"");
    assert_snapshot!(stack("gpu-part = { chat = { shares = 1 } }"), @"");
}

#[test]
fn every_way_of_dividing_a_gpu_can_be_flown() {
    for (sharing, part) in [
        ("time-sliced = { replicas = 3 }", "shares = 1"),
        ("mps = { replicas = 2 }", "shares = 1"),
        (HALVES, r#"mig = { profile = "3g.40gb" }"#),
        (r#"mig = { repartition = { fixed = "9s" } }"#, r#"mig = { profile = "3g.40gb" }"#),
        ("hami = {}", r#"hami = { memory = { size = "30GiB" }, cores = 40 }"#),
        ("milli = {}", "milli = 400"),
        ("burst = {}", "burst = { request = 400, limit = 1000 }"),
        ("dra = {}", r#"claim = { class = "mig-3g.40gb" }"#),
    ] {
        let found =
            parse(&format!("sharing = {{ {sharing} }}"), &format!("gpu-part = {{ {part} }}"), "");
        let scenario = found.unwrap_or_else(|error| panic!("{sharing}: {error}"));
        let text = scenario.to_toml();
        let again = Scenario::parse(&text, "again.toml", Path::new("")).expect("reads back");
        assert_eq!(again.to_toml(), text);
    }
}
