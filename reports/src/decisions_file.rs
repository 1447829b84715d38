//! `decisions.jsonl.zst`: a JSON object a line, stack by stack, in time order, of each stack's first
//! replication; compressed with zstd.

use sim_core::outcome::{DecisionRow, Experiment};
use std::io::{self, BufRead};

/// zstd's own default.
const COMPRESSION: i32 = 3;

/// The file's bytes.
pub(crate) fn write(experiment: &Experiment) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), COMPRESSION)?;
    for decision in experiment.stacks.iter().flat_map(|stack| &stack.decisions) {
        serde_json::to_writer(&mut encoder, decision)?;
        io::Write::write_all(&mut encoder, b"\n")?;
    }
    encoder.finish()
}

/// Puts the decisions back where they were.
pub(crate) fn read_into(experiment: &mut Experiment, bytes: &[u8]) -> Result<(), String> {
    let lines = zstd::Decoder::new(bytes).map(io::BufReader::new).map_err(|it| it.to_string())?;
    for (number, line) in (1..).zip(lines.lines()) {
        let line = line.map_err(|error| format!("line {number}: {error}"))?;
        let decision: DecisionRow =
            serde_json::from_str(&line).map_err(|error| format!("line {number}: {error}"))?;
        let stack = experiment.stacks.iter_mut().find(|stack| stack.name == decision.stack);
        let stack = stack.ok_or_else(|| {
            format!("line {number}: found stack `{}`, expected one of the summary", decision.stack)
        })?;
        stack.decisions.push(decision);
    }
    Ok(())
}
