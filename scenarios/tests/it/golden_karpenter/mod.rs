//! Recorded runs of a real Karpenter (core 1.13.0, kwok provider) on a real control plane, made again in the
//! engine: the same pools, prices and pods, nodes that take as long as they took, our own scheduler.
//!
//! The recordings stand outside the repository, in `../shared/validation/golden` beside it, or in the folder that
//! `GOLDEN_DIR` names; without them the test says so and passes.
//! `cargo test -p scenarios golden_karpenter -- --nocapture` prints the table.

mod drift;
mod flight;
mod measured;
mod recording;
mod restarts;

use flight::{Flight, Launched, Script, fly};
use recording::{ClaimText, Machine, Run, recordings};
use std::collections::BTreeMap;

/// Launches and removals may be off by a poll, or by a batch at its longest.
const APART_S: f64 = 10.0;

/// How a run of our own compares with its recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The same nodes launched for as many pods out of as many types, the same left, within a poll or a batch.
    Same,
    /// The same, some of it later or earlier.
    OtherTimes,
    /// Other nodes are left.
    OtherLeft,
    /// Other nodes were launched.
    OtherLaunched,
}

impl From<&ClaimText> for Launched {
    fn from(claim: &ClaimText) -> Self {
        Self {
            pods: claim.requests["pods"].parse().expect("a number of pods"),
            types: claim.n_types,
            kind: claim.kind(),
            at: claim.created_s,
        }
    }
}

/// Launches in an order that does not depend on when in a round they were made.
fn sorted(mut launched: Vec<Launched>) -> Vec<Launched> {
    launched.sort_by(|a, b| {
        (&a.kind, a.pods, a.types).cmp(&(&b.kind, b.pods, b.types)).then(a.at.total_cmp(&b.at))
    });
    launched
}

fn recorded(run: &Run) -> Vec<Launched> {
    sorted(run.nodeclaims.iter().map(Launched::from).collect())
}

/// The widest distance between two moments of the same thing.
fn apart(run: &Run, own: &Flight) -> f64 {
    let launched = recorded(run);
    let own_launched = sorted(own.launched.clone());
    let launches = launched.iter().zip(&own_launched).map(|(recorded, own)| recorded.at - own.at);
    let mut removed: Vec<_> = run.nodeclaims.iter().filter_map(|claim| claim.deleting_s).collect();
    removed.sort_by(f64::total_cmp);
    let removals = removed.iter().zip(&own.removed).map(|(recorded, own)| recorded - own.0);
    launches.chain(removals).max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0)
}

fn judge(run: &Run, own: &Flight) -> Verdict {
    let what = |launched: &[Launched]| {
        launched.iter().map(|one| (one.kind.clone(), one.pods, one.types)).collect::<Vec<_>>()
    };
    if what(&recorded(run)) != what(&sorted(own.launched.clone())) {
        Verdict::OtherLaunched
    } else if run.summary.nodes_by_type != own.kinds_left() {
        Verdict::OtherLeft
    } else if apart(run, own).abs() > APART_S {
        Verdict::OtherTimes
    } else {
        Verdict::Same
    }
}

/// Launches as `2 x g6.48xlarge/on-demand (8 pods, 1 type)`.
fn text(launched: &[Launched]) -> String {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for one in launched {
        let of = format!("{} ({} pods, {} types)", one.kind, one.pods, one.types);
        *counts.entry(of).or_default() += 1;
    }
    let one = |(of, count): (&String, &u32)| format!("{count} x {of}");
    counts.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Runs whose nodes are the same, by name: none of them may become another.
const SAME: [&str; 14] = [
    "s01", "s02", "s03", "s04", "s06a", "s08", "s09", "s10", "s13", "s15", "s17", "s20", "s22",
    "s23",
];

/// Runs that differ, and why.
const DIFFER: [(&str, u32, &str); 1] = [(
    "s09",
    3,
    "three nodes cost the same to disrupt, and upstream's sort leaves to luck which is first",
)];

/// So many orders of equally good nodes are tried until one puts the pods where they were.
const LUCKS: u64 = 2_000;

/// Flies a recording with the luck that puts pods where they were before they were scaled down: kube-scheduler chooses
/// at random among equally good nodes, and which node is empty afterwards hangs on it. Also whether there was such
/// luck.
fn fly_as_recorded(run: &Run, machines: &[Machine]) -> Result<(Flight, bool), String> {
    let with = |luck| {
        let (settings, steps) = (run.settings(), &run.workload);
        fly(
            &Script { settings, steps, observed_s: run.observed_s, luck, restarts: false },
            machines,
        )
    };
    let before = run.before();
    for luck in 0..LUCKS {
        let flight = with(luck)?;
        if before.is_empty() || flight.before == before {
            return Ok((flight, true));
        }
    }
    Ok((with(0)?, false))
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is what the test shows")]
fn the_same_nodes_are_launched_and_removed_within_a_poll_or_a_batch() {
    let (runs, machines) = recordings();
    let (mut verdicts, mut read) = (Vec::new(), 0);
    println!("run      apart    verdict");
    for run in &runs {
        let run = match run {
            Ok(run) => run,
            Err(error) => {
                println!("not read: {error}");
                continue;
            }
        };
        let (own, is_placed) = match fly_as_recorded(run, &machines) {
            Ok(own) => own,
            Err(error) => {
                println!("{} {}: {error}", run.id, run.rep);
                continue;
            }
        };
        read += 1;
        let verdict = judge(run, &own);
        let placed = if is_placed { "" } else { ", pods placed otherwise" };
        println!("{:5} {} {:+7.1} s  {verdict:?}{placed}", run.id, run.rep, apart(run, &own));
        let known = DIFFER.iter().find(|(id, rep, _)| *id == run.id && *rep == run.rep);
        if verdict != Verdict::Same {
            println!("  because  {}", known.map_or("?", |(_, _, why)| why));
            println!("  recorded {}", text(&recorded(run)));
            println!("  own      {}", text(&sorted(own.launched.clone())));
            println!("  left     {:?} recorded, {:?} own", run.summary.nodes_by_type, own.left);
            println!("  removed  {:?} own", own.removed);
        }
        verdicts.push((run.id.as_str(), verdict, known.is_some()));
    }
    let count = verdicts.iter().filter(|(_, found, _)| *found == Verdict::Same).count();
    println!("{count} of {} the same", verdicts.len());
    let is_lost = |(id, found, is_known): &&(&str, Verdict, bool)| {
        SAME.contains(id) && *found != Verdict::Same && !is_known
    };
    let lost = verdicts.iter().find(is_lost);
    assert!(lost.is_none(), "{lost:?}");
    assert!(read * 5 >= runs.len() * 4, "read {read} of {}", runs.len());
    assert!(count * 10 >= verdicts.len() * 9);
}
