//! `latency.json`: by stack and service, (quantile, milliseconds) pairs of TTFT, TPOT and E2E over
//! all replications.

use serde::{Deserialize, Serialize};
use sim_core::outcome::{Experiment, LatencyCurves};

/// The curves of one stack.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StackCurves {
    stack: String,
    services: Vec<LatencyCurves>,
}

/// The file's text: an object a stack, in order; in it an object a service, in order.
pub(crate) fn write(experiment: &Experiment) -> serde_json::Result<Vec<u8>> {
    let stacks = experiment.stacks.iter();
    let curves: Vec<_> = stacks
        .map(|stack| StackCurves { stack: stack.name.clone(), services: stack.curves.clone() })
        .collect();
    let mut text = serde_json::to_vec(&curves)?;
    text.push(b'\n');
    Ok(text)
}

/// Puts the curves back where they were.
pub(crate) fn read_into(experiment: &mut Experiment, text: &[u8]) -> Result<(), String> {
    let curves: Vec<StackCurves> =
        serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let names: Vec<_> = experiment.stacks.iter().map(|stack| stack.name.as_str()).collect();
    let found: Vec<_> = curves.iter().map(|stack| stack.stack.as_str()).collect();
    if names != found {
        return Err(format!("found curves of {found:?}, expected those of {names:?}"));
    }
    for (stack, curves) in experiment.stacks.iter_mut().zip(curves) {
        stack.curves = curves.services;
    }
    Ok(())
}
