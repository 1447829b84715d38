//! Azure LLM inference traces: one request a line, times, prompt and output tokens.
//!
//! Columns are found by name. Three layouts are published (github.com/Azure/AzurePublicDataset):
//! 2023, times without an offset and with seven decimals, CRLF, no last newline; 2024, times with
//! `+00:00` and decimals only where they are needed; multimodal of October 2024, times with `Z` and a
//! column `NumImages`, which is passed over: `ContextTokens` counts the tokens of the images too.
//!
//! A plain file that was cut off inside its very last number cannot be told from a whole one.

use crate::error::{Problem, excerpt};
use crate::format::{Format, Row, Rows};
use crate::input::Input;
use crate::setting::Tokens;
use csv::{ByteRecord, ReaderBuilder};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

pub(crate) const FORMAT: Format = Format {
    name: "azure-csv",
    about: "Azure LLM inference traces of 2023 and 2024, text and multimodal \
            (github.com/Azure/AzurePublicDataset)",
    rows,
};

const TIME: &str = "TIMESTAMP";
const PROMPT: &str = "ContextTokens";
const OUTPUT: &str = "GeneratedTokens";

struct AzureRows {
    csv: csv::Reader<Input>,
    record: ByteRecord,
    fields: usize,
    time: usize,
    prompt: usize,
    output: usize,
}

fn rows(input: Input) -> Result<Box<dyn Rows>, Problem> {
    // No field is ever quoted, so a quote is damage: read as one, it would swallow rows.
    let mut csv = ReaderBuilder::new().quoting(false).flexible(true).from_reader(input);
    let header = csv.byte_headers()?;
    if header.is_empty() {
        return Err(Problem::Empty);
    }
    let column = |name: &str| header.iter().position(|field| field == name.as_bytes());
    let (Some(time), Some(prompt), Some(output)) = (column(TIME), column(PROMPT), column(OUTPUT))
    else {
        let expected = "`TIMESTAMP`, `ContextTokens` and `GeneratedTokens`";
        let found = header.iter().collect::<Vec<_>>().join(&b',');
        return Err(Problem::Header { found: excerpt(&found), expected });
    };
    let fields = header.len();
    Ok(Box::new(AzureRows { csv, record: ByteRecord::new(), fields, time, prompt, output }))
}

impl Rows for AzureRows {
    fn next_row(&mut self) -> Result<Option<Row>, Problem> {
        if !self.csv.read_byte_record(&mut self.record)? {
            return Ok(None);
        }
        if self.record.len() != self.fields {
            return Err(Problem::Fields { found: self.record.len(), expected: self.fields });
        }
        Ok(Some(Row {
            at: time(&self.record[self.time])?,
            prompt_tokens: tokens(&self.record[self.prompt], PROMPT)?,
            output_tokens: tokens(&self.record[self.output], OUTPUT)?,
        }))
    }
}

fn time(field: &[u8]) -> Result<Timestamp, Problem> {
    std::str::from_utf8(field).ok().and_then(parse_time).ok_or_else(|| Problem::Time {
        found: excerpt(field),
        expected: "`2023-11-16 18:15:46.6805900` or `2024-05-12 00:00:00+00:00`",
    })
}

/// Without an offset, a time counts as UTC.
fn parse_time(text: &str) -> Option<Timestamp> {
    if has_offset(text) {
        return text.parse().ok();
    }
    Offset::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok()
}

fn has_offset(text: &str) -> bool {
    let clock = text.get("2024-05-12".len()..).unwrap_or("");
    clock.contains(['Z', '+', '-'])
}

fn tokens(field: &[u8], column: &'static str) -> Result<u32, Problem> {
    let number = std::str::from_utf8(field).ok().and_then(|text| text.parse::<u32>().ok());
    let tokens = number.and_then(|number| Tokens::try_from(number).ok());
    let bad = || Problem::Tokens { column, found: excerpt(field) };
    tokens.map(Tokens::get).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = time(text.as_bytes()).map_or_else(|p| p.to_string(), |at| at.to_string());
        assert_eq!(found, expected);
    }

    #[test]
    fn every_published_form_of_time_is_read() {
        check("2023-11-16 18:15:46.6805900", "2023-11-16T18:15:46.68059Z");
        check("2024-05-12 00:00:00.003970+00:00", "2024-05-12T00:00:00.00397Z");
        check("2024-05-12 00:00:01+00:00", "2024-05-12T00:00:01Z");
        check("2024-05-12 02:00:01+02:00", "2024-05-12T00:00:01Z");
        check("2024-10-15T12:00:00.512000Z", "2024-10-15T12:00:00.512Z");
    }

    fn read_all(bytes: Vec<u8>) -> usize {
        let Ok(mut rows) = rows(Box::new(Cursor::new(bytes))) else { return 0 };
        std::iter::from_fn(|| rows.next_row().ok().flatten()).count()
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            read_all(bytes);
        }

        #[test]
        fn no_fields_make_it_panic(lines in proptest::collection::vec("[0-9TZ:+, .é-]{0,40}", 0..9)) {
            let header = format!("{TIME},{PROMPT},{OUTPUT}\n");
            prop_assert!(read_all((header + &lines.join("\n")).into_bytes()) <= lines.len());
        }
    }
}
