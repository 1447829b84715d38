//! Standard output.

use crate::failure::Failure;
use std::io::{ErrorKind, Write};

/// Prints data. A reader that has gone away (`| head`) is no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(|error| Failure::cannot_write("to standard output", error)),
    }
}

/// Tells the person at the terminal something that is not data.
#[expect(clippy::print_stderr, reason = "remarks go to standard error")]
pub(crate) fn remark(text: &str) {
    eprintln!("{text}");
}
