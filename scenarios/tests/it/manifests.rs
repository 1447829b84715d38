//! Replica policies from the YAML that people have: converted, flown, and refused at the line that is wrong.

use insta::assert_snapshot;
use scenarios::settings::Stack;
use scenarios::{Options, Scenario, ScenarioError, compare};
use sim_core::outcome::DecisionRow;
use std::fs;
use std::path::Path;

/// Where the samples stand.
const SAMPLES: &str = "tests/it/manifests";

/// A scenario of one service, whose replicas a manifest decides on.
const ONE_SERVICE: &str = r#"
name = "from-yaml"
about = "What the cluster runs today."
horizon = "20m"
[metrics]
scrape-interval = "5s"
[metric-map]
requests-per-second = "arrival-rate"
queue_messages_ready = "queue-length"
[pool.cpu]
instance = "m6i.2xlarge"
initial = 2
max = 2
[service.chat.requests]
cpu = "500m"
memory = "1GiB"
[service.chat.plain]
service-time = { exponential = { mean = "1s" } }
concurrency = 4
[service.chat.traffic.synthetic]
rate = "12 req/s"
[[stack]]
name = "yaml"
about = "As the YAML says."
[stack.replicas.manifest]
file = "hpa-walkthrough.yaml"
[stack.nodes.fixed-nodes]
"#;

const OWN_METRICS: &str =
    "requests-per-second = \"arrival-rate\"\nqueue_messages_ready = \"queue-length\"\n";

const KEDA_METRICS: &str = "\
'sum(rate(http_requests_total{deployment=\"my-deployment\"}[2m]))' = \"arrival-rate\"
";

/// A scenario with another manifest and other metrics.
fn with(files: &str, metrics: &str) -> String {
    ONE_SERVICE.replace("file = \"hpa-walkthrough.yaml\"", files).replace(OWN_METRICS, metrics)
}

fn keda() -> String {
    with("file = \"keda-prometheus.yaml\"", KEDA_METRICS)
}

fn knative() -> String {
    with("files = [\"knative-service.yaml\", \"config-autoscaler.yaml\"]", "")
}

fn two_services() -> String {
    let web = "[service.web.plain]\nservice-time = { fixed = \"50ms\" }\n\
               [service.web.traffic.synthetic]\nrate = \"2 req/s\"\n[[stack]]";
    let files = "file = \"hpa-two-services.yaml\"\ntargets = { vllm-chat = \"chat\" }\n\
                 controller = { sync-period = \"30s\" }";
    let metrics = "engine_load = { metric = \"busy\", unit = 0.01 }\n";
    with(files, metrics).replace("[[stack]]", web)
}

fn one_autoscaler_for_two_services() -> String {
    let metrics = "engine_load = { metric = \"busy\", unit = 0.01 }\n";
    two_services()
        .replace("hpa-two-services.yaml", "hpa-walkthrough.yaml")
        .replace("targets = { vllm-chat = \"chat\" }", "")
        .replace(metrics, OWN_METRICS)
}

#[track_caller]
fn parse(text: &str) -> Scenario {
    Scenario::parse(text, "my.toml", Path::new(SAMPLES))
        .unwrap_or_else(|error| panic!("{}", say(&error)))
}

fn say(error: &ScenarioError) -> String {
    let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    format!("{error}{hint}")
}

/// The first stack of a scenario, resolved.
#[track_caller]
fn stack(text: &str) -> String {
    let scenario = parse(text);
    let stack: &Stack = &scenario.stacks()[0];
    toml::to_string(stack).expect("a stack has a TOML form")
}

#[test]
fn a_horizontal_pod_autoscaler_becomes_policy_hpa() {
    assert_snapshot!(stack(ONE_SERVICE));
}

#[test]
fn a_scaled_object_becomes_policy_keda() {
    assert_snapshot!(stack(&keda()));
}

#[test]
fn knative_annotations_over_the_config_map_become_policy_kpa() {
    assert_snapshot!(stack(&knative()));
}

