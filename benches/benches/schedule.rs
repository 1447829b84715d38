//! The default scheduler profile on a large cluster: pods of random sizes arrive, and once the cluster is as full as
//! it should be, one leaves for each that comes. Beside criterion's figures it prints bindings per second of CPU
//! time, the peak of memory and a fingerprint of where every pod went.
//!
//! `cargo bench -p benches --bench schedule`

use contract::{Bytes, Instant, MilliCpu, NodeId, NodeShape, PodId, PodSpec, Resources};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use placement::{Asking, Cluster, Profile, Resident};
use sim_core::random::{Seed, Stream};
use std::hint::black_box;
use std::sync::Arc;

struct Parameters {
    name: &'static str,
    nodes: u32,
    /// Pods that arrive in all.
    pods: u32,
    /// Pods that are there at any time.
    kept: usize,
}

const PARAMETERS: [Parameters; 3] = [
    // Every node is looked at.
    Parameters { name: "small", nodes: 90, pods: 100_000, kept: 2_200 },
    Parameters { name: "large", nodes: 10_000, pods: 1_000_000, kept: 250_000 },
    // Large pods find few nodes with enough left: searches go far.
    Parameters { name: "large and full", nodes: 10_000, pods: 1_000_000, kept: 310_000 },
];

/// Bindings that are timed as one.
const BINDINGS: u64 = 1_000;

/// A cluster with its luck, and the pods that are there.
struct World {
    cluster: Cluster,
    profile: Profile,
    luck: Stream,
    kept: usize,
    residents: Vec<(NodeId, PodId)>,
    arrived: u32,
    bound: u64,
    fingerprint: u64,
}

impl World {
    fn new(parameters: &Parameters) -> Self {
        let mut cluster = Cluster::default();
        let shapes = [(16, 64), (8, 64), (32, 64), (16, 32)].map(|(cores, gib)| {
            Arc::new(NodeShape {
                allocatable: resources(cores * 1_000, gib * 1_024),
                pod_limit: 110,
                ..NodeShape::default()
            })
        });
        for node in 0..parameters.nodes {
            cluster.add_node(NodeId(node), &shapes[node as usize % shapes.len()], None);
        }
        Self {
            cluster,
            profile: Profile::default(),
            luck: Seed { seed: 1, run: 0 }.stream("bench-schedule", 0),
            kept: parameters.kept,
            residents: Vec::new(),
            arrived: 0,
            bound: 0,
            fingerprint: 0,
        }
    }

    /// A pod arrives, and one leaves if there are too many.
    fn step(&mut self) {
        let id = PodId(self.arrived);
        self.arrived += 1;
        let spec = Arc::new(PodSpec { requests: self.request(), ..PodSpec::default() });
        let pod = Asking { id: Some(id), spec: &spec };
        let node = self.cluster.find(&pod, &self.profile, |_| true, |_| 0);
        let place = node.map_or(u64::MAX, |node| node.0.into());
        self.fingerprint = (self.fingerprint ^ place).wrapping_mul(0x0100_0000_01b3);
        if let Some(node) = node {
            let started = Instant(self.arrived.into());
            let pod = Resident { id, spec, started, budget: None, terminating: false };
            self.cluster.add_pod(node, pod);
            self.residents.push((node, id));
            self.bound += 1;
        }
        if self.residents.len() > self.kept {
            let leaves = self.below(self.residents.len());
            let (node, pod) = self.residents.swap_remove(leaves);
            self.cluster.remove_pod(node, pod);
        }
    }

    /// Half a core and 1.5 GiB on average; the larger, the rarer.
    fn request(&mut self) -> Resources {
        let (cpu, memory) = (self.below(1_000), self.below(3_072));
        let factor = 1 << self.luck.bits().leading_zeros().min(3);
        let amount = |below: usize| (below as u64 + 10) * factor / 2;
        resources(amount(cpu), amount(memory))
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.luck.bits() % end as u64).expect("below a number of addresses")
    }
}

fn resources(milli_cpu: u64, mib: u64) -> Resources {
    Resources { cpu: MilliCpu(milli_cpu), memory: Bytes(mib << 20), gpus: 0 }
}

/// Seconds that this process has run on a core, where the system tells.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    let nanoseconds: u64 = text.split(' ').next()?.parse().ok()?;
    Some(std::time::Duration::from_nanos(nanoseconds).as_secs_f64())
}

/// The most memory that this process has held, where the system tells.
fn peak_memory() -> Option<String> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}

#[expect(clippy::print_stdout, reason = "a bench says what it ran")]
#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn whole_life(parameters: &Parameters) -> World {
    let before = cpu_seconds();
    let mut world = World::new(parameters);
    for _ in 0..parameters.pods {
        world.step();
    }
    let took = cpu_seconds().zip(before).map(|(after, before)| after - before);
    let rate = took.map(|took| (world.bound as f64 / took).round());
    println!(
        "{}: {} of {} pods bound, {rate:?} a CPU-second, peak memory {:?}, fingerprint {:016x}",
        parameters.name,
        world.bound,
        parameters.pods,
        peak_memory(),
        world.fingerprint
    );
    world
}

fn schedule(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("schedule");
    group.sample_size(10);
    for parameters in &PARAMETERS {
        let mut world = whole_life(parameters);
        group.throughput(Throughput::Elements(BINDINGS));
        group.bench_function(parameters.name, |bencher| {
            bencher.iter(|| (0..BINDINGS).for_each(|_| black_box(&mut world).step()));
        });
    }
    group.finish();
}

criterion_group!(benches, schedule);
criterion_main!(benches);
