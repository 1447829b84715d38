//! A CSV table whose columns are found by name, read row by row.

use crate::error::{Problem, TraceError, excerpt};
use crate::input::{self, Input};
use csv::{ByteRecord, ReaderBuilder};
use std::path::Path;

/// Columns by name, and where they stand in the file.
type Places = Vec<(&'static str, usize)>;

/// Reads all rows of a table, plain or packed. Every row must give a value; so must the file.
pub(crate) fn read<T>(
    path: &Path,
    needed: &[&'static str],
    welcome: &[&'static str],
    mut row: impl FnMut(&Row<'_>) -> Result<T, Problem>,
) -> Result<Vec<T>, TraceError> {
    let told = |row, problem| TraceError { path: path.to_owned(), row, problem };
    let input = input::open(path).map_err(|problem| told(None, problem))?;
    let mut csv = reader(input);
    let places = places(&mut csv, needed, welcome).map_err(|problem| told(None, problem))?;
    let fields = csv.byte_headers().map_err(|error| told(None, error.into()))?.len();
    let mut record = ByteRecord::new();
    let mut values = Vec::new();
    for number in 1.. {
        let value = next(&mut csv, &mut record, fields).and_then(|more| {
            let read = |()| row(&Row { record: &record, places: &places });
            more.map(read).transpose()
        });
        match value.map_err(|problem| told(Some(number), problem))? {
            Some(value) => values.push(value),
            None => break,
        }
    }
    if values.is_empty() { Err(told(None, Problem::NoRows)) } else { Ok(values) }
}

/// No field is ever quoted, so a quote is damage: read as one, it would swallow rows.
fn reader(input: Input) -> csv::Reader<Input> {
    ReaderBuilder::new().quoting(false).flexible(true).from_reader(input)
}

fn places(
    csv: &mut csv::Reader<Input>,
    needed: &[&'static str],
    welcome: &[&'static str],
) -> Result<Places, Problem> {
    let header = csv.byte_headers()?;
    if header.is_empty() {
        return Err(Problem::Empty);
    }
    let place = |name: &str| header.iter().position(|field| field == name.as_bytes());
    if let Some(missing) = needed.iter().find(|name| place(name).is_none()) {
        let found = header.iter().collect::<Vec<_>>().join(&b',');
        return Err(Problem::Column { found: excerpt(&found), missing });
    }
    let known = needed.iter().chain(welcome);
    Ok(known.filter_map(|name| Some((*name, place(name)?))).collect())
}

/// Whether there is another row; it must have as many fields as the header.
fn next(
    csv: &mut csv::Reader<Input>,
    record: &mut ByteRecord,
    fields: usize,
) -> Result<Option<()>, Problem> {
    if !csv.read_byte_record(record)? {
        return Ok(None);
    }
    if record.len() != fields {
        return Err(Problem::Fields { found: record.len(), expected: fields });
    }
    Ok(Some(()))
}

/// One row.
pub(crate) struct Row<'a> {
    record: &'a ByteRecord,
    places: &'a Places,
}

impl Row<'_> {
    /// A field as text; empty where the file lacks the column.
    pub(crate) fn text(&self, column: &'static str) -> Result<&str, Problem> {
        let place = self.places.iter().find(|(name, _)| *name == column);
        let field = place.map_or(&[][..], |(_, place)| &self.record[*place]);
        let bad = |_| Problem::Value { column, found: excerpt(field), expected: "text in UTF-8" };
        std::str::from_utf8(field).map_err(bad)
    }

    /// A field that says something.
    pub(crate) fn name(&self, column: &'static str) -> Result<String, Problem> {
        match self.text(column)? {
            "" => Err(Problem::Value { column, found: String::new(), expected: "a name" }),
            name => Ok(name.to_owned()),
        }
    }

    /// A whole number.
    pub(crate) fn number(&self, column: &'static str) -> Result<u64, Problem> {
        let text = self.text(column)?;
        let expected = "a whole number, zero or more";
        let bad = |_| Problem::Value { column, found: excerpt(text.as_bytes()), expected };
        text.parse().map_err(bad)
    }

    /// A whole number of things.
    pub(crate) fn count(&self, column: &'static str) -> Result<u32, Problem> {
        const MOST: u32 = 1_000_000_000;
        let number = self.number(column)?;
        let expected = "a whole number of no more than a billion";
        let bad = || Problem::Value { column, found: number.to_string(), expected };
        u32::try_from(number).ok().filter(|count| *count <= MOST).ok_or_else(bad)
    }

    /// A whole number, where the field is there and says something.
    pub(crate) fn number_if_any(&self, column: &'static str) -> Result<Option<u64>, Problem> {
        if self.text(column)?.is_empty() { Ok(None) } else { self.number(column).map(Some) }
    }
}

impl From<csv::Error> for Problem {
    /// With bytes for fields and any number of them, only reading itself can fail.
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => error.into(),
            other => Self::Unreadable(std::io::Error::other(format!("{other:?}"))),
        }
    }
}
