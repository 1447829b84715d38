//! `defaults.toml` is the manual: complete, and true.

use contract::{Micros, ProvisioningClass};
use placement::quota::{Preemption, Strategy, WhenCanBorrow};
use scenarios::settings::{Provisioning, Queue, WaitForPodsReady};
use scenarios::{DEFAULTS, Scenario, scenario_schema};
use std::path::Path;

/// The manual's scenario with everything left out that may be left out.
const SPARSE: &str = r#"
name = "defaults"
about = "Every setting there is."
horizon = "1h"
[pool.gpu]
instance = "g6e.xlarge"
max = 8
[service.chat.llm]
model = "Llama-3.1-8B"
gpus = ["L40S"]
[service.chat.traffic.synthetic]
rate = "2 req/s"
prompt = { table = "azure-2024-chat" }
output = { table = "azure-2024-chat" }
[service.web.plain]
service-time = { exponential = { mean = "50ms" } }
[service.web.traffic.synthetic]
rate = "5 req/s"
[job.train]
width = [{ pods = 4 }]
duration = { exponential = { mean = "1h" } }
submit = { every = { exponential = { mean = "30m" } } }
[[stack]]
name = "static"
about = "Fixed counts."
[stack.replicas.static-replicas]
replicas = 1
[stack.service.web.static-replicas]
replicas = 2
[stack.nodes.fixed-nodes]
"#;

fn parse(text: &str) -> Scenario {
    Scenario::parse(text, "test.toml", Path::new("")).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_manual_shows_the_values_that_the_code_takes() {
    assert_eq!(parse(DEFAULTS).to_toml(), parse(SPARSE).to_toml());
}

/// The manual's queue with everything left out that may be left out.
fn idle_queue() -> Queue {
    let quota =
        placement::quota::Quota { nominal: 8, borrowing_limit: Some(4), lending_limit: Some(4) };
    Queue {
        cohort: None,
        quota: [("gpu".to_owned(), quota)].into(),
        strategy: Strategy::default(),
        when_can_borrow: WhenCanBorrow::default(),
        preemption: Preemption::default(),
        provisioning: Some(Provisioning {
            class: ProvisioningClass::CheckCapacity,
            no_retry: false,
            retries: 3,
            backoff_base: Micros::from_secs(60),
            backoff_max: Micros::from_mins(30),
        }),
    }
}

#[test]
fn what_is_commented_out_in_the_manual_can_be_switched_on() {
    let switched_on = |line: &str| {
        let code =
            line.strip_prefix("# ").filter(|rest| rest.contains(" = ") || rest.starts_with('['));
        // Prose has no key of letters and dashes right before its first `=`.
        let key = |rest: &&str| {
            rest.starts_with('[')
                || rest.split(" = ").next().is_some_and(|key| !key.contains([' ', '`', '"']))
        };
        code.filter(key).unwrap_or(line).to_owned()
    };
    let text: Vec<_> = DEFAULTS.lines().map(switched_on).collect();
    let samples = Path::new("tests/it/manifests");
    let scenario = Scenario::parse(&text.join("\n"), "test.toml", samples);
    let settings = scenario.unwrap_or_else(|error| panic!("{error}")).settings().clone();
    let pool = &settings.pool["gpu"];
    assert!(
        pool.racks.is_some()
            && pool.spot.is_some()
            && !pool.stock.is_empty()
            && !pool.taints.is_empty()
    );
    let chat = &settings.service["chat"];
    assert!(chat.slo.ttft.is_some() && chat.client.timeout.is_some());
    assert!(!chat.tolerations.is_empty() && !settings.stack[0].initial_nodes.is_empty());
    assert_eq!(settings.stack[1].replicas.as_ref().map(policies::ReplicaPolicy::name), Some("hpa"));
    assert!(!settings.stack[0].sharing.is_empty() && settings.stack[0].gpus.is_some());
    let train = &settings.job["train"];
    assert!(train.checkpoint.is_some() && train.queue.is_some());
    assert_eq!(settings.wait_for_pods_ready, Some(WaitForPodsReady::default()));
    assert_eq!(settings.queue["team"], Queue { cohort: Some("all".to_owned()), ..idle_queue() });
}

#[test]
fn the_manual_names_every_setting() {
    let schema = scenario_schema();
    let own = [
        "Control",
        "Metrics",
        "MetricsPath",
        "Outage",
        "Pool",
        "Spot",
        "Service",
        "Requests",
        "Llm",
        "Plain",
        "Replicas",
        "Mig",
        "Hami",
        "Loose",
        "Job",
        "Width",
        "Checkpoint",
        "Alternatives",
        "Shape",
        "PlannedLoad",
        "Racks",
        "Flavor",
        "Queue",
        "Quota",
        "Preemption",
        "Provisioning",
        "WaitForPodsReady",
    ];
    let more = ["SloLimits", "Gateway", "Client", "Stack", "Manifest"];
    let tables = own.iter().chain(&more).map(|name| &schema["$defs"][name]);
    for table in tables.chain([&schema]) {
        let properties = table["properties"].as_object().expect("a table with settings");
        for setting in properties.keys() {
            let named = DEFAULTS.contains(&format!("{setting} = "))
                || DEFAULTS.contains(&format!("{setting}."))
                || DEFAULTS.contains(&format!(".{setting}]"))
                || DEFAULTS.contains(&format!("[{setting}]"));
            assert!(
                named || DEFAULTS.contains(&format!("[[{setting}]]")),
                "`{setting}` is missing"
            );
        }
    }
}

#[test]
fn the_resolved_form_reads_back_as_the_same_scenario() {
    let once = parse(DEFAULTS).to_toml();
    assert_eq!(parse(&once).to_toml(), once);
}
