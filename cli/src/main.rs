//! The command `windtunnel`: reads arguments, calls the crates below, prints. Data goes to standard output,
//! everything else to standard error.

mod args;
mod compare;
mod explain;
mod failure;
mod output;
mod pack;
mod progress;
mod report;
mod run;
mod scenarios;

use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use failure::Failure;
use output::print;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error),
    };
    match carry_out(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn carry_out(command: Command) -> Result<(), Failure> {
    match command {
        Command::Compare(args) => compare::compare(&args),
        Command::Run(args) => run::run(&args),
        Command::Pack(args) => pack::pack(&args),
        Command::Report(args) => report::report(&args),
        Command::Scenarios(args) => scenarios::scenarios(&args),
        Command::Policies => print(&explain::list()),
        Command::Explain(args) => explain::explain(&args),
        Command::Schema => {
            let schema = scenarios_schema();
            print(&schema)
        }
        Command::Completions(args) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "windtunnel", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command())
                .render(&mut page)
                .map_err(|error| Failure::cannot_write("the manual page", &error))?;
            print(&String::from_utf8_lossy(&page))
        }
    }
}

fn scenarios_schema() -> String {
    let schema = ::scenarios::scenario_schema();
    let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    format!("{text}\n")
}
