//! What the metrics of a cluster are called here: the scenario's own `[metric-map]`, then names that are known
//! everywhere.
//!
//! A metric of pods and the sum of it over a service are different metrics here, so a name has up to two meanings. A
//! name that is known for one of them only must be mapped by hand for the other.

use super::fault::Fault;
use crate::document::{Document, KeyPath, key};
use crate::error::ScenarioError;
use crate::settings::MetricName;
use contract::Metric;
use indexmap::IndexMap;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// What a metric is measured of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// Each pod.
    Pods,
    /// The whole service.
    Service,
}

/// A metric and the unit of its targets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Meaning {
    pub(super) metric: Metric,
    /// One unit of the manifest in units of `metric`.
    pub(super) unit: f64,
}

impl Meaning {
    /// An amount of the manifest in the metric's own unit, to a billionth: 95 per cent are 0.95 exactly.
    pub(super) fn scaled(self, amount: f64) -> f64 {
        (amount * self.unit * 1e9).round() / 1e9
    }
}

/// A name that is known everywhere.
struct Known {
    /// With `_` for `:`, which adapters often replace.
    name: &'static str,
    pods: Option<Meaning>,
    service: Option<Meaning>,
}

const fn same(metric: Metric) -> Meaning {
    Meaning { metric, unit: 1.0 }
}

/// Per cent, where this project counts shares.
const fn percent(metric: Metric) -> Meaning {
    Meaning { metric, unit: 0.01 }
}

/// Servers' own metrics, from vLLM `vllm/v1/metrics/loggers.py`, `SGLang` `docs/references/production_metrics.md`, TGI
/// `docs/source/reference/metrics.md`, and dcgm-exporter `etc/default-counters.csv`. The sum of what waits inside
/// replicas is read as `queue-length`, which also counts what the gateway holds.
const KNOWN: [Known; 9] = [
    Known {
        name: "vllm_num_requests_waiting",
        pods: Some(same(Metric::Waiting)),
        service: Some(same(Metric::QueueLength)),
    },
    Known { name: "vllm_num_requests_running", pods: Some(same(Metric::Running)), service: None },
    Known { name: "vllm_kv_cache_usage_perc", pods: Some(same(Metric::KvUse)), service: None },
    Known { name: "vllm_gpu_cache_usage_perc", pods: Some(same(Metric::KvUse)), service: None },
    Known {
        name: "sglang_num_queue_reqs",
        pods: Some(same(Metric::Waiting)),
        service: Some(same(Metric::QueueLength)),
    },
    Known { name: "sglang_num_running_reqs", pods: Some(same(Metric::Running)), service: None },
    Known { name: "sglang_token_usage", pods: Some(same(Metric::KvUse)), service: None },
    Known {
        name: "tgi_queue_size",
        pods: Some(same(Metric::Waiting)),
        service: Some(same(Metric::QueueLength)),
    },
    Known { name: "DCGM_FI_DEV_GPU_UTIL", pods: Some(percent(Metric::Busy)), service: None },
];

/// The names that one scenario can use.
#[derive(Debug)]
pub(super) struct MetricNames {
    own: IndexMap<String, MetricName>,
    used: RefCell<BTreeSet<String>>,
}

impl MetricNames {
    /// With the scenario's own map. Fails at an entry that cannot work.
    pub(super) fn new(
        own: IndexMap<String, MetricName>,
        document: &Document,
    ) -> Result<Self, ScenarioError> {
        for (name, meaning) in &own {
            let MetricName::Scaled { unit, .. } = *meaning else { continue };
            if !(unit.is_finite() && unit > 0.0) {
                let problem = format!("found the unit `{unit}`, expected a number above 0");
                return Err(document.error(&entry(name), problem, None));
            }
        }
        Ok(Self { own, used: RefCell::default() })
    }

    /// What `name` means.
    pub(super) fn find(&self, name: &str, of: Of) -> Result<Meaning, Fault> {
        self.own(name).or_else(|| known(name, of)).ok_or_else(|| unknown("metric", name, of))
    }

