//! The decision about a set of nodes: leave, delete, or replace by one that is cheaper.

use super::super::instance_type::{CapacityType, InstanceType};
use super::super::min_values::{Minimums, satisfied_by};
use super::super::price;
use super::super::requirements::{Allowed, CAPACITY_TYPE_KEY, Requirements};
use contract::UsdPerHour;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A spot node is replaced by a spot node only if there are that many cheaper types, so that the next launch has
/// a choice (`MinInstanceTypesForSpotToSpotConsolidation`).
const SPOT_CHOICE: usize = 15;

/// A node that might go.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its instance type.
    pub instance: Arc<str>,
    /// How it is sold.
    pub capacity_type: CapacityType,
    /// What it costs.
    pub price: UsdPerHour,
}

/// What the simulation without those nodes came to.
#[derive(Clone, Copy, Debug)]
pub struct Without<'a> {
    /// Pods that were placed and would find no place.
    pub homeless: usize,
    /// Pods that would go to nodes that are not initialised.
    pub on_uninitialized: usize,
    /// New nodes that would be needed.
    pub new_nodes: usize,
    /// What the first of them might be.
    pub types: &'a [&'a InstanceType],
    /// What it must be like.
    pub requirements: &'a Requirements,
    /// How varied its types must stay.
    pub minimums: &'a Minimums,
}

/// Settings of the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Spot nodes may be replaced by spot nodes.
    pub spot_to_spot: bool,
    /// Several nodes go at once.
    pub multi_node: bool,
}

/// Why nothing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// A pod would find no place.
    Homeless,
    /// A pod would wait for a node that is not initialised.
    Uninitialized,
    /// More than one new node would be needed.
    SeveralNodes,
    /// Spot nodes are not replaced by spot nodes.
    SpotToSpotDisabled,
    /// Too few spot types are cheaper.
    SpotChoice,
    /// No type is cheaper.
    NotCheaper,
    /// The same type comes back: it would do to delete the others.
    SameType,
    /// Too few different types would be left.
    MinValues,
}

impl Keep {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Homeless => "a pod would find no place",
            Self::Uninitialized => "a pod would wait for a node that is starting",
            Self::SeveralNodes => "more than one new node would be needed",
            Self::SpotToSpotDisabled => "spot nodes are not replaced by spot nodes",
            Self::SpotChoice => "too few spot types are cheaper",
            Self::NotCheaper => "no type is cheaper",
            Self::SameType => "the same type would come back",
            Self::MinValues => "too few different types would be left",
        }
    }
}

/// What takes the place of the nodes that go.
#[derive(Clone, Debug, PartialEq)]
pub struct Replacement<'a> {
    /// Instance types, the cheapest first.
    pub types: Vec<&'a InstanceType>,
    /// What it must be like.
    pub requirements: Requirements,
    /// The capacity type to which it was pinned, if it was.
    pub capacity_type: Option<CapacityType>,
}

/// The decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict<'a> {
    /// Leave them.
    Keep(Keep),
    /// Delete them: their pods fit on other nodes.
    Delete,
    /// Replace them by one node.
    Replace(Replacement<'a>),
}

/// Decides about nodes that would go together.
pub fn decide<'a>(sources: &[Source], without: Without<'a>, rules: Rules) -> Verdict<'a> {
    if without.homeless > 0 {
        return Verdict::Keep(Keep::Homeless);
    }
    if without.on_uninitialized > 0 {
        return Verdict::Keep(Keep::Uninitialized);
    }
    match without.new_nodes {
        0 => Verdict::Delete,
        1 => replace(sources, without, rules).map_or_else(Verdict::Keep, Verdict::Replace),
        _ => Verdict::Keep(Keep::SeveralNodes),
    }
}

