//! The generator gives what was asked for. Tolerances are four standard errors of the figure, so that
//! a wrong formula fails and a lucky seed does not matter.

use crate::{HOUR, SEED, fly, number};
use contract::Micros;
use sim_core::Arrival;
use sim_core::random::Seed;
use traces::{LengthTable, NamedTable, Profile, Quantiles};

const DAY: Micros = Micros::from_mins(24 * 60);

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64) {
    let off = (found - expected).abs();
    assert!(off <= tolerance, "{found}, expected {expected} within {tolerance}");
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / number(values.len())
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / number(values.len())
}

/// Arrivals in each window of the horizon.
fn counts(arrivals: &[Arrival], window: Micros, horizon: Micros) -> Vec<f64> {
    let mut counts = vec![0.0; usize::try_from(horizon.0 / window.0).unwrap()];
    for arrival in arrivals {
        if let Some(count) = counts.get_mut(usize::try_from(arrival.at.0 / window.0).unwrap()) {
            *count += 1.0;
        }
    }
    counts
}

/// Variance of the counts over their mean.
fn dispersion(arrivals: &[Arrival], window: Micros, horizon: Micros) -> f64 {
    let counts = counts(arrivals, window, horizon);
    variance(&counts) / mean(&counts)
}

/// Standard deviation of the gaps over their mean.
fn gap_variation(arrivals: &[Arrival]) -> f64 {
    let gap = |pair: &[Arrival]| pair[1].at.since(pair[0].at).as_secs_f64();
    let gaps: Vec<f64> = arrivals.windows(2).map(gap).collect();
    variance(&gaps).sqrt() / mean(&gaps)
}

#[test]
fn gamma_gaps_keep_the_rate_and_have_the_shape() {
    for shape in [0.3, 0.87, 1.0, 2.5] {
        let text = format!("synthetic = {{ rate = \"50 req/s\", arrivals.gamma.shape = {shape} }}");
        let arrivals = fly(&text, SEED, HOUR);
        // The count of a renewal process has the variance n / shape.
        let expected = 50.0 * 3600.0;
        near(number(arrivals.len()), expected, 4.0 * (expected / shape).sqrt());
        // Relative error of a variance: sqrt((kurtosis - 1) / n), kurtosis of a gamma 3 + 6 / shape;
        // half of that for the deviation.
        let error = ((2.0 + 6.0 / shape) / expected).sqrt() / 2.0;
        near(gap_variation(&arrivals) * f64::sqrt(shape), 1.0, 4.0 * error);
        // Windows of many gaps: dispersion 1 / shape, relative error sqrt(2 / windows).
        let found = dispersion(&arrivals, Micros::from_secs(4), HOUR);
        near(found * shape, 1.0, 4.0 * f64::sqrt(2.0 / 900.0));
    }
}

#[test]
fn minute_noise_adds_its_own_dispersion() {
    let text =
        "synthetic = { rate = \"45 req/s\", arrivals.gamma.shape = 0.87, minute-noise = 0.08 }";
    let arrivals = fly(text, SEED, DAY);
    // A window of a minute: 1 / shape + count x spread².
    let expected = 1.0 / 0.87 + 45.0 * 60.0 * 0.08_f64.powi(2);
    let found = dispersion(&arrivals, Micros::from_mins(1), DAY);
    near(found / expected, 1.0, 4.0 * f64::sqrt(2.0 / 1440.0));
    // Relative deviation of minute counts as digitised from the Azure 2024 chat plot: 0.077, rough.
    let minutes = counts(&arrivals, Micros::from_mins(1), DAY);
    near(variance(&minutes).sqrt() / mean(&minutes), 0.08, 0.01);
}

#[test]
fn every_profile_moves_the_rate_by_the_hour_and_not_the_mean() {
    for (name, profile) in Profile::all() {
        let horizon = Micros::from_mins(60 * u64::try_from(profile.hourly.len()).unwrap());
        let text = format!("synthetic = {{ rate = \"5 req/s\", profile = \"{name}\" }}");
        let arrivals = fly(&text, SEED, horizon);
        let expected = 5.0 * horizon.as_secs_f64();
        near(number(arrivals.len()), expected, 4.0 * expected.sqrt());
        for (count, relative) in counts(&arrivals, HOUR, horizon).iter().zip(&profile.hourly) {
            let hour = 18_000.0 * relative;
            // Poisson, and up to 6 % of smoothing across the edges of the hour.
            near(*count, hour, 4.0 * hour.sqrt() + 0.06 * hour);
        }
    }
}

