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
    assert_snapshot!(pool(r#"mig = { layout = ["3g.40gb", "3g.40gb", "1g.10gb"] }"#), @r#"
    my.toml:8:53: `pool.gpu.sharing.mig.layout.2`: found `1g.10gb`, which has no place beside `3g.40gb`, `3g.40gb`: `A100-80GB` has 7 compute and 8 memory slices
    hint: instances are runs of memory slices that begin at certain ones
    "#);
}

#[test]
fn a_profile_of_another_board_is_unknown_on_this_one() {
    assert_snapshot!(pool(r#"mig = { layout = ["3g.20gb"] }"#), @r#"
    my.toml:8:31: `pool.gpu.sharing.mig.layout.0`: found the unknown `A100-80GB` profile `3g.20gb`, expected one of `1g.10gb`, `1g.10gb+me`, `1g.20gb`, `2g.20gb`, `3g.40gb`, `4g.40gb`, `7g.80gb`
    hint: did you mean `3g.40gb`?
    "#);
}

#[test]
fn mps_has_a_most_of_clients() {
    assert_snapshot!(pool("mps = { replicas = 49 }"), @"my.toml:8:32: `pool.gpu.sharing.mps.replicas`: found `49`, expected at most 48, the clients of one MPS server");
}

#[test]
fn a_part_that_no_pool_gives_is_said_in_the_words_of_the_scheduler() {
    assert_snapshot!(service(HALVES, r#"mig = { profile = "4g.40gb" }"#), @r#"
    my.toml:10:1: `service.chat.gpu-part`: found no pool that gives a replica its GPUs; `gpu`: Insufficient nvidia.com/mig-4g.40gb
    hint: divide a pool's GPUs so under `sharing`, or ask for what a pool has under `gpu-part`
    "#);
    assert_snapshot!(service(HALVES, "shares = 1"), @r#"
    my.toml:10:1: `service.chat.gpu-part`: found no pool that gives a replica its GPUs; `gpu`: Insufficient nvidia.com/gpu.shared
    hint: divide a pool's GPUs so under `sharing`, or ask for what a pool has under `gpu-part`
    "#);
    assert_snapshot!(service("dra = {}", r#"claim = { class = "mig-9g" }"#), @r#"
    my.toml:10:1: `service.chat.gpu-part`: found no pool that gives a replica its GPUs; `gpu`: cannot allocate all claims
    hint: divide a pool's GPUs so under `sharing`, or ask for what a pool has under `gpu-part`
    "#);
    assert_snapshot!(parse("sharing = { mps = { replicas = 2 } }", "", "").expect_err("whole"), @r#"
    my.toml:9:10: `service.chat.gpu-part`: found no pool that gives a replica its GPUs; `gpu`: Insufficient nvidia.com/gpu
    hint: divide a pool's GPUs so under `sharing`, or ask for what a pool has under `gpu-part`
    "#);
}

#[test]
fn a_model_that_does_not_fit_into_the_part_is_said_with_its_size() {
    let small = r#"mig = { layout = ["1g.10gb"] }"#;
    assert_snapshot!(service(small, r#"mig = { profile = "1g.10gb" }"#), @r#"
    my.toml:13:9: `service.chat.llm.gpus.0`: `Llama-3.1-8B` in bf16 does not fit into 1 × 9.6 GiB of `A100-80GB-SXM`
    hint: ask for a larger part under `gpu-part`
    "#);
}

#[test]
fn a_part_that_makes_no_sense_is_said_at_its_number() {
    assert_snapshot!(service("milli = {}", "milli = 0"), @"my.toml:10:22: `service.chat.gpu-part.milli`: found `0`, expected thousandths of a GPU from 1");
    assert_snapshot!(service("burst = {}", "burst = { request = 500, limit = 400 }"), @"my.toml:10:47: `service.chat.gpu-part.burst.limit`: found `400`, expected at least 1 and at least `request`, which is 500");
    assert_snapshot!(service("hami = {}", "hami = { cores = 101 }"), @"my.toml:10:31: `service.chat.gpu-part.hami.cores`: found `101`, expected per cent, 0 to 100");
    assert_snapshot!(service("hami = {}", "hami = { memory = { percent = 0 } }"), @"my.toml:10:44: `service.chat.gpu-part.hami.memory.percent`: found `0`, expected per cent, 1 to 100");
    assert_snapshot!(service(HALVES, r#"mig = { profile = "3g.40gb", count = 2 }"#), @"my.toml:11:15: `service.chat.llm.tensor-parallel`: found `1`, expected 2, the parts that `gpu-part` asks for");
}

#[test]
fn a_stack_of_its_own_way_is_told_at_the_stack() {
    let stack = |text: &str| parse("", "", text).expect_err("a bad stack");
    assert_snapshot!(stack("sharing = { cpu = { dra = {} } }"), @r#"
    my.toml:21:13: `stack.0.sharing.cpu`: found the unknown pool `cpu`, expected one of `gpu`
    hint: did you mean `gpu`?
    "#);
    assert_snapshot!(stack("gpu-part = { code = { shares = 1 } }"), @"my.toml:21:14: `stack.0.gpu-part.code`: found the unknown service `code`, expected one of `chat`");
    assert_snapshot!(stack(r#"sharing = { gpu = { mig = { layout = ["9g"] } } }"#), @"my.toml:21:39: `stack.0.sharing.gpu.mig.layout.0`: found the unknown `A100-80GB` profile `9g`, expected one of `1g.10gb`, `1g.10gb+me`, `1g.20gb`, `2g.20gb`, `3g.40gb`, `4g.40gb`, `7g.80gb`");
    assert_snapshot!(stack("gpu-part = { chat = { shares = 1 } }"), @r#"
    my.toml:21:14: `stack.0.gpu-part.chat`: found no pool that gives a replica its GPUs; `gpu`: Insufficient nvidia.com/gpu.shared
    hint: divide a pool's GPUs so under `sharing`, or ask for what a pool has under `gpu-part`
    "#);
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
