//! `windtunnel scenarios`: what is built in.

use crate::args::Scenarios;
use crate::failure::Failure;
use crate::output::print;
use ::scenarios::{DEFAULTS, Scenario, builtin_names, builtin_text};
use std::fmt::Write as _;

/// Lists them, or prints one.
pub(crate) fn scenarios(args: &Scenarios) -> Result<(), Failure> {
    match args.name.as_deref() {
        None => print(&list()?),
        Some("defaults") => print(DEFAULTS),
        Some(name) => match builtin_text(name) {
            Some(text) => print(text),
            // The error of a scenario that is not there says which ones are.
            None => Scenario::find(name).map(drop).map_err(Failure::from),
        },
    }
}

fn list() -> Result<String, Failure> {
    let width = builtin_names().map(str::len).max().unwrap_or(0);
    let mut text = String::new();
    for name in builtin_names() {
        let scenario = Scenario::find(name)?;
        writeln!(text, "{name:width$} {}", scenario.about()).expect("a string takes everything");
    }
    let manual = "Every setting with its default: the manual of scenario files.";
    writeln!(text, "{:width$} {manual}", "defaults").expect("a string takes everything");
    Ok(text)
}
