//! One whole look of an HPA at one service: metrics, windows, limits, the plan with its reason. The pods are all
//! ready and equally loaded; the clock goes on by a sync period each time, so that the history is as long as it
//! is in a run.
//!
//! `cargo bench -p benches --bench hpa`

use contract::{
    Counts, Instant, Metric, Micros, Observation, Plan, PodId, PodSeen, PodSpec, PodStage, Sample,
    ServiceId, ServiceSeen,
};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use policies::ReplicaPolicy;
use policies::hpa::Settings;
use policies::hpa::behavior::Behavior;
use policies::hpa::controller::Controller;
use policies::hpa::metrics::{MetricSource, PodsMetric, ResourceMetric, ResourceName};
use std::hint::black_box;
use std::sync::Arc;

struct Parameters {
    name: &'static str,
    /// Pods of the service.
    pods: u32,
}

const PARAMETERS: [Parameters; 2] =
    [Parameters { name: "small", pods: 10 }, Parameters { name: "large", pods: 1_000 }];

/// The default sync period of kube-controller-manager.
const SYNC: Micros = Micros::from_secs(15);

fn settings(metric: MetricSource, behavior: Option<Behavior>) -> Settings {
    Settings {
        min_replicas: 1,
        max_replicas: 2_000,
        metrics: vec![metric],
        behavior,
        phase: Micros::ZERO,
        controller: Controller::default(),
    }
}

/// What is benched: a metric of each pod, CPU (twice), and the first with rules of speed.
fn policies() -> [(&'static str, Settings); 4] {
    let pods = || MetricSource::Pods(PodsMetric { metric: Metric::Running, average_value: 10.0 });
    let cpu = || {
        let name = ResourceName::Cpu;
        MetricSource::Resource(ResourceMetric { name, average_utilization: 50 })
    };
    [
        ("pods", settings(pods(), None)),
        ("resource", settings(cpu(), None)),
        (YOUNG, settings(cpu(), None)),
        ("behavior", settings(pods(), Some(Behavior::default()))),
    ]
}

/// What a group costs against pods one by one: with one pod that is ready for less than a window, rules for CPU
/// depend on the ages of single pods.
const YOUNG: &str = "resource, one pod young";

/// A pod that has been ready for ten minutes at the given load.
fn pod(id: u32) -> PodSeen {
    let at = Instant::ZERO + Micros::from_mins(10);
    let sample = |metric, value| Sample { metric, value, at, window: Micros::from_secs(60) };
    PodSeen {
        id: PodId(id),
        stage: PodStage::Ready,
        since: Instant::ZERO,
        created: Instant::ZERO,
        node: None,
        samples: vec![sample(Metric::Running, 10.0), sample(Metric::Busy, 0.5)],
    }
}

fn service(pods: u32) -> ServiceSeen {
    ServiceSeen {
        id: ServiceId(0),
        name: "chat".into(),
        spec: Arc::new(PodSpec::default()),
        replicas_wanted: pods,
        replicas: Counts { ready: pods, ..Counts::default() },
        disruption_budget: None,
        samples: Vec::new(),
        pods: (0..pods).map(pod).collect(),
    }
}

fn decide(criterion: &mut Criterion) {
    for (policy, settings) in policies() {
        let mut group = criterion.benchmark_group(format!("hpa/{policy}"));
        for Parameters { name, pods } in PARAMETERS {
            let mut services = [service(pods)];
            if policy == YOUNG {
                let since = Instant::ZERO + Micros::from_mins(10);
                services[0].pods.edit(0, |pod| pod.since = since);
            }
            let mut hpa = ReplicaPolicy::Hpa(settings.clone()).build(vec![ServiceId(0)]);
            let (mut now, mut plan) = (Instant::ZERO + Micros::from_mins(10), Plan::default());
            group.bench_function(BenchmarkId::new(name, pods), |bench| {
                bench.iter(|| {
                    now = now + SYNC;
                    plan.clear();
                    let services = black_box(&services);
                    let seen = Observation {
                        now,
                        services,
                        pending: &[],
                        nodes: &[],
                        pools: &[],
                        provisioning: &[],
                    };
                    hpa.decide(&seen, &mut plan);
                    black_box(&plan);
                });
            });
            #[expect(clippy::print_stdout, reason = "a bench says what it ran")]
            {
                println!("{name}: {plan}");
            }
        }
        group.finish();
    }
}

criterion_group!(benches, decide);
criterion_main!(benches);