#[test]
fn each_autoscaler_goes_to_the_service_that_its_target_names() {
    assert_snapshot!(stack(&two_services()));
}

#[test]
fn a_single_service_can_have_its_manifest_beside_a_shared_policy() {
    let text = two_services().replace("[stack.replicas.manifest]", "[stack.service.chat.manifest]");
    let text = format!("{text}[stack.replicas.static-replicas]\nreplicas = 2\n");
    let resolved = parse(&text);
    let stack = &resolved.stacks()[0];
    let replicas = stack.replicas.as_ref().expect("the manual has one");
    assert_eq!((replicas.name(), stack.service["chat"].name()), ("static-replicas", "hpa"));
    assert_eq!(stack.service.len(), 1);
}

#[test]
fn what_people_keep_beside_an_autoscaler_is_passed_over() {
    let folder = tempfile::tempdir().expect("a folder for the manifests");
    let sample = fs::read_to_string(Path::new(SAMPLES).join("hpa-walkthrough.yaml"));
    let sample = sample.expect("a sample").replace("  labels: { app: chat }", "  annotations:");
    let beside =
        "apiVersion: keda.sh/v1alpha1\nkind: TriggerAuthentication\nmetadata: { name: prom }\n";
    let rule = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec: { groups: [] }\n";
    let text = format!("---\n{beside}---\n{rule}---\n{sample}---\n");
    fs::write(folder.path().join("hpa-walkthrough.yaml"), text).expect("a writable folder");
    let resolved = Scenario::parse(ONE_SERVICE, "my.toml", folder.path());
    let resolved = resolved.unwrap_or_else(|error| panic!("{}", say(&error)));
    assert_eq!(resolved.to_toml(), parse(ONE_SERVICE).to_toml());
}

#[test]
fn a_trigger_can_go_by_its_own_name() {
    let resolved = stack(&with("file = \"keda-prometheus.yaml\"", "requests = \"in-flight\"\n"));
    assert!(resolved.contains("metric = \"in-flight\"\nname = \"requests\""), "{resolved}");
}

#[test]
fn a_manifest_in_the_wrong_form_of_a_scenario_is_an_error_of_the_scenario() {
    let text = two_services().replace("about = \"As the", "service = 3\nabout = \"As the");
    let error =
        Scenario::parse(&text, "my.toml", Path::new(SAMPLES)).expect_err("`service` is no table");
    assert_snapshot!(say(&error));
}

#[test]
fn the_resolved_scenario_needs_the_manifests_no_more() {
    for text in [ONE_SERVICE.to_owned(), keda(), knative(), two_services()] {
        let resolved = parse(&text).to_toml();
        let nowhere = Path::new("/nowhere");
        let again = Scenario::parse(&resolved, "run.toml", nowhere).expect("needs no other file");
        assert_eq!(again.to_toml(), resolved);
        assert!(!resolved.contains("manifest") && !resolved.contains("metric-map"));
    }
}

#[test]
fn a_scenario_flies_from_each_kind_of_yaml() {
    for (text, policy) in [(ONE_SERVICE.to_owned(), "hpa"), (keda(), "keda"), (knative(), "kpa")] {
        let options = Options { seed: 1, runs: 1, stacks: Vec::new(), threads: 1 };
        let experiment = compare(&parse(&text), &options, &|_| ()).expect("the scenario flies");
        let stack = &experiment.stacks[0];
        let scales = |row: &DecisionRow| row.policy == policy && !row.action.is_empty();
        assert!(stack.decisions.iter().any(scales), "{policy} scales");
        let requests = stack.runs[0].services[0].requests;
        assert!(requests.completed * 100 > requests.arrived * 95, "{policy}: {requests:?}");
    }
}

/// The messages, one after the other.
fn page(messages: &[String]) -> String {
    messages.join("\n\n")
}

