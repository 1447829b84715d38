//! What the scenario `gpu-cold-start` is there to show: a burst is over before what it made policies buy is up.

use crate::flights::{fly, says, service, stack, written};
use contract::Micros;
use sim_core::outcome::{Experiment, StackOutcome};

/// Beginning and length of the burst.
const BURST: (Micros, Micros) = (Micros::from_mins(15), Micros::from_mins(4));

fn peak(experiment: &Experiment, name: &str) -> u32 {
    service(stack(experiment, name)).replicas.wanted_peak
}

/// When more replicas than at the start were ready for the first time, at the end of a bin.
fn first_new_replica(stack: &StackOutcome) -> Option<Micros> {
    let more = stack.timeline.iter().find(|row| row.ready > 4);
    more.map(|row| Micros(row.at.0))
}

#[test]
fn nobody_is_served_by_what_the_burst_made_policies_buy() {
    let experiment = fly("gpu-cold-start");
    let (begin, length) = BURST;
    let idle = service(stack(&experiment, "static")).attainment;
    for stack in &experiment.stacks {
        let first = first_new_replica(stack);
        let waits = first.is_none_or(|at| at > begin + length);
        assert!(waits, "`{}` has a new replica at {first:?}", stack.name);
        let attainment = service(stack).attainment;
        assert!((attainment - idle).abs() < 0.005, "`{}`: {attainment}, {idle}", stack.name);
        let cost = stack.runs[0].cost.usd / experiment.stacks[0].runs[0].cost.usd;
        let runs_away = stack.name == "naive-ratio";
        assert_eq!(cost > 2.0, runs_away, "`{}` costs {cost:.2} times as much", stack.name);
    }
}

#[test]
fn the_naive_ratio_doubles_while_models_load_and_the_others_ask_for_what_the_burst_needs() {
    let experiment = fly("gpu-cold-start");
    assert_eq!(peak(&experiment, "naive-ratio"), 64, "up to the maximum");
    let counts: Vec<_> = written(stack(&experiment, "naive-ratio")).iter().map(|to| to.0).collect();
    let doubled = counts.windows(2).filter(|pair| pair[1] == 2 * pair[0]).count();
    assert!(doubled >= 2, "{counts:?}");
    for careful in ["hpa", "kpa", "keda", "wva-v1", "wva-v2", "dynamo-planner"] {
        let asked = peak(&experiment, careful);
        assert!((4..=16).contains(&asked), "`{careful}` asks for {asked}");
    }
}

#[test]
fn kpa_panics_and_gives_nothing_back_until_the_panic_is_over() {
    let experiment = fly("gpu-cold-start");
    let kpa = stack(&experiment, "kpa");
    assert!(says(kpa, "panic, more pods"));
    assert!(says(kpa, "panic, held"));
    let counts: Vec<_> = written(kpa).into_iter().map(|(to, _)| to).collect();
    let (down, up) = counts.split_last().expect("it acts");
    assert!(up.is_sorted(), "only upwards in panic: {counts:?}");
    assert_eq!(*down, 4, "and back in one step, for nothing new is ready: {counts:?}");
}

#[test]
fn every_decision_says_why_with_numbers() {
    for stack in fly("gpu-cold-start").stacks {
        for row in &stack.decisions {
            let has_numbers = row.reason.contains('=') || row.policy == "cluster-autoscaler";
            assert!(!row.reason.is_empty() && has_numbers, "{row:?}");
        }
    }
}
