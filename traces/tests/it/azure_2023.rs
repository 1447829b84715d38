//! The published hour of 2023, when it lies beside the workspace; otherwise these tests say so and pass.

use crate::number;
use std::path::PathBuf;
use traces::{FORMATS, Row};

fn rows(service: &str) -> Option<Vec<Row>> {
    let folder =
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/traces/azure-llm-2023"));
    let path = folder.join(format!("AzureLLMInferenceTrace_{service}.csv.zst"));
    if !path.exists() {
        #[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
        {
            eprintln!("SKIPPED: no {}", path.display());
        }
        return None;
    }
    let format = FORMATS.iter().find(|format| format.name == "azure-csv").unwrap();
    Some(format.open(&path).unwrap().map(Result::unwrap).collect())
}

/// Quantile by linear interpolation between ranks, rounded.
fn quantile(sorted: &[u32], level: f64) -> u32 {
    let place = level * number(sorted.len() - 1);
    let rank = (0..sorted.len()).rfind(|&rank| number(rank) <= place).unwrap();
    let (low, high) = (sorted[rank], sorted[(rank + 1).min(sorted.len() - 1)]);
    let between = f64::from(low) + f64::from(high - low) * place.fract();
    (0..=high).rfind(|&tokens| f64::from(tokens) - 0.5 <= between).unwrap()
}

fn figures(mut tokens: Vec<u32>) -> String {
    tokens.sort_unstable();
    let [p50, p90, p99, max] = [0.5, 0.9, 0.99, 1.0].map(|level| quantile(&tokens, level));
    format!("{p50} / {p90} / {p99} / {max}")
}

#[track_caller]
fn check(service: &str, count: usize, prompt: &str, output: &str) {
    let Some(rows) = rows(service) else { return };
    assert_eq!(rows.len(), count);
    assert_eq!(figures(rows.iter().map(|row| row.prompt_tokens).collect()), prompt);
    assert_eq!(figures(rows.iter().map(|row| row.output_tokens).collect()), output);
}

#[test]
fn all_of_the_code_trace_is_read() {
    check("code", 8_819, "1469 / 5188 / 7436 / 7437", "13 / 55 / 251 / 1899");
}

#[test]
fn all_of_the_chat_trace_is_read() {
    check("conv", 19_366, "1020 / 2735 / 4142 / 14050", "129 / 424 / 601 / 1000");
}
