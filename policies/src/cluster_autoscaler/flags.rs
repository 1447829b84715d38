//! Command-line flags, as the Deployment of a cluster has them.

use super::Settings;
use crate::Invalid;
use contract::Micros;
use serde_json::{Map, Value, json};

/// Settings that upstream has no flag for: constants, files of their own, and what providers say.
const NO_FLAGS: [&str; 8] = [
    "flags",
    "capacity-quotas",
    "priorities",
    "pod-prices",
    "grpc-reply",
    "new-pods-wait",
    "new-gpu-pods-wait",
    "zero-or-max-node-scaling",
];

/// Flags that a simulation has no use for: they are about the process, the cloud's API or the time that thinking
/// takes, or about what simulated clusters do not have.
const WITHOUT_EFFECT: &[&str] = &[
    "add-dir-header",
    "address",
    "alsologtostderr",
    "aws-use-static-instance-list",
    "blocking-system-pod-disruption-timeout",
    "bulk-mig-instances-listing-enabled",
    "capacity-buffer-controller-enabled",
    "capacity-buffer-pod-injection-enabled",
    "capacity-quotas-enabled",
    "cloud-config",
    "cloud-provider",
    "cluster-name",
    "cluster-snapshot-parallelism",
    "cordon-node-before-terminating",
    "daemonset-eviction-for-empty-nodes",
    "daemonset-eviction-for-occupied-nodes",
    "debugging-snapshot-enabled",
    "emit-per-nodegroup-metrics",
    "force-delete-failed-nodes",
    "force-ds",
    "gpu-total",
    "grpc-expander-cert",
    "grpc-expander-url",
    "ignore-daemonsets-utilization",
    "ignore-mirror-pods-utilization",
    "ignore-taint",
    "kube-api-content-type",
    "kube-client-burst",
    "kube-client-qps",
    "kubeconfig",
    "kubernetes",
    "leader-elect",
    "leader-elect-lease-duration",
    "leader-elect-renew-deadline",
    "leader-elect-resource-lock",
    "leader-elect-resource-name",
    "leader-elect-resource-namespace",
    "leader-elect-retry-period",
    "log-backtrace-at",
    "log-dir",
    "log-file",
    "log-file-max-size",
    "logtostderr",
    "max-autoprovisioned-node-group-count",
    "max-binpacking-time",
    "max-bulk-soft-taint-count",
    "max-bulk-soft-taint-time",
    "max-failing-time",
    "max-graceful-termination-sec",
    "max-inactivity",
    "max-nodegroup-binpacking-duration",
    "max-pod-eviction-time",
    "max-startup-time",
    "namespace",
    "node-autoprovisioning-enabled",
    "node-deletion-batcher-interval",
    "node-deletion-candidate-ttl",
    "node-deletion-delay-timeout",
    "node-group-auto-discovery",
    "node-info-cache-expire-time",
    "nodes",
    "one-output",
    "parallel-scale-up",
    "pod-injection-limit",
    "predicate-parallelism",
    "profiling",
    "record-duplicated-events",
    "regional",
    "salvo-scale-up-budget",
    "scale-down-candidates-pool-min-count",
    "scale-down-candidates-pool-ratio",
    "scale-down-non-empty-candidates-count",
    "scale-down-simulation-timeout",
    "skip-headers",
    "skip-log-headers",
    "skip-nodes-with-custom-controller-pods",
    "skip-nodes-with-local-storage",
    "skip-nodes-with-system-pods",
    "startup-taint",
    "startup-taint-prefix",
    "status-config-map-name",
    "status-taint",
    "stderrthreshold",
    "user-agent",
    "v",
    "vmodule",
    "write-status-configmap",
];

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
    if WITHOUT_EFFECT.contains(&name) {
        return Ok(());
    }
    let default = defaults.get(name).filter(|_| !NO_FLAGS.contains(&name));
    let default = default.ok_or_else(|| unknown(name, defaults))?;
    let value = match (default, value) {
        (Value::Bool(_), None) => Value::Bool(true),
        (_, None) => return Err(format!("a value: `--{name}=<value>`")),
        (default, Some(text)) => read(text, default, keys.get(name))?,
    };
    keys.insert(name.to_owned(), value);
    Ok(())
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
    let known = defaults.keys().map(String::as_str).filter(|key| !NO_FLAGS.contains(key));
    let known = known.chain(WITHOUT_EFFECT.iter().copied());
    let likeness = |known: &&str| strsim::jaro_winkler(name, known);
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
        ]);
        let expected = Settings {
            scan_interval: Micros::from_secs(90),
            expander: vec![Expander::Priority, Expander::LeastWaste],
            balance_similar_node_groups: true,
            balancing_ignore_label: vec!["pool".into(), "rack".into()],
            scale_down_utilization_threshold: 0.65,
            cores_total: "0:64".parse().expect("a range"),
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
}
