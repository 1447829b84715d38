//! Daemon sets take their part of every node, and node autoscalers buy for what is left.

use scenarios::{Options, Scenario, compare};
use std::path::Path;

/// Two pods, both of which fit on one node as long as nothing else is on it.
fn scenario(daemon_set: &str, nodes: &str) -> Result<Scenario, String> {
    let text = format!(
        r#"
        name = "two-pods"
        about = "Two pods that just fit on one node."
        horizon = "10m"
        [pool.cpu]
        instance = "m6i.2xlarge"
        max = 4
        {daemon_set}
        [service.web]
        initial = 0
        [service.web.requests]
        cpu = "3900m"
        memory = "1GiB"
        [service.web.plain]
        service-time = {{ exponential = {{ mean = "1s" }} }}
        concurrency = 4
        [service.web.traffic.synthetic]
        rate = "1 req/s"
        [[stack]]
        name = "two"
        about = "Two replicas."
        [stack.replicas.static-replicas]
        replicas = 2
        [stack.nodes.{nodes}]
        "#
    );
    Scenario::parse(&text, "two-pods.toml", Path::new(".")).map_err(|error| error.to_string())
}

/// How many nodes are bought.
#[track_caller]
fn check(daemon_set: &str, expected: usize) {
    for nodes in ["karpenter", "cluster-autoscaler"] {
        let scenario = scenario(daemon_set, nodes).expect("valid");
        let options = Options { seed: 1, runs: 1, stacks: Vec::new(), threads: 1 };
        let experiment = compare(&scenario, &options, &|_| ()).expect("a flight");
        let bought: usize = experiment.stacks[0]
            .decisions
            .iter()
            .filter_map(|row| row.action.strip_prefix("add-nodes "))
            .map(|count| count.split(' ').next().and_then(|count| count.parse().ok()))
            .map(|count: Option<usize>| count.expect("a count"))
            .sum();
        assert_eq!(bought, expected, "{nodes}");
    }
}

#[test]
fn what_a_daemon_holds_is_not_there_for_pods() {
    check("", 1);
    check("[daemon-set.logs]\nrequests = { cpu = \"200m\", memory = \"100MiB\" }", 2);
    let elsewhere = "[pool.other]\ninstance = \"m6i.large\"\nmax = 1\n[daemon-set.logs]\n\
        requests = { cpu = \"200m\", memory = \"100MiB\" }\npools = [\"other\"]";
    check(elsewhere, 1);
}

#[test]
fn a_daemon_set_without_room_or_pool_is_refused() {
    let set = |rest: &str| {
        let text = format!("[daemon-set.logs]\n{rest}");
        scenario(&text, "fixed-nodes").expect_err("refused")
    };
    let error = set("requests = { cpu = \"9\", memory = \"1GiB\" }");
    assert!(error.contains("expected at most what is left of a node of `cpu`"), "{error}");
    let error = set("requests = { cpu = \"1\", memory = \"1GiB\" }\npools = [\"gpu\"]");
    assert!(error.contains("`gpu`") && error.contains("`cpu`"), "{error}");
}
