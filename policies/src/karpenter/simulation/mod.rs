//! The scheduling simulation: places pods in thought, on nodes that are there and on claims for new ones.
//!
//! A claim is not a node of one type but a set of types, narrowed by each pod that it takes; prices play no part
//! until the end. That is why claims grow to the largest type, and why more than the pods need may be bought.

mod asking;
mod claim;
mod existing;
mod limits;
mod queue;
mod reservations;
mod topology;

pub use asking::{Ask, AskKind, Preferences};
pub use claim::{Claim, Refusal};
pub use existing::ExistingNode;
pub use limits::Limits;

use super::instance_type::InstanceType;
use super::min_values::MinValuesPolicy;
use super::requirements::Requirements;
use asking::Shapes;
use claim::Opening;
use contract::{PodSpec, Resources, TaintEffect};
use queue::Queue;
use reservations::Reservations;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use topology::Topology;

/// A `NodePool` as the simulation sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePool {
    /// Its name.
    pub name: Arc<str>,
    /// Greater goes first.
    pub weight: u32,
    /// What its nodes may be like.
    pub requirements: Requirements,
    /// Instance types that its requirements let in, as places in [`World::types`].
    pub types: Vec<usize>,
    /// What its limits leave.
    pub remaining: Limits,
    /// What daemon sets take of each node, and how many pods they are.
    pub daemons: (Resources, u32),
    /// A static pool: pods open no claims in it.
    pub is_static: bool,
}

/// Puts pools in the order in which claims are tried: by weight, and of equal weights the name that sorts last
/// first (measured, and so in the source of both versions).
pub fn in_order(mut pools: Vec<NodePool>) -> Vec<NodePool> {
    pools.sort_by(|a, b| b.weight.cmp(&a.weight).then_with(|| b.name.cmp(&a.name)));
    pools
}

/// What the simulation starts from.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// Instance types.
    pub types: &'a [InstanceType],
    /// Pools, [in order](in_order).
    pub pools: &'a [NodePool],
    /// Nodes that are there or on their way: initialised ones first, then by name.
    pub nodes: &'a [&'a ExistingNode<'a>],
    /// How it goes about it.
    pub rules: Rules,
}

/// How the simulation goes about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What happens when types are not varied enough.
    pub min_values: MinValuesPolicy,
    /// What becomes of preferences.
    pub preferences: Preferences,
}

/// Where a pod went.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// On a node, by its place in [`World::nodes`].
    Node(usize),
    /// On a claim, by its place in [`Outcome::claims`].
    Claim(usize),
    /// Nowhere.
    Nowhere(Refusal),
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Claims for new nodes, in the order in which they were opened.
    pub claims: Vec<Claim>,
    /// Where each pod went, in the order of the asks.
    pub places: Vec<Place>,
}

impl Outcome {
    /// Pods that found a place.
    pub fn placed(&self) -> usize {
        self.places.iter().filter(|place| !matches!(place, Place::Nowhere(_))).count()
    }
}

/// Places pods in thought.
pub fn simulate(world: &World<'_>, asks: &[Ask]) -> Outcome {
    Scheduler::new(world, asks).run()
}

/// A simulation under way.
struct Scheduler<'a> {
    world: World<'a>,
    asks: &'a [Ask],
    shapes: Shapes,
    /// What each node holds by now.
    used: Vec<(Resources, u32)>,
    claims: Vec<Claim>,
    /// Claims by how many pods they hold.
    by_pods: BTreeSet<(u32, usize)>,
    remaining: Vec<Limits>,
    reservations: Reservations,
    topology: Topology,
    /// Types that an empty node of a pool may be of, by shape and pool: asked for again and again.
    fresh: BTreeMap<(usize, usize), Result<Opening, Refusal>>,
}

impl<'a> Scheduler<'a> {
    fn new(world: &World<'a>, asks: &'a [Ask]) -> Self {
        let shapes = Shapes::of(asks, world.rules.preferences, has_soft_taints(world));
        let topology = Topology::of(world, &shapes);
        Self {
            world: *world,
            asks,
            used: world
                .nodes
                .iter()
                .map(|node| (node.candidate.used, node.candidate.pods))
                .collect(),
            claims: Vec::new(),
            by_pods: BTreeSet::new(),
            remaining: world.pools.iter().map(|pool| pool.remaining).collect(),
            reservations: Reservations::of(world.types),
            topology,
            fresh: BTreeMap::new(),
            shapes,
        }
    }

    fn run(mut self) -> Outcome {
        let mut places = vec![Place::Nowhere(Refusal::NoPool); self.asks.len()];
        let mut queue = Queue::of(self.asks, &self.shapes);
        while let Some(ask) = queue.pop() {
            match self.place(queue.shape(ask)) {
                Ok(place) => {
                    if let Place::Claim(claim) = place {
                        self.claims[claim].pods.push(ask);
                    }
                    places[ask] = place;
                }
                Err(refusal) => {
                    let may_relax = !matches!(refusal, Refusal::Reserved);
                    let shape = queue.shape(ask);
                    let relaxed = may_relax.then(|| self.shapes.relax(shape)).flatten();
                    places[ask] = Place::Nowhere(refusal);
                    queue.push(ask, relaxed);
                }
            }
        }
        for claim in &mut self.claims {
            claim.finish(self.world.types);
        }
        Outcome { claims: self.claims, places }
    }