#[test]
fn on_off_bursts_keep_the_mean_and_are_as_bursty_as_azure_code() {
    let text = "[synthetic]\nrate = \"2.57 req/s\"\n[synthetic.arrivals.on-off]\nshape = 0.35\n\
                on = { median = \"13s 600ms\", sigma = 0.72 }\n\
                off = { median = \"26s 500ms\", sigma = 0.99 }\n";
    let horizon = Micros::from_mins(200 * 60);
    let arrivals = fly(text, SEED, horizon);
    // Some 12,000 cycles, whose on-times scatter by 0.8 and whose lengths by 0.9 of their means: a
    // standard error of about 1.1 % for the rate.
    near(number(arrivals.len()) / (2.57 * 200.0 * 3600.0), 1.0, 0.045);
    // Measured over one hour, 58 bursts: gap variation 13.2, dispersion 13 / 72 / 164 in windows of
    // 1, 10 and 60 s. The fit has no rate differences between bursts, so it lies below.
    near(gap_variation(&arrivals), 13.2, 3.0);
    for (window, measured) in [(1, 13.0), (10, 72.0), (60, 164.0)] {
        let found = dispersion(&arrivals, Micros::from_secs(window), horizon);
        assert!((0.6 * measured..measured).contains(&found), "{found} in {window} s");
    }
}

#[test]
fn on_off_bursts_are_silent_between() {
    let text = "[synthetic]\nrate = \"10 req/s\"\n[synthetic.arrivals.on-off]\n\
                on = { median = \"60s\", sigma = 0 }\noff = { median = \"60s\", sigma = 0 }\n";
    let arrivals = fly(text, SEED, HOUR);
    let silent = counts(&arrivals, Micros::from_secs(1), HOUR);
    let silent = silent.iter().filter(|&&count| count == 0.0).count();
    // Half of the hour, short of the seconds that a burst begins or ends in.
    near(number(silent), 1800.0, 65.0);
}

/// Share of draws below, and up to, a length.
fn shares(sorted: &[u32], tokens: f64) -> (f64, f64) {
    let below = sorted.partition_point(|&drawn| f64::from(drawn) < tokens);
    let up_to = sorted.partition_point(|&drawn| f64::from(drawn) <= tokens);
    (number(below) / number(sorted.len()), number(up_to) / number(sorted.len()))
}

fn check_quantiles(name: &str, column: &Quantiles, mut drawn: Vec<u32>) {
    drawn.sort_unstable();
    for &(level, tokens) in &column.quantiles {
        let (below, up_to) = shares(&drawn, tokens);
        let error = 4.0 * (level * (1.0 - level) / number(drawn.len())).sqrt();
        assert!(below <= level + error, "{name}: {below} below {tokens}, level {level}");
        assert!(level - error <= up_to, "{name}: {up_to} up to {tokens}, level {level}");
    }
}

#[test]
fn every_length_table_is_drawn_as_it_stands() {
    for (name, table) in LengthTable::all() {
        let text = format!(
            "synthetic = {{ rate = \"50 req/s\", prompt.table = \"{name}\", output.table = \"{name}\" }}"
        );
        let arrivals = fly(&text, SEED, HOUR);
        check_quantiles(name, &table.prompt, arrivals.iter().map(|a| a.prompt_tokens).collect());
        check_quantiles(name, &table.output, arrivals.iter().map(|a| a.output_tokens).collect());
    }
}

#[test]
fn laws_of_length_have_the_median_asked_for_and_keep_their_cap() {
    let text = "[synthetic]\nrate = \"50 req/s\"\nprompt.lognormal = { median = 800, sigma = 1, max = 4000 }\n\
                output.mixture = [{ weight = 3, median = 10, sigma = 0 }, { weight = 1, median = 500, sigma = 0 }]\n";
    let arrivals = fly(text, SEED, HOUR);
    let share = |holds: fn(&Arrival) -> bool| {
        number(arrivals.iter().filter(|arrival| holds(arrival)).count()) / number(arrivals.len())
    };
    // 180,000 draws: four standard errors are 0.005 at most.
    near(share(|arrival| arrival.prompt_tokens <= 800), 0.5, 0.005);
    // ln(4000 / 800) is 1.609 standard deviations: 5.38 % lie beyond.
    near(share(|arrival| arrival.prompt_tokens == 4000), 0.0538, 0.005);
    assert!(arrivals.iter().all(|arrival| arrival.prompt_tokens <= 4000));
    near(share(|arrival| arrival.output_tokens == 10), 0.75, 0.005);
    near(share(|arrival| arrival.output_tokens == 500), 0.25, 0.005);
}