fn replace<'a>(
    sources: &[Source],
    without: Without<'a>,
    rules: Rules,
) -> Result<Replacement<'a>, Keep> {
    let total: f64 = sources.iter().map(|source| source.price.0).sum();
    let allows = |capacity_type: CapacityType| {
        without.requirements.allows(CAPACITY_TYPE_KEY, capacity_type.label())
    };
    let all_spot = sources.iter().all(|source| source.capacity_type == CapacityType::Spot);
    let mut requirements = without.requirements.clone();
    let mut types = without.types.to_vec();
    price::sort(&mut types, &requirements, |&instance| instance);
    let is_spot_to_spot = all_spot && allows(CapacityType::Spot);
    if is_spot_to_spot {
        if !rules.spot_to_spot {
            return Err(Keep::SpotToSpotDisabled);
        }
        pin(&mut requirements, CapacityType::Spot);
    }
    types.retain(|instance| worst(instance, &requirements) < total);
    if types.is_empty() {
        return Err(Keep::NotCheaper);
    }
    let needed =
        satisfied_by(types.iter().copied(), without.minimums).map_err(|_| Keep::MinValues)?;
    if rules.multi_node {
        types = without_same_type(sources, types, &requirements);
        if types.is_empty() {
            return Err(Keep::SameType);
        }
        satisfied_by(types.iter().copied(), without.minimums).map_err(|_| Keep::MinValues)?;
    } else if is_spot_to_spot {
        if types.len() < SPOT_CHOICE {
            return Err(Keep::SpotChoice);
        }
        types.truncate(SPOT_CHOICE.max(needed));
    }
    let capacity_type =
        if is_spot_to_spot { Some(CapacityType::Spot) } else { pinned(&types, &requirements) };
    if let Some(capacity_type) = capacity_type {
        pin(&mut requirements, capacity_type);
    }
    Ok(Replacement { types, requirements, capacity_type })
}

/// The capacity type that the launch will come to, if several are possible: spot before on demand, since the price
/// of spot was what had to be lower. Reserved capacity is as good as free, and comes before both.
fn pinned(types: &[&InstanceType], requirements: &Requirements) -> Option<CapacityType> {
    let offered = |capacity_type: CapacityType| {
        let mut suitable = types.iter().flat_map(|instance| instance.suitable(requirements));
        suitable.any(|offering| offering.capacity_type == capacity_type)
    };
    let several = CapacityType::ALL.into_iter().filter(|&one| offered(one)).count() > 1;
    let first = CapacityType::ALL.into_iter().find(|&one| offered(one));
    first.filter(|_| several)
}

fn pin(requirements: &mut Requirements, capacity_type: CapacityType) {
    requirements.narrow(CAPACITY_TYPE_KEY, &Allowed::one_of([capacity_type.label()]));
}

/// What a launch of this type may come to.
fn worst(instance: &InstanceType, requirements: &Requirements) -> f64 {
    price::worst_launch(instance.suitable(requirements)).map_or(f64::INFINITY, |price| price.0)
}

/// If a type that is to go might come back, only what is cheaper than the cheapest such node makes sense: for the
/// rest it would do to delete the others.
fn without_same_type<'a>(
    sources: &[Source],
    types: Vec<&'a InstanceType>,
    requirements: &Requirements,
) -> Vec<&'a InstanceType> {
    let prices: Vec<_> =
        types.iter().map(|instance| (&*instance.name, worst(instance, requirements))).collect();
    let kept = below_same_type(sources, &prices);
    types.into_iter().filter(|instance| kept.contains(&&*instance.name)).collect()
}

/// The names among `options` (with prices) that stay when the types of `sources` must not come back at their own
/// price or above.
pub fn below_same_type<'a>(sources: &[Source], options: &[(&'a str, f64)]) -> Vec<&'a str> {
    let mut cheapest: BTreeMap<&str, f64> = BTreeMap::new();
    for source in sources {
        let known = cheapest.entry(&source.instance).or_insert(f64::INFINITY);
        *known = known.min(source.price.0);
    }
    let shared = options.iter().filter_map(|(name, _)| cheapest.get(name)).copied();
    let most = shared.fold(f64::INFINITY, f64::min);
    options.iter().filter(|(_, price)| *price < most).map(|&(name, _)| name).collect()
}
