//! Karpenter that is made anew before every look, from what it saved, decides as one that never stopped.

use super::flight::{Script, fly};
use super::measured::machines;
use super::recording::{Step, parse, seconds};
use policies::karpenter::disruption::budgets::Budget;
use policies::karpenter::disruption::cost::Version;
use policies::karpenter::{Change, NodePool, OrNever, Settings};
use proptest::prelude::*;

/// Two apps that are created at once and scaled a few times; a pool that consolidates, expires and drifts.
fn scripts() -> impl Strategy<Value = (Settings, Vec<Step>)> {
    let scaled = prop::collection::vec((20_u32..150, any::<bool>(), 0_u32..12), 0..5);
    let pool =
        (any::<bool>(), 0_u32..20, prop::option::of(60_u32..200), prop::option::of(30_u32..150));
    (1_u32..12, 1_u32..12, scaled, pool)
        .prop_map(|(small, large, scaled, pool)| (settings(pool), steps(small, large, scaled)))
}

fn settings((old, calm, life, change): (bool, u32, Option<u32>, Option<u32>)) -> Settings {
    let pool = |node_class: &str| NodePool {
        node_class: node_class.to_owned(),
        consolidate_after: OrNever(Some(seconds(calm.into()))),
        expire_after: OrNever(life.map(|life| seconds(life.into()))),
        budgets: vec![Budget::always("60%")],
        ..NodePool::default()
    };
    let applied = |at: u32| Change {
        at: seconds(at.into()),
        node_pools: [("default".to_owned(), pool("new"))].into(),
    };
    Settings {
        version: if old { Version::V1_13 } else { Version::V1_14 },
        node_pools: [("default".to_owned(), pool("old"))].into(),
        changes: change.map(applied).into_iter().collect(),
        ..Settings::default()
    }
}

fn steps(small: u32, large: u32, mut scaled: Vec<(u32, bool, u32)>) -> Vec<Step> {
    scaled.sort_unstable();
    let created = |app: &str, gpus: u32, count: u32| {
        format!(
            r#"{{"t": 0, "action": "create_deployment", "count": {count}, "pod": {{"app": "{app}",
            "cpu": "2", "memory": "4Gi", "gpus": {gpus}}}}}"#
        )
    };
    let mut steps = vec![created("small", 0, small), created("large", 2, large)];
    steps.extend(scaled.into_iter().map(|(t, is_small, replicas)| {
        let app = if is_small { "small" } else { "large" };
        format!(
            r#"{{"t": {t}, "action": "scale_deployment", "app": "{app}", "replicas": {replicas}}}"#
        )
    }));
    parse(&format!("[{}]", steps.join(","))).expect("steps")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_restart_before_every_look_changes_no_plan((settings, steps) in scripts(), luck in 0_u64..100) {
        let flown = |restarts| {
            let settings = settings.clone();
            let script = Script { settings, steps: &steps, observed_s: 240.0, luck, restarts };
            fly(&script, &machines()).expect("a flight").plans
        };
        let plans = flown(false);
        prop_assert!(!plans.is_empty());
        prop_assert_eq!(flown(true), plans);
    }
}
