//! The judge of the search: asks every node, scores all that fit anew, and takes the first of the best.

use super::cluster::Cluster;
use super::pod::Demand;
use super::strategy::Strategy;
use super::{
    GpuRequest, MilliGpu, NodeSpec, Packer, Placement, Pod, TypicalPod, best_fit, random,
    typical_pods,
};
use contract::{Bytes, GpuModel, MilliCpu};
use proptest::prelude::{Just, TestCaseError, any, prop, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;
use proptest::{prop_assert, prop_assert_eq};

/// Where the judge would put a pod: its node.
fn judged(cluster: &Cluster, strategy: Strategy, demand: &Demand, luck: u64) -> Option<usize> {
    let nodes = 0..cluster.nodes().len();
    let fitting: Vec<_> = nodes.filter(|node| cluster.nodes()[*node].fits(demand)).collect();
    if strategy == Strategy::Random {
        let count = u32::try_from(fitting.len()).unwrap();
        let lot = random::pick(count, u32::try_from(luck >> 32).unwrap());
        return fitting.get(lot as usize).copied();
    }
    let mut scores: Vec<_> =
        fitting.iter().map(|node| strategy.score(&cluster.site(*node), demand)).collect();
    if strategy == Strategy::BestFit {
        best_fit::stretched(&mut scores);
    }
    let top = scores.iter().max()?;
    let first = scores.iter().position(|score| score == top)?;
    Some(fitting[first])
}

/// What happens to a cluster.
#[derive(Clone, Debug)]
enum Event {
    /// A pod of this class comes.
    Arrival(prop::sample::Index, u64),
    /// One of the pods that are there goes.
    Departure(prop::sample::Index),
}

fn nodes() -> impl Generator<Value = Vec<NodeSpec>> {
    let node = (prop::sample::select(vec!["T4", "G2", ""]), 0_u64..5, 0_u32..5).prop_map(
        |(model, size, gpus)| NodeSpec {
            model: (!model.is_empty()).then(|| GpuModel(model.into())),
            cpu: MilliCpu(32_000 * size),
            memory: Bytes::from_gib(16 * size),
            gpus: 2 * gpus,
        },
    );
    prop::collection::vec(node, 1..12)
}

fn pods() -> impl Generator<Value = Vec<Pod>> {
    let amount = prop_oneof![Just(1000_u32), 1_u32..1000];
    let models = prop::collection::vec(prop::sample::select(vec!["T4", "G2"]), 0..2);
    let pod = (0_u64..24_000, 0_u64..12, 0_u32..4, amount, models).prop_map(
        |(cpu, gib, count, each, models)| {
            let models = models.into_iter().map(|name| GpuModel(name.into())).collect();
            Pod {
                cpu: MilliCpu(cpu),
                memory: Bytes::from_gib(gib),
                gpu: GpuRequest::new(count, MilliGpu(each), models),
            }
        },
    );
    prop::collection::vec(pod, 1..8)
}

fn events() -> impl Generator<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (any::<prop::sample::Index>(), any::<u64>()).prop_map(|(pod, luck)| Event::Arrival(pod, luck)),
        1 => any::<prop::sample::Index>().prop_map(Event::Departure),
    ];
    prop::collection::vec(event, 1..80)
}

/// Plays the events with the packer, and asks the judge before each arrival.
fn play(
    strategy: Strategy,
    specs: &[NodeSpec],
    pods: &[Pod],
    events: &[Event],
) -> Result<(), TestCaseError> {
    let typical: Vec<TypicalPod> = typical_pods(pods);
    let mut packer = Packer::new(strategy, specs, &typical).unwrap();
    let mut placed: Vec<Placement> = Vec::new();
    for event in events {
        match event {
            Event::Arrival(pod, luck) => {
                let class = packer.class_of(pod.get(pods));
                let demand = packer.demand(class).clone();
                let expected = judged(packer.cluster(), strategy, &demand, *luck);
                let found = packer.place(class, *luck);
                prop_assert_eq!(found.map(|it| it.node), expected);
                if let Some(placement) = found {
                    prop_assert_eq!(placement.slots.sum(), packer.gpu_sum(class));
                    placed.push(placement);
                }
            }
            Event::Departure(which) if !placed.is_empty() => {
                packer.release(&placed.swap_remove(which.index(placed.len())));
            }
            Event::Departure(_) => {}
        }
    }
    for placement in &placed {
        packer.release(placement);
    }
    let fresh = Packer::new(strategy, specs, &typical).unwrap();
    prop_assert_eq!(packer.nodes(), fresh.nodes());
    prop_assert!((packer.fragments() - fresh.fragments()).abs() < 1e-6);
    Ok(())
}

proptest! {
    #[test]
    fn the_search_finds_what_asking_every_node_finds(
        specs in nodes(),
        pods in pods(),
        events in events(),
    ) {
        for strategy in Strategy::ALL {
            play(strategy, &specs, &pods, &events)?;
        }
    }
}
