//! Recorded runs of a real HPA controller (Kubernetes 1.36.2), made again twice: by the policy alone, fed the same
//! reads at the same times; and by a whole run in the engine, told only how the metrics moved.
//!
//! The recordings stand outside the repository, in `../shared/validation/golden/hpa_runs.jsonl` beside it, or in
//! the folder that `GOLDEN_DIR` names; without them the tests say so and pass.
//! `cargo test -p scenarios golden_hpa -- --nocapture` prints the table of the second.

mod own_phases;
mod recording;
mod same_reads;

use own_phases::{fly, own_looks};
use recording::{Change, Run, SYNC_S, recordings};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// From a read to the change that a watch saw (README of the recordings: 1.978 s at most); a look that read
/// nothing is only known to a sync period after the one before, which in truth varied by 0.15 s downwards and
/// 3.2 s upwards.
const WATCH_S: RangeInclusive<f64> = -0.15..=3.2;

/// The same counts in the same order, each recorded so many seconds after it was found.
fn same(recorded: &[Change], found: &[Change], later: &RangeInclusive<f64>) -> bool {
    recorded.len() == found.len()
        && recorded.iter().zip(found).all(|(recorded, found)| {
            recorded.1 == found.1 && later.contains(&(recorded.0 - found.0))
        })
}

/// Counts with their seconds.
fn text(changes: &[Change]) -> String {
    let change = |(at, count): &Change| format!("{count} at {at:.1}");
    changes.iter().map(change).collect::<Vec<_>>().join(", ")
}

#[test]
fn fed_the_same_reads_the_policy_writes_the_same_replicas_at_the_same_syncs() {
    let mut different = Vec::new();
    for run in recordings() {
        let found = same_reads::replay(&run);
        if !same(&run.replicas, &found, &WATCH_S) {
            let (recorded, found) = (text(&run.replicas), text(&found));
            different.push(format!("{}: recorded {recorded}\n  found {found}", run.id));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// How a run of our own compares with its recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The same counts in the same order, each within a sync period.
    Same,
    /// The same once it looks when the real controller looked: another moment had read another value, or found
    /// another change inside a period of `behavior`.
    SameAtItsSyncs,
    /// Not even then, but a pod became ready so close to a read that a fraction of a second decides.
    ReadyNextToARead,
    /// None of these.
    Different,
}

/// Pods of the recordings became ready up to so much later than scripted.
const READY_JITTER_S: f64 = 0.7;

fn judge(run: &Arc<Run>, own: &[Change]) -> Verdict {
    let looks: Vec<_> = run.syncs().iter().map(|sync| sync.last).collect();
    let became_ready = |look: f64| {
        let count = |at| run.ready(at);
        count(look - READY_JITTER_S) != count(look + READY_JITTER_S)
    };
    if same(&run.replicas, own, &(-SYNC_S..=SYNC_S)) {
        Verdict::Same
    } else if same(&run.replicas, &fly(run, &looks), &WATCH_S) {
        Verdict::SameAtItsSyncs
    } else if looks.into_iter().any(became_ready) {
        Verdict::ReadyNextToARead
    } else {
        Verdict::Different
    }
}

/// The count at the end.
fn last(changes: &[Change]) -> Option<u32> {
    changes.last().map(|change| change.1)
}

/// A line of the table.
fn row(run: &Run, own: &[Change], verdict: Verdict) -> String {
    let counts = |changes: &[Change]| changes.iter().map(|change| change.1).collect::<Vec<_>>();
    let offsets = run.replicas.iter().zip(own).map(|(recorded, own)| recorded.0 - own.0);
    let widest = offsets.max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or_default();
    let (values, widest) = if counts(&run.replicas) == counts(own) {
        ("equal", format!("{widest:+.1} s"))
    } else {
        ("other", "-".to_owned())
    };
    let (recorded, ended) = (run.replicas.last(), own.last());
    let end = |change: Option<&Change>| change.map_or("-".to_owned(), |change| text(&[*change]));
    let (id, changes) = (&run.id, run.replicas.len() - 1);
    let (recorded, ended) = (end(recorded), end(ended));
    format!("{id:7} {changes:7} {values:6} {widest:>8}  {recorded:12} {ended:12} {verdict:?}")
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is what the test shows")]
fn fed_only_the_metrics_a_run_writes_the_same_replicas_within_a_sync_period() {
    let (mut verdicts, mut other_ends) = (Vec::new(), Vec::new());
    println!("run     changes values   offset  recorded end our end      verdict");
    for run in recordings() {
        let run = Arc::new(run);
        let own = fly(&run, &own_looks(&run));
        let verdict = judge(&run, &own);
        println!("{}", row(&run, &own, verdict));
        if last(&run.replicas) != last(&own) {
            other_ends.push(run.id.clone());
        }
        verdicts.push(verdict);
    }
    let count = |verdict| verdicts.iter().filter(|found| **found == verdict).count();
    println!("{} of {} the same", count(Verdict::Same), verdicts.len());
    assert!(other_ends.is_empty(), "ended at another count: {other_ends:?}");
    assert_eq!(count(Verdict::Different), 0);
    // Series that change every few seconds read differently at every phase; they are few.
    assert!(count(Verdict::Same) * 5 >= verdicts.len() * 4);
}
