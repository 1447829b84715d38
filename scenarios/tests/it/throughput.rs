//! Throughput by GPU model and class of work: the catalogue's rates, what jobs and services make of them, errors at their
//! keys.

use crate::flights::stack;
use contract::GpuModel;
use insta::assert_snapshot;
use scenarios::catalog::{Catalogue, Workload};
use scenarios::settings::Factor;
use scenarios::{Options, Scenario, compare};
use sim_core::outcome::{Experiment, JobClassSummary};
use std::path::Path;

fn workloads() -> impl Iterator<Item = (&'static str, &'static Workload)> {
    Catalogue::embedded().workloads().iter().map(|(name, class)| (name.as_str(), class))
}

#[test]
fn every_rate_has_a_source_and_a_known_gpu_and_compares_with_the_others_of_its_class() {
    let catalogue = Catalogue::embedded();
    for (name, class) in workloads() {
        assert!(!class.about.is_empty() && !class.unit.is_empty(), "{name}");
        let mut seen = vec![class.reference()];
        for measured in &class.measured {
            let source = &measured.source;
            assert!(catalogue.rates_source(measured).is_some(), "{name}: no source {source}");
            let anchor = measured.anchor.as_str();
            assert!(seen.contains(&anchor), "{name}: no earlier source measured {anchor}");
            assert!(measured.rate.contains_key(anchor), "{name}: {source} has no {anchor}");
            assert!(measured.rate.values().all(|&rate| rate > 0.0), "{name}: {source}");
            seen.extend(measured.rate.keys().map(String::as_str));
        }
        let rates = class.rates();
        for gpu in rates.keys() {
            assert!(catalogue.gpus().contains_key(*gpu), "{name}: unknown GPU `{gpu}`");
        }
        let pairs = rates.values().flat_map(|one| rates.values().map(move |other| one / other));
        for ratio in pairs {
            assert!(Factor::try_from(ratio).is_ok(), "{name}: {ratio}");
        }
    }
}

#[test]
fn a_second_source_is_brought_to_the_first_by_the_gpu_that_both_measured() {
    let class = &Catalogue::embedded().workloads()["bert-base-fp16"];
    assert_eq!(class.reference(), "A100-80GB-SXM");
    let thousandths = |gpu: &str| (class.rates()[gpu] * 1000.0).round();
    // 870 of 443; 930 of 844 of that.
    assert_snapshot!(format!("{} {}", thousandths("H100-80GB-SXM"), thousandths("H200-141GB-SXM")), @"1964 2164");
}

/// Two pools and a job that takes an hour on the reference GPU; `{SETTINGS}` is what else it says.
const MIXED: &str = r#"
name = "mixed"
about = "Two GPU models."
horizon = "4h"
[pool.a100]
instance = "p4de.24xlarge"
min = 1
max = 1
[pool.h100]
instance = "p5.48xlarge"
min = 1
max = 1
[job.train]
width = [{ pods = 4 }]
{SETTINGS}
duration = { fixed = "1h" }
start = { fixed = "10s" }
submit = { at = ["5m"] }
[[stack]]
name = "core"
about = "Whole gangs."
gangs = "core"
[stack.nodes.fixed-nodes]
"#;

fn scenario(settings: &str) -> Scenario {
    let text = MIXED.replace("{SETTINGS}", settings);
    Scenario::parse(&text, "my.toml", Path::new("")).unwrap_or_else(|error| panic!("{error}"))
}

fn fly(settings: &str) -> Experiment {
    let options = Options { seed: 1, runs: 1, stacks: Vec::new(), threads: 0 };
    compare(&scenario(settings), &options, &|_| ()).expect("it flies")
}

fn jobs(experiment: &Experiment) -> &JobClassSummary {
    &stack(experiment, "core").runs[0].jobs[0]
}

