//! What the scenario `llm-autoscalers` is there to show.

use scenarios::{Options, Scenario, compare};
use sim_core::outcome::{Experiment, ReplicaSummary};

fn fly() -> Experiment {
    let scenario = Scenario::builtin("llm-autoscalers").expect("built in").expect("valid");
    let options = Options { seed: 1, runs: 1, stacks: Vec::new(), threads: 0 };
    compare(&scenario, &options, &|_| ()).unwrap_or_else(|error| panic!("{error}"))
}

fn replicas(experiment: &Experiment, stack: &str) -> ReplicaSummary {
    let found = experiment.stacks.iter().find(|found| found.name == stack);
    found.expect("a stack of the scenario").runs[0].services[0].replicas
}

/// vllm-project/aibrix issue 2670.
#[test]
#[expect(clippy::print_stderr, reason = "peaks, for those who look")]
fn the_naive_ratio_runs_away_while_models_load_and_those_that_count_starting_pods_do_not() {
    let experiment = fly();
    for stack in &experiment.stacks {
        let ReplicaSummary { wanted_peak, ready_peak, created, .. } =
            replicas(&experiment, &stack.name);
        eprintln!("{}: wanted {wanted_peak}, ready {ready_peak}, created {created}", stack.name);
    }
    let (naive, hpa) =
        (replicas(&experiment, "naive-ratio"), replicas(&experiment, "hpa-concurrency"));
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
