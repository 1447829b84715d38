//! What the scenario `llm-autoscalers` is there to show.

use crate::flights::{fly, service, stack};
use sim_core::outcome::{Experiment, ReplicaSummary};

fn replicas(experiment: &Experiment, name: &str) -> ReplicaSummary {
    service(stack(experiment, name)).replicas
}

/// vllm-project/aibrix issue 2670.
#[test]
fn policies_that_forget_what_is_loading_run_away_and_those_that_count_it_do_not() {
    let experiment = fly("llm-autoscalers");
    let naive = replicas(&experiment, "naive-ratio");
    let hpa = replicas(&experiment, "hpa-concurrency");
    assert_eq!(naive.wanted_peak, 64, "up to the maximum");
    assert!(naive.wanted_peak > 4 * hpa.wanted_peak, "{naive:?}, {hpa:?}");
    assert!(naive.created > 20 * hpa.created, "it gives back what has not loaded yet: {naive:?}");
    let unguarded = replicas(&experiment, "aibrix-apa-unguarded");
    assert_eq!(unguarded.wanted_peak, 64, "a window and a band do not help");
    for careful in ["wva-v1", "dynamo-planner", "aibrix-kpa"] {
        let peak = replicas(&experiment, careful).wanted_peak;
        assert!(peak <= hpa.wanted_peak, "`{careful}` asks for {peak}");
    }
}
