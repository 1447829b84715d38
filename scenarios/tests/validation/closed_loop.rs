//! Throughput runs: so many clients, each sends its next request when the last one is done, all requests
//! equally long. Judged by TPOT.

use super::{error_percent, folder, mean};
use contract::Instant;
use scenarios::catalog::{Basis, Catalogue, LlmFigures, Model, Precision};
use serde::Deserialize;
use sim_core::llm::{EngineSettings, Event, Replica, StepModel};
use sim_core::random::Seed;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// A row of `llm_closed_loop.csv`; it has more columns.
#[derive(Debug, Deserialize)]
struct Row {
    model: String,
    gpu: String,
    tp: Option<u32>,
    precision: String,
    isl: Option<u32>,
    osl: Option<u32>,
    concurrency: Option<u32>,
    max_num_seqs: Option<u32>,
    max_num_batched_tokens: Option<u32>,
    tpot_mean_ms: Option<f64>,
    engine: String,
}

/// The rows that are judged.
const JUDGED_KIND: &str = "measured closed loop";

/// vLLM's own defaults, where a row does not say: no row of the file does.
const MAX_NUM_SEQS: u32 = 256;
/// The same: with it the measured times to first token are met on average; 8192 makes them 1.7 times longer.
const MAX_NUM_BATCHED_TOKENS: u32 = 2048;

/// Requests that each client sends one after the other.
const ROUNDS: u32 = 10;
/// What a client and the HTTP path take between an answer and the next request, mean. A guess at a local
/// benchmark client; TPOT moves by less than 1 % between 0 and 15 ms.
const THINK_MS: f64 = 5.0;

/// Largest mean absolute error over the rows of dense models, percent.
const TOLERANCE: f64 = 10.0;

/// One row, flown.
struct Flown {
    what: String,
    measured: f64,
    simulated: f64,
}

impl Flown {
    fn error(&self) -> f64 {
        error_percent(self.simulated, self.measured)
    }
}

#[test]
fn closed_loop_runs_are_met_in_time_per_token() {
    let Some(folder) = folder() else { return };
    let file = folder.join("llm_closed_loop.csv");
    if !file.is_file() {
        println!("NOT JUDGED: no file at {}", file.display());
        return;
    }
    let mut dense: BTreeMap<String, Vec<Flown>> = BTreeMap::new();
    let mut experts: BTreeMap<String, Vec<Flown>> = BTreeMap::new();
    let mut without_row: BTreeMap<String, usize> = BTreeMap::new();
    for row in read(&file) {
        let group = format!("{} {} {}", row.model, row.gpu, row.precision);
        match fly_if_measured(&row) {
            Some((model, flown)) if model.active_parameters.is_none() => {
                dense.entry(group).or_default().push(flown);
            }
            Some((_, flown)) => experts.entry(group).or_default().push(flown),
            None => *without_row.entry(group).or_default() += 1,
        }
    }
    println!(
        "\nTPOT, dense models with a measured step-time row of the same GPU, TP and precision"
    );
    let error = print(&dense);
    println!("\nTPOT, mixtures of experts with such a row");
    print(&experts);
    dense.append(&mut experts);
    println!("\nall of these together: mean absolute error {:.1} %", absolute_error(&dense));
    println!("\nthe worst twenty");
    let mut worst: Vec<_> =
        dense.iter().flat_map(|(group, rows)| rows.iter().map(move |row| (group, row))).collect();
    worst.sort_by(|a, b| b.1.error().abs().total_cmp(&a.1.error().abs()));
    for (group, row) in worst.iter().take(20) {
        println!(
            "  {group:44} {:44} measured {:6.2} ms, model {:6.2} ms, {:+6.1} %",
            row.what,
            row.measured,
            row.simulated,
            row.error()
        );
    }
    println!("\nnot judged: no measured step-time row");
    for (group, count) in &without_row {
        println!("  {group:54} {count} rows");
    }
    assert!(!dense.is_empty(), "no row could be judged");
    assert!(error <= TOLERANCE, "mean absolute error of dense models is {error:.1} %");
}

