//! Where a gang stands close together: racks in blocks, as node labels name them.
//!
//! The two passes of Kueue's topology-aware scheduling: count how many pods fit in each domain, then take the smallest
//! domain that holds all of them, and inside it as few domains as possible.

use crate::{Candidate, fits};
use contract::PodSpec;
use std::collections::BTreeMap;

/// The levels of a topology by node label, outermost first, such as `["block", "rack"]`. Nodes are the level below
/// the last.
#[derive(Clone, Copy, Debug)]
pub struct Topology<'t>(pub &'t [String]);

/// How close together the pods of a gang should stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// In one domain of this level (counted from the outermost, 0), or nowhere.
    Required(usize),
    /// In one domain of this level if there is one, else of the level above, else in as few domains as possible.
    Preferred(usize),
}

/// So many pods on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share<Id> {
    /// The node.
    pub node: Id,
    /// How many pods it gets.
    pub pods: u32,
}

/// A domain: a block, a rack, a node.
#[derive(Debug, Default)]
struct Domain {
    /// Pods that fit in it.
    room: u32,
    inside: Inside,
}

#[derive(Debug)]
enum Inside {
    /// By label.
    Domains(BTreeMap<String, Domain>),
    /// A node, by its place in the list.
    Node(usize),
}

impl Default for Inside {
    fn default() -> Self {
        Self::Domains(BTreeMap::new())
    }
}

