//! The metrics pipeline: the paths that metrics take from exporter to policy, and what gets lost on the way.

use super::{Length, Share};
use contract::{Metric, Micros};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From exporter to policy: `[metrics]`. Its own settings hold for every metric that no path below names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Metrics {
    /// Between two scrapes of a target; each target has its own phase.
    pub scrape_interval: Length,
    /// Between two evaluations of the rule whose result policies read; zero: they ask live.
    pub evaluation_interval: Micros,
    /// From a scrape (or an evaluation) to a policy that can read it.
    pub delay: Micros,
    /// Policies read the mean over the scrapes of this long; zero gives the newest alone.
    pub window: Micros,
    /// Who exports the metrics of a whole service.
    pub service_exporter: ServiceExporter,
    /// Share of scrapes that fail.
    pub missing: Share,
    /// Paths of single metrics, by name.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub path: IndexMap<String, MetricsPath>,
    /// Times in which scrapes fail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outage: Vec<Outage>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            scrape_interval: quarter_minute(),
            evaluation_interval: Micros::ZERO,
            delay: one_second(),
            window: Micros::ZERO,
            service_exporter: ServiceExporter::Gateway,
            missing: Share::default(),
            path: IndexMap::new(),
            outage: Vec::new(),
        }
    }
}

/// A path that some metrics take: `[metrics.path.NAME]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MetricsPath {
    /// Which metrics.
    pub metrics: Vec<Metric>,
    /// Between two scrapes of a target; each target has its own phase.
    #[serde(default = "quarter_minute")]
    pub scrape_interval: Length,
    /// Between two evaluations of the rule whose result policies read; zero: they ask live.
    #[serde(default)]
    pub evaluation_interval: Micros,
    /// From a scrape (or an evaluation) to a policy that can read it.
    #[serde(default = "one_second")]
    pub delay: Micros,
    /// Policies read the mean over the scrapes of this long; zero gives the newest alone.
    #[serde(default)]
    pub window: Micros,
}

/// Who exports the metrics of a whole service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceExporter {
    /// The gateway, which is always there and sees every request.
    Gateway,
    /// The replicas: `queue-length` and `in-flight` are sums over what they hold, `gateway-queue` and
    /// `arrival-rate` do not exist, and without a ready replica nothing does.
    Replicas,
}

/// A time in which scrapes fail: `[[metrics.outage]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Outage {
    /// When it begins, from the start of the run.
    pub at: Micros,
    /// How long it lasts.
    pub length: Length,
    /// Which metrics it hides; all unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
}

fn quarter_minute() -> Length {
    Length::of(Micros::from_secs(15))
}

fn one_second() -> Micros {
    Micros::from_secs(1)
}
