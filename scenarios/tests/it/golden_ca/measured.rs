//! Two measurements of a real Cluster Autoscaler, made again: a GPU burst that shrinks, and a buffer without pods.

use super::recording::Run;
use super::world::{Flight, fly, fly_with};
use policies::cluster_autoscaler::Settings;
use policies::karpenter::buffer::BufferSize;
use serde_json::json;

/// Scan interval 2 s, unneeded time 15 s, delay after add 10 s, expander price.
fn run(groups: &serde_json::Value, workload: &serde_json::Value) -> Run {
    let run = json!({
        "id": "measured",
        "flags": {
            "common": [
                "--scan-interval=2s",
                "--scale-down-unneeded-time=15s",
                "--scale-down-delay-after-add=10s",
            ],
            "specific": ["--expander=price"],
        },
        "groups": groups,
        "workload": workload,
        "duration_s": 150.0,
        "summary": { "increase": [], "delete": [] },
    });
    serde_json::from_value(run).expect("a run")
}

/// When the pods of the burst become six.
const SHRINK_S: f64 = 60.0;

/// Twenty pods of two GPUs, later six, on nodes of eight that register 5 s after they were asked for.
fn burst() -> Run {
    let groups = json!([{ "id": "h100x8", "min": 0, "max": 10, "cpu": "190", "mem": "1900Gi",
                          "gpus": 8, "price": 98.32, "boot_ms": 5000.0 }]);
    let workload = json!([
        { "at": 0.0, "do": "rs", "name": "g", "n": 20, "cpu": 4.0, "mem": "16Gi", "gpu": 2 },
        { "at": SHRINK_S, "do": "scale", "name": "g", "n": 6 },
    ]);
    run(&groups, &workload)
}

/// Measured on a real control plane (Kubernetes 1.36): one order of 5 nodes 29.5 s after 20 pods; after the shrink to 6
/// pods nodes went one at a time, 24, 29 and 40 s later, and the node at 75 % of its GPUs stayed. Ours differ by whose
/// pods go, which the real ones drew.
#[test]
fn twenty_pods_of_two_gpus_get_five_nodes_and_six_keep_those_that_are_more_than_half_used() {
    let run = burst();
    for luck in 0..8 {
        let asked = fly(&run, Flight { luck, restarts: false });
        let orders: Vec<_> = asked.orders.iter().map(|order| order.count).collect();
        assert_eq!(orders, [5], "luck {luck}: one order of five");
        let ordered = asked.orders[0].at;
        assert!((ordered - 29.5).abs() <= 2.0, "luck {luck}: ordered at {ordered} s");
        let removals: Vec<_> = asked.removals.iter().map(|removal| removal.at - SHRINK_S).collect();
        // Six pods of two GPUs need two nodes; which of twenty go, hence how many nodes are empty at once, is luck.
        assert_eq!(removals.len(), 3, "luck {luck}: {removals:.0?}");
        assert!((removals[0] - 24.0).abs() <= 4.0, "luck {luck}: {removals:.0?}");
        // Three drains, if no node is empty.
        assert!(removals[2] <= 50.0, "luck {luck}: {removals:.0?}");
        // Between two drains lie the wait after the taint (5 s) and the poll for the pods (5 s).
        let drains = &asked.drains;
        let apart = drains.windows(2).all(|two| two[1].at - two[0].at >= 10.0);
        assert!(apart, "luck {luck}: one drain at a time: {drains:?}");
        let half = drains.iter().all(|drain| drain.gpus <= 4);
        assert!(half, "luck {luck}: a node at 75 % of its GPUs stays: {drains:?}");
    }
}

#[test]
fn a_fresh_autoscaler_before_every_loop_changes_nothing() {
    for luck in 0..4 {
        let [steady, restarted] =
            [false, true].map(|restarts| fly(&burst(), Flight { luck, restarts }));
        assert_eq!(steady, restarted, "luck {luck}");
    }
}

/// Measured: a buffer of three chunks of one GPU got exactly three nodes of one, with no real pod present.
#[test]
fn a_buffer_of_three_gets_three_nodes_with_no_pod_present() {
    let groups = json!([{ "id": "l4x1", "min": 0, "max": 10, "cpu": "8", "mem": "32Gi",
                          "gpus": 1, "price": 0.8, "boot_ms": 5000.0 }]);
    let workload = json!([
        { "at": 0.0, "do": "rs", "name": "b", "n": 0, "cpu": 2.0, "mem": "8Gi", "gpu": 1 },
    ]);
    let run = run(&groups, &workload);
    let buffer = BufferSize { replicas: Some(3), ..BufferSize::default() };
    let buffers = [("b".to_owned(), buffer)].into();
    let settings = Settings { buffers, ..run.settings(0) };
    let asked = fly_with(&run, settings, Flight { luck: 0, restarts: false });
    let nodes: u32 = asked.orders.iter().map(|order| order.count).sum();
    assert_eq!((nodes, asked.removals.len()), (3, 0), "{asked:?}");
}
