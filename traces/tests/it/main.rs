//! The crate from outside: settings as scenarios write them, files as people bring them.

mod azure_2023;
mod bad_files;
mod bad_settings;
mod generator;
mod good_settings;
mod openb;
mod properties;
mod replay;
mod samples;

use contract::{Micros, ServiceId};
use sim_core::Arrival;
use sim_core::random::Seed;
use std::path::Path;
use traces::Traffic;

const SEED: Seed = Seed { seed: 1, run: 0 };
const HOUR: Micros = Micros::from_mins(60);

/// Traffic as it stands under `[service.NAME.traffic]`.
#[track_caller]
fn traffic(text: &str) -> Traffic {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// All arrivals, or what went wrong with its hint; paths start at `base`.
fn fly_from(
    base: &Path,
    traffic: &Traffic,
    seed: Seed,
    horizon: Micros,
) -> Result<Vec<Arrival>, String> {
    let told = |error: &traces::TraceError| {
        let message = error.to_string().replace(&format!("{}/", base.display()), "");
        format!("{message}\nhint: {}", error.hint())
    };
    let mut source =
        traffic.open(seed, ServiceId(0), horizon, base).map_err(|error| told(&error))?;
    let mut arrivals = Vec::new();
    loop {
        match source.next_arrival() {
            Ok(Some(arrival)) => arrivals.push(arrival),
            Ok(None) => return Ok(arrivals),
            Err(error) => return Err(told(error.downcast_ref().expect("a trace error"))),
        }
    }
}

/// All arrivals of generated traffic.
#[track_caller]
fn fly(settings: &str, seed: Seed, horizon: Micros) -> Vec<Arrival> {
    fly_from(Path::new(""), &traffic(settings), seed, horizon).unwrap()
}

/// A count as a number to reckon with.
fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}
