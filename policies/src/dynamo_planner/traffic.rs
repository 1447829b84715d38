//! What arrived in the interval of the slow loop: means of the samples that came in.

use contract::{Instant, Metric, ServiceSeen};
use serde::{Deserialize, Serialize};

/// Requests a second and their mean lengths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traffic {
    /// Requests that arrived per second.
    pub rate: f64,
    /// Their prompt tokens.
    pub prompt: f64,
    /// Their output tokens.
    pub output: f64,
}

/// Samples of an interval, summed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gathered {
    /// Sum and number: rate, prompt tokens, output tokens.
    sums: [(f64, f64); 3],
    newest: Instant,
}

const METRICS: [Metric; 3] = [Metric::ArrivalRate, Metric::PromptTokens, Metric::OutputTokens];

impl Gathered {
    /// Takes in samples that were not there before.
    pub fn gather(&mut self, service: &ServiceSeen) {
        let before = self.newest;
        for (sum, metric) in self.sums.iter_mut().zip(METRICS) {
            let Some(sample) = service.sample(metric).filter(|sample| sample.at > before) else {
                continue;
            };
            sum.0 += sample.value;
            sum.1 += 1.0;
            self.newest = self.newest.max(sample.at);
        }
    }

    /// The means of the interval, which ends; `None` where one of them has no sample.
    pub fn take(&mut self) -> Option<Traffic> {
        let sums = std::mem::take(&mut self.sums);
        let means = sums.map(|(sum, count)| (count > 0.0).then(|| sum / count));
        let [rate, prompt, output] = means;
        Some(Traffic { rate: rate?, prompt: prompt?, output: output? })
    }
}
