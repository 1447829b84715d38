//! How fast GPU models do a class of work.

use serde::Deserialize;
use std::collections::BTreeMap;

/// A class of work, as a table of `throughput.toml` holds it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// What is done.
    pub about: String,
    /// Of its rates.
    pub unit: String,
    /// By source.
    pub measured: Vec<MeasuredRates>,
}

/// What one source has measured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredRates {
    /// A key in the file's list of sources.
    pub source: String,
    /// The GPU model by which its rates compare with those of the sources before it.
    pub anchor: String,
    /// By GPU model.
    pub rate: BTreeMap<String, f64>,
}

impl Workload {
    /// The GPU that times are given for where nobody says another.
    pub fn reference(&self) -> &str {
        &self.measured[0].anchor
    }

    /// Rates of all GPU models that it knows, as multiples of the reference's.
    pub fn rates(&self) -> BTreeMap<&str, f64> {
        let mut rates = BTreeMap::from([(self.reference(), 1.0)]);
        for measured in &self.measured {
            let of_anchor = rates[&*measured.anchor] / measured.rate[&measured.anchor];
            for (gpu, rate) in &measured.rate {
                rates.entry(gpu).or_insert(rate * of_anchor);
            }
        }
        rates
    }
}

/// `throughput.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ThroughputFile {
    pub(super) source: BTreeMap<String, String>,
    pub(super) workload: BTreeMap<String, Workload>,
}
