//! What the page promises: one file, no network, everything visible.

use crate::fixture;
use reports::write_run_folder;
use std::fs;
use std::path::Path;

#[test]
fn the_page_is_one_file_below_three_megabytes_that_asks_no_other() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sample");
    write_run_folder(&folder, &fixture::day(), "name = \"chat-day\"\n").expect("written");
    let page = fs::read_to_string(folder.join("report.html")).expect("a page");
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    for outside in ["src=", "href=\"http", "url(", "@import", "fetch("] {
        assert!(!page.contains(outside), "the page asks for something: {outside}");
    }
}
