//! Recorded runs of a real Cluster Autoscaler (1.36, scan interval 2 s), made again by ours in the engine, given the
//! script, the provider's groups and delays, and the flags.
//!
//! The recordings stand outside the repository, in `../shared/validation/golden/ca_runs.jsonl` beside it, or in the
//! folder that `GOLDEN_DIR` names; without them the test says so and passes.
//! `cargo test -p scenarios golden_ca -- --nocapture` prints the table.

mod recording;
mod world;

use recording::{Asked, Run, recordings};
use world::fly;

/// One loop, and what the README of the recordings calls noise on a single time.
const TOLERANCE_S: f64 = 3.0;

/// How a run of our own compares with its recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The same orders in the same sequence and as many removals as in one of the recordings, each within a loop.
    Same,
    /// The same orders and removals, some at another time.
    OtherTimes,
    /// The recordings do not agree among themselves either; the first order is the same.
    SameFirstOrder,
    /// None of these.
    Different,
    /// The script needs what simulated clusters do not have.
    NotFlown,
}

/// What is asked for, in a sequence that does not depend on which of two simultaneous calls came first.
fn sequence(asked: &Asked) -> Vec<(&str, u32)> {
    let mut orders: Vec<_> = asked.orders.iter().collect();
    // Orders of one loop come in any order: half a second keeps loops apart.
    let slot = |at: f64| (at * 2.0).round();
    orders.sort_by(|a, b| slot(a.at).total_cmp(&slot(b.at)).then_with(|| a.group.cmp(&b.group)));
    orders.into_iter().map(|order| (&*order.group, order.count)).collect()
}

fn times(asked: &Asked) -> impl Iterator<Item = f64> {
    asked.orders.iter().map(|order| order.at).chain(asked.removals.iter().copied())
}

fn same_actions(own: &Asked, recorded: &Asked) -> bool {
    sequence(own) == sequence(recorded) && own.removals.len() == recorded.removals.len()
}

fn widest_offset(own: &Asked, recorded: &Asked) -> f64 {
    let offsets = times(own).zip(times(recorded)).map(|(own, recorded)| own - recorded);
    offsets.max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0)
}

fn judge(own: &Asked, recorded: &[Asked]) -> Verdict {
    let alike: Vec<_> = recorded.iter().filter(|recorded| same_actions(own, recorded)).collect();
    let in_time = |recorded: &&&Asked| widest_offset(own, recorded).abs() <= TOLERANCE_S;
    if alike.iter().any(|recorded| in_time(&recorded)) {
        return Verdict::Same;
    }
    if !alike.is_empty() {
        return Verdict::OtherTimes;
    }
    let disagree = recorded.windows(2).any(|two| !same_actions(&two[0], &two[1]));
    let first =
        |asked: &Asked| sequence(asked).first().map(|(group, count)| ((*group).to_owned(), *count));
    if disagree && recorded.iter().any(|recorded| first(own) == first(recorded)) {
        return Verdict::SameFirstOrder;
    }
    Verdict::Different
}

/// Orders and removals in one line.
fn text(asked: &Asked) -> String {
    let orders =
        asked.orders.iter().map(|order| format!("{:.1}:{}+{}", order.at, order.group, order.count));
    let removals = asked.removals.iter().map(|at| format!("{at:.0}:x"));
    orders.chain(removals).collect::<Vec<_>>().join(" ")
}

fn verdict_of(run: &Run) -> (Verdict, Asked) {
    if !run.is_plain() {
        return (Verdict::NotFlown, Asked::default());
    }
    let own = fly(run);
    (judge(&own, &run.recorded()), own)
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is what the test shows")]
fn given_the_script_and_the_delays_it_asks_for_the_same_nodes_within_a_loop() {
    let mut verdicts = Vec::new();
    for run in recordings() {
        let (verdict, own) = verdict_of(&run);
        println!("{:40} {verdict:?}", run.id);
        println!("  ours:     {}", text(&own));
        for recorded in run.recorded() {
            println!("  recorded: {}", text(&recorded));
        }
        verdicts.push((run.id.clone(), verdict));
    }
    let count = |wanted| verdicts.iter().filter(|(_, verdict)| *verdict == wanted).count();
    println!("{} of {} the same", count(Verdict::Same), verdicts.len());
    let different: Vec<_> =
        verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Different).collect();
    assert!(different.is_empty(), "{different:?}");
}
