//! What holds for any settings and any file.

use crate::{fly, fly_from, traffic};
use contract::Micros;
use proptest::prelude::*;
use sim_core::random::Seed;

fn arrivals() -> impl Strategy<Value = String> {
    let spell = |low: u32| (low..20_000, 0.0..2.0_f64);
    prop_oneof![
        Just("\"poisson\"".to_owned()),
        (0.01..20.0_f64).prop_map(|shape| format!("{{ gamma = {{ shape = {shape} }} }}")),
        (spell(1), spell(1), 0.1..3.0_f64).prop_map(
            |((on, rough), (off, rougher), shape)| format!(
                "{{ on-off = {{ on = {{ median = \"{on}ms\", sigma = {rough} }}, \
             off = {{ median = \"{off}ms\", sigma = {rougher} }}, shape = {shape} }} }}"
            )
        ),
    ]
}

fn lengths() -> impl Strategy<Value = String> {
    prop_oneof![
        (1..=1_000_000_000_u32).prop_map(|tokens| format!("{{ fixed = {tokens} }}")),
        Just("{ table = \"azure-2024-code\" }".to_owned()),
        (1..100_000_u32, 0.0..5.0_f64, 1..9_000_u32).prop_map(|(median, sigma, max)| format!(
            "{{ mixture = [{{ weight = 1, median = 3, sigma = 5 }}, \
             {{ weight = 0.1, median = {median}, sigma = {sigma}, max = {max} }}] }}"
        )),
    ]
}

prop_compose! {
    fn synthetic()(
        rate in 0.0..300.0_f64,
        profile in prop::sample::select(vec!["flat", "azure-2024-code", "deepseek-day"]),
        start in 0..90_000_u32,
        growth in prop::collection::vec(0.01..5.0_f64, 0..4),
        noise in 0.0..2.0_f64,
        arrivals in arrivals(),
        prompt in lengths(),
        output in lengths(),
        pulse in (0..700_u32, 0..700_u32, 0.0..100.0_f64),
    ) -> String {
        let (at, length, extra) = pulse;
        format!(
            "[synthetic]\nrate = \"{rate} req/s\"\nprofile = \"{profile}\"\nstart = \"{start}s\"\n\
             growth = {growth:?}\nminute-noise = {noise}\narrivals = {arrivals}\n\
             prompt = {prompt}\noutput = {output}\n\
             pulses = [{{ at = \"{at}s\", length = \"{length}s\", rate = \"{extra} req/s\" }}]\n"
        )
    }
}

const HORIZON: Micros = Micros::from_mins(10);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn times_never_decrease_and_lengths_are_never_zero(text in synthetic(), run in 0..9_u32) {
        let arrivals = fly(&text, Seed { seed: 1, run }, HORIZON);
        prop_assert!(arrivals.is_sorted_by_key(|arrival| arrival.at));
        prop_assert!(arrivals.last().is_none_or(|last| last.at.0 < HORIZON.0));
        prop_assert!(arrivals.iter().all(|a| a.prompt_tokens > 0 && a.output_tokens > 0));
    }

    #[test]
    fn settings_come_back_from_their_text_form(text in synthetic()) {
        let settings = traffic(&text);
        prop_assert_eq!(traffic(&toml::to_string(&settings).unwrap()), settings);
    }

    #[test]
    fn no_file_makes_a_replay_panic(
        start in prop::sample::select(vec![
            &b""[..],
            b"\x1f\x8b\x08",
            b"\x28\xb5\x2f\xfd",
            b"TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-12 00:00:00+00:00,1,1\n",
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..300),
        extension in prop::sample::select(vec!["csv", "gz", "zst"]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("trace.{extension}");
        std::fs::write(folder.path().join(&name), [start, &rest].concat()).unwrap();
        let replay = traffic(&format!("azure-csv.path = \"{name}\""));
        // Either rows or a message with a hint, and nothing else.
        if let Err(text) = fly_from(folder.path(), &replay, Seed { seed: 1, run: 0 }, HORIZON) {
            prop_assert!(text.contains("\nhint: "), "{}", text);
        }
    }
}
