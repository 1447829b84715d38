//! Removal in thought: whether all pods of a node find other places.

use super::disruptions::Disruptions;
use super::drainability::{DrainRules, Drainability, PodFacts};
use super::unremovable::Unremovable;
use crate::cluster_autoscaler::snapshot::{Guest, SimNode, Snapshot};
use contract::Owner;
use std::collections::BTreeMap;

/// A node whose pods all found other places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movable {
    /// Where it stands in the snapshot.
    pub place: usize,
    /// Pods that moved.
    pub pods: usize,
    /// Pods that are waited for.
    pub on_completion: usize,
    /// A disruption budget does not allow all its pods to go at once.
    pub risky: bool,
}

/// How far a look goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Unneeded nodes after which further ones are left for later; pools that go whole do not count.
    pub limit: usize,
    /// Nodes after which time is up (`scale-down-simulation-timeout`); simulated thinking takes no time.
    pub time_for: usize,
}

/// What a look found, by place in the snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Nodes that can go, each found with the earlier ones gone.
    pub unneeded: Vec<Movable>,
    /// Nodes that cannot, and why.
    pub unremovable: Vec<(usize, Unremovable)>,
}

/// Looks at nodes in order. What worked stays so in the snapshot for the nodes that follow; what did not is taken
/// back. `facts` says what of a pod matters to whether it may move, beside what `disruptions` leave of its budget;
/// `goes_whole` which pools are all or nothing.
pub fn find_unneeded(
    snapshot: &mut Snapshot<'_>,
    candidates: &[usize],
    rules: &DrainRules,
    extent: Extent,
    disruptions: &mut Disruptions,
    facts: &dyn Fn(&Guest<'_>) -> PodFacts,
    goes_whole: &dyn Fn(usize) -> bool,
) -> Found {
    let mut found = Found::default();
    let mut counted = 0;
    for &place in candidates.iter().take(extent.time_for) {
        let whole = goes_whole(snapshot.nodes[place].pool);
        if !whole && counted >= extent.limit {
            continue;
        }
        match move_pods(snapshot, place, rules, disruptions, facts) {
            Ok(movable) => {
                counted += usize::from(!whole);
                found.unneeded.push(movable);
            }
            Err(reason) => found.unremovable.push((place, reason)),
        }
    }
    found
}

/// Moves a node's pods to other real nodes in thought.
fn move_pods(
    snapshot: &mut Snapshot<'_>,
    place: usize,
    rules: &DrainRules,
    disruptions: &mut Disruptions,
    facts: &dyn Fn(&Guest<'_>) -> PodFacts,
) -> Result<Movable, Unremovable> {
    let (moving, on_completion) = pods_to_move(&snapshot.nodes[place], rules, disruptions, facts)?;
    snapshot.nodes[place].removed = true;
    let mut moved = Vec::new();
    for guest in &moving {
        let Some(to) = snapshot.place(*guest, |other| other.id.is_some()) else {
            for to in moved.into_iter().rev() {
                snapshot.take_back(to);
            }
            snapshot.nodes[place].removed = false;
            return Err(Unremovable::NoPlaceToMovePods);
        };
        moved.push(to);
    }
    let risky = disruptions.take(&moving);
    Ok(Movable { place, pods: moving.len(), on_completion, risky })
}

/// The pods that must find other places, and how many are waited for.
fn pods_to_move<'a>(
    node: &SimNode<'a>,
    rules: &DrainRules,
    disruptions: &Disruptions,
    facts: &dyn Fn(&Guest<'_>) -> PodFacts,
) -> Result<(Vec<Guest<'a>>, usize), Unremovable> {
    let (mut moving, mut waiting) = (Vec::new(), 0);
    for guest in node.pods() {
        let facts = facts(&guest);
        let budget = disruptions.left(&guest).or(facts.budget);
        match (PodFacts { budget, ..facts }).drainability(rules) {
            Drainability::Skip | Drainability::DaemonSet => {}
            Drainability::Move => moving.push(guest),
            Drainability::Wait => waiting += 1,
            Drainability::Block(blocker) => return Err(Unremovable::BlockedByPod(blocker)),
        }
    }
    Ok((moving, waiting))
}

/// Which pods that were evicted not long ago still need a place: all whose controller is unknown, and of the
/// others as many as their controller is short of. `short` says how many that is.
pub fn still_to_place<'a>(
    evicted: impl IntoIterator<Item = (Option<Owner>, Guest<'a>)>,
    short: impl Fn(Owner) -> u32,
) -> Vec<Guest<'a>> {
    let mut placed: BTreeMap<Owner, u32> = BTreeMap::new();
    let mut needs_place = |owner: Option<Owner>| {
        let Some(owner) = owner else { return true };
        let placed = placed.entry(owner).or_default();
        *placed += 1;
        *placed <= short(owner)
    };
    let needed = evicted.into_iter().filter(|(owner, _)| needs_place(*owner));
    needed.map(|(_, guest)| guest).collect()
}
