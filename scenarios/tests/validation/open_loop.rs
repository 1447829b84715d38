//! A measured run, request by request: the same arrivals and lengths through the model.

use super::{error_percent, folder, mean};
use contract::Instant;
use scenarios::catalog::{Catalogue, Precision};
use serde::Deserialize;
use sim_core::llm::{EngineSettings, Event, Replica, StepModel};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Settings and measured figures of a run. Files say more about their origin; the rest is not needed.
#[derive(Debug, Deserialize)]
struct Run {
    model: String,
    gpu: String,
    tp: u32,
    precision: String,
    replicas: usize,
    max_num_seqs: u32,
    max_num_batched_tokens: u32,
    /// Absent where it was not published: then the catalogue's rule is taken.
    kv_cache_tokens: Option<u64>,
    requests: String,
    measured: Figures,
}

/// Latencies in milliseconds.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the keys of the file")]
struct Figures {
    ttft_mean_ms: f64,
    ttft_p99_ms: f64,
    tpot_mean_ms: f64,
    tpot_p99_ms: f64,
    e2e_mean_ms: f64,
    e2e_p99_ms: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Request {
    arrival_ms: f64,
    input_tokens: u32,
    output_tokens: u32,
}

/// Largest error of a mean, in percent.
const MEAN_TOLERANCE: f64 = 10.0;
/// Largest error of the 99th percentile of the end-to-end time, in percent.
const TAIL_TOLERANCE: f64 = 15.0;

#[test]
fn measured_runs_are_met_request_by_request() {
    let Some(folder) = folder() else { return };
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the folder can be read")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("llm_") && path.extension().is_some_and(|ending| ending == "json")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}: no llm_*.json", folder.display());
    println!(
        "{:44} {:>6} {}",
        "run",
        "",
        HEADINGS.map(|heading| format!("{heading:>15}")).join("")
    );
    let off: Vec<_> = files.iter().filter(|file| !judge(file)).collect();
    assert!(
        off.is_empty(),
        "outside {MEAN_TOLERANCE} % (means) or {TAIL_TOLERANCE} % (p99): {off:?}"
    );
}

const HEADINGS: [&str; 6] =
    ["TTFT mean ms", "TTFT p99 ms", "TPOT mean ms", "TPOT p99 ms", "E2E mean ms", "E2E p99 ms"];

/// Flies a run and prints its row; true if it is within the tolerances.
fn judge(file: &Path) -> bool {
    let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let text = fs::read_to_string(file).expect("a file that was just listed");
    let run: Run = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let requests = file.with_file_name(&run.requests);
    let simulated = fly(&run, &read(&requests));
    let measured = figures(&run.measured);
    let errors: Vec<_> =
        simulated.iter().zip(measured).map(|(&s, m)| error_percent(s, m)).collect();
    let within = [0, 2, 4].iter().all(|&mean| errors[mean].abs() <= MEAN_TOLERANCE)
        && errors[5].abs() <= TAIL_TOLERANCE;
    let row = |values: &[f64]| {
        let cells: Vec<_> = values.iter().map(|value| format!("{value:>15.1}")).collect();
        cells.concat()
    };
    println!("{name:44} {:>6} {}", "real", row(&measured));
    println!("{:44} {:>6} {}", "", "model", row(&simulated));
    let verdict = if within { "within" } else { "OUTSIDE" };
    println!("{verdict:44} {:>6} {}", "%", row(&errors));
    within
}

fn figures(of: &Figures) -> [f64; 6] {
    [
        of.ttft_mean_ms,
        of.ttft_p99_ms,
        of.tpot_mean_ms,
        of.tpot_p99_ms,
        of.e2e_mean_ms,
        of.e2e_p99_ms,
    ]
}

fn read(file: &Path) -> Vec<Request> {
    let mut reader =
        csv::Reader::from_path(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    reader.deserialize().map(|row| row.expect("a row of a measured run")).collect()
}

/// The six figures of the model, milliseconds.
fn fly(run: &Run, requests: &[Request]) -> [f64; 6] {
    let precision: Precision = run.precision.parse().expect("a known precision");
    let llm = Catalogue::embedded()
        .llm_figures(&run.model, &run.gpu, run.tp, precision)
        .unwrap_or_else(|error| panic!("{error}"));
    let settings = EngineSettings {
        max_num_seqs: run.max_num_seqs,
        max_num_batched_tokens: run.max_num_batched_tokens,
        kv_capacity_tokens: run.kv_cache_tokens.unwrap_or(llm.kv_capacity_tokens),
    };
    let model = Arc::new(StepModel::new(&llm.steps));
    let mut replicas: Vec<_> =
        (0..run.replicas).map(|_| Replica::new(model.clone(), settings)).collect();
    let mut times = vec![(Instant::ZERO, Instant::ZERO); requests.len()];
    let mut events = Vec::new();
    let arrival = |request: &Request| Instant(micros(request.arrival_ms));
    let ends = requests.iter().map(arrival).chain([Instant(u64::MAX - 1)]);
    for (key, until) in ends.enumerate() {
        for replica in &mut replicas {
            while let Some(wake) = replica.next_wake().filter(|&wake| wake <= until) {
                replica.advance(wake, &mut events);
            }
        }
        for event in events.drain(..) {
            match event {
                Event::FirstToken { key, at } => times[key as usize].0 = at,
                Event::Finished { key, at } => times[key as usize].1 = at,
                Event::Started { .. } => {}
            }
        }
        let Some(request) = requests.get(key) else { break };
        let load = |replica: &&mut Replica| replica.running() + replica.waiting();
        let least = replicas.iter_mut().min_by_key(load).expect("a run has replicas");
        let key = u32::try_from(key).expect("fewer than 2^32 requests");
        least.submit(until, key, request.input_tokens, request.output_tokens);
    }
    let millis = |from: Instant, to: Instant| to.since(from).as_millis_f64();
    let of =
        |place: usize| (arrival(&requests[place]), times[place], requests[place].output_tokens);
    let all = || (0..requests.len()).map(of);
    let ttft: Vec<_> = all().map(|(at, (first, _), _)| millis(at, first)).collect();
    let e2e: Vec<_> = all().map(|(at, (_, last), _)| millis(at, last)).collect();
    let tpot: Vec<_> = all()
        .filter(|&(_, _, output)| output > 1)
        .map(|(_, (first, last), output)| millis(first, last) / f64::from(output - 1))
        .collect();
    [mean(ttft.clone()), p99(ttft), mean(tpot.clone()), p99(tpot), mean(e2e.clone()), p99(e2e)]
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times of a run")]
fn micros(millis: f64) -> u64 {
    (millis * 1e3).round() as u64
}

/// The 99th percentile, linear between ranks, as the measured figures were taken.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "ranks among thousands"
)]
fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = 0.99 * (values.len() - 1) as f64;
    let below = values[rank as usize];
    let above = values[(rank as usize + 1).min(values.len() - 1)];
    below + (above - below) * rank.fract()
}
