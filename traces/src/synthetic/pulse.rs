//! Extra traffic for a while.

use super::lengths::{LengthPair, Lengths};
use super::{Synthetic, instant, micros};
use crate::rate::RequestsPerSecond;
use contract::Micros;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Arrival;
use sim_core::random::{Seed, Stream};

/// Poisson arrivals laid over the body of the traffic, such as an attack or a batch of evaluations.
///
/// A stream of its own: the body's arrivals are the same with and without it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Pulse {
    /// When it begins, from the start of the run.
    pub at: Micros,
    /// How long it lasts.
    pub length: Micros,
    /// Its rate, on top of the rest.
    pub rate: RequestsPerSecond,
    /// Prompt lengths; those of the body when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Lengths>,
    /// Output lengths; those of the body when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Lengths>,
}

/// The arrivals of one pulse.
pub(super) struct PulseArrivals {
    gaps: Stream,
    lengths: LengthPair,
    mean_gap: f64,
    now: f64,
    end: f64,
}

impl Pulse {
    /// The pulse's arrivals; `entity` names its luck.
    pub(super) fn open(
        &self,
        body: &Synthetic,
        seed: Seed,
        entity: u64,
        horizon: Micros,
    ) -> PulseArrivals {
        let luck = |purpose| seed.stream(purpose, entity);
        let lengths = LengthPair::new(
            self.prompt.as_ref().or(body.prompt.as_ref()),
            self.output.as_ref().or(body.output.as_ref()),
            ["pulse-prompt-lengths", "pulse-output-lengths"].map(luck),
        );
        PulseArrivals {
            gaps: luck("pulse-gaps"),
            lengths,
            mean_gap: 1e6 / self.rate.get(),
            now: micros(self.at),
            end: micros((self.at + self.length).min(horizon)),
        }
    }
}

impl Iterator for PulseArrivals {
    type Item = Arrival;
    fn next(&mut self) -> Option<Arrival> {
        self.now += self.gaps.exponential() * self.mean_gap;
        (self.now < self.end).then(|| {
            let (prompt_tokens, output_tokens) = self.lengths.draw();
            Arrival { at: instant(self.now), prompt_tokens, output_tokens }
        })
    }
}
