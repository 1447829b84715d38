//! `summary.json`: what the experiment was and the figures of every run, all but the long series.

use contract::Micros;
use serde::{Deserialize, Serialize};
use sim_core::outcome::{Experiment, JobInfo, RunSummary, ServiceInfo, StackOutcome};

/// An experiment without its timelines, curves and decisions, which stand in files of their own.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Summary {
    scenario: String,
    about: String,
    seed: u64,
    repeat: String,
    horizon: Micros,
    bin: Micros,
    services: Vec<ServiceInfo>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    jobs: Vec<JobInfo>,
    stacks: Vec<StackSummary>,
}

/// A stack without its timeline, curves and decisions.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StackSummary {
    name: String,
    about: String,
    runs: Vec<RunSummary>,
}

/// The file's text.
pub(crate) fn write(experiment: &Experiment) -> serde_json::Result<Vec<u8>> {
    let stacks = experiment.stacks.iter().map(|stack| StackSummary {
        name: stack.name.clone(),
        about: stack.about.clone(),
        runs: stack.runs.clone(),
    });
    let summary = Summary {
        scenario: experiment.scenario.clone(),
        about: experiment.about.clone(),
        seed: experiment.seed,
        repeat: experiment.repeat.clone(),
        horizon: experiment.horizon,
        bin: experiment.bin,
        services: experiment.services.clone(),
        jobs: experiment.jobs.clone(),
        stacks: stacks.collect(),
    };
    let mut text = serde_json::to_vec_pretty(&summary)?;
    text.push(b'\n');
    Ok(text)
}

/// The experiment that the file tells of; its stacks have no timeline, curves or decisions yet.
pub(crate) fn read(text: &[u8]) -> serde_json::Result<Experiment> {
    let summary: Summary = serde_json::from_slice(text)?;
    let stacks = summary.stacks.into_iter().map(|stack| StackOutcome {
        name: stack.name,
        about: stack.about,
        runs: stack.runs,
        timeline: Vec::new(),
        curves: Vec::new(),
        decisions: Vec::new(),
    });
    Ok(Experiment {
        scenario: summary.scenario,
        about: summary.about,
        seed: summary.seed,
        repeat: summary.repeat,
        horizon: summary.horizon,
        bin: summary.bin,
        services: summary.services,
        jobs: summary.jobs,
        stacks: stacks.collect(),
    })
}
