//! The metrics pipeline: every metric takes one path.

use super::Check;
use crate::document::KeyPath;
use crate::error::ScenarioError;
use crate::settings::{Metrics, MetricsPath, Outage, ServiceExporter};
use contract::{Instant, Metric, Micros};
use sim_core::spec::{self, MetricsSpec};
use std::collections::BTreeSet;

impl Check<'_> {
    pub(super) fn metrics(&self, metrics: &Metrics) -> Result<MetricsSpec, ScenarioError> {
        let every_other = MetricsPath {
            metrics: Vec::new(),
            scrape_interval: metrics.scrape_interval,
            evaluation_interval: metrics.evaluation_interval,
            delay: metrics.delay,
            window: metrics.window,
        };
        let mut paths = vec![self.path(&[], &every_other)?];
        let mut named = BTreeSet::new();
        for (name, path) in &metrics.path {
            self.metrics_are_free(name, path, &mut named)?;
            paths.push(self.path(&["path", name], path)?);
        }
        Ok(MetricsSpec {
            paths,
            service_exporter: match metrics.service_exporter {
                ServiceExporter::Gateway => spec::ServiceExporter::Gateway,
                ServiceExporter::Replicas => spec::ServiceExporter::Replicas,
            },
            missing: metrics.missing.get(),
            outages: metrics.outage.iter().map(outage).collect(),
        })
    }

    /// A path carries something, and nothing that an earlier one carries.
    fn metrics_are_free(
        &self,
        name: &str,
        path: &MetricsPath,
        named: &mut BTreeSet<Metric>,
    ) -> Result<(), ScenarioError> {
        let key = key(&["path", name, "metrics"]);
        if path.metrics.is_empty() {
            return Err(self.misfit(&key, "[]", "one metric or more"));
        }
        match (0..).zip(&path.metrics).find(|&(_, &metric)| !named.insert(metric)) {
            None => Ok(()),
            Some((place, _)) => {
                let mut key = key;
                key.push(i32::to_string(&place));
                let problem = "found a metric that has a path, expected each metric on one path";
                Err(self.document.error(&key, problem.to_owned(), None))
            }
        }
    }

    fn path(&self, table: &[&str], path: &MetricsPath) -> Result<spec::MetricsPath, ScenarioError> {
        let shortest = path.scrape_interval.get();
        if path.window > Micros::ZERO && path.window < shortest {
            let key = key(&[table, &["window"]].concat());
            let found = path.window.to_string();
            return Err(self.misfit(&key, &found, "`0s`, or at least one `scrape-interval`"));
        }
        Ok(spec::MetricsPath {
            metrics: path.metrics.clone(),
            scrape_interval: shortest,
            evaluation_interval: path.evaluation_interval,
            delay: path.delay,
            window: path.window,
        })
    }
}

fn outage(outage: &Outage) -> spec::Outage {
    let from = Instant::ZERO + outage.at;
    spec::Outage { from, until: from + outage.length.get(), metrics: outage.metrics.clone() }
}

/// A key under `[metrics]`.
fn key(parts: &[&str]) -> KeyPath {
    ["metrics"].iter().chain(parts).map(|&part| part.to_owned()).collect()
}
