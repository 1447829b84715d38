//! What the page and the figures promise: one file, no network, no broken number, whatever the
//! outcome.

use crate::fixture;
use contract::Micros;
use reports::write_run_folder;
use sim_core::outcome::{Experiment, Unplaced};
use std::fs;
use std::path::{Path, PathBuf};

/// Writes a run folder that stays, to be looked at, and checks its page and figures.
#[track_caller]
fn check(name: &str, experiment: &Experiment) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    write_run_folder(&folder, experiment, "name = \"chat-day\"\n").expect("written");
    let page = fs::read_to_string(folder.join("report.html")).expect("a page");
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    for outside in ["src=", "href=\"http", "url(", "@import", "fetch("] {
        assert!(!page.contains(outside), "the page asks for something: {outside}");
    }
    for path in figures(&folder) {
        let bytes = fs::read(&path).expect("a figure");
        let Ok(svg) = String::from_utf8(bytes) else { continue };
        for broken in ["NaN", "inf", "2147483647", "-2147483648"] {
            assert!(!svg.contains(broken), "{}: {broken}", path.display());
        }
    }
}

fn figures(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("figures")).expect("figures");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn a_day_of_four_stacks() {
    check("day", &fixture::day());
}

#[test]
fn two_services_have_figures_of_their_own() {
    check("two-services", &fixture::experiment(4, 5, 2));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("two-services");
    let drawings =
        figures(&folder).into_iter().filter(|path| path.extension() == Some("svg".as_ref()));
    let names = drawings.map(|path| path.file_stem().map(ToOwned::to_owned).unwrap_or_default());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    insta::assert_snapshot!(names.join("\n"));
}

#[test]
fn jobs_without_services_are_compared_and_read_back() {
    check("jobs-alone", &fixture::with_queues());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jobs-alone");
    assert_eq!(reports::read_run_folder(&folder).expect("whole"), fixture::with_queues());
    let page = fs::read_to_string(folder.join("report.html")).expect("a page");
    assert!(page.contains("id=\"queues\"") && page.contains("2 for the rest of their gang"));
}

#[test]
fn jobs_have_a_table_and_a_file_of_their_own() {
    check("jobs", &fixture::with_jobs());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jobs");
    let page = fs::read_to_string(folder.join("report.html")).expect("a page");
    assert!(page.contains("id=\"jobs\"") && page.contains("143.9"), "GPU-hours of partial gangs");
    let csv = fs::read_to_string(folder.join("jobs.csv")).expect("a file");
    assert_eq!(csv.lines().count(), 1 + 2, "a row for each stack");
}

#[test]
fn one_stack_flown_once() {
    check("alone", &fixture::experiment(1, 1, 1));
}

#[test]
fn a_day_without_requests() {
    let mut experiment = fixture::experiment(2, 2, 1);
    for stack in &mut experiment.stacks {
        stack.curves = vec![sim_core::outcome::LatencyCurves::default()];
        stack.timeline.clear();
        stack.decisions.clear();
        for run in &mut stack.runs {
            run.services = vec![fixture::service()];
            run.gpu = sim_core::outcome::GpuHours::default();
            run.cost = sim_core::outcome::Cost::default();
        }
    }
    check("nothing", &experiment);
}

#[test]
fn nine_stacks_with_long_names_that_keep_equally_much() {
    let mut experiment = fixture::experiment(1, 3, 1);
    let like = experiment.stacks.remove(0);
    for number in 0..9 {
        let mut stack = like.clone();
        stack.name =
            format!("horizontal-pod-autoscaler-on-concurrency-<warm-pool-of-{number}>-&-more");
        for decision in &mut stack.decisions {
            decision.stack.clone_from(&stack.name);
        }
        experiment.stacks.push(stack);
    }
    check("nine", &experiment);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nine");
    let page = fs::read_to_string(folder.join("report.html")).expect("a page");
    assert!(!page.contains("<warm-pool"), "a name is text, never markup");
}

#[test]
fn a_week_of_one_minute_bins_and_thousands_of_decisions_stays_small() {
    let mut experiment = fixture::day();
    experiment.horizon = contract::Micros(7 * experiment.horizon.0);
    experiment.bin = contract::Micros::from_mins(1);
    for stack in &mut experiment.stacks {
        let (rows, decisions) = (stack.timeline.clone(), stack.decisions.clone());
        stack.timeline = (0..7 * 1440)
            .map(|minute: u64| {
                let at = contract::Instant(minute * 60_000_000);
                sim_core::outcome::TimelineRow { at, ..rows[(minute / 5 % 288) as usize] }
            })
            .collect();
        stack.decisions = decisions.iter().cycle().take(20_000).cloned().collect();
    }
    check("week", &experiment);
}

#[test]
fn pods_without_a_node_are_shown_with_the_words_of_the_scheduler() {
    let mut experiment = fixture::day();
    let message = "0/5 nodes are available: 5 Insufficient nvidia.com/gpu.";
    experiment.stacks[1].runs[0].unplaced = vec![Unplaced {
        owner: "service chat".to_owned(),
        pods: 3,
        waited: Micros::from_mins(7),
        message: message.to_owned(),
    }];
    check("unplaced", &experiment);
    let page = |name: &str| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::read_to_string(folder.join("report.html")).expect("a page")
    };
    assert!(page("unplaced").contains(message));
    check("all-placed", &fixture::day());
    assert!(!page("all-placed").contains("id=\"unplaced\""), "nothing to show, no section");
}
