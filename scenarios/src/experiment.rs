//! Flies a scenario: stacks × replications, in parallel, with common random numbers.

use crate::error::ScenarioError;
use crate::progress::{Both, Progress, Watched};
use crate::scenario::Scenario;
use crate::settings::Stack;
use rayon::prelude::*;
use sim_core::outcome::{DecisionRow, Experiment, StackOutcome};
use sim_core::random::Seed;
use sim_core::{DecisionLog, Histograms, Outcome, Recorder, RunError};
use traces::TraceError;

/// What to fly, and with what luck.
#[derive(Clone, Debug)]
pub struct Options {
    /// The experiment's seed.
    pub seed: u64,
    /// Replications of each stack.
    pub runs: u32,
    /// Stacks by name, in this order; empty takes all in the order of the scenario.
    pub stacks: Vec<String>,
    /// Threads; zero takes one for each core. The result does not depend on it.
    pub threads: usize,
}

/// Why an experiment has no outcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// The scenario does not hold what was asked for.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A trace cannot be opened.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// A run broke off.
    #[error(transparent)]
    Run(#[from] RunError),
    /// No thread could be started.
    #[error("cannot start {threads} threads: {cause}")]
    Threads {
        /// How many.
        threads: usize,
        /// What the system said.
        cause: rayon::ThreadPoolBuildError,
    },
}

impl ExperimentError {
    /// What to do about it, if there is something better to say than the error itself.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Scenario(error) => error.hint(),
            Self::Trace(error) => Some(error.hint()),
            Self::Run(RunError::Source { cause, .. } | RunError::JobSource { cause, .. }) => {
                cause.downcast_ref::<TraceError>().map(TraceError::hint)
            }
            Self::Run(_) => Some("sort the trace by arrival time"),
            Self::Threads { .. } => Some("ask for fewer threads"),
        }
    }
}

/// One run of one stack.
struct Flight {
    outcome: Outcome,
    decisions: Vec<DecisionRow>,
}