/// Seconds of work.
#[track_caller]
fn check(settings: &str, expected: f64) {
    let experiment = fly(settings);
    let found = jobs(&experiment);
    assert_eq!(found.completed, 1);
    let work = found.completion_s.mean - found.wait_s.mean;
    assert!((work - expected).abs() < 1.0, "{work} s, expected {expected}");
}

#[test]
fn an_hour_of_work_takes_what_the_gpu_makes_of_it() {
    check("gpus = 2", 3600.0);
    check("gpus = 2\ngpu-models = ['A100-SXM-80']\nworkload = 'bert-base-fp16'", 3600.0);
    check("gpus = 2\ngpu-models = ['H100']\nworkload = 'bert-base-fp16'", 3600.0 / 1.964);
    let on_h100 = "gpus = 2\nworkload = 'bert-base-fp16'\nreference-gpu = 'H100'";
    check(&format!("{on_h100}\ngpu-models = ['H100']"), 3600.0);
    check(&format!("{on_h100}\ngpu-models = ['A100-SXM-80']"), 3600.0 / 0.509);
    check("gpus = 2\ngpu-models = ['H100']\nthroughput = { H100 = 4 }", 900.0);
    let by_hand = "gpus = 2\nworkload = 'bert-base-fp16'\nthroughput = { H100 = 4 }";
    check(&format!("{by_hand}\ngpu-models = ['H100']"), 900.0);
}

#[test]
fn a_gang_that_needs_both_pools_goes_at_the_pace_of_the_slower() {
    check("gpus = 4\nworkload = 'bert-base-fp16'", 3600.0);
    check("gpus = 4\nthroughput = { A100-SXM-80 = 0.5, H100 = 2 }", 7200.0);
}

#[test]
fn the_pool_where_work_costs_least_is_preferred() {
    // An H100 costs more than an A100, but not four times as much.
    let slow = |h100: f64| format!("throughput = {{ A100-80GB-SXM = 1, H100-80GB-SXM = {h100} }}");
    check(&format!("gpus = 2\nprefer = 'cheapest'\n{}", slow(4.0)), 900.0);
    check(&format!("gpus = 2\nprefer = 'cheapest'\n{}", slow(0.5)), 3600.0);
}

#[test]
fn what_the_catalogue_says_is_written_down() {
    let found = scenario("workload = 'resnet50-fp16'\nthroughput = { H100 = 2 }");
    let text = found.to_toml();
    let (_, job) = text.split_once("[job.train]").expect("a job");
    let lines = job.lines().filter(|line| line.contains("GB-SXM"));
    assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
    reference-gpu = "A100-80GB-SXM"
    A100-80GB-SXM = 1.0
    H100-80GB-SXM = 2.0
    "#);
}

/// The error of a job with these settings.
#[track_caller]
fn error(settings: &str) -> String {
    let text = MIXED.replace("{SETTINGS}", settings);
    let found = Scenario::parse(&text, "my.toml", Path::new("")).expect_err("the scenario is bad");
    let hint = found.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    format!("{found}{hint}")
}

