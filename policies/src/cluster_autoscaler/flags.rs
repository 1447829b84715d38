//! Command-line flags, as the Deployment of a cluster has them.

use super::Settings;
use crate::Invalid;
use contract::Micros;
use serde_json::{Map, Value, json};

/// Settings that upstream has no flag for: constants, files and objects of their own, and what providers say.
const NO_FLAGS: [&str; 12] = [
    "flags",
    "buffers",
    "capacity-quotas",
    "priorities",
    "pod-prices",
    "grpc-reply",
    "loop-time",
    "new-pods-wait",
    "new-gpu-pods-wait",
    "zero-or-max-node-scaling",
    "template-lacks",
    "seed",
];

/// Flags that decide nothing, by what they are about.
const WITHOUT_EFFECT: &[(&str, &[&str])] = &[
    (
        "logs, metrics and status of the process",
        &[
            "add-dir-header",
            "address",
            "alsologtostderr",
            "debugging-snapshot-enabled",
            "emit-per-nodegroup-metrics",
            "log-backtrace-at",
            "log-dir",
            "log-file",
            "log-file-max-size",
            "logtostderr",
            "max-node-skip-eval-time-tracker-enabled",
            "node-removal-latency-tracking-enabled",
            "one-output",
            "profiling",
            "record-duplicated-events",
            "skip-headers",
            "skip-log-headers",
            "status-config-map-name",
            "stderrthreshold",
            "user-agent",
            "v",
            "vmodule",
            "write-status-configmap",
        ],
    ),
    (
        "its restarts, and which of its copies leads",
        &[
            "leader-elect",
            "leader-elect-lease-duration",
            "leader-elect-renew-deadline",
            "leader-elect-resource-lock",
            "leader-elect-resource-name",
            "leader-elect-resource-namespace",
            "leader-elect-retry-period",
            "max-failing-time",
            "max-inactivity",
            "max-startup-time",
            "node-deletion-candidate-ttl",
        ],
    ),
    (
        "its way to the API server and to the cloud, which a scenario's cluster stands for",
        &[
            "aws-use-static-instance-list",
            "bulk-mig-instances-listing-enabled",
            "cloud-config",
            "cloud-provider",
            "cluster-name",
            "concurrent-gce-refreshes",
            "gce-mig-instances-min-refresh-wait-time",
            "grpc-expander-cert",
            "grpc-expander-url",
            "kube-api-content-type",
            "kube-client-burst",
            "kube-client-qps",
            "kubeconfig",
            "kubernetes",
            "namespace",
            "node-group-auto-discovery",
            "node-info-cache-expire-time",
            "regional",
        ],
    ),
    (
        "the time that thinking and calls take, which is none in a simulation",
        &[
            "cluster-snapshot-parallelism",
            "max-binpacking-time",
            "max-bulk-soft-taint-time",
            "max-nodegroup-binpacking-duration",
            "parallel-scale-up",
            "predicate-parallelism",
            "salvo-scale-up-budget",
            "scale-down-simulation-timeout",
        ],
    ),
    (
        "how a removal is carried out where that changes neither node nor time",
        &[
            "cordon-node-before-terminating",
            "daemonset-eviction-for-empty-nodes",
            "daemonset-eviction-for-occupied-nodes",
            "node-deletion-delay-timeout",
        ],
    ),
    (
        "knobs that 1.37 still reads and no longer uses",
        &[
            "scale-down-candidates-pool-min-count",
            "scale-down-candidates-pool-ratio",
            "scale-down-non-empty-candidates-count",
        ],
    ),
    (
        "objects that the settings beside the flags hold: there they count as soon as they are there",
        &[
            "capacity-buffer-controller-enabled",
            "capacity-buffer-pod-injection-enabled",
            "capacity-quotas-enabled",
        ],
    ),
];

