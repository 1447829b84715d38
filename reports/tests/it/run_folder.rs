//! What a run folder promises: whole or not there, the same bytes, readable again.

use crate::fixture;
use reports::{read_run_folder, render, write_run_folder};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const SCENARIO: &str = "name = \"chat-day\"\n";

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below the folder").to_owned();
                found.insert(name, fs::read(path).expect("a file"));
            }
        }
    }
    found
}

#[track_caller]
fn assert_same(left: &Path, right: &Path) {
    let (left, right) = (files(left), files(right));
    assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>());
    let differing = left.iter().filter(|(name, bytes)| right[*name] != **bytes);
    assert_eq!(differing.map(|(name, _)| name).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
}

/// The error of writing or reading, with its hint, without the temporary folder's name.
fn said(result: Result<(), reports::ReportError>, folder: &Path) -> String {
    let error = result.expect_err("should be refused");
    let hint = error.hint().unwrap_or("none");
    format!("{error}\nhint: {hint}").replace(&folder.display().to_string(), "TEMP")
}

#[test]
fn the_same_experiment_gives_the_same_bytes() {
    let temp = tempfile::tempdir().expect("a folder");
    let (one, two) = (temp.path().join("one"), temp.path().join("two"));
    write_run_folder(&one, &fixture::day(), SCENARIO).expect("written");
    write_run_folder(&two, &fixture::day(), SCENARIO).expect("written");
    assert_same(&one, &two);
    let names: Vec<_> = files(&one).keys().map(|path| path.display().to_string()).collect();
    insta::assert_snapshot!(names.join("\n"));
}

#[test]
fn an_experiment_reads_back_as_it_was() {
    let temp = tempfile::tempdir().expect("a folder");
    let folder = temp.path().join("run");
    for experiment in [fixture::day(), fixture::experiment(1, 1, 1), fixture::experiment(2, 3, 2)] {
        write_run_folder(&folder, &experiment, SCENARIO).expect("written");
        assert!(read_run_folder(&folder).expect("read") == experiment);
    }
}

#[test]
fn a_report_is_made_again_from_its_folder_alone() {
    let temp = tempfile::tempdir().expect("a folder");
    let (whole, bare) = (temp.path().join("whole"), temp.path().join("bare"));
    write_run_folder(&whole, &fixture::experiment(2, 2, 2), SCENARIO).expect("written");
    write_run_folder(&bare, &fixture::experiment(2, 2, 2), SCENARIO).expect("written");
    fs::remove_file(bare.join("report.html")).expect("a page");
    fs::remove_dir_all(bare.join("figures")).expect("figures");
    render(&bare).expect("rendered");
    assert_same(&whole, &bare);
}

#[test]
fn an_older_run_folder_is_replaced_whole() {
    let temp = tempfile::tempdir().expect("a folder");
    let folder = temp.path().join("deep/run");
    write_run_folder(&folder, &fixture::experiment(1, 1, 1), SCENARIO).expect("written");
    fs::write(folder.join("stale"), "").expect("a file");
    write_run_folder(&folder, &fixture::experiment(2, 1, 1), SCENARIO).expect("replaced");
    assert!(!folder.join("stale").exists());
    let left = fs::read_dir(temp.path().join("deep")).expect("a folder").count();
    assert_eq!(left, 1, "nothing is left beside the folder");
}

#[test]
fn what_is_not_a_run_folder_is_left_alone() {
    let temp = tempfile::tempdir().expect("a folder");
    let photos = temp.path().join("photos");
    fs::create_dir(&photos).expect("a folder");
    fs::write(photos.join("cat.jpg"), "cat").expect("a file");
    let result = write_run_folder(&photos, &fixture::experiment(1, 1, 1), SCENARIO);
    insta::assert_snapshot!(said(result, temp.path()));
    let file = photos.join("cat.jpg");
    let result = write_run_folder(&file, &fixture::experiment(1, 1, 1), SCENARIO);
    insta::assert_snapshot!(said(result, temp.path()));
    assert_eq!(files(&photos), BTreeMap::from([("cat.jpg".into(), b"cat".to_vec())]));
}

#[test]
fn a_figure_that_is_no_number_leaves_no_folder() {
    let temp = tempfile::tempdir().expect("a folder");
    let folder = temp.path().join("run");
    let mut experiment = fixture::experiment(1, 1, 1);
    experiment.stacks[0].runs[0].cost.usd = f64::NAN;
    let result = write_run_folder(&folder, &experiment, SCENARIO);
    insta::assert_snapshot!(said(result, temp.path()));
    assert_eq!(fs::read_dir(temp.path()).expect("a folder").count(), 0);
}

#[test]
fn a_folder_that_is_not_whole_is_named_with_what_is_wrong() {
    let temp = tempfile::tempdir().expect("a folder");
    let folder = temp.path().join("run");
    let mut report = vec![said(read_run_folder(&folder).map(|_| ()), temp.path())];
    write_run_folder(&folder, &fixture::experiment(1, 1, 1), SCENARIO).expect("written");
    for (name, bytes) in [
        ("timeline.parquet", &b"PAR1"[..]),
        ("decisions.jsonl.zst", b"{}"),
        ("latency.json", b"[]"),
        ("summary.json", b"{\"scenario\": 3}"),
        ("fingerprint.txt", b"0"),
    ] {
        let whole = fs::read(folder.join(name)).expect("a file");
        fs::write(folder.join(name), bytes).expect("a file");
        report.push(said(read_run_folder(&folder).map(|_| ()), temp.path()));
        fs::write(folder.join(name), whole).expect("a file");
    }
    insta::assert_snapshot!(report.join("\n\n"));
}
