//! Recorded runs of a real Cluster Autoscaler (1.36, scan interval 2 s), made again by ours in the engine, given the
//! script, the provider's groups and delays, and the flags.
//!
//! The recordings stand outside the repository, in `../shared/validation/golden/ca_runs.jsonl` beside it, or in the
//! folder that `GOLDEN_DIR` names; without them the test says so and passes.
//! `cargo test -p scenarios golden_ca -- --nocapture` prints the table.

mod recording;
mod world;

use recording::{Asked, Order, Run, recordings};
use world::fly;

/// One loop, and what the README of the recordings calls noise on a single time.
const TOLERANCE_S: f64 = 3.0;

/// Loops that follow on one that acted come within this time.
const AT_ONCE_S: f64 = 0.5;

/// How a run of our own compares with its recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The same orders in the same sequence and as many removals as in one of the recordings, each within a loop.
    Same,
    /// The same orders and as many removals, some at another time.
    OtherTimes,
    /// The same orders; other removals. Real clusters keep pods off nodes that are about to go by soft taints, and
    /// a replica set that shrinks leaves other pods than ours.
    OtherRemovals,
    /// The recordings do not agree among themselves either; the first order is the same.
    SameFirstOrder,
    /// None of these.
    Different,
    /// The script needs what simulated clusters do not have.
    NotFlown,
}

/// Nodes of a kind, and when they were asked for.
type Sequence = Vec<(f64, String, u32)>;

/// Orders in sequence. Those of one kind from two loops of which one follows at once on the other are one: how many
/// nodes each asks for, and which of two equal groups comes first, is luck.
fn sequence(run: &Run, asked: &Asked) -> Sequence {
    let mut orders = Sequence::new();
    for order in &asked.orders {
        let kind = run.kind(&order.group);
        let follows =
            |(at, known, _): &&mut (f64, String, u32)| *known == kind && order.at - *at < AT_ONCE_S;
        match orders.iter_mut().find(follows) {
            Some((_, _, count)) => *count += order.count,
            None => orders.push((order.at, kind, order.count)),
        }
    }
    orders
}

fn same_orders(one: &Sequence, other: &Sequence) -> bool {
    let nodes = |orders: &Sequence| -> Vec<_> {
        orders.iter().map(|(_, kind, count)| (kind.clone(), *count)).collect()
    };
    nodes(one) == nodes(other)
}

fn judge(run: &Run, own: &Asked, recorded: &[Asked]) -> Verdict {
    let orders = sequence(run, own);
    let ordered_same = |recorded: &&Asked| same_orders(&sequence(run, recorded), &orders);
    let removed_same = |recorded: &&Asked| recorded.removals.len() == own.removals.len();
    let times = |orders: &Sequence, asked: &Asked| -> Vec<f64> {
        orders.iter().map(|(at, ..)| *at).chain(asked.removals.iter().copied()).collect()
    };
    let in_time = |recorded: &&Asked| {
        let (own, theirs) = (times(&orders, own), times(&sequence(run, recorded), recorded));
        own.iter().zip(&theirs).all(|(own, theirs)| (own - theirs).abs() <= TOLERANCE_S)
    };
    let alike = || recorded.iter().filter(ordered_same);
    let disagree = recorded
        .windows(2)
        .any(|two| !same_orders(&sequence(run, &two[0]), &sequence(run, &two[1])));
    let first =
        |asked: &Asked| asked.orders.first().map(|order| (run.kind(&order.group), order.count));
    if alike().filter(removed_same).any(|recorded| in_time(&recorded)) {
        Verdict::Same
    } else if alike().filter(removed_same).count() > 0 {
        Verdict::OtherTimes
    } else if alike().count() > 0 {
        Verdict::OtherRemovals
    } else if disagree && recorded.iter().any(|recorded| first(own) == first(recorded)) {
        Verdict::SameFirstOrder
    } else {
        Verdict::Different
    }
}

/// Orders and removals in one line.
fn text(asked: &Asked) -> String {
    let order = |order: &Order| format!("{:.1}:{}+{}", order.at, order.group, order.count);
    let orders = asked.orders.iter().map(order);
    let removals = asked.removals.iter().map(|at| format!("{at:.0}:x"));
    orders.chain(removals).collect::<Vec<_>>().join(" ")
}

fn verdict_of(run: &Run) -> (Verdict, Asked) {
    if !run.is_plain() {
        return (Verdict::NotFlown, Asked::default());
    }
    let own = fly(run);
    (judge(run, &own, &run.recorded()), own)
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
    let flown = verdicts.len() - count(Verdict::NotFlown);
    println!("{} of {flown} the same", count(Verdict::Same));
    let of = |wanted| verdicts.iter().filter(move |(_, verdict)| *verdict == wanted);
    let different: Vec<_> = of(Verdict::Different).map(|(id, _)| id).collect();
    assert!(different.is_empty(), "other orders: {different:?}");
    assert!(count(Verdict::Same) * 2 >= flown);
}