    /// The first place that takes a pod.
    fn place(&mut self, shape: usize) -> Result<Place, Refusal> {
        if let Some(node) = self.on_node(shape) {
            return Ok(Place::Node(node));
        }
        if let Some(claim) = self.on_claim(shape) {
            return Ok(Place::Claim(claim));
        }
        self.on_new_claim(shape).map(Place::Claim)
    }

    fn on_node(&mut self, shape: usize) -> Option<usize> {
        let asked = &self.shapes[shape];
        let takes = |place: &usize| {
            let node = self.world.nodes[*place];
            let (used, pods) = self.used[*place];
            node.takes(asked, used, pods) && self.topology.allows_node(asked, node)
        };
        // Nodes only fill up: one that refused a pod refuses all like it, unless others' places matter to it.
        let from = if asked.looks_at_pods { 0 } else { asked.nodes_refused };
        let found = (from..self.world.nodes.len()).find(takes);
        let place = found.unwrap_or(self.world.nodes.len());
        self.shapes[shape].nodes_refused = place;
        let place = found?;
        let asked = &self.shapes[shape];
        self.used[place].0 += asked.bare.requests;
        self.used[place].1 += 1;
        self.topology.placed_on_node(asked, self.world.nodes[place]);
        Some(place)
    }

    /// The claim with the fewest pods that takes one more.
    fn on_claim(&mut self, shape: usize) -> Option<usize> {
        let order: Vec<_> = {
            let asked = &self.shapes[shape];
            let open = |place: &usize| asked.looks_at_pods || !asked.claims_refused.contains(place);
            self.by_pods.iter().map(|&(_, place)| place).filter(open).collect()
        };
        for place in order {
            let asked = &self.shapes[shape];
            let claim = &mut self.claims[place];
            let before = claim.count();
            let pool = &self.world.pools[claim.pool];
            let added = claim.add(
                asked,
                shape,
                self.world.types,
                pool,
                &self.topology,
                &mut self.reservations,
            );
            if added.is_ok() {
                self.by_pods.remove(&(before, place));
                self.by_pods.insert((self.claims[place].count(), place));
                self.topology.placed_on_claim(asked, &self.claims[place]);
                return Some(place);
            }
            self.shapes[shape].claims_refused.insert(place);
        }
        None
    }

    /// A new claim of the first pool that can have a node for the pod.
    fn on_new_claim(&mut self, shape: usize) -> Result<usize, Refusal> {
        let mut why = Refusal::NoPool;
        for pool in 0..self.world.pools.len() {
            match self.open(shape, pool) {
                Ok(claim) => return Ok(self.opened(shape, pool, claim)),
                // Capacity that is paid for is waited for, not bought elsewhere.
                Err(Refusal::Reserved) => return Err(Refusal::Reserved),
                Err(refusal) => why = why.or(refusal),
            }
        }
        Err(why)
    }

    fn open(&mut self, shape: usize, pool: usize) -> Result<Claim, Refusal> {
        let world = self.world;
        let asked = &self.shapes[shape];
        let node_pool = &world.pools[pool];
        let opening = self
            .fresh
            .entry((shape, pool))
            .or_insert_with(|| Opening::of(asked, world.types, node_pool));
        let opening = opening.as_ref().map_err(Clone::clone)?;
        Claim::open(
            opening,
            (asked, shape),
            world.types,
            (pool, node_pool),
            claim::Luck {
                place: self.claims.len(),
                remaining: &self.remaining[pool],
                topology: &self.topology,
                policy: world.rules.min_values,
            },
            &mut self.reservations,
        )
    }

    fn opened(&mut self, shape: usize, pool: usize, claim: Claim) -> usize {
        let place = self.claims.len();
        self.remaining[pool].charge(claim.largest(self.world.types));
        self.topology.placed_on_claim(&self.shapes[shape], &claim);
        self.by_pods.insert((claim.count(), place));
        self.claims.push(claim);
        place
    }
}

fn has_soft_taints(world: &World<'_>) -> bool {
    let types = world.types.iter().map(|instance| &*instance.shape);
    let mut shapes = types.chain(world.nodes.iter().map(|node| node.candidate.shape));
    shapes.any(|shape| shape.taints.iter().any(|one| one.effect == TaintEffect::PreferNoSchedule))
}

/// What a pod asks of resources alone, for [`placement::fits`]: labels are the business of requirements.
fn bare(spec: &PodSpec) -> PodSpec {
    PodSpec {
        requests: spec.requests,
        gpu_parts: spec.gpu_parts.clone(),
        gpu_models: spec.gpu_models.clone(),
        tolerations: spec.tolerations.clone(),
        priority: spec.priority,
        ..PodSpec::default()
    }
}

#[cfg(test)]
mod tests;