#[test]
fn a_gpu_without_a_factor_is_an_error_with_those_that_have_one() {
    assert_snapshot!(error("workload = 'mlperf-bert'"), @"
    my.toml:15:12: `job.train.workload`: found the unknown workload `mlperf-bert`, expected one of `bert-base-fp16`, `bert-large-fp16`, `gnmt-fp16`, `mlperf-bert-99`, `mlperf-resnet50`, `ncf-fp16`, `resnet50-fp16`, `ssd-fp16`, `tacotron2-fp16`, `transformerxl-base-fp16`, `transformerxl-large-fp16`, `waveglow-fp16`
    hint: did you mean `mlperf-bert-99`?
    ");
    assert_snapshot!(error("workload = 'transformerxl-base-fp16'"), @"
    my.toml:15:12: `job.train.workload`: found `transformerxl-base-fp16`, expected a class that was measured on `H100-80GB-SXM`, which some pool has for its pods
    hint: it was measured on `A10`, `A100-40GB-PCIe`, `A100-80GB-PCIe`, `A100-80GB-SXM`, `A6000`, `H100-80GB-PCIe`, `RTX-4090`, `V100-16GB-SXM`; for others write `throughput = { H100-80GB-SXM = FACTOR }`, or keep pods off such nodes
    ");
    assert_snapshot!(error("throughput = { H100 = 2.0 }"), @"
    my.toml:15:1: `job.train.throughput`: found no factor of `A100-80GB-SXM`, expected one of each GPU that some pool has for its pods
    hint: add `A100-80GB-SXM`, or keep pods off such nodes
    ");
    assert_snapshot!(error("workload = 'bert-base-fp16'\nreference-gpu = 'L40S'"), @"my.toml:16:17: `job.train.reference-gpu`: found `L40S`, expected one of `A10`, `A100-40GB-PCIe`, `A100-80GB-PCIe`, `A100-80GB-SXM`, `A6000`, `GH200`, `H100-80GB-PCIe`, `H100-80GB-SXM`, `H200-141GB-SXM`, `RTX-4090`, `V100-16GB-SXM`");
}

#[test]
fn factors_are_of_gpus_and_say_one_thing() {
    assert_snapshot!(error("throughput = { H100 = 0.0 }"), @"my.toml:15:23: `job.train.throughput.H100`: found `0`, expected a factor from 0.001 to 1000");
    assert_snapshot!(error("throughput = { H10 = 1.0 }"), @"
    my.toml:15:22: `job.train.throughput.H10`: found the unknown GPU `H10`, expected one of the 23 that the catalogue has
    hint: did you mean `H100-80GB-SXM`?
    ");
    assert_snapshot!(error("throughput = { H100 = 1.0, H100-80GB-SXM = 2.0 }"), @"my.toml:15:44: `job.train.throughput.H100-80GB-SXM`: found a second factor of `H100-80GB-SXM`, expected one");
    assert_snapshot!(error("reference-gpu = 'L40S'"), @"my.toml:15:17: `job.train.reference-gpu`: found `L40S`, expected it only beside `workload`");
    assert_snapshot!(error("gpus = 0\nworkload = 'bert-base-fp16'"), @"my.toml:16:12: `job.train.workload`: found `workload` of pods without GPUs, expected `gpus` above 0");
    assert_snapshot!(error("gpus = 0\nprefer = 'cheapest'"), @"my.toml:16:10: `job.train.prefer`: found `cheapest`, expected none for pods without GPUs");
    assert_snapshot!(error("prefer = 'cheap'"), @"
    my.toml:15:10: `job.train.prefer`: found the unknown name `cheap`, expected `any` or `cheapest`
    hint: did you mean `cheapest`?
    ");
}

#[test]
fn a_plain_service_serves_at_the_pace_of_its_gpu() {
    let text = r#"
name = "plain"
about = "A classifier on an H100."
horizon = "10m"
[pool.h100]
instance = "p5.48xlarge"
min = 1
max = 1
[service.classify]
initial = 1
[service.classify.plain]
service-time = { fixed = "1s" }
gpus = 1
workload = "mlperf-resnet50"
[service.classify.traffic.synthetic]
rate = "0.1 req/s"
[[stack]]
name = "static"
about = "One replica."
[stack.replicas.static-replicas]
replicas = 1
[stack.nodes.fixed-nodes]
"#;
    let scenario = Scenario::parse(text, "my.toml", Path::new("")).expect("valid");
    let rates = Catalogue::embedded().workloads()["mlperf-resnet50"].rates();
    let expected = 1000.0 / rates[&*GpuModel("H100-80GB-SXM".into()).0];
    let options = Options { seed: 1, runs: 1, stacks: Vec::new(), threads: 0 };
    let experiment = compare(&scenario, &options, &|_| ()).expect("it flies");
    let fastest = stack(&experiment, "static").runs[0].services[0].e2e.p50_ms;
    assert!((fastest / expected - 1.0).abs() < 0.01, "{fastest} ms, expected {expected}");
}
