//! The command as people meet it.

mod bad_input;
mod determinism;
mod help;
mod pack;
mod readme;

use assert_cmd::Command;
use std::path::Path;

/// `windtunnel` with these arguments, run in `folder`.
fn windtunnel(folder: &Path, args: &[&str]) -> std::process::Output {
    let mut command = Command::cargo_bin("windtunnel").expect("built by cargo");
    command.current_dir(folder).args(args).output().expect("runs")
}

/// Standard error and the exit code, as a snapshot shows them.
fn complaint(output: &std::process::Output) -> String {
    let code = output.status.code().map_or("none".to_owned(), |code| code.to_string());
    format!("{}exit code: {code}\n", String::from_utf8_lossy(&output.stderr))
}
