//! Each bad input ends in one error: the place, what was found, what was expected, what to do.

use insta::assert_snapshot;
use scenarios::{DEFAULTS, Scenario, ScenarioError};
use std::path::Path;

fn say(error: &ScenarioError) -> String {
    let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    format!("{error}{hint}")
}

/// The message with the line that it points at in place of its number, which every new setting would move.
fn with_line(message: &str, text: &str) -> String {
    let Some((number, rest)) = message.strip_prefix("my.toml:").and_then(|at| at.split_once(':'))
    else {
        return message.to_owned();
    };
    let number: usize = number.parse().expect("a line's number");
    let line = text.lines().nth(number - 1).expect("a line of the file");
    let code = line.split(" #").next().expect("there is always one").trim_end();
    format!("my.toml, `{code}`, column {rest}")
}

/// What the manual's scenario says when `from` stands as `to` in it.
#[track_caller]
fn error(from: &str, to: &str) -> String {
    assert!(DEFAULTS.contains(from), "the manual has no `{from}`");
    let text = DEFAULTS.replacen(from, to, 1);
    let found = Scenario::parse(&text, "my.toml", Path::new(""));
    with_line(&say(&found.expect_err("the scenario is bad")), &text)
}

#[test]
fn a_misspelt_key_is_shown_with_the_right_one() {
    assert_snapshot!(error("horizon =", "horizn ="), @r#"
    my.toml, `horizn = "1h"`, column 1: `horizn`: found the unknown key `horizn`, expected one of `name`, `about`, `horizon`, `drain`, `bin`, `control`, `metrics`, `pool`, `daemon-set`, `service`, `job`, `flavor`, `queue`, `wait-for-pods-ready`, `stack`, `metric-map`
    hint: did you mean `horizon`?
    "#);
    assert_snapshot!(error("launch-failure =", "launch-failures ="), @"
    my.toml, `launch-failures = 0.0`, column 1: `pool.gpu.launch-failures`: found the unknown key `launch-failures`, expected one of `instance`, `min`, `max`, `initial`, `zones`, `stock`, `stock-out`, `price`, `billing-minimum`, `launch-failure`, `accelerator-failure`, `platform`, `launch`, `boot`, `register`, `accelerator`, `terminate`, `pull`, `weights`, `cached-weights`, `image-preloaded`, `labels`, `taints`, `sharing`, `spot`, `standby`, `racks`
    hint: did you mean `launch-failure`?
    ");
    assert_snapshot!(error("[service.chat.gateway]", "[service.chat.gatway]"), @"
    my.toml, `[service.chat.gatway]`, column 15: `service.chat.gatway`: found the unknown key `gatway`, expected one of `initial`, `grace`, `probe`, `requests`, `gpu-part`, `alternatives`, `node-selector`, `tolerations`, `priority`, `disruption-budget`, `eviction`, `constraints`, `llm`, `plain`, `slo`, `gateway`, `client`, `traffic`
    hint: did you mean `gateway`?
    ");
}

#[test]
fn a_value_without_its_unit_is_refused() {
    assert_snapshot!(error("drain = \"10m\"", "drain = \"10\""), @r#"my.toml, `drain = "10"`, column 9: `drain`: found `10`, expected a duration with a unit, such as `90s`, `250ms` or `1h 30m`"#);
    assert_snapshot!(error("drain = \"10m\"", "drain = 600"), @r#"my.toml, `drain = 600`, column 9: `drain`: found `600`, expected a duration with a unit, such as "90s" or "1h 30m""#);
    assert_snapshot!(error("image = \"9GB\"", "image = \"9\""), @r#"my.toml, `image = "9"`, column 9: `service.chat.llm.image`: found `9`, expected a size with a unit, such as `14GiB`"#);
    assert_snapshot!(error("rate = \"2 req/s\"", "rate = 2"), @r#"my.toml, `rate = 2`, column 8: `service.chat.traffic.synthetic.rate`: found `2`, expected a rate with its unit, such as "45 req/s""#);
}

#[test]
fn money_has_a_currency_and_is_never_negative() {
    assert_snapshot!(error("price = \"1.861 USD/h\"", "price = \"-1.861 USD/h\""), @r#"my.toml, `price = "-1.861 USD/h"`, column 9: `pool.gpu.price`: found `-1.861 USD/h`, expected a price that is not negative, such as `1.861 USD/h`"#);
    assert_snapshot!(error("price = \"1.861 USD/h\"", "price = 1.861"), @r#"my.toml, `price = 1.861`, column 9: `pool.gpu.price`: found `1.861`, expected a price, such as "1.861 USD/h""#);
}

#[test]
fn a_name_that_the_catalogue_lacks_is_shown_with_the_nearest() {
    assert_snapshot!(error("gpus = [\"L40S\"]", "gpus = [\"L40\"]"), @r#"
    my.toml, `gpus = ["L40"]`, column 9: `service.chat.llm.gpus.0`: found the unknown GPU `L40`, expected one of the 23 that the catalogue has
    hint: did you mean `L40S`?
    "#);
    assert_snapshot!(error("\"g6e.xlarge\"", "\"g6e.xlrge\""), @r#"
    my.toml, `instance = "g6e.xlrge"`, column 12: `pool.gpu.instance`: found the unknown instance type `g6e.xlrge`, expected one of the 237 that the catalogue has
    hint: did you mean `g6e.xlarge`?
    "#);
    assert_snapshot!(error("model = \"Llama-3.1-8B\"", "model = \"Lama-3.1-8B\""), @r#"
    my.toml, `model = "Lama-3.1-8B"`, column 9: `service.chat.llm.model`: found the unknown model `Lama-3.1-8B`, expected one of the 14 that the catalogue has
    hint: did you mean `Llama-3.1-8B`?
    "#);
    assert_snapshot!(error("platform = \"eks-gpu\"", "platform = \"eks-gp\""), @r#"
    my.toml, `platform = "eks-gp"`, column 12: `pool.gpu.platform`: found the unknown platform `eks-gp`, expected one of `aks`, `aks-gpu`, `eks`, `eks-gpu`, `gke`, `gke-gpu`, `neocloud`, `neocloud-gpu`
    hint: did you mean `eks-gpu`?
    "#);
    assert_snapshot!(error("pull = \"pull-network-disk\"", "pull = \"pull-nvm\""), @r#"
    my.toml, `pull = "pull-nvm"`, column 8: `pool.gpu.pull`: found the unknown delay `pull-nvm`, expected one of `pull-network-disk`, `pull-nvme`
    hint: did you mean `pull-nvme`?
    "#);
    assert_snapshot!(error("{ table = \"azure-2024-chat\" }", "{ table = \"azure-2024-cat\" }"), @r#"
    my.toml, `prompt = { table = "azure-2024-cat" }`, column 20: `service.chat.traffic.synthetic.prompt.table`: unknown length table `azure-2024-cat`, expected one of `azure-2023-chat`, `azure-2023-code`, `azure-2024-chat`, `azure-2024-code`, `deepseek-r1`
    hint: did you mean `azure-2024-chat`?
    "#);
}

#[test]
fn a_delay_of_another_stage_does_not_fit() {
    assert_snapshot!(error("boot = \"ec2-gpu-boot\"", "boot = \"pull-nvme\""), @r#"my.toml, `boot = "pull-nvme"`, column 8: `pool.gpu.boot`: found the unknown delay `pull-nvme`, expected one of `aks-boot`, `aks-gpu-boot`, `ec2-boot`, `ec2-gpu-boot`, `gke-boot`, `neocloud-boot`"#);
    assert_snapshot!(
        error("boot = \"ec2-gpu-boot\"", "boot = { uniform = { low = \"2s\", high = \"1s\" } }"),
        @r#"my.toml, `boot = { uniform = { low = "2s", high = "1s" } }`, column 1: `pool.gpu.boot`: found `low` 2s above `high` 1s, expected `low` at most `high`"#
    );
}

#[test]
fn a_policy_that_does_not_exist_is_shown_with_the_nearest() {
    assert_snapshot!(error("[stack.replicas.static-replicas]", "[stack.replicas.static-replica]"), @"
    my.toml, `[stack.replicas.static-replica]`, column 17: `stack.0.replicas.static-replica`: found the unknown name `static-replica`, expected one of `static-replicas`, `hpa`, `keda`, `kpa`, `naive-ratio`, `aibrix-kpa`, `aibrix-apa`, `wva`, `dynamo-planner`
    hint: did you mean `static-replicas`?
    ");
    assert_snapshot!(error("[stack.replicas.static-replicas]", "[stack.replicas]"), @"my.toml, `replicas = 1`, column 1: `stack.0.replicas.replicas`: found the unknown name `replicas`, expected one of `static-replicas`, `hpa`, `keda`, `kpa`, `naive-ratio`, `aibrix-kpa`, `aibrix-apa`, `wva`, `dynamo-planner`");
}

#[test]
fn numbers_stay_in_their_ranges() {
    assert_snapshot!(error("launch-failure = 0.0", "launch-failure = 1.5"), @"my.toml, `launch-failure = 1.5`, column 18: `pool.gpu.launch-failure`: found `1.5`, expected a share from 0 to 1");
    assert_snapshot!(error("bin = \"1m\"", "bin = \"0s\""), @r#"my.toml, `bin = "0s"`, column 7: `bin`: found `0s`, expected a duration that is longer than zero"#);
    assert_snapshot!(error("max-num-seqs = 256", "max-num-seqs = 0"), @"my.toml, `max-num-seqs = 0`, column 16: `service.chat.llm.max-num-seqs`: found `0`, expected a whole number from 1");
    assert_snapshot!(error("initial = 0 ", "initial = 9 "), @"my.toml, `initial = 9`, column 11: `pool.gpu.initial`: found `9`, expected from `min` 0 to `max` 8");
    assert_snapshot!(error("max-num-batched-tokens = 2048", "max-num-batched-tokens = 64"), @"my.toml, `max-num-batched-tokens = 64`, column 26: `service.chat.llm.max-num-batched-tokens`: found `64`, expected at least `max-num-seqs`, which is 256");
    assert_snapshot!(error("initial = 0                        # ready", "initial = 5\nstock = { a = 4 } # ready"), @"my.toml, `initial = 5`, column 11: `pool.gpu.initial`: found `5`, expected at most the `stock` of all zones, 4");
    assert_snapshot!(error("window = \"0s\"", "window = \"5s\""), @r#"my.toml, `window = "5s"`, column 10: `metrics.window`: found `5s`, expected `0s`, or at least one `scrape-interval`"#);
    assert_snapshot!(error("# metrics = [\"queue-length\"]       #", "[metrics.path.mine]\nmetrics = [] #"), @"my.toml, `metrics = []`, column 1: `metrics.path.mine.metrics`: found `[]`, expected one metric or more");
    assert_snapshot!(error("# [metrics.path.metrics-server]\n# metrics = [\"busy\"]", "[metrics.path.mine]\nmetrics = [\"busy\", \"busy\"]"), @r#"my.toml, `metrics = ["busy", "busy"]`, column 20: `metrics.path.mine.metrics.1`: found a metric that has a path, expected each metric on one path"#);
    assert_snapshot!(error("max = 8", "max = -8"), @"my.toml, `max = -8`, column 7: `pool.gpu.max`: found `-8`, expected a whole number that is not negative");
}

#[test]
fn a_replica_that_fits_nowhere_is_found_before_the_run() {
    assert_snapshot!(error("cpu = \"2\"", "cpu = \"200\""), @"
    my.toml, `[service.chat.requests]`, column 15: `service.chat.requests`: found a replica of cpu 200000m, memory 8GiB, gpus 1, expected at most cpu 3920m, memory 29317MiB, gpus 1
    hint: lower `requests` or `tensor-parallel`, or take a larger `instance`
    ");
    assert_snapshot!(error("\"g6e.xlarge\"", "\"g6.xlarge\""), @r#"
    my.toml, `gpus = ["L40S"]`, column 1: `service.chat.llm.gpus`: found no pool with `L40S`
    hint: add a pool whose `instance` has such GPUs, or a GPU model that a pool has
    "#);
    assert_snapshot!(error("# node-selector = { pool = \"gpu\" }", "node-selector = { pool = \"cpu\" }"), @r#"
    my.toml, `node-selector = { pool = "cpu" }`, column 1: `service.chat.node-selector`: found no pool with all of these labels
    hint: pools have the labels `pool`, `node.kubernetes.io/instance-type`, `kubernetes.io/arch` and their own `labels`
    "#);
    assert_snapshot!(error("# taints = [", "taints = [{ key = \"gpu\", effect = \"NoSchedule\" },"), @"
    my.toml, `[service.chat]`, column 10: `service.chat.tolerations`: found no pool whose `taints` a replica tolerates
    hint: tolerate a pool's taints, or add a pool without
    ");
    assert_snapshot!(error("tensor-parallel = 1", "tensor-parallel = 2"), @"
    my.toml, `[service.chat.requests]`, column 15: `service.chat.requests`: found a replica of cpu 2000m, memory 8GiB, gpus 2, expected at most cpu 3920m, memory 29317MiB, gpus 1
    hint: lower `requests` or `tensor-parallel`, or take a larger `instance`
    ");
    assert_snapshot!(error("model = \"Llama-3.1-8B\"", "model = \"Llama-3.1-70B\""), @r#"
    my.toml, `gpus = ["L40S"]`, column 9: `service.chat.llm.gpus.0`: `Llama-3.1-70B` in bf16 does not fit into 1 × `L40S`
    hint: raise `tensor-parallel` or take a larger GPU
    "#);
}

#[test]
fn a_language_model_needs_token_lengths() {
    let prompt = "prompt = { table = \"azure-2024-chat\" }";
    assert_snapshot!(error(prompt, ""), @r#"
    my.toml, `[service.chat.traffic.synthetic]`, column 23: `service.chat.traffic.synthetic.prompt`: found no `prompt`, expected its length in tokens
    hint: write `prompt = { table = "azure-2024-chat" }`, for example
    "#);
}

#[test]
fn a_policy_says_what_its_settings_may_be() {
    assert_snapshot!(error("[stack.nodes.fixed-nodes] ", "[stack.nodes.fixed-nodes.nodes]\ngpus = 1 "), @"my.toml, `[stack.nodes.fixed-nodes.nodes]`, column 26: `stack.0.nodes.fixed-nodes.nodes`: found `gpus`, expected a pool of the scenario: `gpu`");
}

#[test]
fn an_image_by_name_is_the_one_that_a_replica_pulls() {
    let table = |images: &str| format!("[service.chat.constraints]\nimages = [{images}]\n#");
    let named = |images: &str| error("# [service.chat.constraints]", &table(images));
    assert_snapshot!(named(r#"{ name = "vllm", size = "5GB" }"#), @r#"my.toml, `images = [{ name = "vllm", size = "5GB" }]`, column 1: `service.chat.constraints.images`: found `5000000000B`, expected 9000000000B, the `image` that a replica pulls"#);
    let two = r#"{ name = "vllm", size = "9GB" }, { name = "sidecar", size = "1GB" }"#;
    assert_snapshot!(named(two), @r#"my.toml, `images = [{ name = "vllm", size = "9GB" }, { name = "sidecar", size = "1GB" }]`, column 1: `service.chat.constraints.images`: found `2`, expected one image, that of a replica"#);
}

#[test]
fn gpu_instances_hibernate_only_as_a_what_if() {
    let standby = |state: &str| {
        let table = "[pool.gpu.standby]\nnodes = 1\nholding = \"0.02 USD/h\"";
        error("# [pool.gpu.standby]", &format!("{table}\nstate = \"{state}\"\n#"))
    };
    assert_snapshot!(standby("hibernated"), @r#"
    my.toml, `state = "hibernated"`, column 9: `pool.gpu.standby.state`: found `hibernated` for instances with GPUs, expected `stopped`
    hint: no cloud is known to hibernate them: `what-if = true` asks what it would be worth
    "#);
    assert_snapshot!(standby("suspended"), @r#"my.toml, `state = "suspended"`, column 9: `pool.gpu.standby.state`: found the unknown name `suspended`, expected `stopped` or `hibernated`"#);
}

#[test]
fn a_service_serves_one_thing() {
    assert_snapshot!(error("[service.web.plain]", "[service.web.plan]"), @"
    my.toml, `[service.web.plan]`, column 14: `service.web.plan`: found the unknown key `plan`, expected one of `initial`, `grace`, `probe`, `requests`, `gpu-part`, `alternatives`, `node-selector`, `tolerations`, `priority`, `disruption-budget`, `eviction`, `constraints`, `llm`, `plain`, `slo`, `gateway`, `client`, `traffic`
    hint: did you mean `plain`?
    ");
    let both =
        "[service.web.llm]\nmodel = \"Llama-3.1-8B\"\ngpus = [\"L40S\"]\n[service.web.plain]";
    assert_snapshot!(error("[service.web.plain]", both), @"my.toml, `[service.web.llm]`, column 10: `service.web`: found both of `llm` and `plain`, expected one of them");
}

#[test]
fn a_stack_names_services_and_pools_that_exist() {
    assert_snapshot!(error("# initial-nodes = { gpu", "initial-nodes = { gpus"), @"
    my.toml, `initial-nodes = { gpus = 4 }`, column 26: `stack.0.initial-nodes.gpus`: found the unknown pool `gpus`, expected one of `gpu`
    hint: did you mean `gpu`?
    ");
    assert_snapshot!(error("# initial-nodes = { gpu = 4 }", "initial-nodes = { gpu = 9 }"), @"my.toml, `initial-nodes = { gpu = 9 }`, column 25: `stack.0.initial-nodes.gpu`: found `9`, expected from `min` 0 to `max` 8");
    assert_snapshot!(error("# initial-replicas = { chat", "initial-replicas = { cat"), @"
    my.toml, `initial-replicas = { cat = 4 }`, column 28: `stack.0.initial-replicas.cat`: found the unknown service `cat`, expected one of `chat`, `web`
    hint: did you mean `chat`?
    ");
}

#[test]
fn broken_toml_is_shown_at_its_place() {
    assert_snapshot!(error("[metrics]", "[metrics"), @"my.toml, `[metrics`, column 9: unclosed table, expected `]`");
    assert_snapshot!(error("bin = \"1m\"", "bin = 1m"), @"my.toml, `bin = 1m`, column 7: string values must be quoted, expected literal string");
    assert_snapshot!(error("about = \"Every setting there is.\"", ""), @"my.toml, `# The manual: a scenario with every setting. Where a setting may be left out, the value here is the one that`, column 1: found no `about`, expected one");
}

#[test]
fn a_scenario_that_is_not_there_is_an_error() {
    let find = |name: &str| say(&Scenario::find(name).expect_err("not there"));
    assert_snapshot!(find("chat-dya"), @"
    found no scenario `chat-dya`, expected a file or one of `ca-vs-karpenter`, `chat-day`, `chat-hour`, `code-hour`, `complaint-01-more-while-loading`, `complaint-02-panic-flood`, `complaint-04-progress-deadline`, `complaint-06-cooldown-while-loading`, `complaint-07-cooldown-cliff`, `complaint-09-metric-gone-at-zero`, `complaint-09-metric-outage`, `complaint-11-gpu-utilization`, `complaint-13-cut-generations`, `complaint-15-value-without-ready-pods`, `complaint-18-broken-metric`, `complaint-20-target-below-one`, `gangs-two-at-once`, `gpu-cold-start`, `gpu-sharing`, `kueue-borrowing`, `llm-autoscalers`, `mixed-gpus`, `node-complaint-01-churn`, `node-complaint-02-gpu-never-appears`, `node-complaint-03-capacity-errors`, `node-complaint-04-stock-out`, `node-complaint-06-from-zero`, `node-complaint-08-headroom`, `node-complaint-09-do-not-disrupt`, `node-complaint-10-gpu-hold-back`, `viral-surge`
    hint: did you mean `chat-day`?
    ");
    assert_snapshot!(find("nowhere/my.toml"), @r#"
    `nowhere/my.toml` cannot be read: No such file or directory (os error 2)
    hint: check the path, and that you may read the file
    "#);
}

#[test]
fn jobs_say_what_their_pods_widths_and_times_may_be() {
    assert_snapshot!(error("width = [{ pods = 4, weight = 1.0 }]", "width = []"), @"my.toml, `width = []`, column 1: `job.train.width`: found `[]`, expected one width or more");
    assert_snapshot!(error("weight = 1.0", "weight = 0.0"), @"my.toml, `width = [{ pods = 4, weight = 0.0 }]`, column 31: `job.train.width.0.weight`: found `0`, expected a weight above 0");
    assert_snapshot!(error("pods = 4", "pods = 0"), @"my.toml, `width = [{ pods = 0, weight = 1.0 }]`, column 19: `job.train.width.0.pods`: found `0`, expected a whole number from 1");
    assert_snapshot!(error("gpus = 1                           # of each", "gpus = 9 # of each"), @r#"
    my.toml, `[job.train]`, column 6: `job.train`: found pods of cpu 2000m, memory 8GiB, gpus 9, expected pods that an empty node of some pool takes: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu
    hint: ask for less, tolerate a pool's taints, or take a larger `instance`
    "#);
    assert_snapshot!(error("every = { exponential = { mean = \"30m\" } }", "at = [\"5m\", \"1m\"]"), @r#"my.toml, `at = ["5m", "1m"]`, column 13: `job.train.submit.at.1`: found `1m`, expected no time before the one ahead of it, 5m"#);
    assert_snapshot!(error("every = { exponential = { mean = \"30m\" } }", "every = { fixed = \"0s\" }"), @r#"my.toml, `every = { fixed = "0s" }`, column 1: `job.train.submit.every`: found `0s`, expected a duration that is longer than zero"#);
    assert_snapshot!(error("gangs = \"off\"", "gangs = \"cor\""), @r#"
    my.toml, `gangs = "cor"`, column 9: `stack.0.gangs`: found the unknown name `cor`, expected one of `off`, `core`, `volcano`, `kueue`
    hint: did you mean `core`?
    "#);
}

/// What a scenario of one queue says when `from` stands as `to` in it.
#[track_caller]
fn queue_error(from: &str, to: &str) -> String {
    let text = r#"
name = "queue"
about = "One queue."
horizon = "1h"
[pool.gpu]
instance = "g6e.xlarge"
max = 8
[flavor.gpu]
node-labels = { pool = "gpu" }
[queue.team]
cohort = "all"
quota = { gpu = { nominal = 4, borrowing-limit = 2 } }
[job.train]
width = [{ pods = 2 }]
duration = { fixed = "10m" }
submit = { at = ["0s"] }
queue = "team"
[[stack]]
name = "kueue"
about = "One queue."
gangs = "kueue"
[stack.nodes.fixed-nodes]
"#;
    assert!(text.contains(from), "the scenario has no `{from}`");
    let parse = |text: &str| Scenario::parse(text, "my.toml", Path::new(""));
    parse(text).unwrap_or_else(|error| panic!("{error}"));
    let text = text.replacen(from, to, 1);
    with_line(&say(&parse(&text).expect_err("the scenario is bad")), &text)
}

#[test]
fn queues_have_quota_of_flavors_that_can_hold_their_jobs() {
    assert_snapshot!(queue_error("queue = \"team\"", "queue = \"tema\""), @r#"
    my.toml, `queue = "tema"`, column 9: `job.train.queue`: found the unknown queue `tema`, expected one of `team`
    hint: did you mean `team`?
    "#);
    assert_snapshot!(queue_error("quota = { gpu", "quota = { gpus"), @"
    my.toml, `quota = { gpus = { nominal = 4, borrowing-limit = 2 } }`, column 11: `queue.team.quota.gpus`: found the unknown flavor `gpus`, expected one of `gpu`
    hint: did you mean `gpu`?
    ");
    assert_snapshot!(queue_error("pool = \"gpu\"", "pool = \"cpu\""), @r#"my.toml, `node-labels = { pool = "cpu" }`, column 1: `flavor.gpu.node-labels`: found `pool=cpu`, expected labels that nodes of some pool have"#);
    assert_snapshot!(queue_error("cohort = \"all\"\n", ""), @"my.toml, `quota = { gpu = { nominal = 4, borrowing-limit = 2 } }`, column 50: `queue.team.quota.gpu.borrowing-limit`: found `2`, expected none in a queue without a `cohort`");
    assert_snapshot!(queue_error("width =", "node-selector = { pool = \"gpu\", zone = \"b\" }\nwidth ="), @"
    my.toml, `[job.train]`, column 6: `job.train`: found pods of cpu 2000m, memory 8GiB, gpus 1, expected pods that an empty node of some pool takes: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector
    hint: ask for less, tolerate a pool's taints, or take a larger `instance`
    ");
    assert_snapshot!(queue_error("queue = \"team\"\n", ""), @r#"my.toml, `gangs = "kueue"`, column 9: `stack.0.gangs`: found `kueue`, expected that only where some job has a `queue`"#);
    assert_snapshot!(queue_error("{ gpu = { nominal = 4, borrowing-limit = 2 } }", "{}"), @r#"my.toml, `queue = "team"`, column 9: `job.train.queue`: found `team`, expected a queue with quota of a flavor whose nodes can hold the job's pods"#);
}

#[test]
fn queues_that_ask_for_room_need_somebody_who_answers() {
    let check = |more: &str| format!("[queue.team.provisioning]\nclass = {more}\n[job.train]");
    let error = |more: &str| queue_error("[job.train]", &check(more));
    assert_snapshot!(error("\"check-capacity\""), @"my.toml, `[stack.nodes.fixed-nodes]`, column 14: `stack.0.nodes.fixed-nodes`: found `fixed-nodes`, expected `cluster-autoscaler` with `enable-provisioning-requests = true`: queue `team` asks for room");
    assert_snapshot!(error("\"queued\""), @r#"my.toml, `class = "queued"`, column 9: `queue.team.provisioning.class`: found the unknown name `queued`, expected `check-capacity` or `best-effort-atomic-scale-up`"#);
    assert_snapshot!(error("\"best-effort-atomic-scale-up\"\nno-retry = true"), @"my.toml, `no-retry = true`, column 12: `queue.team.provisioning.no-retry`: found `true`, expected `false`, save for the class `check-capacity`");
    assert_snapshot!(error("\"check-capacity\"\nbackoff-max = \"10s\""), @r#"my.toml, `backoff-max = "10s"`, column 15: `queue.team.provisioning.backoff-max`: found `10s`, expected at least `backoff-base`"#);
}

#[test]
fn services_need_a_policy_and_a_scenario_needs_services_or_jobs() {
    assert_snapshot!(error("[stack.replicas.static-replicas]   # services without a policy of their own; required where there are any\nreplicas = 1\n", ""), @"
    my.toml, `[[stack]]`, column 1: `stack.0`: found no replica policy of service `chat`, expected one
    hint: write `[stack.replicas.static-replicas]` or `[stack.service.chat.static-replicas]`
    ");
    assert_snapshot!(queue_error("[job.train]", "[service.web.plain]\nservice-time = { fixed = \"1s\" }\n[service.web.traffic.synthetic]\nrate = \"1 req/s\"\n[job.train]"), @"
    my.toml, `[[stack]]`, column 1: `stack.0`: found no replica policy of service `web`, expected one
    hint: write `[stack.replicas.static-replicas]` or `[stack.service.web.static-replicas]`
    ");
}

#[test]
fn jobs_that_stand_close_together_need_racks_and_all_of_their_pods() {
    assert_snapshot!(queue_error("width =", "topology = { required = \"rack\" }\nwidth ="), @r#"
    my.toml, `topology = { required = "rack" }`, column 1: `job.train.topology`: found no racks, expected some in a pool whose nodes can hold the job's pods
    hint: write `[pool.NAME.racks]` with `nodes-per-rack` and `racks-per-block`
    "#);
    assert_snapshot!(queue_error("width =", "topology = { required = \"row\" }\nwidth ="), @r#"my.toml, `topology = { required = "row" }`, column 25: `job.train.topology.required`: found the unknown name `row`, expected `rack` or `block`"#);
    assert_snapshot!(queue_error("max = 8\n", "max = 8\nracks = { nodes-per-rack = 0, racks-per-block = 1 }\n"), @"my.toml, `racks = { nodes-per-rack = 0, racks-per-block = 1 }`, column 28: `pool.gpu.racks.nodes-per-rack`: found `0`, expected a whole number from 1");
    assert_snapshot!(error("gpus = 1                           # of each pod", "min-count = 2\ntopology = { preferred = \"block\" }"), @"my.toml, `min-count = 2`, column 13: `job.train.min-count`: found `2`, expected none where `topology` asks for places for all pods together");
}

#[test]
fn marks_of_pods_and_flags_of_autoscalers_are_checked_where_they_stand() {
    let marks = "[service.chat.eviction]\ndo-not-disrupt = \"never\"\n\n[service.chat.requests]";
    assert_snapshot!(error("[service.chat.requests]", marks), @r#"my.toml, `do-not-disrupt = "never"`, column 18: `service.chat.eviction.do-not-disrupt`: found `never`, expected `true` or a time such as `30m`"#);
    let flags = |flag: &str| format!("[stack.nodes.cluster-autoscaler]\nflags = [\"{flag}\"] #");
    let fixed = "[stack.nodes.fixed-nodes]              # required";
    assert_snapshot!(error(fixed, &flags("--force-ds")), @r#"my.toml, `flags = ["--force-ds"]`, column 10: `stack.0.nodes.cluster-autoscaler.flags.0`: found `--force-ds`, expected its default `false`: the flag is known, but not flown (daemons are never pending)"#);
    assert_snapshot!(error(fixed, &flags("--nodes=0:4:cpu")), @"my.toml, `[stack.nodes.cluster-autoscaler]`, column 14: `stack.0.nodes.cluster-autoscaler.nodes`: found `cpu`, expected one of the pools `gpu`");
}