/// What the scenario says when `from` stands as `to` in one of its manifests.
#[track_caller]
fn error_in(text: &str, file: &str, from: &str, to: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder for the manifests");
    for sample in fs::read_dir(SAMPLES).expect("the samples").map(|entry| entry.expect("a sample"))
    {
        let mut yaml = fs::read_to_string(sample.path()).expect("a readable sample");
        if sample.file_name() == file {
            assert!(yaml.contains(from), "`{file}` has no `{from}`");
            yaml = yaml.replacen(from, to, 1);
        }
        fs::write(folder.path().join(sample.file_name()), yaml).expect("a writable folder");
    }
    let error = Scenario::parse(text, "my.toml", folder.path()).expect_err("the manifest is bad");
    say(&error).replace(&format!("{}/", folder.path().display()), "")
}

#[track_caller]
fn hpa_error(from: &str, to: &str) -> String {
    error_in(ONE_SERVICE, "hpa-walkthrough.yaml", from, to)
}

#[track_caller]
fn keda_error(from: &str, to: &str) -> String {
    error_in(&keda(), "keda-prometheus.yaml", from, to)
}

#[track_caller]
fn knative_error(from: &str, to: &str) -> String {
    error_in(&knative(), "knative-service.yaml", from, to)
}

#[track_caller]
fn config_error(from: &str, to: &str) -> String {
    error_in(&knative(), "config-autoscaler.yaml", from, to)
}

/// What the scenario itself says when `from` stands as `to` in it.
#[track_caller]
fn scenario_error(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the scenario has no `{from}`");
    let error = Scenario::parse(&text.replacen(from, to, 1), "my.toml", Path::new(SAMPLES));
    say(&error.expect_err("the scenario is bad"))
}

#[test]
fn an_unknown_field_is_an_error_at_its_line() {
    assert_snapshot!(page(&[
        hpa_error("minReplicas", "minReplica"),
        hpa_error("periodSeconds: 15", "periodSecond: 15"),
        hpa_error("  namespace: default", "  namespaces: default"),
        keda_error("cooldownPeriod", "coolDownPeriod"),
        keda_error("activationThreshold", "activationTreshold"),
        keda_error("paused-scale-in", "pause-scale-in"),
        knative_error("/window", "/windows"),
        knative_error("containerConcurrency", "containerConcurency"),
        knative_error("initial-scale", "activationScales"),
        config_error("stable-window: 90s", "stabel-window: 90s"),
    ]));
}

#[test]
fn a_value_of_the_wrong_kind_is_an_error_at_its_line() {
    assert_snapshot!(page(&[
        hpa_error("maxReplicas: 6", "maxReplicas: six"),
        hpa_error("averageValue: 2500m", "averageValue: 2500milli"),
        hpa_error("type: Percent", "type: Share"),
        hpa_error("  maxReplicas: 6\n", ""),
        keda_error("threshold: \"4\"", "threshold: 4"),
        keda_error("threshold: \"100.50\"", "threshold: \"100,50\""),
        keda_error("target: \"4\"", "target: \"four\""),
        knative_error("window: 40s", "window: \"40\""),
        knative_error("target: \"12\"", "target: 12"),
        config_error("max-scale-up-rate: \"10\"", "max-scale-up-rate: fast"),
    ]));
}

#[test]
fn what_belongs_to_another_type_is_an_error_at_its_line() {
    assert_snapshot!(page(&[
        hpa_error(
            "  - type: Resource\n",
            "  - type: Resource\n    pods: {metric: {name: x}, target: {type: AverageValue, averageValue: 1}}\n"
        ),
        hpa_error("averageUtilization: 90", "averageUtilization: 90\n        averageValue: 500m"),
        hpa_error("averageValue: 2500m", "averageValue: 2500m\n        value: 3"),
    ]));
}

#[test]
fn a_setting_that_cannot_work_is_an_error_at_its_field() {
    assert_snapshot!(page(&[
        hpa_error("minReplicas: 1", "minReplicas: 7"),
        hpa_error("minReplicas: 1", "minReplicas: 0"),
        hpa_error("stabilizationWindowSeconds: 120", "stabilizationWindowSeconds: 3601"),
        keda_error("minReplicaCount: 1", "minReplicaCount: 9"),
        keda_error("max(waiting, requests / 8)", "max(waiting, request / 8)"),
        knative_error("\"150.0\"", "\"105.0\""),
        knative_error("max-scale: \"6\"", "max-scale: \"12\""),
        config_error("stable-window: 90s", "stable-window: 5s"),
    ]));
}

