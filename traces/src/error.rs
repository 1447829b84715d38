//! What can be wrong with a trace file.

use crate::setting::Tokens;
use contract::Micros;
use jiff::Timestamp;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A trace that cannot be replayed: the file, the row if it is one, and what is wrong there.
#[derive(Debug, thiserror::Error)]
#[error("`{}`{}: {problem}", path.display(), Place(*row))]
pub struct TraceError {
    /// The file.
    pub path: PathBuf,
    /// The row, counted from 1 after the header.
    pub row: Option<u64>,
    /// What is wrong.
    pub problem: Problem,
}

impl TraceError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        self.problem.hint()
    }
}

struct Place(Option<u64>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |row| write!(f, ", row {row}"))
    }
}

/// What is wrong with a trace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// No such file.
    #[error("found no such file")]
    Absent,
    /// The machine cannot read it, or the compressed data is damaged.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// The name promises a compressed file, the content is something else.
    #[error("the name ends in `.{extension}`, but the content is something else")]
    NotCompressed {
        /// What the name ends in.
        extension: &'static str,
    },
    /// A compressed stream ends before its end mark.
    #[error("the compressed data stops in the middle")]
    CutOff,
    /// Nothing inside.
    #[error("found an empty file, expected a header and rows")]
    Empty,
    /// The header lacks a column.
    #[error("found the header `{found}`, expected the columns {expected}")]
    Header {
        /// The header line.
        found: String,
        /// The columns that are needed.
        expected: &'static str,
    },
    /// The header lacks a column.
    #[error("found the header `{found}`, expected it to have the column `{missing}`")]
    Column {
        /// The header line.
        found: String,
        /// The column that is not there.
        missing: &'static str,
    },
    /// A header and nothing below it.
    #[error("found a header and no rows")]
    NoRows,
    /// Every row lies before the part that is to be replayed.
    #[error("found no request after the first {skip}")]
    AllSkipped {
        /// The part that was left out.
        skip: Micros,
    },
    /// A row is shorter or longer than the header.
    #[error("found {found} fields, expected {expected}")]
    Fields {
        /// Fields in the row.
        found: usize,
        /// Fields in the header.
        expected: usize,
    },
    /// A time cannot be read.
    #[error("found the time `{found}`, expected one such as {expected}")]
    Time {
        /// The field.
        found: String,
        /// An example.
        expected: &'static str,
    },
    /// A number of tokens cannot be read, is negative, zero or beyond reason.
    #[error("found `{found}` in `{column}`, expected a number of tokens from {low} to {high}", low = Tokens::LOW.get(), high = Tokens::HIGH.get())]
    Tokens {
        /// The column's name.
        column: &'static str,
        /// The field.
        found: String,
    },
    /// A field does not hold what its column is for.
    #[error("found `{found}` in `{column}`, expected {expected}")]
    Value {
        /// The column's name.
        column: &'static str,
        /// The field.
        found: String,
        /// What the column holds.
        expected: &'static str,
    },
    /// Names must be told apart.
    #[error("found `{name}` in `{column}` again, expected each name once")]
    Repeated {
        /// The column's name.
        column: &'static str,
        /// The name.
        name: String,
    },
    /// Rows must come in the order of their places.
    #[error("found place {found} in `pos`, expected {expected}")]
    Position {
        /// The field.
        found: u64,
        /// How many rows of the same seed and kind stand above.
        expected: u64,
    },
    /// Rows must come in time order.
    #[error("arrives at {at}, before the row above it ({previous})")]
    OutOfOrder {
        /// When the row arrives.
        at: Timestamp,
        /// When the row above it arrives.
        previous: Timestamp,
    },
}

impl Problem {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Absent => "a relative path starts at the folder of the scenario file",
            Self::Unreadable(_) => {
                "check that it is a file, that you may read it, and copy it again if it is damaged"
            }
            Self::NotCompressed { .. } => {
                "look inside: a web page or a Git LFS pointer may have been saved under this name"
            }
            Self::CutOff => "the file is incomplete: copy or download it again",
            Self::Empty | Self::NoRows => "check that the download or export ran to its end",
            Self::Header { .. } => {
                "check that the key under `traffic` names the format of the file"
            }
            Self::AllSkipped { .. } => "lower `skip`: it is longer than the trace",
            Self::Column { .. } => "check that this is the file that is meant; columns go by name",
            Self::Value { .. } => "correct the field, or take the row out",
            Self::Repeated { .. } => "rename one of the two rows, or take it out",
            Self::Position { .. } => {
                "`pos` counts from 0 for each seed and kind: sort the rows by it, and look for lost ones"
            }
            Self::Fields { .. } => "the file may have been cut off, or edited: copy it again",
            Self::Time { .. } => "a time without an offset counts as UTC; other forms are not read",
            Self::Tokens { .. } => {
                "a request has a prompt and an output: remove the rows of failed requests"
            }
            Self::OutOfOrder { .. } => "sort the rows by arrival time; equal times are fine",
        }
    }
}

impl From<io::Error> for Problem {
    /// Decoders report the end of a file inside a stream as [`io::ErrorKind::UnexpectedEof`].
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Absent,
            io::ErrorKind::UnexpectedEof => Self::CutOff,
            _ => Self::Unreadable(error),
        }
    }
}

/// A field as a message may show it: printable and not endless.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    const LONGEST: usize = 60;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * LONGEST)]);
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().count() > LONGEST || bytes.len() > 4 * LONGEST {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_printable_and_short() {
        assert_eq!(excerpt(b"a\tb\xff"), "a\\tb\u{fffd}");
        assert_eq!(excerpt(&[b'x'; 60]), "x".repeat(60));
        assert_eq!(excerpt(&[b'x'; 61]), "x".repeat(60) + "…");
    }
}
