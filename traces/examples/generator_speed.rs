//! How fast the generator is: `cargo run --release -p traces --example generator_speed`.
//!
//! Prints arrivals per second on one core, and a sum over the stream, which changes only if the stream does.

use contract::{Micros, ServiceId};
use sim_core::random::Seed;
use std::path::Path;
use std::time::Instant;
use traces::Traffic;

/// Arrival processes with all that is costly around them: curve, noise, tables.
const PROCESSES: [(&str, &str); 3] = [
    ("poisson", "arrivals = \"poisson\""),
    ("gamma", "arrivals.gamma.shape = 0.87"),
    (
        "on-off",
        "arrivals.on-off = { on = { median = \"13s\", sigma = 0.72 }, off = { median = \"26s\", sigma = 0.99 } }",
    ),
];

#[expect(clippy::print_stdout, reason = "what an example is for")]
fn main() {
    for (name, arrivals) in PROCESSES {
        let (count, sum, seconds) = fly(arrivals);
        let speed = count / seconds / 1e6;
        println!("{name:8} {count} arrivals in {seconds:.2} s: {speed:.1} M/s, sum {sum:016x}");
    }
}

/// Five days of chat: number of arrivals, their sum, and the seconds that took.
fn fly(arrivals: &str) -> (f64, u64, f64) {
    let text = format!(
        "[synthetic]\nrate = \"45 req/s\"\nprofile = \"azure-2024-chat\"\nminute-noise = 0.08\n\
         prompt.table = \"azure-2024-chat\"\noutput.table = \"azure-2024-chat\"\n{arrivals}\n"
    );
    let traffic: Traffic = toml::from_str(&text).expect("the settings above are good");
    let began = Instant::now();
    let seed = Seed { seed: 1, run: 0 };
    let horizon = Micros::from_mins(5 * 24 * 60);
    let mut source = traffic
        .open(seed, ServiceId(0), horizon, Path::new(""))
        .expect("a generator opens no file");
    let (mut count, mut sum) = (0_u32, 0_u64);
    while let Some(arrival) = source.next_arrival().expect("a generator cannot fail") {
        let tokens = u64::from(arrival.prompt_tokens) << 32 | u64::from(arrival.output_tokens);
        sum = sum.rotate_left(1).wrapping_add(arrival.at.0 ^ tokens);
        count += 1;
    }
    (f64::from(count), sum, began.elapsed().as_secs_f64())
}