#[test]
fn a_known_field_that_is_not_flown_says_so() {
    assert_snapshot!(page(&[
        hpa_error("name: cpu", "name: memory"),
        hpa_error(
            "type: Utilization\n        averageUtilization: 90",
            "type: AverageValue\n        averageValue: 500m"
        ),
        hpa_error("autoscaling/v2", "autoscaling/v1"),
        keda_error("keda.sh/v1alpha1", "keda.k8s.io/v1alpha1"),
        knative_error("serving.knative.dev/v1", "serving.knative.dev/v1beta1"),
        keda_error("- type: prometheus", "- type: cpu"),
        keda_error("- type: prometheus", "- type: rabbitmq"),
        keda_error("    name: waiting", "    metricType: Value\n    name: waiting"),
        keda_error("    name: waiting", "    useCachedMetrics: true\n    name: waiting"),
        knative_error("class: kpa.", "class: hpa."),
        knative_error("metric: concurrency", "metric: cpu"),
        scenario_error(&with("file = \"scaled-job.yaml\"", ""), "yaml", "yaml"),
        hpa_error("kind: HorizontalPodAutoscaler", "kind: VerticalPodAutoscaler"),
    ]));
}

#[test]
fn a_metric_without_a_meaning_says_how_to_give_it_one() {
    assert_snapshot!(page(&[
        scenario_error(ONE_SERVICE, "requests-per-second = \"arrival-rate\"\n", ""),
        scenario_error(&keda(), KEDA_METRICS, ""),
        hpa_error("vllm:num_requests_waiting", "my_queue"),
        scenario_error(ONE_SERVICE, "\"arrival-rate\"", "\"arrivals\""),
        scenario_error(ONE_SERVICE, "\"arrival-rate\"", "{ metric = \"arrival-rate\", unit = 0 }"),
        scenario_error(ONE_SERVICE, "\"arrival-rate\"", "\"waiting\""),
        scenario_error(ONE_SERVICE, "[metric-map]", "[metric-map]\nno_such = \"waiting\""),
    ]));
}

#[test]
fn an_autoscaler_must_find_its_service_and_each_service_its_autoscaler() {
    assert_snapshot!(page(&[
        hpa_error("kind: Deployment\n    name: chat", "kind: Deployment\n    name: vllm"),
        scenario_error(&two_services(), "targets = { vllm-chat = \"chat\" }\n", ""),
        scenario_error(&two_services(), "\"chat\" }", "\"cat\" }"),
        scenario_error(&two_services(), "{ vllm-chat", "{ vllm-cat"),
        scenario_error(
            &two_services(),
            "[stack.replicas.manifest]",
            "[stack.service.web.static-replicas]\nreplicas = 1\n[stack.service.chat.static-replicas]\n\
             replicas = 1\n[stack.replicas.manifest]"
        ),
        scenario_error(&one_autoscaler_for_two_services(), "yaml", "yaml"),
        scenario_error(
            &with("files = [\"hpa-walkthrough.yaml\", \"knative-service.yaml\"]", OWN_METRICS),
            "yaml",
            "yaml"
        ),
    ]));
}

#[test]
fn files_are_named_once_and_can_be_read() {
    assert_snapshot!(page(&[
        scenario_error(ONE_SERVICE, "hpa-walkthrough.yaml", "hpa.yaml"),
        scenario_error(ONE_SERVICE, "file = \"hpa-walkthrough.yaml\"", ""),
        scenario_error(ONE_SERVICE, "file =", "files = [\"hpa-walkthrough.yaml\"]\nfile ="),
        scenario_error(ONE_SERVICE, "file =", "path ="),
        hpa_error("spec:\n", "spec: {\n"),
        hpa_error("  minReplicas: 1", "  minReplicas: 1\n  minReplicas: 2"),
        hpa_error("kind: HorizontalPodAutoscaler\n", ""),
    ]));
}