/// Flies every stack `options.runs` times. Results come in the order of the stacks whatever the number of
/// threads. `progress` is told how far each run is, from the thread that flies it.
///
/// # Errors
/// The first failure in the order of stacks and runs; nothing else is given back then.
///
/// # Panics
/// If `options.runs` is zero.
pub fn compare(
    scenario: &Scenario,
    options: &Options,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Experiment, ExperimentError> {
    assert!(options.runs > 0, "an experiment has a run");
    let stacks = chosen(scenario, &options.stacks)?;
    scenario.check_traces()?;
    let jobs: Vec<_> =
        stacks.iter().flat_map(|&stack| (0..options.runs).map(move |run| (stack, run))).collect();
    let fly_job = |(job, &(stack, run)): (usize, &(&Stack, u32))| {
        let seed = Seed { seed: options.seed, run };
        let told = |fraction| {
            progress(Progress { stack: &stack.name, run, job, jobs: jobs.len(), fraction });
        };
        // Decisions of one replication tell a stack's story; those of all of them would fill a disk.
        let mut log = (run == 0).then(|| DecisionLog::new(&stack.name, run));
        let recorder: &mut dyn Recorder = match &mut log {
            Some(log) => log,
            None => &mut (),
        };
        let outcome = fly(scenario, stack, seed, recorder, &told)?;
        Ok(Flight { outcome, decisions: log.map(DecisionLog::into_rows).unwrap_or_default() })
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build();
    let pool =
        pool.map_err(|cause| ExperimentError::Threads { threads: options.threads, cause })?;
    let flights: Vec<Result<Flight, ExperimentError>> =
        pool.install(|| jobs.par_iter().with_max_len(1).enumerate().map(fly_job).collect());
    let mut flights = flights.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter();
    let runs = options.runs as usize;
    let outcomes = stacks.iter().map(|stack| of_stack(stack, flights.by_ref().take(runs)));
    Ok(Experiment {
        stacks: outcomes.collect(),
        ..introduction(scenario, options.seed, repeat_compare(scenario, options))
    })
}

/// Flies one stack once. `recorder` is told of every turn, `progress` how far the run is.
pub fn run(
    scenario: &Scenario,
    stack: &str,
    seed: Seed,
    recorder: &mut dyn Recorder,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Experiment, ExperimentError> {
    let stack = scenario.stack(stack)?;
    scenario.check_traces()?;
    let told = |fraction| {
        progress(Progress { stack: &stack.name, run: seed.run, job: 0, jobs: 1, fraction });
    };
    let mut log = DecisionLog::new(&stack.name, seed.run);
    let mut both = Both(&mut log, recorder);
    let outcome = fly(scenario, stack, seed, &mut both, &told)?;
    let flight = Flight { outcome, decisions: log.into_rows() };
    Ok(Experiment {
        stacks: vec![of_stack(stack, std::iter::once(flight))],
        ..introduction(scenario, seed.seed, repeat_run(scenario, stack, seed))
    })
}

fn chosen<'a>(scenario: &'a Scenario, names: &[String]) -> Result<Vec<&'a Stack>, ScenarioError> {
    if names.is_empty() {
        return Ok(scenario.stacks().iter().collect());
    }
    names.iter().map(|name| scenario.stack(name)).collect()
}

fn fly(
    scenario: &Scenario,
    stack: &Stack,
    seed: Seed,
    recorder: &mut dyn Recorder,
    told: &dyn Fn(f64),
) -> Result<Outcome, ExperimentError> {
    let sources = scenario.sources(seed)?;
    let spec = scenario.spec(stack, seed);
    let horizon = scenario.horizon();
    let mut watched = Watched { recorder, told, horizon, hundredths: 0 };
    let mut outcome = sim_core::run(spec, sources, scenario.policies(stack), &mut watched)?;
    outcome.summary.stack.clone_from(&stack.name);
    told(1.0);
    Ok(outcome)
}

fn of_stack(stack: &Stack, flights: impl Iterator<Item = Flight>) -> StackOutcome {
    let mut outcome = StackOutcome {
        name: stack.name.clone(),
        about: stack.about.clone(),
        runs: Vec::new(),
        timeline: Vec::new(),
        curves: Vec::new(),
        decisions: Vec::new(),
    };
    let mut sums: Vec<Histograms> = Vec::new();
    for flight in flights {
        if outcome.runs.is_empty() {
            outcome.timeline = flight.outcome.timeline;
            outcome.decisions = flight.decisions;
            sums = flight.outcome.histograms;
        } else {
            for (sum, more) in sums.iter_mut().zip(&flight.outcome.histograms) {
                sum.merge(more);
            }
        }
        outcome.runs.push(flight.outcome.summary);
    }
    outcome.curves = sums.iter().map(Histograms::curves).collect();
    outcome
}

/// An experiment without its stacks.
fn introduction(scenario: &Scenario, seed: u64, repeat: String) -> Experiment {
    Experiment {
        scenario: scenario.name().to_owned(),
        about: scenario.about().to_owned(),
        seed,
        repeat,
        horizon: scenario.horizon(),
        bin: scenario.settings().bin.get(),
        services: scenario.service_infos(),
        jobs: scenario.job_infos(),
        stacks: Vec::new(),
    }
}

fn repeat_compare(scenario: &Scenario, options: &Options) -> String {
    let mut command = format!(
        "windtunnel compare {} --seed {} --runs {}",
        scenario.arguments(),
        options.seed,
        options.runs
    );
    for stack in &options.stacks {
        command.push_str(" --stack ");
        command.push_str(stack);
    }
    command
}

fn repeat_run(scenario: &Scenario, stack: &Stack, seed: Seed) -> String {
    format!(
        "windtunnel run {} --stack {} --seed {} --run {}",
        scenario.arguments(),
        stack.name,
        seed.seed,
        seed.run
    )
}
