//! Every format reads its samples; what it reads is written down.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use traces::FORMATS;

fn samples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut samples: Vec<PathBuf> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    samples.retain(|path| path.is_file() && !name(path).starts_with('.'));
    samples.sort();
    samples
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
fn every_sample_is_read_as_its_name_says() {
    let mut text = String::new();
    for path in samples() {
        let format = FORMATS.iter().find(|format| name(&path).starts_with(format.name)).unwrap();
        writeln!(text, "{}", name(&path)).unwrap();
        for row in format.open(&path).unwrap() {
            let row = row.unwrap();
            writeln!(text, "  {} {} {}", row.at, row.prompt_tokens, row.output_tokens).unwrap();
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn every_format_has_a_sample_and_is_a_key_of_traffic() {
    for format in FORMATS {
        assert!(
            samples().iter().any(|path| name(path).starts_with(format.name)),
            "{}",
            format.name
        );
        let text = format!("{}.path = \"x\"", format.name);
        assert!(toml::from_str::<traces::Traffic>(&text).is_ok(), "{}", format.name);
        assert!(!format.about.is_empty());
    }
}
