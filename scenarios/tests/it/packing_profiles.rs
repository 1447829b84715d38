//! Packing strategies as profiles of the simulated scheduler.

use crate::flights::stack;
use insta::assert_snapshot;
use scenarios::{Options, Scenario, compare};
use std::path::Path;

/// Two nodes of two GPUs. Four small replicas are there from the start; two that want a whole GPU come a minute later.
const MIXED: &str = r#"
name = "mixed"
about = "Fractions of GPUs, and whole ones."
horizon = "10m"
[pool.gpu]
instance = "a2-ultragpu-2g"
max = 2
initial = 2
sharing = { milli = {} }
[service.small]
initial = 4
gpu-part = { milli = 300 }
[service.small.plain]
service-time = { fixed = "10ms" }
[service.small.traffic.synthetic]
rate = "1 req/s"
[service.large]
initial = 0
[service.large.plain]
service-time = { fixed = "10ms" }
gpus = 1
[service.large.traffic.synthetic]
rate = "1 req/s"
"#;

fn with_stacks(profiles: &[(&str, &str)]) -> String {
    let stack = |(name, profile): &(&str, &str)| {
        format!(
            "[[stack]]\nname = \"{name}\"\nabout = \"A profile.\"\nscheduler = {profile}\n\
             [stack.replicas.static-replicas]\nreplicas = 4\n\
             [stack.service.large.static-replicas]\nreplicas = 2\n[stack.nodes.fixed-nodes]\n"
        )
    };
    format!("{MIXED}{}", profiles.iter().map(stack).collect::<String>())
}

fn parse(profiles: &[(&str, &str)]) -> Result<Scenario, String> {
    Scenario::parse(&with_stacks(profiles), "my.toml", Path::new("")).map_err(|error| {
        let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        format!("{error}{hint}")
    })
}

#[test]
fn strategies_that_pack_leave_whole_gpus_where_spreading_leaves_none() {
    let scenario = parse(&[
        ("spread", "{}"),
        ("bestfit", r#"{ packing = "bestfit" }"#),
        ("gpupacking", r#"{ packing = "gpupacking" }"#),
        ("fgd", r#"{ packing = "fgd" }"#),
    ]);
    let scenario = scenario.unwrap_or_else(|error| panic!("{error}"));
    let options = Options { seed: 1, runs: 1, stacks: Vec::new(), threads: 0 };
    let experiment = compare(&scenario, &options, &|_| ()).expect("it flies");
    let large = |name| {
        let services = &stack(&experiment, name).runs[0].services;
        (services[0].replicas.ready_peak, services[1].replicas.ready_peak)
    };
    // Least allocated takes the emptier node, and there the emptier GPU.
    assert_eq!(large("spread"), (4, 0));
    for packed in ["bestfit", "gpupacking", "fgd"] {
        assert_eq!(large(packed), (4, 2), "`{packed}`");
    }
}

#[test]
fn a_strategy_and_the_scores_whose_place_it_takes_are_not_both_set() {
    let both = r#"{ packing = "fgd", allocation = "most-allocated" }"#;
    assert_snapshot!(parse(&[("both", both)]).expect_err("one too many"), @"
    my.toml:27:45: `stack.0.scheduler.allocation`: found `allocation` beside `packing`, expected one of them
    hint: a packing strategy takes the place of `allocation` and `balance`
    ");
    let unknown = r#"{ packing = "first-fit" }"#;
    assert_snapshot!(parse(&[("unknown", unknown)]).expect_err("no such strategy"), @"
    my.toml:27:25: `stack.0.scheduler.packing`: found the unknown name `first-fit`, expected one of `random`, `dotprod`, `gpuclustering`, `gpupacking`, `bestfit`, `fgd`
    hint: did you mean `bestfit`?
    ");
}
