//! How a command ends when it cannot do what was asked: one error with its place, a hint, an exit code.

use ::scenarios::packing::PackingError;
use ::scenarios::{ExperimentError, ScenarioError};
use std::fmt::Display;
use std::process::ExitCode;

/// The system gives no threads.
const NO_THREADS: u8 = 1;
/// The command line makes no sense.
const WRONG_USAGE: u8 = 2;
/// A scenario, a trace or a run folder makes no sense.
const WRONG_INPUT: u8 = 3;
/// Output has no place to go.
const CANNOT_WRITE: u8 = 4;

/// The hint about a scenario where there is none more to the point.
const MANUAL: &str =
    "`windtunnel scenarios defaults` prints every setting with its unit and default";

/// Why a command did not do what was asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    code: u8,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// Wrong input, with what to do about it.
    pub(crate) fn input(message: impl Display, hint: Option<&str>) -> Self {
        Self { code: WRONG_INPUT, message: message.to_string(), hint: hint.map(str::to_owned) }
    }

    /// Something cannot be written.
    pub(crate) fn cannot_write(what: impl Display, cause: impl Display) -> Self {
        Self {
            code: CANNOT_WRITE,
            message: format!("cannot write {what}: {cause}"),
            hint: Some("check the path, and that there is room and permission".to_owned()),
        }
    }

    /// Tells standard error, and gives the exit code.
    #[expect(clippy::print_stderr, reason = "errors go to standard error")]
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("error: {}", self.message);
        if let Some(hint) = &self.hint {
            eprintln!("  hint: {hint}");
        }
        ExitCode::from(self.code)
    }
}

impl From<ScenarioError> for Failure {
    fn from(error: ScenarioError) -> Self {
        Self::input(&error, Some(error.hint().unwrap_or(MANUAL)))
    }
}

impl From<ExperimentError> for Failure {
    fn from(error: ExperimentError) -> Self {
        match error {
            ExperimentError::Scenario(error) => error.into(),
            ExperimentError::Threads { .. } => {
                Self { code: NO_THREADS, ..Self::input(&error, error.hint()) }
            }
            _ => Self::input(&error, error.hint()),
        }
    }
}

impl From<PackingError> for Failure {
    fn from(error: PackingError) -> Self {
        let code =
            if matches!(error, PackingError::Threads { .. }) { NO_THREADS } else { WRONG_INPUT };
        Self { code, ..Self::input(&error, Some(error.hint())) }
    }
}

impl From<reports::ReportError> for Failure {
    fn from(error: reports::ReportError) -> Self {
        Self::input(&error, error.hint())
    }
}

/// A command line that could not be read, or one that asked for help.
#[expect(
    clippy::print_stderr,
    reason = "clap prints help to standard output, errors to standard error"
)]
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    if !error.use_stderr() {
        return if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(CANNOT_WRITE) };
    }
    if error.kind() == clap::error::ErrorKind::ValueValidation {
        eprintln!("  hint: `windtunnel <command> --help` says what each option takes");
    }
    ExitCode::from(WRONG_USAGE)
}
