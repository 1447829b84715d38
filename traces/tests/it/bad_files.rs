//! Every way in which a trace file can be broken ends in one error with a place and a hint.

use crate::{HOUR, SEED, fly_from};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::Path;
use traces::{Replay, Traffic};

const HEADER: &str = "TIMESTAMP,ContextTokens,GeneratedTokens";

/// What a replay of `file` with this content says.
fn verdict(file: &str, content: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(file), content).unwrap();
    replayed(folder.path(), &Traffic::AzureCsv(Replay::of(file)))
}

fn replayed(folder: &Path, traffic: &Traffic) -> String {
    match fly_from(folder, traffic, SEED, HOUR) {
        Ok(arrivals) => format!("{} requests", arrivals.len()),
        Err(text) => text,
    }
}

/// What a trace with these rows says.
fn rows(rows: &[&str]) -> String {
    verdict("trace.csv", format!("{HEADER}\n{}\n", rows.join("\n")).as_bytes())
}

/// A trace of this many rows, a millisecond apart; the lengths hardly compress.
fn long(count: u64) -> String {
    let row = |place: u64| {
        let (second, milli) = (place / 1_000 % 60, place % 1_000);
        let minute = place / 60_000;
        let tokens = place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        format!("2024-05-12 00:{minute:02}:{second:02}.{milli:03}+00:00,{},7\n", tokens + 1)
    };
    let rows: String = (0..count).map(row).collect();
    format!("{HEADER}\n{rows}")
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 3).unwrap()
}

#[test]
fn packed_and_plain_traces_read_alike_whatever_their_name() {
    let text = long(5_000);
    assert_eq!(verdict("trace.csv", text.as_bytes()), "5000 requests");
    for packed in [gzip(&text), zstd(&text)] {
        assert_eq!(verdict("trace.csv", &packed), "5000 requests");
    }
    assert_eq!(verdict("trace.csv.gz", &gzip(&text)), "5000 requests");
    assert_eq!(verdict("trace.csv.zst", &zstd(&text)), "5000 requests");
}

#[test]
fn several_packed_parts_in_a_row_are_one_trace() {
    let text = long(5_000);
    let (first, second) = text.split_at(text.len() / 2);
    assert_eq!(verdict("x.csv.gz", &[gzip(first), gzip(second)].concat()), "5000 requests");
    assert_eq!(verdict("x.csv.zst", &[zstd(first), zstd(second)].concat()), "5000 requests");
}

#[test]
fn a_file_that_is_not_there_or_not_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    let replay = |path: &str| replayed(folder.path(), &Traffic::AzureCsv(Replay::of(path)));
    let found = [
        replay("absent.csv"),
        replay("folder"),
        verdict("empty.csv", b""),
        verdict("header.csv", format!("{HEADER}\r\n").as_bytes()),
        verdict("other.csv", b"Timestamp,Model\n0,GPT-4\n"),
        verdict("noise.csv", &[0, 159, 146, 150, 10, 1, 2]),
        verdict("page.csv.zst", b"<html>Not found</html>"),
        verdict("pointer.csv.gz", b"version https://git-lfs"),
    ];
    insta::assert_snapshot!(found.join("\n\n"));
}

#[test]
fn a_packed_trace_that_was_cut_off_is_an_error_and_not_a_short_trace() {
    let text = long(50_000);
    for (name, packed) in [("cut.csv.gz", gzip(&text)), ("cut.csv.zst", zstd(&text))] {
        for length in [packed.len() / 4, packed.len() / 2, packed.len() - 1] {
            let found = verdict(name, &packed[..length]);
            assert!(found.contains("the compressed data stops in the middle"), "{found}");
        }
    }
}

#[test]
fn packed_data_that_is_cut_off_or_damaged() {
    let text = long(1_000);
    let mut damaged = gzip(&text);
    // The last eight bytes are the checksum and the length (RFC 1952 section 2.3.1).
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    let found = [
        verdict("cut-early.csv.zst", &zstd(&text)[..20]),
        verdict("cut-late.csv.gz", &damaged[..checksum]),
        verdict("damaged.csv.gz", &damaged),
    ];
    insta::assert_snapshot!(found.join("\n\n"));
}

#[test]
fn a_broken_row() {
    let good = "2024-05-12 00:00:00+00:00,374,44";
    let found = [
        rows(&[good, "2024-05-12 00:00:01+00:00,37"]),
        rows(&[good, "2024-05-12 00:00:01+00:00,3,7,4"]),
        rows(&["12/05/2024 00:00,374,44"]),
        rows(&["2024-02-30 00:00:00,374,44"]),
        rows(&[good, good, "2024-05-12 00:00:01+00:00,3.5,44"]),
        rows(&["2024-05-12 00:00:01+00:00,374,0"]),
        rows(&["2024-05-12 00:00:01+00:00,-3,44"]),
        rows(&["2024-05-12 00:00:01+00:00,1000000001,44"]),
    ];
    insta::assert_snapshot!(found.join("\n\n"));
}

#[test]
fn rows_out_of_order() {
    let found = rows(&[
        "2024-05-12 00:00:00+00:00,374,44",
        "2024-05-12 00:00:01.000001+00:00,374,44",
        "2024-05-12 00:00:01+00:00,374,44",
    ]);
    insta::assert_snapshot!(found);
}

#[test]
fn a_window_without_requests() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("short.csv"), long(1_000)).unwrap();
    let traffic = crate::traffic("azure-csv = { path = \"short.csv\", skip = \"1s\" }");
    insta::assert_snapshot!(replayed(folder.path(), &traffic));
}
