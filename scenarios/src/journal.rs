//! A journal: every turn of every policy as a JSON line, zstd-compressed. Reads back as
//! [`contract::JournalEntry`].

use contract::{Observation, Plan};
use serde::Serialize;
use sim_core::Recorder;
use std::io::{self, Write};

/// Compression level: level 3 is zstd's own default.
const LEVEL: i32 = 3;

/// Writes a journal.
pub struct Journal<W: Write> {
    lines: zstd::Encoder<'static, W>,
    failure: Option<io::Error>,
}

/// A [`contract::JournalEntry`] that borrows what it writes.
#[derive(Serialize)]
struct Line<'a> {
    policy: &'a str,
    seen: &'a Observation<'a>,
    plan: &'a Plan,
}

impl<W: Write> Journal<W> {
    /// A journal into `sink`.
    pub fn new(sink: W) -> io::Result<Self> {
        Ok(Self { lines: zstd::Encoder::new(sink, LEVEL)?, failure: None })
    }

    /// Ends the journal and gives the sink back; an error that came up while writing comes out here.
    pub fn finish(self) -> io::Result<W> {
        self.failure.map_or(Ok(()), Err)?;
        self.lines.finish()
    }

    fn write(&mut self, line: &Line<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.lines, line)?;
        self.lines.write_all(b"\n")
    }
}

impl<W: Write> Recorder for Journal<W> {
    fn turn(&mut self, policy: &str, seen: &Observation<'_>, plan: &Plan) {
        if self.failure.is_none() {
            self.failure = self.write(&Line { policy, seen, plan }).err();
        }
    }
}
