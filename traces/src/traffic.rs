//! What a scenario says about the traffic of a service.

use crate::azure;
use crate::error::TraceError;
use crate::replay::Replay;
use crate::synthetic::Synthetic;
use contract::{Micros, ServiceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::ArrivalSource;
use sim_core::random::Seed;
use std::path::Path;

/// The traffic of a service: generated, or a trace in one of the [`FORMATS`](crate::FORMATS).
///
/// Every setting has a type that cannot hold a bad value, so an error stands at its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Traffic {
    /// Generated: a rate curve, an arrival process and token lengths.
    Synthetic(Synthetic),
    /// Replays an Azure LLM inference trace.
    AzureCsv(Replay),
}

impl Traffic {
    /// Whether its requests have prompts and outputs, as an LLM service needs and a plain one does not.
    pub fn has_tokens(&self) -> bool {
        match self {
            Self::Synthetic(synthetic) => synthetic.prompt.is_some() && synthetic.output.is_some(),
            Self::AzureCsv(_) => true,
        }
    }

    /// Arrivals from the start of the run up to `horizon`, in time order.
    ///
    /// `service` keeps the luck of services apart; `base` is the folder where relative paths start.
    /// The same seed gives the same arrivals.
    ///
    /// # Errors
    /// When a trace cannot be opened or its first rows cannot be read. What is wrong further down comes
    /// out of the source, as a [`TraceError`] too.
    pub fn open(
        &self,
        seed: Seed,
        service: ServiceId,
        horizon: Micros,
        base: &Path,
    ) -> Result<Box<dyn ArrivalSource>, TraceError> {
        match self {
            Self::Synthetic(synthetic) => Ok(synthetic.open(seed, service, horizon)),
            Self::AzureCsv(replay) => replay.open(&azure::FORMAT, seed, service, horizon, base),
        }
    }
}
