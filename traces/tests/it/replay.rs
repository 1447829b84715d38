//! What a replay makes of the rows: times from the first one, windows, speed, copies.

use crate::{HOUR, SEED, fly_from, traffic};
use contract::Micros;
use sim_core::Arrival;
use std::path::Path;

fn arrivals(settings: &str, horizon: Micros) -> Vec<Arrival> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let text = format!("[azure-csv]\npath = \"azure-csv-2023.csv\"\n{settings}");
    fly_from(&samples, &traffic(&text), SEED, horizon).unwrap()
}

#[track_caller]
fn check(settings: &str, horizon: Micros, expected: &str) {
    let times: Vec<String> =
        arrivals(settings, horizon).iter().map(|arrival| arrival.at.0.to_string()).collect();
    assert_eq!(times.join(" "), expected);
}

#[test]
fn times_count_from_the_first_row_in_whole_microseconds() {
    check("", HOUR, "0 4314579 4314579 4541977 4710579 5319410");
}

#[test]
fn the_horizon_ends_a_replay() {
    check("", Micros(4_541_977), "0 4314579 4314579");
    check("", Micros(4_541_978), "0 4314579 4314579 4541977");
}

#[test]
fn a_window_moves_the_start_and_the_end() {
    check("skip = \"4s\"", HOUR, "314579 314579 541977 710579 1319410");
    check("skip = \"4s\"\ntake = \"1s\"", HOUR, "314579 314579 541977 710579");
    check("take = \"4314579us\"", HOUR, "0");
}

#[test]
fn speed_moves_times_alone() {
    check("speed = 10", HOUR, "0 431457 431457 454197 471057 531941");
    check("skip = \"4s\"\nspeed = 0.5", HOUR, "629158 629158 1083954 1421158 2638820");
}

#[test]
fn copies_keep_their_lengths_and_come_within_the_jitter() {
    let originals = arrivals("", HOUR);
    let scaled = arrivals("rate-scale = 3\njitter = \"100ms\"", HOUR);
    assert_eq!(scaled.len(), 18);
    assert!(scaled.is_sorted_by_key(|arrival| arrival.at));
    for copy in scaled {
        let is_copy_of = |original: &&Arrival| {
            copy.at.since(original.at) <= Micros::from_millis(100)
                && original.at <= copy.at
                && original.prompt_tokens == copy.prompt_tokens
        };
        assert!(originals.iter().any(|original| is_copy_of(&original)), "{copy:?}");
    }
}

#[test]
fn no_copy_comes_after_the_horizon() {
    let horizon = Micros::from_secs(5);
    let scaled = arrivals("rate-scale = 50\njitter = \"1s\"", horizon);
    // Five of the six rows arrive before it, four of them less than a second before.
    assert!((50..250).contains(&scaled.len()), "{}", scaled.len());
    assert!(scaled.iter().all(|copy| copy.at.0 < horizon.0));
}

#[test]
fn copies_without_jitter_share_the_time_of_their_original() {
    check("rate-scale = 2\njitter = \"0s\"\ntake = \"1s\"", HOUR, "0 0");
}

#[test]
fn settings_come_back_from_their_text_form() {
    let full = traffic(
        "[azure-csv]\npath = \"x.csv\"\nskip = \"1m\"\ntake = \"2m\"\nspeed = 2\nrate-scale = 0.5\njitter = \"2s\"",
    );
    assert_eq!(traffic(&toml::to_string(&full).unwrap()), full);
}
