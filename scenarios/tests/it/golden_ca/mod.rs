//! Recorded runs of a real Cluster Autoscaler (1.36, scan interval 2 s), made again by ours in the engine, given the
//! script, the provider's groups and delays, and the flags.
//!
//! The recordings stand outside the repository, in `../shared/validation/golden/ca_runs.jsonl` beside it, or in the
//! folder that `GOLDEN_DIR` names; without them the test says so and passes.
//! `cargo test -p scenarios golden_ca -- --nocapture` prints the table.

mod measured;
mod provider;
mod recording;
mod world;

use recording::{Asked, Order, Run, recordings};
use world::{Flight, fly};

/// One loop, and what the README of the recordings calls noise on a single time.
const TOLERANCE_S: f64 = 3.0;

/// Loops that follow on one that acted come within this time.
const AT_ONCE_S: f64 = 0.5;

/// Which of twenty equal pods a shrinking replica set keeps, in which order pending pods are placed, which of two
/// equal nodes gets a pod and which of two equal groups grows: the real ones draw that, too. So many times a run is
/// flown.
const LUCKS: u32 = 40;

/// Runs that come out the same as a recording for some luck.
const SAME: &[&str] = &[
    "s02_most_pods",
    "s05_gpu_price",
    "s06_drip",
    "s08a_stockout_instance",
    "s08b_stockout_rpc",
    "s09_slow_boot",
    "s10_scale_down",
    "s10b_scale_down_gpu",
    "s11_pdb",
    "s12_util_55_45",
    "s13b_balance",
    "s16_never_registers",
    "s17_cpu_gpu_mix",
    "x_s12b_util_50_50_with_group_options",
];

/// Why the others do not.
const DIFFER: &[(&str, &str)] =
    &[("s01_least_waste", SEVERAL_SIZES), ("s04_priority", SEVERAL_SIZES)];

const SEVERAL_SIZES: &str =
    "pods of several sizes: orders after the first are luck (C1, C2), and the recordings disagree";

/// How a run of our own compares with its recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// The same orders in the same sequence and the same removals as in one of the recordings, each within a loop.
    Same,
    /// The same orders and removals, some at another time.
    OtherTimes,
    /// The same orders; other removals.
    OtherRemovals,
    /// The recordings do not agree among themselves either; the first order is the same.
    SameFirstOrder,
    /// None of these.
    Different,
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

/// The kinds of the nodes that went, in their order.
fn removed(run: &Run, asked: &Asked) -> Vec<String> {
    asked.removals.iter().map(|removal| run.kind(&removal.group)).collect()
}

fn judge(run: &Run, own: &Asked, recorded: &[Asked]) -> Verdict {
    let orders = sequence(run, own);
    let ordered_same = |recorded: &&Asked| same_orders(&sequence(run, recorded), &orders);
    let removed_same = |recorded: &&Asked| removed(run, recorded) == removed(run, own);
    let times = |orders: &Sequence, asked: &Asked| -> Vec<f64> {
        let removals = asked.removals.iter().map(|removal| removal.at);
        orders.iter().map(|(at, ..)| *at).chain(removals).collect()
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
    let removals =
        asked.removals.iter().map(|removal| format!("{:.0}:{}-1", removal.at, removal.group));
    orders.chain(removals).collect::<Vec<_>>().join(" ")
}

/// The verdicts over all lucks, best first, each with what was asked for.
fn verdicts(run: &Run) -> Vec<(Verdict, Asked)> {
    let recorded = run.recorded();
    let flight = |luck| {
        let own = fly(run, Flight { luck, restarts: false });
        (judge(run, &own, &recorded), own)
    };
    let mut verdicts: Vec<_> = (0..LUCKS).map(flight).collect();
    verdicts.sort_by_key(|(verdict, _)| *verdict);
    verdicts
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is what the test shows")]
fn given_the_script_and_the_delays_it_asks_for_the_same_nodes_within_a_loop() {
    let runs = recordings();
    let mut broken = Vec::new();
    for run in &runs {
        if !run.can_be_flown() {
            println!(
                "{:40} not flown: the script needs what simulated clusters do not have",
                run.id
            );
            continue;
        }
        let verdicts = verdicts(run);
        let (best, own) = &verdicts[0];
        let as_good = verdicts.iter().filter(|(verdict, _)| verdict == best).count();
        let reason = DIFFER.iter().find(|(id, _)| *id == run.id).map_or("", |(_, reason)| reason);
        println!("{:40} {best:?} ({as_good} of {LUCKS}) {reason}", run.id);
        println!("  ours:     {}", text(own));
        for recorded in run.recorded() {
            println!("  recorded: {}", text(&recorded));
        }
        let worst_known = match () {
            () if SAME.contains(&&*run.id) => Verdict::Same,
            () if !reason.is_empty() => Verdict::SameFirstOrder,
            () => Verdict::Different,
        };
        if *best > worst_known {
            broken.push((&run.id, *best));
        }
    }
    assert!(broken.is_empty(), "no longer the same: {broken:?}");
}

#[test]
fn an_autoscaler_that_restarts_before_every_loop_asks_for_the_same() {
    for run in recordings().iter().filter(|run| run.can_be_flown()) {
        let [steady, restarted] =
            [false, true].map(|restarts| fly(run, Flight { luck: 3, restarts }));
        assert_eq!(steady, restarted, "{}", run.id);
    }
}