    /// What a `PromQL` query means: by itself, or by the series that it sums up.
    pub(super) fn find_query(&self, query: &str) -> Result<Meaning, Fault> {
        let query = query.split_whitespace().collect::<Vec<_>>().join(" ");
        let summed = summed_series(&query);
        let of_series = || summed.and_then(|name| self.own(name).or(known(name, Of::Service)));
        self.own(&query).or_else(of_series).ok_or_else(|| unknown("query", &query, Of::Service))
    }

    /// What the scenario itself says that a name means.
    pub(super) fn own(&self, name: &str) -> Option<Meaning> {
        let meaning = match *self.own.get(name)? {
            MetricName::Same(metric) => same(metric),
            MetricName::Scaled { metric, unit } => Meaning { metric, unit },
        };
        self.used.borrow_mut().insert(name.to_owned());
        Some(meaning)
    }

    /// Fails at an entry that no manifest asked for: a misspelt name must not pass unseen.
    pub(super) fn all_used(&self, document: &Document) -> Result<(), ScenarioError> {
        let used = self.used.borrow();
        let Some(name) = self.own.keys().find(|name| !used.contains(*name)) else {
            return Ok(());
        };
        let problem = format!("no manifest of this scenario reads a metric `{name}`");
        let hint = "write the metric's name or the query as the manifest has it";
        Err(document.error(&entry(name), problem, Some(hint.to_owned())))
    }
}

/// The key of an entry of the map.
fn entry(name: &str) -> KeyPath {
    key(["metric-map", name])
}

fn known(name: &str, of: Of) -> Option<Meaning> {
    let name = name.replace(':', "_");
    let known = KNOWN.iter().find(|known| known.name == name)?;
    match of {
        Of::Pods => known.pods,
        Of::Service => known.service,
    }
}

fn unknown(what: &str, name: &str, of: Of) -> Fault {
    let metrics = match of {
        Of::Pods => "`concurrency`, `running`, `waiting`, `kv-use`, `busy`",
        Of::Service => "`gateway-queue`, `queue-length`, `in-flight`, `arrival-rate`",
    };
    let problem = format!("found the {what} `{name}`, which has no meaning here yet");
    let key = serde_json::Value::from(name);
    let example = if of == Of::Pods { "waiting" } else { "queue-length" };
    Fault::new([], problem).hint(format!(
        "give it one in the scenario, such as `{key} = \"{example}\"` under `[metric-map]`; there are {metrics}"
    ))
}

/// The series of a query of the form `sum(name{...})`.
fn summed_series(query: &str) -> Option<&str> {
    let inner = query.strip_prefix("sum(")?.strip_suffix(')')?.trim();
    let end = inner.find('{').unwrap_or(inner.len());
    let (name, selector) = inner.split_at(end);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let simple = selector.is_empty() || (selector.ends_with('}') && !selector[1..].contains('{'));
    (!name.is_empty() && name.chars().all(plain) && simple).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_map() -> MetricNames {
        MetricNames { own: IndexMap::new(), used: RefCell::default() }
    }

    #[track_caller]
    fn check(query: &str, expected: Option<Metric>) {
        assert_eq!(
            no_map().find_query(query).ok().map(|meaning| meaning.metric),
            expected,
            "{query}"
        );
    }

    #[test]
    fn a_sum_of_a_known_series_needs_no_map() {
        check("sum(vllm:num_requests_waiting)", Some(Metric::QueueLength));
        check("sum( vllm:num_requests_waiting{model=\"a\"} )", Some(Metric::QueueLength));
        check("sum(tgi_queue_size)", Some(Metric::QueueLength));
    }

    #[test]
    fn any_other_query_does() {
        check("avg(vllm:num_requests_waiting)", None);
        check("vllm:num_requests_waiting", None);
        check("sum(rate(vllm:num_requests_waiting[1m]))", None);
        check("sum(a{x=\"1\"}) / sum(b{x=\"1\"})", None);
        check("sum(vllm:num_requests_running)", None);
    }

    #[test]
    fn adapters_may_replace_the_colon() {
        let found = no_map().find("vllm_gpu_cache_usage_perc", Of::Pods);
        assert_eq!(found, Ok(Meaning { metric: Metric::KvUse, unit: 1.0 }));
    }
}
