//! What the scenario `gpu-sharing` is there to show.

use crate::flights::{fly, says, stack};
use scenarios::{Options, Scenario, compare};
use sim_core::outcome::{Experiment, RunSummary, ServiceSummary};

fn run<'a>(experiment: &'a Experiment, name: &str) -> &'a RunSummary {
    &stack(experiment, name).runs[0]
}

fn service<'a>(experiment: &'a Experiment, stack: &str, name: &str) -> &'a ServiceSummary {
    let services = &run(experiment, stack).services;
    services.iter().find(|service| service.name == name).expect("a service of the scenario")
}

/// Share of a service's requests that kept its SLO.
#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
fn attained(experiment: &Experiment, stack: &str, name: &str) -> f64 {
    let requests = service(experiment, stack, name).requests;
    requests.attained as f64 / requests.arrived as f64
}

#[test]
fn three_divided_gpus_do_what_takes_four_whole_ones_as_far_as_their_cut_suits_the_mix() {
    let experiment = fly("gpu-sharing");
    let of_chat = |stack| attained(&experiment, stack, "chat");
    let of_classifier = |stack| attained(&experiment, stack, "classify");
    for divided in ["mig-static", "mig-dynamic", "time-sliced"] {
        let (some, all) = (run(&experiment, divided), run(&experiment, "whole"));
        assert!(some.cost.usd < 0.8 * all.cost.usd, "`{divided}` costs {}", some.cost.usd);
        assert!(some.gpu.stranded > 0.0 && all.gpu.stranded <= 0.0, "`{divided}`");
        assert!(of_classifier(divided) > 0.95, "`{divided}`");
    }
    assert!(of_chat("whole") > 0.97 && of_classifier("whole") > 0.99);
    // One large instance a GPU are three, and the rush of chat wants five: cut on demand, the idle third GPU gives two
    // where it gave one.
    let peak = |stack| service(&experiment, stack, "chat").replicas.ready_peak;
    assert_eq!(peak("mig-static"), 3);
    assert!(peak("mig-dynamic") > 3);
    assert!(of_chat("mig-dynamic") > of_chat("mig-static") + 0.15);
    // Slices suit any mix, and work in what others leave idle.
    assert!(of_chat("time-sliced") > of_chat("mig-static"));
    assert!(run(&experiment, "time-sliced").gpu.burst > 0.5);
    assert!(run(&experiment, "mig-dynamic").gpu.burst <= 0.0, "an instance is what it is");
}

#[test]
fn a_mig_device_is_slow_for_everybody_and_a_time_slice_only_beside_busy_neighbours() {
    let experiment = fly("gpu-sharing");
    let median = |stack| service(&experiment, stack, "classify").e2e.p50_ms;
    // A seventh of a GPU takes seven times as long, whoever else is there; a slice is a whole GPU while nobody is.
    assert!(median("mig-static") > 5.0 * median("whole"));
    assert!(median("time-sliced") < 2.0 * median("whole"));
    let spread = |stack| {
        let e2e = service(&experiment, stack, "classify").e2e;
        e2e.p90_ms / e2e.p50_ms
    };
    assert!(spread("time-sliced") > spread("whole"), "neighbours work now and then");
}

#[test]
fn dynamic_mig_does_as_well_on_every_day_for_it_empties_a_gpu_where_none_falls_idle() {
    let scenario = Scenario::builtin("gpu-sharing").expect("built in").expect("valid");
    let stacks = vec!["mig-dynamic".to_owned()];
    let options = Options { seed: 1, runs: 6, stacks, threads: 0 };
    let experiment = compare(&scenario, &options, &|_| ()).expect("it flies");
    let dynamic = stack(&experiment, "mig-dynamic");
    for run in &dynamic.runs {
        let [chat, classify] = &run.services[..] else { panic!("two services") };
        // Without emptying, whole days were lost: 60 % of chat in time on average, give or take 25.
        assert!(chat.attainment > 0.85, "run {}: {}", run.run, chat.attainment);
        assert!(classify.attainment > 0.94, "run {}: {}", run.run, classify.attainment);
        assert_eq!(chat.replicas.ready_peak, 5);
    }
    assert!(says(dynamic, "pods move for those who lack instances"));
}
