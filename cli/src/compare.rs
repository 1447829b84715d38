//! `windtunnel compare`: all stacks of a scenario, several replications each.

use crate::args::{Compare, Flight};
use crate::failure::Failure;
use crate::output::{print, remark};
use crate::progress::Bar;
use ::scenarios::{Options, Scenario};
use std::path::{Path, PathBuf};

/// Flies, prints the tables, writes the run folder.
pub(crate) fn compare(args: &Compare) -> Result<(), Failure> {
    let scenario = scenario(&args.flight)?;
    let options = Options {
        seed: args.flight.seed,
        runs: args.runs,
        stacks: args.stack.clone(),
        threads: args.threads,
    };
    let stacks = if args.stack.is_empty() { scenario.stacks().len() } else { args.stack.len() };
    let bar = Bar::new(stacks * args.runs as usize);
    let experiment = ::scenarios::compare(&scenario, &options, &|progress| bar.tell(progress));
    bar.finish();
    let experiment = experiment?;
    print(&reports::table(&experiment))?;
    let folder = args.out.clone().unwrap_or_else(|| default_folder(&scenario, args.flight.seed));
    write_folder(&folder, &experiment, &scenario)
}

/// The scenario that was asked for, with the horizon that was asked for.
pub(crate) fn scenario(flight: &Flight) -> Result<Scenario, Failure> {
    let scenario = Scenario::find(&flight.scenario)?;
    Ok(match flight.horizon {
        Some(horizon) => scenario.with_horizon(horizon),
        None => scenario,
    })
}

/// Writes a run folder and says where its page is.
pub(crate) fn write_folder(
    folder: &Path,
    experiment: &sim_core::outcome::Experiment,
    scenario: &Scenario,
) -> Result<(), Failure> {
    reports::write_run_folder(folder, experiment, &scenario.to_toml())?;
    remark(&format!("report: {}", folder.join("report.html").display()));
    Ok(())
}

fn default_folder(scenario: &Scenario, seed: u64) -> PathBuf {
    Path::new("runs").join(format!("{}-seed{seed}", scenario.name()))
}
