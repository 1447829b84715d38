//! Drift in flight: a pool is applied anew, and all its nodes make way one after another.

use super::flight::{Flight, Script, fly};
use super::measured::machines;
use super::recording::{Step, parse, seconds};
use policies::karpenter::disruption::budgets::Budget;
use policies::karpenter::{Change, NodePool, OrNever, Settings};

const CHANGED_S: f64 = 60.0;

/// Three nodes of eight GPUs with a pod each, of a pool that gets a new image after a minute.
fn with_budget(nodes: &str) -> Flight {
    let steps: Vec<Step> = parse(
        r#"[{"t": 0, "action": "create_deployment", "count": 3,
             "pod": {"app": "gpu", "cpu": "1", "memory": "1Gi", "gpus": 8}}]"#,
    )
    .expect("steps");
    let pool = |image: &str| NodePool {
        node_class: image.to_owned(),
        consolidate_after: OrNever(None),
        budgets: vec![Budget::always(nodes)],
        ..NodePool::default()
    };
    let settings = Settings {
        node_pools: [("default".to_owned(), pool("old"))].into(),
        changes: vec![Change {
            at: seconds(CHANGED_S),
            node_pools: [("default".to_owned(), pool("new"))].into(),
        }],
        ..Settings::default()
    };
    let script = Script { settings, steps: &steps, observed_s: 300.0, luck: 0, restarts: false };
    fly(&script, &machines()).expect("a flight")
}

#[test]
fn drifted_nodes_are_replaced_one_by_one_and_each_after_what_takes_its_place_is_ready() {
    let flight = with_budget("1");
    assert_eq!((flight.launched.len(), flight.removed.len(), flight.left.len()), (6, 3, 3));
    let launches: Vec<_> = flight.launched[3..].iter().map(|one| one.at).collect();
    for (launched, (removed, _, why)) in launches.iter().zip(&flight.removed) {
        assert_eq!(why, "what takes its place is ready");
        assert!((6.0..12.0).contains(&(removed - launched)), "{launches:?} {:?}", flight.removed);
    }
    // The next begins at the poll after the one before has let its instance go.
    assert!(launches[0] >= CHANGED_S && launches[0] <= CHANGED_S + 10.0);
    for (next, (removed, ..)) in launches[1..].iter().zip(&flight.removed) {
        assert!((1.0..20.0).contains(&(next - removed)), "{launches:?} {:?}", flight.removed);
    }
}

#[test]
fn a_budget_for_all_does_not_wait_for_the_node_before() {
    let flight = with_budget("100%");
    let launches: Vec<_> = flight.launched[3..].iter().map(|one| one.at).collect();
    assert_eq!(launches.len(), 3);
    assert!(launches[1] - launches[0] <= 1.0, "{launches:?}");
    assert_eq!(flight.left.len(), 3);
}

#[test]
fn a_budget_of_none_keeps_drifted_nodes() {
    let flight = with_budget("0");
    assert_eq!((flight.launched.len(), flight.removed.len()), (3, 0));
}