/// Finds places for `count` equal pods as close together as `reach` says; nodes without one of the labels are left
/// out. `None` if there are none. Names each node once, in the order in which domains were taken.
///
/// # Panics
/// If `reach` names a level that the topology does not have.
pub fn spread<Id: Copy>(
    spec: &PodSpec,
    count: u32,
    nodes: &[(Id, Candidate<'_>)],
    topology: Topology<'_>,
    reach: Reach,
) -> Option<Vec<Share<Id>>> {
    let (Reach::Required(level) | Reach::Preferred(level)) = reach;
    assert!(level < topology.0.len(), "a gang reaches over a level that is there");
    let cluster = count_rooms(spec, nodes, topology);
    let lowest = if matches!(reach, Reach::Required(_)) { level } else { 0 };
    let single = (lowest..=level).rev().find_map(|level| best_fit_at(&cluster, level, count));
    let start = match (single, reach) {
        (Some(domain), _) => vec![(domain, count)],
        (None, Reach::Required(_)) => return None,
        (None, Reach::Preferred(_)) => fewest(domains(&cluster), count)?,
    };
    let mut shares = Vec::new();
    for (domain, pods) in start {
        descend(domain, pods, nodes, &mut shares);
    }
    Some(shares)
}

/// How many pods fit on all nodes together.
pub fn room<Id>(spec: &PodSpec, nodes: &[(Id, Candidate<'_>)]) -> u32 {
    nodes.iter().map(|(_, candidate)| room_on(spec, *candidate)).sum()
}

/// How many pods fit in the roomiest domain of a level (counted from the outermost, 0); nodes without one of the
/// labels are left out.
pub fn roomiest<Id>(
    spec: &PodSpec,
    nodes: &[(Id, Candidate<'_>)],
    topology: Topology<'_>,
    level: usize,
) -> u32 {
    let cluster = count_rooms(spec, nodes, topology);
    domains_at(&cluster, level).iter().map(|domain| domain.room).max().unwrap_or(0)
}

/// First pass: how many pods fit on each node, summed up to the cluster.
fn count_rooms<Id>(
    spec: &PodSpec,
    nodes: &[(Id, Candidate<'_>)],
    topology: Topology<'_>,
) -> Domain {
    let mut cluster = Domain::default();
    for (place, (_, candidate)) in nodes.iter().enumerate() {
        let labels = topology.0.iter().map(|key| candidate.shape.labels.get(key).cloned());
        let Some(path) = labels.collect::<Option<Vec<_>>>() else { continue };
        let room = room_on(spec, *candidate);
        if room == 0 {
            continue;
        }
        let mut domain = &mut cluster;
        domain.room += room;
        for name in path {
            domain = domain.child(name);
            domain.room += room;
        }
        // Nodes have no label of their own to be told apart by: their place is their name.
        let node = domain.child(format!("{place:010}"));
        *node = Domain { room, inside: Inside::Node(place) };
    }
    cluster
}

/// How many pods fit on a node; the pod limit is one of the filters, so this ends.
fn room_on(spec: &PodSpec, mut node: Candidate<'_>) -> u32 {
    let mut room = 0;
    while fits(spec, &node).is_ok() {
        node.add(spec);
        room += 1;
    }
    room
}

impl Domain {
    fn child(&mut self, name: String) -> &mut Self {
        match &mut self.inside {
            Inside::Domains(domains) => domains.entry(name).or_default(),
            Inside::Node(_) => unreachable!("a node is the innermost domain"),
        }
    }
}

/// The smallest domain of a level that holds all pods; the first by name among equals.
fn best_fit_at(cluster: &Domain, level: usize, count: u32) -> Option<&Domain> {
    smallest(domains_at(cluster, level).into_iter(), count)
}

/// All domains of a level.
fn domains_at(cluster: &Domain, level: usize) -> Vec<&Domain> {
    let outermost = domains(cluster).collect();
    (0..level).fold(outermost, |above: Vec<_>, _| above.into_iter().flat_map(domains).collect())
}

fn smallest<'d>(among: impl Iterator<Item = &'d Domain>, count: u32) -> Option<&'d Domain> {
    among.filter(|domain| domain.room >= count).min_by_key(|domain| domain.room)
}

fn domains(domain: &Domain) -> impl Iterator<Item = &Domain> {
    let inside = match &domain.inside {
        Inside::Domains(domains) => Some(domains.values()),
        Inside::Node(_) => None,
    };
    inside.into_iter().flatten()
}

/// As few domains as possible that hold all pods together: the largest first, for the remainder the smallest that
/// holds it. `None` if all of them do not.
fn fewest<'d>(
    among: impl Iterator<Item = &'d Domain>,
    count: u32,
) -> Option<Vec<(&'d Domain, u32)>> {
    let mut rest: Vec<&Domain> = among.collect();
    rest.sort_by_key(|domain| std::cmp::Reverse(domain.room));
    let (mut left, mut taken) = (count, Vec::new());
    let mut rest = rest.into_iter();
    while left > 0 {
        let domain = match smallest(rest.clone(), left) {
            Some(domain) => domain,
            None => rest.next()?,
        };
        let pods = domain.room.min(left);
        taken.push((domain, pods));
        left -= pods;
    }
    Some(taken)
}

/// Second pass, downwards: inside a domain as few domains as possible.
fn descend<Id: Copy>(
    domain: &Domain,
    pods: u32,
    nodes: &[(Id, Candidate<'_>)],
    shares: &mut Vec<Share<Id>>,
) {
    if let Inside::Node(place) = domain.inside {
        shares.push(Share { node: nodes[place].0, pods });
        return;
    }
    let inside = fewest(domains(domain), pods).expect("a domain holds what was counted in it");
    for (domain, pods) in inside {
        descend(domain, pods, nodes, shares);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{gpu_node, pod};
    use contract::NodeShape;
    use proptest::prelude::*;

    const BLOCK: usize = 0;
    const RACK: usize = 1;

    fn levels() -> Vec<String> {
        vec!["block".to_owned(), "rack".to_owned()]
    }

    /// A node with so many of 8 GPUs free, in this block and rack.
    fn shape(block: &str, rack: &str) -> NodeShape {
        let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let labels = [label("block", block), label("rack", rack)].into_iter().collect();
        NodeShape { labels, ..gpu_node("H100", 8) }
    }

    /// Nodes as (block, rack, free GPUs), `count` pods of one GPU; which node gets how many?
    #[track_caller]
    fn check(nodes: &[(&str, &str, u32)], count: u32, reach: Reach, expected: Option<&str>) {
        let shapes: Vec<_> = nodes.iter().map(|(block, rack, _)| shape(block, rack)).collect();
        let nodes: Vec<_> = shapes
            .iter()
            .zip(nodes)
            .enumerate()
            .map(|(place, (shape, (_, _, free)))| {
                let mut node = Candidate::fresh(shape);
                node.add(&pod("0", "0B", 8 - free));
                (place, node)
            })
            .collect();
        let found = spread(&pod("0", "0B", 1), count, &nodes, Topology(&levels()), reach);
        let text = |shares: Vec<Share<usize>>| {
            let one = |share: &Share<usize>| format!("{}:{}", share.node, share.pods);
            shares.iter().map(one).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found.map(text).as_deref(), expected);
    }

    const TWO_BLOCKS: [(&str, &str, u32); 5] =
        [("a", "1", 4), ("a", "1", 4), ("a", "2", 6), ("b", "3", 5), ("b", "4", 3)];

    #[test]
    fn the_smallest_rack_that_holds_all_is_taken() {
        check(&TWO_BLOCKS, 5, Reach::Required(RACK), Some("3:5"));
        check(&TWO_BLOCKS, 6, Reach::Required(RACK), Some("2:6"));
        check(&TWO_BLOCKS, 7, Reach::Required(RACK), Some("0:4 1:3"));
    }

    #[test]
    fn what_no_rack_holds_is_refused_if_required_and_takes_a_block_if_preferred() {
        check(&TWO_BLOCKS, 9, Reach::Required(RACK), None);
        check(&TWO_BLOCKS, 9, Reach::Preferred(RACK), Some("0:4 1:4 2:1"));
        check(&TWO_BLOCKS, 8, Reach::Required(BLOCK), Some("3:5 4:3"));
    }

    #[test]
    fn what_no_block_holds_takes_the_largest_blocks_first() {
        check(&TWO_BLOCKS, 16, Reach::Preferred(RACK), Some("0:4 1:4 2:6 4:2"));
        check(&TWO_BLOCKS, 22, Reach::Preferred(RACK), Some("0:4 1:4 2:6 3:5 4:3"));
        check(&TWO_BLOCKS, 23, Reach::Preferred(BLOCK), None);
    }

    #[test]
    fn the_roomiest_domain_is_told_by_level() {
        let shapes: Vec<_> = TWO_BLOCKS.iter().map(|(block, rack, _)| shape(block, rack)).collect();
        let nodes: Vec<_> = shapes.iter().map(|shape| ((), Candidate::fresh(shape))).collect();
        let found = |level| roomiest(&pod("0", "0B", 4), &nodes, Topology(&levels()), level);
        assert_eq!((found(BLOCK), found(RACK), room(&pod("0", "0B", 4), &nodes)), (6, 4, 10));
    }

    #[test]
    fn a_node_outside_the_topology_is_left_out() {
        let (outside, inside) = (gpu_node("H100", 8), shape("a", "1"));
        let nodes =
            [("outside", Candidate::fresh(&outside)), ("inside", Candidate::fresh(&inside))];
        let found = |count| {
            spread(&pod("0", "0B", 1), count, &nodes, Topology(&levels()), Reach::Preferred(RACK))
        };
        assert_eq!(found(8), Some(vec![Share { node: "inside", pods: 8 }]));
        assert_eq!(found(9), None);
    }

    /// Whether all pods fit on nodes of one domain of a level, by trying every one.
    fn some_domain_holds(nodes: &[(u8, u8, u32)], count: u32, level: usize) -> bool {
        let same = |one: &(u8, u8, u32), other: &(u8, u8, u32)| {
            one.0 == other.0 && (level == BLOCK || one.1 == other.1)
        };
        let room =
            |node| nodes.iter().filter(|other| same(node, other)).map(|node| node.2).sum::<u32>();
        nodes.iter().any(|node| room(node) >= count)
    }

    /// The fewest of these rooms that hold all pods, by trying every set.
    fn fewest_nodes(rooms: &[u32], count: u32) -> Option<u32> {
        let sets = 0_u32..1 << rooms.len();
        let holds = |set: &u32| {
            let inside = rooms.iter().enumerate().filter(|(place, _)| set >> place & 1 == 1);
            inside.map(|(_, room)| room).sum::<u32>() >= count
        };
        sets.filter(holds).map(u32::count_ones).min()
    }

    proptest! {
        #[test]
        fn brute_force_over_small_clusters_agrees(
            nodes in prop::collection::vec((0_u8..3, 0_u8..3, 0_u32..=8), 0..9),
            count in 1_u32..20,
            level in 0_usize..2,
            required in any::<bool>(),
        ) {
            let shapes: Vec<_> =
                nodes.iter().map(|(block, rack, _)| shape(&block.to_string(), &rack.to_string())).collect();
            let candidates: Vec<_> = shapes.iter().zip(&nodes).enumerate().map(|(place, (shape, node))| {
                let mut candidate = Candidate::fresh(shape);
                candidate.add(&pod("0", "0B", 8 - node.2));
                (place, candidate)
            }).collect();
            let reach = if required { Reach::Required(level) } else { Reach::Preferred(level) };
            let found = spread(&pod("0", "0B", 1), count, &candidates, Topology(&levels()), reach);
            let total: u32 = nodes.iter().map(|node| node.2).sum();
            let single = some_domain_holds(&nodes, count, level);
            prop_assert_eq!(found.is_some(), if required { single } else { total >= count });
            let Some(shares) = found else { return Ok(()) };
            prop_assert_eq!(shares.iter().map(|share| share.pods).sum::<u32>(), count);
            prop_assert!(shares.iter().all(|share| 0 < share.pods && share.pods <= nodes[share.node].2));
            if single {
                let first = nodes[shares[0].node];
                let rack = |node: &(u8, u8, u32)| (node.0, if level == RACK { node.1 } else { 0 });
                prop_assert!(shares.iter().all(|share| rack(&nodes[share.node]) == rack(&first)));
                if level == RACK {
                    let rooms: Vec<_> =
                        nodes.iter().filter(|node| rack(node) == rack(&first)).map(|node| node.2).collect();
                    let least = fewest_nodes(&rooms, count).expect("the rack holds them");
                    prop_assert_eq!(u32::try_from(shares.len()).unwrap(), least);
                }
            }
        }
    }
}
