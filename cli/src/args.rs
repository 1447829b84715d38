//! The command line: one list of subcommands and flags feeds the parser, the help, the man page and the
//! completions.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use contract::Micros;
use placement::packing::Strategy;
use scenarios::packing::Load;
use scenarios::settings::Length;
use std::path::PathBuf;

/// Flies autoscaling policies for AI workloads through the same weather, and says what each costs, which
/// promises it keeps, and why the late requests were late.
#[derive(Debug, Parser)]
#[command(name = "windtunnel", version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  windtunnel compare                         the built-in day of LLM chat: four stacks, five runs
  windtunnel compare my.toml --runs 10       a scenario of your own
  windtunnel run chat-day --stack hpa-queue  one stack once, with its decisions
  windtunnel explain hpa                     what a policy does, its settings, its limits

Exit codes:
  0 done, 1 no threads, 2 wrong usage, 3 wrong input (scenario, trace, run folder), 4 cannot write";

/// What windtunnel can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fly all stacks of a scenario, several times each: a table, a run folder, a page
    Compare(Compare),
    /// Fly one stack once: its figures and its decisions
    Run(Run),
    /// Pack pods with GPU requests into a cluster with several strategies: what each allocates and strands
    Pack(Pack),
    /// Make the page and the figures of a run folder again
    Report(Report),
    /// List the built-in scenarios, or print one to start your own from
    Scenarios(Scenarios),
    /// List the policies
    Policies,
    /// Explain a policy: what it does, what it looks at, its settings, where it falls short
    Explain(Explain),
    /// Print the JSON schema of scenario files, for editors
    Schema,
    /// Print shell completions
    Completions(Completions),
    /// Print the manual page
    Man,
}

/// Which scenario, and with what luck.
#[derive(Debug, Args)]
pub(crate) struct Flight {
    /// A scenario file, or the name of a built-in one
    #[arg(default_value = "chat-day")]
    pub(crate) scenario: String,
    /// The experiment's seed: the weather. The same seed gives the same bytes
    #[arg(long, default_value_t = 1, value_name = "NUMBER", value_parser = seed)]
    pub(crate) seed: u64,
    /// Run for this long instead of the scenario's horizon, such as `2h`
    #[arg(long, value_name = "DURATION", value_parser = length)]
    pub(crate) horizon: Option<Length>,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    #[command(flatten)]
    pub(crate) flight: Flight,
    /// Replications of each stack; their spread gives the intervals
    #[arg(long, default_value_t = 5, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// Fly only these stacks; the first one flown is the baseline
    #[arg(long, value_name = "NAME")]
    pub(crate) stack: Vec<String>,
    /// Threads; 0 takes one a core. Results do not depend on it
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    pub(crate) threads: usize,
    /// Run folder [default: runs/SCENARIO-seedNUMBER]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
#[expect(clippy::struct_field_names, reason = "the flag is `--run`")]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) flight: Flight,
    /// Which stack [default: the scenario's first]
    #[arg(long, value_name = "NAME")]
    pub(crate) stack: Option<String>,
    /// Which replication
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    pub(crate) run: u32,
    /// Write what every policy saw and decided, a JSON line a turn, zstd
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Run folder [default: none is written]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
}

/// Arguments of `pack`.
#[derive(Debug, Args)]
#[command(after_long_help = PACK_HELP)]
pub(crate) struct Pack {
    /// Nodes: `sn`, `cpu_milli`, `memory_mib`, `gpu` (how many), `model`
    #[arg(long, value_name = "NODES.csv")]
    pub(crate) nodes: PathBuf,
    /// Pods: `name`, `cpu_milli`, `memory_mib`, `num_gpu`, `gpu_milli` (of each), `gpu_spec` (`A|B`, empty: any)
    #[arg(long, value_name = "PODS.csv")]
    pub(crate) pods: PathBuf,
    /// Strategies, separated by commas [default: all]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = strategies(), hide_possible_values = true)]
    pub(crate) profile: Vec<Strategy>,
    /// Arrive and break ties exactly so: `seed`, `kind` (`pod` or `node`), `pos`, `name`. Without it, orders
    /// are drawn by seed
    #[arg(long, value_name = "FILE")]
    pub(crate) order: Option<PathBuf>,
    /// Runs, each with its own order [default: 10, or all of the order file]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) seeds: Option<u32>,
    /// The seed of the first run; the others follow
    #[arg(long, default_value_t = 42, value_name = "NUMBER", value_parser = seed, conflicts_with = "order")]
    pub(crate) seed: u64,
    /// How much GPU pods ask for in all, as a multiple of what there is
    #[arg(long, default_value_t = Load::default(), value_name = "FACTOR", conflicts_with = "order")]
    pub(crate) load: Load,
    /// Threads; 0 takes one a core. Results do not depend on it
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    pub(crate) threads: usize,
    /// Folder for the curves (CSV) and the figure (SVG, PNG) [default: none is written]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
}

const PACK_HELP: &str = "\
Lists have the columns of Alibaba's openb trace (cluster-trace-gpu-v2023), plain, .gz or .zst.

Pods arrive one at a time and stay; one that fits nowhere is dropped. Without --order, pods are
sorted by name and shuffled; then pods of the list arrive again, at random, until --load is asked
for. Equal scores go to the node that comes first in a shuffled order of nodes. This is the study
of Weng et al. (USENIX ATC 2023).

Strategies:
  random         any node that fits, any device with room
  dotprod        the node whose free CPU and GPU point along the request the least
  gpuclustering  the node that holds pods with GPU requests of the same kind
  gpupacking     GPUs in use before idle GPUs, on nodes in use before idle nodes
  bestfit        the node with the least left
  fgd            fragmentation gradient descent: the place that becomes the least fragmented

Example:
  windtunnel pack --nodes nodes.csv --pods pods.csv --profile fgd,bestfit --seeds 3 --out packing";

/// Arguments of `report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// A run folder that `compare` wrote
    pub(crate) folder: PathBuf,
}

/// Arguments of `scenarios`.
#[derive(Debug, Args)]
pub(crate) struct Scenarios {
    /// Print this one's file, or `defaults` for every setting with its default
    pub(crate) name: Option<String>,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A policy's name, as `windtunnel policies` lists it
    pub(crate) policy: String,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// For which shell
    pub(crate) shell: Shell,
}

/// A packing strategy by its name.
fn strategies() -> impl TypedValueParser<Value = Strategy> {
    let find = |name: String| Strategy::ALL.into_iter().find(|it| it.name() == name);
    PossibleValuesParser::new(Strategy::ALL.map(Strategy::name))
        .map(move |name| find(name).expect("only names of strategies are let through"))
}

/// A seed.
fn seed(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("found `{text}`, expected a whole number from 0 to {}", u64::MAX))
}

/// A duration that is longer than zero.
fn length(text: &str) -> Result<Length, String> {
    let length: Micros = text.parse().map_err(|error: contract::UnitError| error.to_string())?;
    Length::try_from(length).map_err(|error| error.to_string())
}
