//! A setting that cannot be is an error at its key.

use traces::Traffic;

#[track_caller]
fn refused(text: &str) -> String {
    toml::from_str::<Traffic>(text).expect_err("refused").to_string()
}

fn synthetic(line: &str) -> String {
    refused(&format!("[synthetic]\nrate = \"45 req/s\"\n{line}\n"))
}

#[test]
fn a_rate_needs_its_unit_and_is_not_negative() {
    let found =
        [refused("[synthetic]\nrate = 45\n"), refused("[synthetic]\nrate = \"-1 req/s\"\n")];
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn a_misspelt_name_gets_the_nearest_one() {
    let found = [
        synthetic("profile = \"azure-2024-chatt\""),
        synthetic("profile = \"weekend\""),
        synthetic("prompt.table = \"azure-2023-conv\""),
    ];
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn a_number_out_of_range_says_the_range() {
    let found = [
        synthetic("arrivals.gamma.shape = 0"),
        synthetic("minute-noise = -0.08"),
        synthetic("growth = [1.0, 0.0]"),
        synthetic("prompt.fixed = 0"),
        synthetic("prompt.mixture = []"),
        synthetic(
            "arrivals.on-off = { on = { median = \"0s\", sigma = 1 }, off = { median = \"1s\", sigma = 1 } }",
        ),
    ];
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn a_misspelt_key_or_kind_lists_the_known_ones() {
    let found = [
        synthetic("noise = 0.1"),
        synthetic("arrivals = \"weibull\""),
        refused("[azure]\npath = \"x.csv\"\n"),
        refused("[azure-csv]\npath = \"x.csv\"\nskip = \"10\"\n"),
        refused("[azure-csv]\npath = \"x.csv\"\nspeed = 0\n"),
    ];
    insta::assert_snapshot!(found.join("\n"));
}