/// Prints a table of groups; gives the mean absolute error over all rows.
fn print(groups: &BTreeMap<String, Vec<Flown>>) -> f64 {
    println!(
        "  {:44} {:>5} {:>12} {:>8}  worst row",
        "model, GPU, precision", "rows", "mean |err| %", "bias %"
    );
    for (group, rows) in groups {
        let worst = rows.iter().max_by(|a, b| a.error().abs().total_cmp(&b.error().abs()));
        let worst =
            worst.map_or(String::new(), |row| format!("{:+.1} % {}", row.error(), row.what));
        println!(
            "  {group:44} {:>5} {:>12.1} {:>+8.1}  {worst}",
            rows.len(),
            mean(rows.iter().map(|row| row.error().abs())),
            mean(rows.iter().map(Flown::error)),
        );
    }
    let error = absolute_error(groups);
    println!("  {:44} {:>5} {error:>12.1}", "all", groups.values().map(Vec::len).sum::<usize>());
    error
}

fn absolute_error(groups: &BTreeMap<String, Vec<Flown>>) -> f64 {
    mean(groups.values().flatten().map(|row| row.error().abs()))
}

/// The judged rows; rows of other kinds need not even have numbers where these have.
fn read(file: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(file).expect("the file is there");
    let headers = reader.headers().expect("a header").clone();
    let kind = headers.iter().position(|name| name == "kind").expect("a column `kind`");
    let records = reader.records().map(|record| record.expect("a row of the closed-loop file"));
    let judged = records.filter(|record| &record[kind] == JUDGED_KIND);
    judged.map(|record| record.deserialize(Some(&headers)).expect("a closed-loop row")).collect()
}

/// Flies a row if the catalogue has measured step times for it.
fn fly_if_measured(row: &Row) -> Option<(&'static Model, Flown)> {
    let catalogue = Catalogue::embedded();
    let precision: Precision = row.precision.parse().ok()?;
    let (_, model) = catalogue.model(&row.model)?;
    let tp = row.tp?;
    let llm = catalogue.llm_figures(&row.model, &row.gpu, tp, precision).ok()?;
    if llm.basis == Basis::Estimate {
        return None;
    }
    let (input, output, clients) = (row.isl?, row.osl?, row.concurrency?);
    let settings = EngineSettings {
        max_num_seqs: row.max_num_seqs.unwrap_or(MAX_NUM_SEQS),
        max_num_batched_tokens: row.max_num_batched_tokens.unwrap_or(MAX_NUM_BATCHED_TOKENS),
        kv_capacity_tokens: llm.kv_capacity_tokens,
    };
    let flown = Flown {
        what: format!("TP{tp} {input}+{output} tokens, {clients} clients, {}", row.engine),
        measured: row.tpot_mean_ms?,
        simulated: tpot_ms(&llm, settings, (input, output), clients),
    };
    Some((model, flown))
}

/// Mean time per token of `clients` that send one request after the other.
fn tpot_ms(
    llm: &LlmFigures,
    settings: EngineSettings,
    (input, output): (u32, u32),
    clients: u32,
) -> f64 {
    let mut replica = Replica::new(Arc::new(StepModel::new(&llm.steps)), settings);
    let mut luck = Seed { seed: 1, run: 0 }.stream("think", 0);
    let mut think = |from: Instant| Instant(from.0 + micros(luck.exponential() * THINK_MS));
    let total = clients * ROUNDS;
    let mut due: BTreeSet<_> = (0..clients).map(|key| (think(Instant::ZERO), key)).collect();
    let mut made = clients;
    let mut first = vec![Instant::ZERO; (total + clients) as usize];
    let mut tpot = Vec::new();
    let mut events = Vec::new();
    while tpot.len() < total as usize {
        let wake = replica.next_wake().unwrap_or(Instant::FAR);
        if let Some(&(at, key)) = due.first()
            && at < wake
        {
            due.pop_first();
            assert!(replica.submit(at, key, input, output), "a measured request fits");
            continue;
        }
        replica.advance(wake, &mut events);
        for event in events.drain(..) {
            match event {
                Event::FirstToken { key, at } => first[key as usize] = at,
                Event::Finished { key, at } => {
                    let decode = at.since(first[key as usize]).as_millis_f64();
                    tpot.push(decode / f64::from(output - 1));
                    due.insert((think(at), made));
                    first.push(Instant::ZERO);
                    made += 1;
                }
                Event::Started { .. } => {}
            }
        }
    }
    mean(tpot)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds")]
fn micros(millis: f64) -> u64 {
    (millis * 1e3) as u64
}
