//! The cluster against the judge: pods come, go and terminate, nodes come, go and are cordoned, and every search
//! gives the same node.

use super::naive::{Naive, NaiveNode, assert_same_answers};
use super::{Asking, Cluster, Resident};
use crate::score::ShapePoint;
use crate::{Allocation, Balance, Profile, packing};
use contract::{
    Bytes, Constraints, HOSTNAME_KEY, HostPort, Image, Instant, MilliCpu, NodeId, NodeShape,
    PodAffinity, PodId, PodSpec, Preference, Protocol, Requirement, Resources, Selector, Taint,
    TaintEffect, Test, TopologySpread, ZONE_KEY,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Debug)]
enum Step {
    /// Of this shape, in this zone.
    AddNode(usize, usize),
    RemoveNode(usize),
    Cordon(usize),
    /// Of this specification; where ties would go.
    Place(usize, usize),
    Remove(usize),
    Terminate(usize),
    AddImage(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..4_usize, 0..3_usize).prop_map(|(shape, zone)| Step::AddNode(shape, zone)),
        1 => any::<usize>().prop_map(Step::RemoveNode),
        1 => any::<usize>().prop_map(Step::Cordon),
        12 => (any::<usize>(), any::<usize>()).prop_map(|(spec, tie)| Step::Place(spec, tie)),
        4 => any::<usize>().prop_map(Step::Remove),
        1 => any::<usize>().prop_map(Step::Terminate),
        1 => (any::<usize>(), 0..2_usize).prop_map(|(node, image)| Step::AddImage(node, image)),
    ];
    prop::collection::vec(step, 1..60)
}

fn shapes() -> Vec<Arc<NodeShape>> {
    let shape = |cpu, gib: u64, gpus, labels: &[(&str, &str)], soft: bool| {
        let effect = TaintEffect::PreferNoSchedule;
        let taint = Taint { key: "soft".into(), value: String::new(), effect };
        let label = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
        Arc::new(NodeShape {
            allocatable: Resources { cpu: MilliCpu(cpu), memory: Bytes(gib << 30), gpus },
            labels: labels.iter().map(label).collect(),
            taints: if soft { vec![taint] } else { Vec::new() },
            pod_limit: 6,
            ..NodeShape::default()
        })
    };
    vec![
        shape(8_000, 32, 0, &[("rack", "1")], false),
        shape(3_920, 13, 2, &[("rack", "2"), ("size", "3920")], false),
        shape(16_000, 7, 0, &[], true),
        shape(6_000, 0, 0, &[("rack", "1"), ("size", "6000")], false),
    ]
}

fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map(
        prop::sample::select(vec!["app".to_owned(), "tier".to_owned()]),
        prop::sample::select(vec!["a".to_owned(), "b".to_owned()]),
        0..3,
    )
}

fn requirement(keys: &'static [&'static str]) -> impl Strategy<Value = Requirement> {
    let values = prop::sample::select(vec!["a", "b", "1", "2"]);
    let values = prop::collection::btree_set(values.prop_map(str::to_owned), 0..3);
    let is = prop_oneof![
        3 => values.clone().prop_map(Test::In),
        1 => values.prop_map(Test::NotIn),
        1 => Just(Test::Exists),
        1 => Just(Test::DoesNotExist),
        1 => Just(Test::Gt(4_000)),
        1 => Just(Test::Lt(4_000)),
    ];
    (prop::sample::select(keys), is).prop_map(|(key, is)| Requirement { key: key.to_owned(), is })
}

fn selector(keys: &'static [&'static str]) -> impl Strategy<Value = Selector> {
    prop::collection::vec(requirement(keys), 0..3).prop_map(Selector)
}

fn topology_key() -> impl Strategy<Value = String> {
    prop::sample::select(vec![HOSTNAME_KEY, ZONE_KEY, "rack"]).prop_map(str::to_owned)
}

fn term() -> impl Strategy<Value = PodAffinity> {
    (topology_key(), selector(&["app", "tier"]))
        .prop_map(|(topology_key, selector)| PodAffinity { topology_key, selector })
}

fn preference<T: std::fmt::Debug>(
    term: impl Strategy<Value = T>,
) -> impl Strategy<Value = Preference<T>> {
    (1..50_i32, term).prop_map(|(weight, term)| Preference { weight, term })
}

fn spread() -> impl Strategy<Value = TopologySpread> {
    (1..3_u32, 1..3_u32, term()).prop_map(|(max_skew, min_domains, term)| TopologySpread {
        max_skew,
        min_domains,
        topology_key: term.topology_key,
        selector: term.selector,
    })
}

fn few<T: Clone + std::fmt::Debug + 'static>(
    of: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Vec<T>> {
    prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(of, 1..3)]
}

