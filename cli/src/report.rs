//! `windtunnel report`: the page and the figures again, from a run folder alone.

use crate::args::Report;
use crate::failure::Failure;
use crate::output::{print, remark};

/// Makes them again, and prints the tables.
pub(crate) fn report(args: &Report) -> Result<(), Failure> {
    let experiment = reports::read_run_folder(&args.folder)?;
    reports::render(&args.folder)?;
    print(&reports::table(&experiment))?;
    remark(&format!("report: {}", args.folder.join("report.html").display()));
    Ok(())
}
