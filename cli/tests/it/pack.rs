//! `windtunnel pack` on small lists in the layout of the published ones.

use super::determinism::files;
use super::{complaint, windtunnel};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../traces/samples/openb");

/// The sample lists under these names in a folder.
pub(crate) fn put_lists(folder: &Path, nodes: &str, pods: &str) {
    for (sample, name) in [("nodes.csv", nodes), ("pods.csv", pods)] {
        fs::copy(Path::new(SAMPLES).join(sample), folder.join(name)).expect("copied");
    }
}

fn folder() -> TempDir {
    let folder = TempDir::new().expect("a folder for a test");
    put_lists(folder.path(), "nodes.csv", "pods.csv");
    fs::copy(Path::new(SAMPLES).join("order.csv"), folder.path().join("order.csv"))
        .expect("copied");
    folder
}

const LISTS: [&str; 5] = ["pack", "--nodes", "nodes.csv", "--pods", "pods.csv"];

/// Standard output of `pack` with the sample lists.
#[track_caller]
fn packed(folder: &Path, args: &[&str]) -> String {
    let output = windtunnel(folder, &[&LISTS, args].concat());
    assert!(output.status.success(), "{}", complaint(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn strategies_stand_in_a_table_in_the_order_asked_for() {
    let folder = folder();
    let drawn = packed(folder.path(), &["--profile", "fgd,bestfit,fgd", "--seeds", "3"]);
    insta::assert_snapshot!("pack_drawn", drawn);
    let exact = packed(folder.path(), &["--order", "order.csv"]);
    insta::assert_snapshot!("pack_exact", exact);
    let short = ["--profile", "random", "--seeds", "1", "--load", "0.9", "--seed", "7"];
    insta::assert_snapshot!("pack_short", packed(folder.path(), &short));
}

#[test]
fn one_thread_and_two_write_the_same_folder() {
    let folder = folder();
    for (threads, out) in [("1", "a"), ("2", "b")] {
        packed(folder.path(), &["--order", "order.csv", "--threads", threads, "--out", out]);
    }
    let (one, two) = (files(&folder.path().join("a")), files(&folder.path().join("b")));
    let names: Vec<_> = one.keys().map(String::as_str).collect();
    assert_eq!(names, ["curves-mean.csv", "curves.csv", "packing.png", "packing.svg"]);
    assert!(one == two, "the same files, byte by byte");
    let curves = String::from_utf8_lossy(&one["curves.csv"]);
    insta::assert_snapshot!("pack_curves", curves.lines().take(4).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_folder_of_an_earlier_study_is_replaced_and_no_other() {
    let folder = folder();
    let args = ["--profile", "fgd", "--seeds", "1", "--out", "out"];
    packed(folder.path(), &args);
    packed(folder.path(), &args);
    fs::create_dir(folder.path().join("precious")).expect("made");
    fs::write(folder.path().join("precious/thesis.txt"), "years of work").expect("written");
    let output = windtunnel(folder.path(), &[&LISTS[..], &["--out", "precious"]].concat());
    assert!(!output.status.success());
    assert!(folder.path().join("precious/thesis.txt").is_file());
}

#[track_caller]
fn check(name: &str, folder: &Path, args: &[&str]) {
    let output = windtunnel(folder, args);
    assert!(!output.status.success(), "{name}: bad input does not succeed");
    assert!(output.stdout.is_empty(), "{name}: no output that looks like a result");
    insta::assert_snapshot!(name, complaint(&output));
}

#[test]
fn bad_input_is_refused_with_its_place_and_a_hint() {
    let folder = folder();
    let at = folder.path();
    check("pack_absent", at, &["pack", "--nodes", "absent.csv", "--pods", "pods.csv"]);
    check("pack_swapped", at, &["pack", "--nodes", "pods.csv", "--pods", "nodes.csv"]);
    let text = fs::read_to_string(at.join("pods.csv")).expect("a sample");
    fs::write(at.join("bad.csv"), text.replacen("1,460", "1,all", 1)).expect("written");
    check("pack_bad_row", at, &["pack", "--nodes", "nodes.csv", "--pods", "bad.csv"]);
    check("pack_profile", at, &[&LISTS[..], &["--profile", "fgd,besfit"]].concat());
    check("pack_load", at, &[&LISTS[..], &["--load", "130"]].concat());
    let order = fs::read_to_string(at.join("order.csv")).expect("a sample");
    fs::write(at.join("other.csv"), order.replacen("pod-", "pad-", 1)).expect("written");
    check("pack_unknown_pod", at, &[&LISTS[..], &["--order", "other.csv"]].concat());
}
