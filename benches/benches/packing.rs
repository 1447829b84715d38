//! Packing a GPU cluster: pods arrive until 1.3 times its GPUs have been asked for, and fragmentation is recorded after each.
//!
//! The cluster has the nodes of Alibaba's openb trace (1,213 with 6,212 GPUs); pods are drawn in about as many
//! classes and with about the same shares of CPU-only, fractional and multi-GPU requests as there. One element is
//! a pod. `cargo bench -p benches --bench packing`
//!
//! Reference points: the published simulator packs 4 to 7 pods a second, a plain loop over all nodes 120,000 with
//! `bestfit` and 3,600 with `fgd`; asked for are 200,000 and 20,000.

use contract::{Bytes, GpuModel, MilliCpu};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use placement::packing::{
    ClassId, GpuRequest, Meter, MilliGpu, NodeSpec, Packer, Pod, Strategy, TypicalPod, typical_pods,
};
use sim_core::random::{Seed, Stream};
use std::hint::black_box;

/// Nodes of a kind: model, how many, cores, memory in GiB, GPUs (`openb_node_list_gpu_node.csv`, rare kinds left out
/// in favour of their neighbours).
const NODES: [(&str, usize, u64, u64, u32); 11] = [
    ("G2", 549, 96, 384, 8),
    ("G3", 39, 128, 768, 8),
    ("T4", 387, 104, 512, 2),
    ("T4", 17, 96, 384, 4),
    ("P100", 134, 32, 160, 2),
    ("V100M16", 19, 8, 32, 1),
    ("V100M16", 28, 32, 128, 4),
    ("V100M16", 8, 64, 256, 8),
    ("V100M32", 9, 48, 368, 4),
    ("V100M32", 21, 96, 768, 8),
    ("A10", 2, 128, 1024, 1),
];

/// Pods of a kind: share in per mille (`openb_pod_list_default.csv`), classes, GPUs, and cores to draw from.
const PODS: [(u32, u32, u32, &[u64]); 6] = [
    (133, 15, 0, &[8, 12, 16, 32]),
    (378, 60, 1, &[1, 3, 4, 6, 8, 12]),
    (480, 60, 1, &[3, 4, 8, 11, 12, 16, 19]),
    (2, 5, 2, &[6, 16, 30]),
    (2, 5, 4, &[32]),
    (5, 6, 8, &[64, 88, 120]),
];
/// The second of these kinds asks for parts of a GPU.
const SHARES: usize = 1;

const LOAD: f64 = 1.3;

struct Study {
    nodes: Vec<NodeSpec>,
    classes: Vec<Pod>,
    typical: Vec<TypicalPod>,
    /// Classes of the pods that arrive.
    arrivals: Vec<usize>,
    gpu_total: u64,
}

impl Study {
    /// One node in `one_in` of the published cluster.
    fn new(one_in: usize) -> Self {
        let mut luck = Seed { seed: 1, run: 0 }.stream("bench-packing", 0);
        let mut nodes: Vec<_> = NODES.iter().flat_map(|kind| node_kind(*kind, one_in)).collect();
        for last in (1..nodes.len()).rev() {
            nodes.swap(last, below(&mut luck, last + 1));
        }
        let classes: Vec<_> = (0..PODS.len()).flat_map(|kind| pod_kind(kind, &mut luck)).collect();
        let gpu_total = nodes.iter().map(|node| 1000 * u64::from(node.gpus)).sum();
        let arrivals = arrivals(&classes, gpu_total, &mut luck);
        let typical = typical_pods(arrivals.iter().map(|class| &classes[*class]));
        Self { nodes, classes, typical, arrivals, gpu_total }
    }

    fn packer(&self, strategy: Strategy) -> (Packer, Vec<ClassId>) {
        let mut packer = Packer::new(strategy, &self.nodes, &self.typical).expect("8 GPUs at most");
        let ids = self.classes.iter().map(|pod| packer.class_of(pod)).collect();
        (packer, ids)
    }

    fn pack(&self, packer: &mut Packer, ids: &[ClassId]) -> f64 {
        let mut meter = Meter::new(self.gpu_total, packer.fragments());
        for (luck, class) in (0_u64..).zip(&self.arrivals) {
            let class = ids[*class];
            let placed = packer.place(class, luck.wrapping_mul(0x9e37_79b9_7f4a_7c15)).is_some();
            meter.record(packer.gpu_sum(class), placed, packer.fragments());
        }
        meter.curve().last().map_or(0.0, |point| point.allocated)
    }
}

fn node_kind(
    (model, count, cores, gib, gpus): (&str, usize, u64, u64, u32),
    one_in: usize,
) -> impl Iterator<Item = NodeSpec> {
    let model = Some(GpuModel(model.into()));
    let spec = NodeSpec { model, cpu: MilliCpu(1000 * cores), memory: Bytes::from_gib(gib), gpus };
    std::iter::repeat_n(spec, count.div_ceil(one_in))
}

/// The classes of a kind, the most frequent first.
fn pod_kind(kind: usize, luck: &mut Stream) -> Vec<Pod> {
    let (_, classes, gpus, cores) = PODS[kind];
    let class = |_| {
        let cores = cores[below(luck, cores.len())];
        let each = if kind == SHARES { 50 + 10 * luck.below(90) } else { 1000 };
        Pod {
            cpu: MilliCpu(1000 * cores),
            memory: Bytes::from_gib(cores * u64::from(1 + luck.below(4))),
            gpu: GpuRequest::new(gpus, MilliGpu(each), Vec::new()),
        }
    };
    (0..classes).map(class).collect()
}

/// Kinds by their share; of a kind, the first class is drawn as often as the next two together, and so on.
fn arrivals(classes: &[Pod], gpu_total: u64, luck: &mut Stream) -> Vec<usize> {
    let shares: u32 = PODS.iter().map(|kind| kind.0).sum();
    let (mut asked, mut arrivals) = (0.0, Vec::new());
    while asked < LOAD * u32::try_from(gpu_total).map_or(f64::MAX, f64::from) {
        let mut lot = luck.below(shares);
        let mut first = 0;
        for (share, count, ..) in PODS {
            if lot < share {
                let place = (f64::from(count) * luck.unit().powi(3)).floor();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a place"
                )]
                arrivals.push(first + place as usize);
                break;
            }
            lot -= share;
            first += count as usize;
        }
        asked += arrivals.last().map_or(0.0, |class| f64::from(classes[*class].gpu_sum().0));
    }
    arrivals
}

fn below(luck: &mut Stream, length: usize) -> usize {
    luck.below(u32::try_from(length).expect("short lists")) as usize
}

fn packing(criterion: &mut Criterion) {
    for (name, one_in) in [("small", 10), ("large", 1)] {
        let study = Study::new(one_in);
        let mut group = criterion.benchmark_group(format!("packing/{name}"));
        group.throughput(Throughput::Elements(study.arrivals.len() as u64));
        for strategy in Strategy::ALL {
            let id = BenchmarkId::new(strategy.name(), study.arrivals.len());
            group.bench_function(id, |bench| {
                bench.iter_batched_ref(
                    || study.packer(strategy),
                    |(packer, ids)| black_box(study.pack(packer, ids)),
                    BatchSize::LargeInput,
                );
            });
        }
        group.finish();
    }
}

criterion_group!(benches, packing);
criterion_main!(benches);
