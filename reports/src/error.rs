//! What can go wrong with a run folder.

use std::path::{Path, PathBuf};

/// A run folder could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The file system said no.
    #[error("`{}`: could not be {verb}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: `written`, `read`, ...
        verb: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// Something else stands where the run folder should go.
    #[error("`{}`: found something that is not a run folder, expected a run folder or nothing", path.display())]
    NotOurs {
        /// The path.
        path: PathBuf,
    },
    /// The folder to read is no run folder, or not a whole one.
    #[error("`{}`: found no `{missing}`, expected a run folder", folder.display())]
    NotARunFolder {
        /// The folder.
        folder: PathBuf,
        /// A file that every run folder has.
        missing: &'static str,
    },
    /// A file of the run folder does not hold what it should.
    #[error("`{}`: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it: found and expected.
        problem: String,
    },
    /// The experiment holds what no file can: JSON has no word for infinity or not-a-number, say.
    #[error("`{file}` cannot be made: {problem}")]
    NotWritable {
        /// The file.
        file: &'static str,
        /// What is wrong: found and expected.
        problem: String,
    },
    /// A figure could not be drawn.
    #[error("figure `{figure}`: {problem}")]
    Figure {
        /// Its name.
        figure: String,
        /// What the drawing library said.
        problem: String,
    },
}

impl ReportError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Io { .. } => Some("check that the path exists, and the disk's space and rights"),
            Self::NotOurs { .. } => Some(
                "choose another folder, or move this one away; only a folder of an earlier run is replaced",
            ),
            Self::NotARunFolder { .. } => {
                Some("name a folder that `windtunnel compare` or `windtunnel run` has written")
            }
            Self::Content { .. } => {
                Some("the file was changed or cut short; repeat the run to make the folder anew")
            }
            Self::NotWritable { .. } => Some(
                "a figure of the run is no finite number; please report it as a bug, with the scenario",
            ),
            Self::Figure { .. } => None,
        }
    }

    /// An error about a path, from what the file system said.
    pub(crate) fn io(
        path: &Path,
        verb: &'static str,
    ) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, verb, source }
    }

    /// An error about a file's content.
    pub(crate) fn content(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Content { path: path.to_owned(), problem: problem.to_string() }
    }
}