fn constraints() -> impl Strategy<Value = Constraints> {
    let nodes = || selector(&["rack", "size", ZONE_KEY]);
    let port = (80..82_u16, any::<bool>()).prop_map(|(port, any)| HostPort {
        port,
        protocol: Protocol::Tcp,
        ip: (!any).then(|| "10.0.0.1".to_owned()),
    });
    let image = (0..2_usize, 1..2_000_u64)
        .prop_map(|(image, mib)| Image { name: format!("image-{image}"), size: Bytes(mib << 20) });
    let disliked =
        preference(term()).prop_map(|liked| Preference { weight: -liked.weight, ..liked });
    let preferred = prop_oneof![preference(term()), disliked];
    (
        labels(),
        few(nodes()),
        few(preference(nodes())),
        few(spread()),
        few(term()),
        few(term()),
        few(preferred),
        few(port),
        few(image),
    )
        .prop_map(
            |(
                labels,
                node_affinity,
                preferred_nodes,
                topology_spread,
                near,
                apart,
                preferred_pods,
                host_ports,
                images,
            )| {
                Constraints {
                    labels,
                    node_affinity,
                    preferred_nodes,
                    topology_spread,
                    pod_affinity: near,
                    pod_anti_affinity: apart,
                    preferred_pods,
                    host_ports,
                    images,
                    never_preempts: false,
                }
            },
        )
}

fn spec() -> impl Strategy<Value = Arc<PodSpec>> {
    let constraints = prop_oneof![1 => Just(None), 2 => constraints().prop_map(Some)];
    (0..5_u64, 0..5_u64, 0..9_u32, -1..3_i32, constraints).prop_map(
        |(cpu, memory, gpus, priority, constraints)| {
            let requests = Resources {
                cpu: MilliCpu(cpu * 777),
                memory: Bytes(memory * 999_999_999),
                gpus: gpus.saturating_sub(7),
            };
            let constraints = constraints.map(Arc::new);
            Arc::new(PodSpec { requests, priority, constraints, ..PodSpec::default() })
        },
    )
}

fn profile() -> impl Strategy<Value = Profile> {
    let point = |utilization, score| ShapePoint { utilization, score };
    let curve = vec![point(0, 0), point(33, 7), point(70, 10), point(100, 1)];
    let allocation = prop_oneof![
        Just(Allocation::LeastAllocated),
        Just(Allocation::MostAllocated),
        Just(Allocation::RequestedToCapacityRatio(curve)),
    ];
    let balance = prop_oneof![Just(Balance::Classic), Just(Balance::Change)];
    let packing = proptest::option::of(prop::sample::select(packing::Strategy::ALL.to_vec()));
    (allocation, balance, prop_oneof![Just(0_u32), Just(100)], packing).prop_map(
        |(allocation, balance, percentage_of_nodes_to_score, packing)| Profile {
            allocation,
            balance,
            percentage_of_nodes_to_score,
            packing,
        },
    )
}

/// Both at once.
#[derive(Default)]
struct Pair {
    cluster: Cluster,
    naive: Naive,
    made_nodes: u32,
    made_pods: u32,
}

impl Pair {
    fn add_node(&mut self, shape: &Arc<NodeShape>, zone: Option<Arc<str>>) {
        let id = NodeId(self.made_nodes);
        self.made_nodes += 1;
        self.cluster.add_node(id, shape, zone.as_ref());
        self.naive.nodes.push(NaiveNode {
            id,
            shape: shape.clone(),
            zone,
            cordoned: false,
            pods: Vec::new(),
            images: Vec::new(),
        });
    }

    /// The place of some node.
    fn some_node(&self, choice: usize) -> Option<usize> {
        choice.checked_rem(self.naive.nodes.len())
    }

    /// Some pod, by the place of its node.
    fn some_pod(&self, choice: usize) -> Option<(usize, PodId)> {
        let nodes = self.naive.nodes.iter().enumerate();
        let pods: Vec<_> =
            nodes.flat_map(|(at, node)| node.pods.iter().map(move |pod| (at, pod.id))).collect();
        Some(pods[choice.checked_rem(pods.len())?])
    }

    fn place(&mut self, spec: &Arc<PodSpec>, profile: &Profile, tie: usize) {
        let pod = Asking { id: None, spec };
        let found = self.cluster.find(&pod, profile, |_| true, |best| tie % best);
        let expected = self.naive.find(spec, profile, |best| tie % best);
        assert_eq!(found, expected);
        assert_eq!(self.cluster.start, self.naive.start);
        let Some(node) = found else { return };
        let id = PodId(self.made_pods);
        self.made_pods += 1;
        let pod = Resident {
            id,
            spec: spec.clone(),
            started: Instant(u64::from(id.0)),
            budget: None,
            terminating: false,
        };
        self.cluster.add_pod(node, pod.clone());
        let place = self.naive.nodes.iter().position(|held| held.id == node).unwrap();
        self.naive.nodes[place].pods.push(pod);
    }

