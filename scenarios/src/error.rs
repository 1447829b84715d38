//! What can be wrong with a scenario, and where.

use std::io;
use std::path::PathBuf;

/// A scenario that cannot be flown: the place, what is wrong there, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("`{}` cannot be read: {cause}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Neither a file nor a built-in scenario.
    #[error("found no scenario `{name}`, expected a file or one of {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The built-in ones.
        known: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Something at a place in the file.
    #[error("{place}: {problem}")]
    Located {
        /// Where.
        place: Place,
        /// What was found, and what was expected.
        problem: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A stack that the scenario does not have.
    #[error("scenario `{scenario}` has no stack `{found}`, expected one of {known}")]
    UnknownStack {
        /// Which scenario.
        scenario: String,
        /// What was asked for.
        found: String,
        /// What there is.
        known: String,
        /// What to do.
        hint: Option<String>,
    },
}

impl ScenarioError {
    /// What to do about it, if there is something better to say than the error itself.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Unreadable { .. } => Some("check the path, and that you may read the file"),
            Self::Unknown { hint, .. }
            | Self::Located { hint, .. }
            | Self::UnknownStack { hint, .. } => hint.as_deref(),
        }
    }
}

/// A place in a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, or the name of a built-in scenario.
    pub origin: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key with its tables, such as `pool.l40s.instance`; empty for the whole file.
    pub key: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.origin, self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, ": `{}`", self.key)?;
        }
        Ok(())
    }
}