/// The scenario with Karpenter's objects in place of fixed nodes.
fn karpenter(manifest: &str) -> String {
    let replicas = "[stack.replicas.static-replicas]\nreplicas = 2\n";
    ONE_SERVICE
        .replace("[stack.replicas.manifest]\nfile = \"hpa-walkthrough.yaml\"\n", replicas)
        .replace("[metric-map]\n", "")
        .replace(OWN_METRICS, "")
        .replace("[stack.nodes.fixed-nodes]", manifest)
}

#[test]
fn node_pools_and_buffers_become_karpenter_and_the_resolved_scenario_needs_no_yaml() {
    let text = karpenter("[stack.nodes.manifest]\nfile = \"karpenter-gpu.yaml\"\n");
    let scenario = Scenario::parse(&text, "test.toml", Path::new(SAMPLES))
        .unwrap_or_else(|error| panic!("{error}"));
    let resolved = scenario.to_toml();
    let policies::NodePolicy::Karpenter(settings) = &scenario.settings().stack[0].nodes else {
        panic!("{resolved}")
    };
    let pool = &settings.node_pools["gpu"];
    assert_eq!((pool.weight, pool.requirements.len(), pool.budgets.len()), (10, 4, 2));
    assert_eq!(pool.consolidate_after.to_string(), "1m");
    assert_eq!(pool.node_class, "default");
    assert_eq!(settings.buffers["chat"].replicas, Some(1));
    let overlay = &settings.overlays[0];
    assert_eq!((overlay.price.to_string(), overlay.weight), ("-10%".to_owned(), 5));
    let again = Scenario::parse(&resolved, "resolved.toml", Path::new("nowhere"));
    assert_eq!(again.unwrap_or_else(|error| panic!("{error}")).to_toml(), resolved);
}

#[test]
fn what_a_node_pool_says_of_its_machines_is_refused_and_never_dropped() {
    let sample = fs::read_to_string(Path::new(SAMPLES).join("karpenter-gpu.yaml")).expect("there");
    let refused = |old: &str, new: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pool.yaml");
        fs::write(&file, sample.replacen(old, new, 1)).expect("written");
        let text = karpenter("[stack.nodes.manifest]\nfile = \"pool.yaml\"\n");
        let error = Scenario::parse(&text, "test.toml", folder.path()).unwrap_err().to_string();
        error.replace(&folder.path().display().to_string(), "")
    };
    let taints = "      taints:\n        - key: nvidia.com/gpu\n          effect: NoSchedule\n";
    let found = refused("      expireAfter: 720h\n", taints);
    assert!(found.contains("spec.template.spec.taints") && found.contains("pools"), "{found}");
    let found = refused("consolidateAfter: 1m", "consolidateAfter: soon");
    assert!(found.contains("consolidateAfter") && found.contains("found `soon`"), "{found}");
    let found = refused("  weight: 10", "  wait: 10");
    assert!(found.contains("wait"), "{found}");
    let found = refused("  weight: 10", "  weight: 101");
    assert!(found.contains("found `101`, expected at most 100"), "{found}");
    let found = refused("instance-generation", "instance-local-nvme");
    assert!(found.contains("`karpenter.k8s.aws/instance-local-nvme`"), "{found}");
    let found = refused("  priceAdjustment: \"-10%\"", "  price: \"-10%\"");
    assert!(found.contains("spec.price`: found `-10%`, expected a price"), "{found}");
    let found = refused("  priceAdjustment: \"-10%\"", "  capacity:\n    example.com/slice: \"4\"");
    assert!(found.contains("spec.capacity"), "{found}");
    let found = refused(
        "          values: [\"m\", \"g\"]",
        "          values: [\"m\"]\n          minValues: 2",
    );
    assert!(found.contains("found `2`, expected at most the number of `values`, 1"), "{found}");
}