/// Flags that would change decisions and are not flown: only their defaults are taken. Name, default, hint.
const NOT_FLOWN: &[(&str, &str, &str)] = &[
    ("async-node-groups", "false", "no pools are made in a run"),
    ("bypassed-scheduler-names", "", "there is one scheduler"),
    ("check-capacity-batch-processing", "false", PROVISIONING),
    ("check-capacity-provisioning-request-batch-timebox", "10s", PROVISIONING),
    ("check-capacity-provisioning-request-max-batch-size", "10", PROVISIONING),
    ("drain-priority-config", "", "all pods of a node are evicted at once"),
    (
        "dynamic-node-delete-delay-after-taint-enabled",
        "false",
        "set `node-delete-delay-after-taint`",
    ),
    (
        "enable-dynamic-resource-allocation",
        "true",
        "claims are taken into account where pools have them",
    ),
    ("estimator", "binpacking", "there is no other estimator"),
    ("force-delete-failed-nodes", "false", "failed launches leave their pool at once"),
    ("force-ds", "false", "daemons are never pending"),
    ("gpu-total", "", "set `capacity-quotas`"),
    ("ignore-mirror-pods-utilization", "false", "simulated nodes have no mirror pods"),
    ("ignore-taint", "", TAINTS),
    ("max-autoprovisioned-node-group-count", "15", "no pools are made in a run"),
    ("max-graceful-termination-sec", "600", "set `grace` of the services"),
    ("node-autoprovisioning-enabled", "false", "no pools are made in a run"),
    ("node-deletion-batcher-interval", "0s", "nodes are deleted one by one"),
    ("pending-pods-batching-timeout", "4m", "pods are not batched"),
    ("pod-injection-limit", "5000", "pods are seen once they are there"),
    ("proactive-scaleup-enabled", "false", "pods are seen once they are there"),
    ("provisioning-request-max-backoff-cache-size", "1000", "no back-off is forgotten"),
    ("scheduler-config-file", "", "set `[control.scheduler]` of the scenario"),
    ("startup-taint", "", TAINTS),
    ("startup-taint-prefix", "", TAINTS),
    ("status-taint", "", TAINTS),
];

const PROVISIONING: &str = "one provisioning request is answered a loop";
const TAINTS: &str = "nodes have the taints of their pool, and keep them";

impl Settings {
    /// The settings with the flags among them carried out, in order; the last of several wins, lists grow.
    pub(crate) fn resolved(&self) -> Result<Self, Invalid> {
        let Value::Object(mut keys) = json!(self) else { return Ok(self.clone()) };
        let Value::Object(defaults) = json!(Self::default()) else { return Ok(self.clone()) };
        for (place, flag) in self.flags.iter().enumerate() {
            apply(flag, &defaults, &mut keys)
                .map_err(|expected| Invalid::new(format!("flags[{place}]"), flag, expected))?;
        }
        keys.remove("flags");
        serde_json::from_value(Value::Object(keys))
            .map_err(|error| Invalid::new("flags", self.flags.join(" "), error.to_string()))
    }
}

/// Carries one flag out; says what was expected if it cannot be.
fn apply(
    flag: &str,
    defaults: &Map<String, Value>,
    keys: &mut Map<String, Value>,
) -> Result<(), String> {
    let bare = flag.strip_prefix("--").or_else(|| flag.strip_prefix('-'));
    let bare = bare.ok_or("`--flag=value`")?;
    let (name, value) =
        bare.split_once('=').map_or((bare, None), |(name, value)| (name, Some(value)));
    if WITHOUT_EFFECT.iter().any(|(_, group)| group.contains(&name)) {
        return Ok(());
    }
    if let Some(&(_, default, hint)) = NOT_FLOWN.iter().find(|(known, ..)| *known == name) {
        return not_flown(value, default, hint);
    }
    let default = defaults.get(name).filter(|_| is_flag(name));
    let default = default.ok_or_else(|| unknown(name, defaults))?;
    let value = match (default, value) {
        (Value::Bool(_), None) => Value::Bool(true),
        (_, None) => return Err(format!("a value: `--{name}=<value>`")),
        (default, Some(text)) => read(text, default, keys.get(name))?,
    };
    keys.insert(name.to_owned(), value);
    Ok(())
}

/// Whether upstream has a flag for a setting.
fn is_flag(setting: &str) -> bool {
    !NO_FLAGS.contains(&setting)
}

/// The names of all flags, each as often as it has a place here.
fn all_flags(defaults: &Map<String, Value>) -> Vec<&str> {
    let mut names: Vec<&str> =
        defaults.keys().map(String::as_str).filter(|key| is_flag(key)).collect();
    for (_, group) in WITHOUT_EFFECT {
        names.extend_from_slice(group);
    }
    names.extend(NOT_FLOWN.iter().map(|&(name, ..)| name));
    names
}

/// A flag that is known and not flown may have its default.
fn not_flown(value: Option<&str>, default: &str, hint: &str) -> Result<(), String> {
    let value = value.unwrap_or("true");
    let length = |text: &str| text.parse::<Micros>().ok();
    if value == default || (length(value).is_some() && length(value) == length(default)) {
        return Ok(());
    }
    let default = if default.is_empty() {
        "to be left out".to_owned()
    } else {
        format!("its default `{default}`")
    };
    Err(format!("{default}: the flag is known, but not flown ({hint})"))
}

