//! `windtunnel run`: one stack once, with a journal if asked for.

use crate::args::Run;
use crate::compare::{scenario, write_folder};
use crate::failure::Failure;
use crate::output::{print, remark};
use crate::progress::Bar;
use ::scenarios::Journal;
use sim_core::outcome::DecisionRow;
use sim_core::random::Seed;
use std::fmt::Write as _;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

/// Decisions that the terminal shows; a run folder holds all of them.
const SHOWN: usize = 40;

/// Flies, prints the figures and the decisions.
pub(crate) fn run(args: &Run) -> Result<(), Failure> {
    let scenario = scenario(&args.flight)?;
    let stack = match &args.stack {
        Some(name) => scenario.stack(name)?,
        None => &scenario.stacks()[0],
    };
    let seed = Seed { seed: args.flight.seed, run: args.run };
    let bar = Bar::new(1);
    let tell = |progress: ::scenarios::Progress<'_>| bar.tell(progress);
    let experiment = match &args.journal {
        None => ::scenarios::run(&scenario, &stack.name, seed, &mut (), &tell),
        Some(path) => {
            let cannot_write = |cause| Failure::cannot_write(path.display(), cause);
            let mut journal = open(path).map_err(cannot_write)?;
            let experiment = ::scenarios::run(&scenario, &stack.name, seed, &mut journal, &tell);
            let finished = journal.finish().and_then(|sink| Ok(sink.into_inner()?));
            finished.map_err(cannot_write)?;
            experiment
        }
    };
    bar.finish();
    let experiment = experiment?;
    print(&reports::table(&experiment))?;
    print(&decisions(&experiment.stacks[0].decisions))?;
    if let Some(folder) = &args.out {
        write_folder(folder, &experiment, &scenario)?;
    }
    if let Some(path) = &args.journal {
        remark(&format!("journal: {}", path.display()));
    }
    Ok(())
}

fn open(path: &Path) -> std::io::Result<Journal<BufWriter<File>>> {
    Journal::new(BufWriter::new(File::create(path)?))
}

/// The first decisions, a line each.
fn decisions(rows: &[DecisionRow]) -> String {
    let mut text = format!("\ndecisions: {}\n", rows.len());
    for row in rows.iter().take(SHOWN) {
        let action = if row.action.is_empty() { "hold" } else { &row.action };
        writeln!(
            text,
            "  {:>16}  {:18} {:16} {:18} {}",
            row.at, row.policy, row.subject, action, row.reason
        )
        .expect("a string takes everything");
    }
    if rows.len() > SHOWN {
        let more = rows.len() - SHOWN;
        writeln!(text, "  and {more} more: `--out FOLDER` writes them all to decisions.jsonl.zst")
            .expect("a string takes everything");
    }
    text
}
