//! Pods that ask for a place: pods alike share a shape, and preferences go one by one.

use super::bare;
use crate::karpenter::requirements::Requirements;
use contract::{Constraints, Instant, NodeShape, PodId, PodSpec, Selector};
use placement::score::intolerable;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Index, IndexMut};
use std::sync::Arc;

/// Why a pod asks for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskKind {
    /// No node holds it.
    Pending,
    /// Its node is to go.
    Leaving,
    /// It is not there yet: room for it is kept.
    Buffer,
}

/// A pod that asks for a place.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Its number; of pods created at once the lowest goes first.
    pub id: PodId,
    /// What it asks for; shared by pods alike.
    pub spec: Arc<PodSpec>,
    /// When it was created.
    pub created: Instant,
    /// Why it asks.
    pub kind: AskKind,
}

/// What becomes of preferences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Preferences {
    /// They are required until no place is found, then given up one by one.
    #[default]
    Respect,
    /// They are given up at once.
    Ignore,
}

/// What pods alike ask for.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// Resources, tolerations, GPU models.
    pub(super) bare: PodSpec,
    /// Labels that the node must have.
    pub(super) requirements: Requirements,
    /// Its own labels and its rules about other pods, with those preferences that are left.
    pub(super) constraints: Constraints,
    /// Soft taints (`PreferNoSchedule`) still keep it off.
    heeds_soft_taints: bool,
    /// Other pods matter to its place, or its place to others.
    pub(super) looks_at_pods: bool,
    /// Nodes before this one have refused it.
    pub(super) nodes_refused: usize,
    /// Claims that have refused it.
    pub(super) claims_refused: BTreeSet<usize>,
    /// What it becomes when a preference goes.
    relaxed: Option<usize>,
}

impl Shape {
    fn new(spec: &PodSpec, constraints: Constraints, heeds_soft_taints: bool) -> Self {
        let mut requirements = Requirements::default();
        let pairs = spec.node_selector.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        requirements.narrow_by(&Requirements::of_pod(&Selector::of_labels(pairs).0));
        // Of several terms the first is tried; the others come when it goes.
        if let Some(term) = constraints.node_affinity.first() {
            requirements.narrow_by(&Requirements::of_pod(&term.0));
        }
        if let Some(heaviest) = heaviest(&constraints.preferred_nodes, |weight| weight > 0) {
            let term = &constraints.preferred_nodes[heaviest].term;
            requirements.narrow_by(&Requirements::of_pod(&term.0));
        }
        Self {
            bare: bare(spec),
            requirements,
            looks_at_pods: looks_at_pods(&constraints),
            constraints,
            heeds_soft_taints,
            nodes_refused: 0,
            claims_refused: BTreeSet::new(),
            relaxed: None,
        }
    }

    /// Whether a soft taint of such a node keeps it off.
    pub(super) fn is_put_off(&self, shape: &NodeShape) -> bool {
        self.heeds_soft_taints && intolerable(&self.bare, &shape.taints) > 0
    }
}

fn looks_at_pods(constraints: &Constraints) -> bool {
    !(constraints.topology_spread.is_empty()
        && constraints.pod_affinity.is_empty()
        && constraints.pod_anti_affinity.is_empty()
        && constraints.preferred_pods.is_empty())
}

/// The preference with the greatest weight (without its sign) among those whose weight passes.
fn heaviest<T>(
    preferences: &[contract::Preference<T>],
    passes: impl Fn(i32) -> bool,
) -> Option<usize> {
    let passing = preferences.iter().enumerate().filter(|(_, one)| passes(one.weight));
    let greatest = passing.rev().max_by_key(|(_, one)| one.weight.abs());
    greatest.map(|(place, _)| place)
}

/// All shapes of a simulation.
#[derive(Debug)]
pub(super) struct Shapes {
    all: Vec<Shape>,
    of_asks: Vec<usize>,
    /// The spec that each shape comes from.
    specs: Vec<Arc<PodSpec>>,
}

impl Shapes {
    /// `soft_taints` says whether any node might have one.
    pub(super) fn of(asks: &[Ask], preferences: Preferences, soft_taints: bool) -> Self {
        let heeds = soft_taints && preferences == Preferences::Respect;
        let mut known = BTreeMap::new();
        let mut shapes = Self { all: Vec::new(), of_asks: Vec::new(), specs: Vec::new() };
        for ask in asks {
            // Pods alike share their spec, so its address tells them apart; a spec that is there twice only
            // makes two equal shapes.
            let address = Arc::as_ptr(&ask.spec).addr();
            let shape = *known.entry(address).or_insert_with(|| {
                let mut constraints = ask.spec.constraints.as_deref().cloned().unwrap_or_default();
                if preferences == Preferences::Ignore {
                    constraints.preferred_nodes.clear();
                    constraints.preferred_pods.clear();
                }
                shapes.push(ask.spec.clone(), constraints, heeds)
            });
            shapes.of_asks.push(shape);
        }
        shapes
    }

    fn push(&mut self, spec: Arc<PodSpec>, constraints: Constraints, heeds: bool) -> usize {
        self.all.push(Shape::new(&spec, constraints, heeds));
        self.specs.push(spec);
        self.all.len() - 1
    }

    /// The shape of each ask at the start.
    pub(super) fn of_asks(&self) -> &[usize] {
        &self.of_asks
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Shape> {
        self.all.iter()
    }

    /// The shape with one preference fewer, in the order in which Karpenter gives them up: extra terms of
    /// required node affinity, preferred pod affinity, preferred pod anti-affinity, preferred node affinity, soft
    /// taints.
    pub(super) fn relax(&mut self, shape: usize) -> Option<usize> {
        if let Some(relaxed) = self.all[shape].relaxed {
            return Some(relaxed);
        }
        let mut constraints = self.all[shape].constraints.clone();
        let heeded = self.all[shape].heeds_soft_taints;
        let dropped = drop_one(&mut constraints);
        if !dropped && !heeded {
            return None;
        }
        let relaxed = self.push(self.specs[shape].clone(), constraints, heeded && dropped);
        self.all[shape].relaxed = Some(relaxed);
        Some(relaxed)
    }
}

impl Index<usize> for Shapes {
    type Output = Shape;
    fn index(&self, shape: usize) -> &Shape {
        &self.all[shape]
    }
}

impl IndexMut<usize> for Shapes {
    fn index_mut(&mut self, shape: usize) -> &mut Shape {
        &mut self.all[shape]
    }
}

fn drop_one(constraints: &mut Constraints) -> bool {
    if constraints.node_affinity.len() > 1 {
        constraints.node_affinity.remove(0);
        return true;
    }
    let pods = &mut constraints.preferred_pods;
    let pod = heaviest(pods, |weight| weight > 0).or_else(|| heaviest(pods, |weight| weight < 0));
    if let Some(place) = pod {
        pods.remove(place);
        return true;
    }
    if let Some(place) = heaviest(&constraints.preferred_nodes, |weight| weight > 0) {
        constraints.preferred_nodes.remove(place);
        return true;
    }
    false
}