/// A value of the same kind as the default.
fn read(text: &str, default: &Value, so_far: Option<&Value>) -> Result<Value, String> {
    match default {
        Value::Bool(_) => text.parse().map(Value::Bool).map_err(|_| "`true` or `false`".into()),
        Value::Number(number) if number.is_f64() => {
            text.parse::<f64>().map(|value| json!(value)).map_err(|_| "a number".into())
        }
        Value::Number(_) => {
            text.parse::<i64>().map(|value| json!(value)).map_err(|_| "a whole number".into())
        }
        // Only expanders have a default with something in it: they replace it, separated by commas.
        Value::Array(list) if !list.is_empty() => Ok(text.split(',').map(str::trim).collect()),
        Value::Array(_) => {
            let mut list = so_far.and_then(Value::as_array).cloned().unwrap_or_default();
            list.push(json!(text));
            Ok(Value::Array(list))
        }
        // What is written as text is a time, or a range with a colon.
        _ if text.contains(':') => Ok(json!(text)),
        _ if text == "0" => Ok(json!(Micros::ZERO)),
        _ => text
            .parse::<Micros>()
            .map(|length| json!(length))
            .map_err(|_| "a time such as `10s` or `1m30s`".into()),
    }
}

/// Names the flag that was probably meant.
fn unknown(name: &str, defaults: &Map<String, Value>) -> String {
    let likeness = |known: &&str| strsim::jaro_winkler(name, known);
    let known = all_flags(defaults).into_iter();
    let nearest = known.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let hint = nearest.map_or(String::new(), |nearest| format!("; did you mean `--{nearest}`?"));
    format!("a flag of Cluster Autoscaler 1.37{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_autoscaler::expander::Expander;

    fn resolved(flags: &[&str]) -> Result<Settings, Invalid> {
        let flags = flags.iter().map(ToString::to_string).collect();
        Settings { flags, ..Settings::default() }.resolved()
    }

    #[test]
    fn flags_set_what_their_names_say() {
        let found = resolved(&[
            "--scan-interval=1m30s",
            "--expander=priority,least-waste",
            "--balance-similar-node-groups",
            "--balancing-ignore-label=pool",
            "--balancing-ignore-label=rack",
            "--scale-down-utilization-threshold=0.65",
            "--cores-total=0:64",
            "--nodes=0:10:workers",
            "--nodes=1:4:gpus",
            "--skip-nodes-with-local-storage=false",
        ]);
        let expected = Settings {
            scan_interval: Micros::from_secs(90),
            expander: vec![Expander::Priority, Expander::LeastWaste],
            balance_similar_node_groups: true,
            balancing_ignore_label: vec!["pool".into(), "rack".into()],
            scale_down_utilization_threshold: 0.65,
            cores_total: "0:64".parse().expect("a range"),
            nodes: ["0:10:workers", "1:4:gpus"].map(|text| text.parse().expect("a group")).into(),
            skip_nodes_with_local_storage: false,
            ..Settings::default()
        };
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn settings_beside_the_flags_stay() {
        let settings = Settings {
            max_nodes_total: 7,
            flags: vec!["--expander=price".into()],
            ..Settings::default()
        };
        let expected =
            Settings { expander: vec![Expander::Price], flags: Vec::new(), ..settings.clone() };
        assert_eq!(settings.resolved(), Ok(expected));
    }

    #[track_caller]
    fn check(flag: &str, expected: &str) {
        let error = resolved(&[flag]).expect_err("no such flag").to_string();
        assert_eq!(error, format!("`flags[0]`: found `{flag}`, expected {expected}"));
    }

    #[test]
    fn what_is_no_flag_is_an_error_with_a_suggestion() {
        let known = "a flag of Cluster Autoscaler 1.37; did you mean";
        check("--scan-intervall=10s", &format!("{known} `--scan-interval`?"));
        check("--scale-down-unneded-time=5m", &format!("{known} `--scale-down-unneeded-time`?"));
        check("--scan-interval=soon", "a time such as `10s` or `1m30s`");
        check("--max-nodes-total", "a value: `--max-nodes-total=<value>`");
        check("--max-nodes-total=many", "a whole number");
        check("scan-interval=10s", "`--flag=value`");
    }

    #[test]
    fn what_is_not_flown_is_refused_unless_it_has_its_default() {
        for flag in ["--force-ds=false", "--node-deletion-batcher-interval=0s", "--v=4"] {
            assert_eq!(resolved(&[flag]), Ok(Settings::default()), "{flag}");
        }
        let refused = |hint| format!("the flag is known, but not flown ({hint})");
        check(
            "--force-ds",
            &format!("its default `false`: {}", refused("daemons are never pending")),
        );
        check("--startup-taint=a/b", &format!("to be left out: {}", refused(TAINTS)));
        let grace = refused("set `grace` of the services");
        check("--max-graceful-termination-sec=60", &format!("its default `600`: {grace}"));
    }

    #[test]
    fn every_flag_has_one_place() {
        let Value::Object(defaults) = json!(Settings::default()) else { panic!("a table") };
        let mut all = all_flags(&defaults);
        all.sort_unstable();
        let twice: Vec<_> = all.windows(2).filter(|two| two[0] == two[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
        assert!(NO_FLAGS.iter().all(|key| defaults.contains_key(*key)), "no such setting");
    }
}
