//! Runs of a real Karpenter that were measured by hand on a real control plane: a node registers after 6 s, prices are
//! invented, as they were then.
//!
//! What still differs: all nodes were ready about 13 s after the pods, ours are after 9 s (the machine that was measured
//! ran a whole control plane on two busy cores, and each step took its share of them).

use super::flight::{Flight, Script, fly};
use super::recording::{Machine, Step, parse, seconds};
use policies::karpenter::disruption::budgets::Budget;
use policies::karpenter::simulation::Limits;
use policies::karpenter::{Change, NodePool, OrNever, Settings};

/// Machines of the run; of the prices only their order is known: ten L4x4 were about a tenth of five H100x8.
const MACHINES: &str = r#"[
    {"type": "m-4x", "family": "m", "vcpu": 16, "mem_gib": 64, "zones": ["a"], "od_usd_per_hour": 0.8,
     "allocatable": {"cpu_m": 15900, "memory_mib": 65526, "pods": 110, "gpus": 0}},
    {"type": "m-16x", "family": "m", "vcpu": 64, "mem_gib": 256, "zones": ["a"], "od_usd_per_hour": 3.2,
     "allocatable": {"cpu_m": 63900, "memory_mib": 262134, "pods": 110, "gpus": 0}},
    {"type": "L4x1", "family": "l4", "vcpu": 8, "mem_gib": 32, "zones": ["a"], "od_usd_per_hour": 0.8,
     "allocatable": {"cpu_m": 7900, "memory_mib": 32758, "pods": 110, "gpus": 1}},
    {"type": "L4x4", "family": "l4", "vcpu": 48, "mem_gib": 192, "zones": ["a"], "od_usd_per_hour": 4.0,
     "allocatable": {"cpu_m": 47900, "memory_mib": 196598, "pods": 110, "gpus": 4}},
    {"type": "H100x8", "family": "h100", "vcpu": 192, "mem_gib": 2048, "zones": ["a"], "od_usd_per_hour": 80.0,
     "allocatable": {"cpu_m": 191900, "memory_mib": 2097142, "pods": 110, "gpus": 8}}
]"#;

/// Twenty pods of two GPUs each, and six of them a while later.
const STEPS: &str = r#"[
    {"t": 0, "action": "create_deployment", "count": 20,
     "pod": {"app": "gpu", "cpu": "1", "memory": "1Gi", "gpus": 2}},
    {"t": 60, "action": "scale_deployment", "app": "gpu", "replicas": 6}
]"#;

const SCALED_S: f64 = 60.0;

pub(super) fn machines() -> Vec<Machine> {
    parse(MACHINES).expect("machines")
}

fn flown(settings: Settings, steps: &[Step], observed_s: f64, luck: u64) -> Flight {
    let script = Script { settings, steps, observed_s, luck, restarts: false };
    fly(&script, &machines()).expect("a flight")
}

/// A pool that consolidates 5 s after the last pod event, without budgets.
fn settings() -> Settings {
    let pool = NodePool {
        consolidate_after: OrNever(Some(seconds(5.0))),
        budgets: vec![Budget::always("100%")],
        ..NodePool::default()
    };
    Settings { node_pools: [("default".to_owned(), pool)].into(), ..Settings::default() }
}

/// The run in which one of the five nodes is left without pods and the others with one or two each, as it was then:
/// which pods go and where they were is the luck of the control plane.
fn with_one_empty_node() -> Flight {
    let steps: Vec<Step> = parse(STEPS).expect("steps");
    let is_it = |flight: &Flight| {
        let empty = flight.removed.iter().filter(|(_, _, why)| why == "nothing is on it").count();
        empty == 1 && flight.removed.len() == 4
    };
    let mut flights = (0..200).map(|luck| flown(settings(), &steps, 200.0, luck));
    flights.find(is_it).expect("such luck")
}

#[track_caller]
fn check_near(found: f64, measured: f64, apart: f64) {
    assert!((found - measured).abs() <= apart, "{found} s, measured {measured} s");
}

#[test]
fn twenty_pods_of_two_gpus_get_five_nodes_of_eight_and_not_ten_cheap_ones_of_four() {
    let steps: Vec<Step> = parse(STEPS).expect("steps");
    let flight = flown(settings(), &steps, SCALED_S - 1.0, 0);
    let kinds: Vec<_> = flight.launched.iter().map(|one| (one.pods, one.kind.as_str())).collect();
    assert_eq!(kinds, [(4, "H100x8/on-demand"); 5]);
    let last = flight.ready.values().copied().fold(0.0, f64::max);
    assert_eq!(flight.ready.len(), 5);
    check_near(last, 13.0, 5.0);
}

#[test]
fn six_pods_left_cost_an_empty_node_at_once_and_three_more_for_a_small_one() {
    let flight = with_one_empty_node();
    let removed: Vec<_> = flight.removed.iter().map(|(at, ..)| at - SCALED_S).collect();
    check_near(removed[0], 25.0, 5.0);
    let replacement = &flight.launched[5];
    assert_eq!((replacement.kind.as_str(), flight.launched.len()), ("L4x4/on-demand", 6));
    check_near(replacement.at - SCALED_S, 40.0, 5.0);
    // They go together, as soon as what takes their place is ready.
    assert!(removed[1..].iter().all(|at| at.total_cmp(&removed[1]).is_eq()), "{removed:?}");
    check_near(removed[1] - (replacement.at - SCALED_S), 8.0, 2.0);
    let left: Vec<_> = flight.left.iter().map(|node| node.kind.as_str()).collect();
    assert_eq!(left, ["H100x8/on-demand", "L4x4/on-demand"]);
}

#[test]
fn a_static_pool_is_at_its_new_number_within_twelve_seconds() {
    let warm = |replicas| {
        let limits = Limits::default();
        let pool = NodePool { replicas: Some(replicas), limits, ..NodePool::default() };
        [("warm".to_owned(), pool)].into()
    };
    let change = |at, replicas| Change { at: seconds(at), node_pools: warm(replicas) };
    let settings = Settings {
        node_pools: warm(2),
        changes: vec![change(30.0, 4), change(60.0, 1)],
        ..Settings::default()
    };
    let flight = flown(settings, &[], 100.0, 0);
    let ready: Vec<_> = flight.ready.values().copied().collect();
    assert_eq!(ready.len(), 4);
    assert!(ready[..2].iter().all(|at| *at <= 12.0), "{ready:?}");
    assert!(ready[2..].iter().all(|at| (30.0..=42.0).contains(at)), "{ready:?}");
    assert_eq!(flight.removed.len(), 3);
    assert!(flight.removed.iter().all(|(at, ..)| (60.0..=72.0).contains(at)));
    assert_eq!(flight.left.len(), 1);
}