    /// Evictions that are proposed are of pods that are outranked, are enough, and trying them out leaves no trace.
    fn preempt(&mut self, spec: &Arc<PodSpec>) {
        let pod = Asking { id: None, spec };
        if self.cluster.find(&pod, &Profile::default(), |_| true, |_| 0).is_some() {
            return;
        }
        let (before, mut after) = (self.cluster.clone(), self.cluster.clone());
        let found = after.preempt(&pod, &[], 0, |_| true);
        assert_eq!(format!("{:?}", before.nodes), format!("{:?}", after.nodes));
        assert_eq!(format!("{:?}", before.counts), format!("{:?}", after.counts));
        let Ok(preemption) = found else { return };
        assert!(!preemption.victims.is_empty());
        for victim in preemption.victims {
            let gone = after.remove_pod(preemption.node, victim);
            assert!(gone.spec.priority < spec.priority);
        }
        assert!(after.fits(&pod, preemption.node));
    }

    fn step(&mut self, step: &Step, specs: &[Arc<PodSpec>], profile: &Profile) {
        match *step {
            Step::AddNode(shape, zone) => {
                let zone = ["a", "b"].get(zone).map(|&zone| zone.into());
                self.add_node(&shapes()[shape], zone);
            }
            Step::RemoveNode(choice) => {
                if let Some(place) = self.some_node(choice) {
                    let node = self.naive.nodes.remove(place);
                    self.cluster.remove_node(node.id);
                }
            }
            Step::Cordon(choice) => {
                if let Some(place) = self.some_node(choice) {
                    let node = &mut self.naive.nodes[place];
                    node.cordoned = !node.cordoned;
                    self.cluster.cordon(node.id, node.cordoned);
                }
            }
            Step::Place(spec, tie) => self.place(&specs[spec % specs.len()], profile, tie),
            Step::Remove(choice) => {
                if let Some((place, pod)) = self.some_pod(choice) {
                    let node = &mut self.naive.nodes[place];
                    node.pods.retain(|held| held.id != pod);
                    self.cluster.remove_pod(node.id, pod);
                }
            }
            Step::Terminate(choice) => {
                if let Some((place, pod)) = self.some_pod(choice) {
                    let node = &mut self.naive.nodes[place];
                    let held = node.pods.iter_mut().find(|held| held.id == pod).unwrap();
                    held.terminating = true;
                    self.cluster.terminate_pod(node.id, pod);
                }
            }
            Step::AddImage(choice, image) => {
                if let Some(place) = self.some_node(choice) {
                    let (node, image) = (&mut self.naive.nodes[place], format!("image-{image}"));
                    self.cluster.add_image(node.id, &image);
                    if !node.images.contains(&image) {
                        node.images.push(image);
                    }
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn a_search_gives_what_looking_at_every_pod_gives(
        steps in steps(),
        specs in prop::collection::vec(spec(), 1..6),
        profile in profile(),
    ) {
        let mut pair = Pair::default();
        for shape in shapes() {
            pair.add_node(&shape, Some("a".into()));
        }
        for step in &steps {
            pair.step(step, &specs, &profile);
            for spec in &specs {
                assert_same_answers(&mut pair.cluster, &pair.naive, spec);
            }
        }
    }

    #[test]
    fn evictions_are_of_lower_pods_and_make_room(
        steps in steps(),
        specs in prop::collection::vec(spec(), 1..6),
    ) {
        let mut pair = Pair::default();
        pair.add_node(&shapes()[0], Some("a".into()));
        pair.add_node(&shapes()[1], Some("b".into()));
        for step in &steps {
            pair.step(step, &specs, &Profile::default());
        }
        for spec in &specs {
            pair.preempt(spec);
        }
    }

    #[test]
    fn a_search_of_a_large_cluster_stops_at_the_same_node(
        steps in prop::collection::vec((0..4_usize, 0..300_usize, any::<bool>()), 1..300),
        specs in prop::collection::vec(spec().prop_map(|spec| {
            Arc::new(PodSpec { constraints: None, ..PodSpec::clone(&spec) })
        }), 4),
        profile in profile(),
    ) {
        let mut pair = Pair::default();
        for place in 0..300 {
            pair.add_node(&shapes()[place % 4], None);
        }
        for (spec, choice, leaves) in steps {
            pair.step(&Step::Place(spec, choice), &specs, &profile);
            if leaves {
                pair.step(&Step::Remove(choice), &specs, &profile);
            }
        }
    }
}
