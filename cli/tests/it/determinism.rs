//! The same seed gives the same bytes, whatever the number of threads.

use super::{complaint, windtunnel};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Every file below a folder, by its path there.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).expect("below it").display().to_string();
            found.insert(name, fs::read(&path).expect("a file"));
        }
    }
    found
}

fn fly(folder: &Path, threads: &str, out: &str) -> BTreeMap<String, Vec<u8>> {
    let args = ["compare", "chat-day", "--horizon", "1h", "--runs", "2", "--threads", threads];
    let output = windtunnel(folder, &[&args[..], &["--out", out]].concat());
    assert!(output.status.success(), "{}", complaint(&output));
    files(&folder.join(out))
}

#[test]
fn one_thread_and_two_write_the_same_run_folder_twice() {
    let folder = TempDir::new().expect("a folder for a test");
    let first = fly(folder.path(), "1", "a");
    for (threads, out) in [("1", "b"), ("2", "c"), ("2", "d")] {
        let other = fly(folder.path(), threads, out);
        assert_eq!(first.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
        for (name, bytes) in &first {
            assert!(bytes == &other[name], "{name} differs with {threads} threads ({out})");
        }
    }
}

#[test]
fn a_report_is_made_again_from_its_folder_alone() {
    let folder = TempDir::new().expect("a folder for a test");
    let before = fly(folder.path(), "2", "a");
    fs::remove_file(folder.path().join("a/report.html")).expect("was there");
    fs::remove_dir_all(folder.path().join("a/figures")).expect("was there");
    let output = windtunnel(folder.path(), &["report", "a"]);
    assert!(output.status.success(), "{}", complaint(&output));
    let after = files(&folder.path().join("a"));
    assert!(before == after, "the same files, byte by byte");
}
