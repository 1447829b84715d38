//! What the scenario `mixed-gpus` is there to show, and what is wrong with alternatives said at its key.

use crate::flights::{fly, service, stack};
use insta::assert_snapshot;
use scenarios::Scenario;
use sim_core::outcome::Experiment;
use std::path::Path;

fn usd(experiment: &Experiment, name: &str) -> f64 {
    stack(experiment, name).runs[0].cost.usd
}

fn attainment(experiment: &Experiment, name: &str) -> f64 {
    service(stack(experiment, name)).attainment
}

/// Node-hours in a pool.
fn hours(experiment: &Experiment, name: &str, pool: &str) -> f64 {
    let pools = &stack(experiment, name).runs[0].cost.pools;
    pools.iter().find(|cost| cost.pool == pool).expect("a pool of the scenario").node_hours
}

#[test]
fn the_cheapest_gpu_that_keeps_the_promise_costs_a_fraction_and_the_next_one_steps_in_when_it_runs_out()
 {
    let experiment = fly("mixed-gpus");
    let cheapest = "cheapest-that-meets-slo";
    assert!(usd(&experiment, cheapest) < 0.5 * usd(&experiment, "h100-only"));
    assert!(attainment(&experiment, "h100-only") > 0.99);
    assert!(attainment(&experiment, cheapest) > 0.95);
    // Tokens come too slowly, however many L4s there are.
    assert!(attainment(&experiment, "l4-only") < 0.2);
    let (l40s, h100) = (hours(&experiment, cheapest, "l40s"), hours(&experiment, cheapest, "h100"));
    assert!(h100 > 0.0, "four L40S are not enough for the rush");
    assert!(l40s > 10.0 * h100, "the rush is short");
    assert!(
        hours(&experiment, cheapest, "l4") <= 0.0 && hours(&experiment, "h100-only", "l40s") <= 0.0
    );
}

/// The error of alternatives for a service.
fn error(service: &str, alternatives: &str) -> String {
    let text = format!(
        r#"
name = "my"
about = "mine"
horizon = "1h"
[pool.l40s]
instance = "g6e.xlarge"
max = 8
[service.chat]
alternatives = {{ {alternatives} }}
{service}
[[stack]]
name = "static"
about = "Fixed counts."
[stack.replicas.static-replicas]
replicas = 1
[stack.nodes.fixed-nodes]
"#
    );
    let error = Scenario::parse(&text, "my.toml", Path::new("")).expect_err("bad alternatives");
    let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    format!("{error}{hint}")
}

const CHAT: &str = r#"
[service.chat.llm]
model = "Llama-3.1-8B"
gpus = ["L40S"]
[service.chat.traffic.synthetic]
rate = "1 req/s"
prompt = { table = "azure-2024-chat" }
output = { table = "azure-2024-chat" }
"#;

const WEB: &str = r#"
[service.chat.plain]
service-time = { fixed = "10ms" }
[service.chat.traffic.synthetic]
rate = "1 req/s"
"#;

#[test]
fn what_is_wrong_with_a_shape_is_said_at_the_shape() {
    assert_snapshot!(error(CHAT, r#"any-of = [{}, { gpus = ["L40X"] }]"#), @"
    my.toml:9:42: `service.chat.alternatives.any-of.1.gpus.0`: found the unknown GPU `L40X`, expected one of the 23 that the catalogue has
    hint: did you mean `L40S`?
    ");
    assert_snapshot!(error(CHAT, r#"any-of = [{}, { gpus = ["H100-80GB-SXM"] }]"#), @"
    my.toml:9:34: `service.chat.alternatives.any-of.1.gpus`: found no pool with `H100-80GB-SXM`
    hint: add a pool whose `instance` has such GPUs, or a GPU model that a pool has
    ");
    assert_snapshot!(error(CHAT, "any-of = [{ gpu-part = { milli = 500 } }]"), @"
    my.toml:9:30: `service.chat.alternatives.any-of.0.gpu-part`: found no pool that gives a replica its GPUs; `l40s`: Insufficient alibabacloud.com/gpu-milli
    hint: divide a pool's GPUs so under `sharing`, or ask for what a pool has under `gpu-part`
    ");
    assert_snapshot!(error(CHAT, "any-of = []"), @"my.toml:9:18: `service.chat.alternatives.any-of`: found `[]`, expected one shape or more");
    assert_snapshot!(error(WEB, "any-of = [{}]"), @"my.toml:9:1: `service.chat.alternatives`: found `plain`, expected a service with `llm`");
    let cheapest =
        r#"prefer = { cheapest-that-meets-slo = { rate = "1 req/s", prompt = 9, output = 9 } }"#;
    assert_snapshot!(error(CHAT, &format!("any-of = [{{}}], {cheapest}")), @"my.toml:9:33: `service.chat.alternatives.prefer`: found `cheapest-that-meets-slo`, expected `in-order` for a service without `slo`");
}