#[test]
fn prompts_and_outputs_are_independent() {
    let text = "synthetic = { rate = \"50 req/s\", prompt.table = \"deepseek-r1\", output.table = \"deepseek-r1\" }";
    let arrivals = fly(text, SEED, HOUR);
    let long = |tokens: u32, median: u32| if tokens > median { 1.0 } else { -1.0 };
    let agree = |a: &Arrival| long(a.prompt_tokens, 208) * long(a.output_tokens, 792);
    let agreement: Vec<f64> = arrivals.iter().map(agree).collect();
    near(mean(&agreement), 0.0, 4.0 / number(arrivals.len()).sqrt() + 0.002);
}

const CHAT: &str = "[synthetic]\nrate = \"45 req/s\"\nprofile = \"azure-2024-chat\"\nminute-noise = 0.08\n\
                    arrivals.gamma.shape = 0.87\nprompt.table = \"azure-2024-chat\"\n\
                    output.table = \"azure-2024-chat\"\n";

#[test]
fn a_chat_day_has_about_four_million_requests() {
    let arrivals = fly(CHAT, SEED, DAY);
    // 45 req/s x 86,400 s; each minute's noise of 8 %, averaged over 1,440 of them, is 0.2 %.
    near(number(arrivals.len()) / 3_888_000.0, 1.0, 0.009);
}

#[test]
fn the_same_seed_gives_the_same_stream_and_another_run_another() {
    let first = fly(CHAT, SEED, HOUR);
    assert_eq!(first, fly(CHAT, SEED, HOUR));
    let other = fly(CHAT, Seed { seed: 1, run: 1 }, HOUR);
    assert_ne!(first[..10], other[..10]);
}

#[test]
fn a_shorter_horizon_is_a_prefix() {
    let long = fly(CHAT, SEED, HOUR);
    let short = fly(CHAT, SEED, Micros::from_mins(7));
    assert_eq!(short, long[..short.len()]);
    assert!(short.len() < long.len());
}

#[test]
fn lengths_do_not_depend_on_the_arrival_process() {
    let lengths = |arrivals: Vec<Arrival>| -> Vec<(u32, u32)> {
        arrivals.iter().take(10_000).map(|a| (a.prompt_tokens, a.output_tokens)).collect()
    };
    let poisson = CHAT.replace("arrivals.gamma.shape = 0.87", "arrivals = \"poisson\"");
    assert_eq!(lengths(fly(CHAT, SEED, HOUR)), lengths(fly(&poisson, SEED, HOUR)));
}

#[test]
fn a_pulse_comes_on_top_and_moves_nothing_below() {
    let body = fly(CHAT, SEED, HOUR);
    let attack = "[[synthetic.pulses]]\nat = \"10m\"\nlength = \"20m\"\nrate = \"100 req/s\"\noutput.fixed = 1000000\n";
    let both = fly(&format!("{CHAT}{attack}"), SEED, HOUR);
    let (junk, rest): (Vec<Arrival>, Vec<Arrival>) =
        both.iter().partition(|arrival| arrival.output_tokens == 1_000_000);
    assert_eq!(rest, body);
    // Poisson: 100 req/s x 1,200 s.
    near(number(junk.len()), 120_000.0, 4.0 * 120_000_f64.sqrt());
    let minutes = |arrival: &Arrival| arrival.at.as_secs_f64() / 60.0;
    assert!(junk.iter().all(|arrival| (10.0..30.0).contains(&minutes(arrival))));
}

#[test]
fn growth_multiplies_the_days() {
    let text = "synthetic = { rate = \"5 req/s\", growth = [1, 4] }";
    let days = counts(&fly(text, SEED, Micros(3 * DAY.0)), DAY, Micros(3 * DAY.0));
    // From noon to noon the rate grows by 4 exponentially; half a day of it has the mean 1 / ln 2 on the
    // first day (from 1 to 2) and 2 / ln 2 on the second.
    let [first, second] = [1.0, 2.0].map(|from| 0.5 * from / 2_f64.ln());
    for (count, factor) in days.iter().zip([0.5 + first, second + 2.0, 4.0]) {
        near(*count, 432_000.0 * factor, 4.0 * (432_000.0 * factor).sqrt() + 100.0);
    }
}
