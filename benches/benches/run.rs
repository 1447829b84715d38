//! A whole run: gateway, routing, replicas, scrapes, HPA, Cluster Autoscaler, scheduler, ledger, blame, about
//! 100 LLM replicas at 450 requests a second. One core.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use scenarios::Scenario;
use scenarios::settings::Length;
use sim_core::outcome::Experiment;
use sim_core::random::Seed;
use std::hint::black_box;
use std::path::Path;

const SCENARIO: &str = include_str!("../scenarios/hundred-replicas.toml");

fn scenario(horizon: &str) -> Scenario {
    let scenario = Scenario::parse(SCENARIO, "hundred-replicas.toml", Path::new(""));
    let horizon: contract::Micros = horizon.parse().expect("a duration");
    let horizon = Length::try_from(horizon).expect("longer than zero");
    scenario.expect("a sound scenario").with_horizon(horizon)
}

fn fly(scenario: &Scenario) -> Experiment {
    let seed = Seed { seed: 1, run: 0 };
    scenarios::run(scenario, "hpa-concurrency", seed, &mut (), &|_| {}).expect("flies")
}

fn run(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("run");
    group.sample_size(10);
    for (name, horizon) in [("small", "1m"), ("large", "30m")] {
        let scenario = scenario(horizon);
        let once = &fly(&scenario).stacks[0].runs[0];
        #[expect(clippy::print_stdout, reason = "a bench says what it ran")]
        {
            println!("{name}: {} events, fingerprint {}", once.events, once.fingerprint);
        }
        group.throughput(Throughput::Elements(once.services[0].requests.arrived));
        group.bench_function(name, |bencher| bencher.iter(|| black_box(fly(&scenario))));
    }
    group.finish();
}

criterion_group!(benches, run);
criterion_main!(benches);
