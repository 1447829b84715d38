//! What every trace format has in common: a name, rows in time order, errors with a place.

use crate::error::{Problem, TraceError};
use crate::input::{self, Input};
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// A trace format of requests.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Its key under `traffic` in a scenario.
    pub name: &'static str,
    /// What it is and where it comes from, in a sentence.
    pub about: &'static str,
    /// Reads the header and gives the rows.
    pub(crate) rows: fn(Input) -> Result<Box<dyn Rows>, Problem>,
}

impl Format {
    /// Opens a file of this format, plain, gzip or zstd.
    pub fn open(&self, path: &Path) -> Result<Reader, TraceError> {
        let rows = input::open(path).and_then(self.rows).map_err(|problem| TraceError {
            path: path.to_owned(),
            row: None,
            problem,
        })?;
        Ok(Reader { path: path.to_owned(), rows, row: 0, previous: None, over: false })
    }
}

/// One request of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// When it arrived.
    pub at: Timestamp,
    /// Prompt length in tokens, in the range of [`Tokens`](crate::Tokens).
    pub prompt_tokens: u32,
    /// Output length in tokens, in the range of [`Tokens`](crate::Tokens).
    pub output_tokens: u32,
}

/// Reads the rows of one format, in the order of the file.
pub(crate) trait Rows: Send {
    /// The next row, or `None` at the end of the file.
    fn next_row(&mut self) -> Result<Option<Row>, Problem>;
}

/// The rows of a file in time order; after an error it gives nothing more. Holds one row at a time.
pub struct Reader {
    path: PathBuf,
    rows: Box<dyn Rows>,
    row: u64,
    previous: Option<Timestamp>,
    over: bool,
}

impl Reader {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read(&mut self) -> Result<Option<Row>, Problem> {
        let Some(row) = self.rows.next_row()? else {
            return if self.previous.is_none() { Err(Problem::NoRows) } else { Ok(None) };
        };
        if let Some(previous) = self.previous.replace(row.at)
            && row.at < previous
        {
            return Err(Problem::OutOfOrder { at: row.at, previous });
        }
        Ok(Some(row))
    }
}

impl Iterator for Reader {
    type Item = Result<Row, TraceError>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        self.row += 1;
        let read = self.read();
        self.over = !matches!(read, Ok(Some(_)));
        let row = (!matches!(read, Err(Problem::NoRows))).then_some(self.row);
        let place = |problem| TraceError { path: self.path.clone(), row, problem };
        read.map_err(place).transpose()
    }
}
