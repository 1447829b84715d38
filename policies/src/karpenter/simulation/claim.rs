//! A claim for a new node: a set of instance types that still fit all its pods.

use super::asking::Shape;
use super::reservations::Reservations;
use super::topology::{Spot, Topology};
use super::{Limits, NodePool};
use crate::karpenter::instance_type::InstanceType;
use crate::karpenter::min_values::{MinValuesPolicy, Minimums, minimums, satisfied_by};
use crate::karpenter::price;
use crate::karpenter::requirements::{
    Allowed, CAPACITY_TYPE_KEY, INSTANCE_TYPE_KEY, POOL_KEY, Requirements,
};
use contract::{HOSTNAME_KEY, Resources, ZONE_KEY};
use placement::{Candidate, fits};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many instance types a claim keeps, the cheapest ones (`MaxInstanceTypes`).
const MOST_TYPES: usize = 600;

/// Why a pod found no place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no pool that could have nodes.
    NoPool,
    /// Its requirements and those of the pools leave nothing.
    Requirements,
    /// No instance type that is left fits.
    NoType,
    /// The limits of the pools leave no room.
    Limits,
    /// Other pods keep it off everywhere.
    Topology,
    /// Too few different values would be left for these keys.
    MinValues(Vec<String>),
    /// Reserved capacity suits, and other claims hold all of it.
    Reserved,
}

impl Refusal {
    /// Of several reasons the one that says most.
    pub(super) fn or(self, other: Self) -> Self {
        if matches!(self, Self::NoPool) { other } else { self }
    }

    /// In a few words.
    pub fn words(&self) -> &'static str {
        match self {
            Self::NoPool => "no node pool may have nodes for it",
            Self::Requirements => "requirements of pod and node pools leave nothing",
            Self::NoType => "no instance type fits",
            Self::Limits => "limits of the node pools leave no room",
            Self::Topology => "other pods keep it off",
            Self::MinValues(_) => "too few different instance types would be left",
            Self::Reserved => "waits for reserved capacity",
        }
    }
}

/// What an empty node of a pool may be for a pod: asked once for all pods alike.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    requirements: Requirements,
    types: Vec<usize>,
}

impl Opening {
    pub(super) fn of(
        shape: &Shape,
        types: &[InstanceType],
        pool: &NodePool,
    ) -> Result<Self, Refusal> {
        if pool.is_static {
            return Err(Refusal::NoPool);
        }
        let mut requirements = pool.requirements.clone();
        requirements.narrow_by(&shape.requirements);
        if requirements.is_impossible() {
            return Err(Refusal::Requirements);
        }
        let is_left = |place: &&usize| {
            let instance = &types[**place];
            instance.shape.allocatable.holds(&pool.daemons.0)
                && fits_beside(shape, instance, pool.daemons.0, pool.daemons.1)
                && labels_suit(instance, &requirements, pool)
                && instance.suitable(&requirements).next().is_some()
        };
        let types: Vec<_> = pool.types.iter().filter(is_left).copied().collect();
        if types.is_empty() { Err(Refusal::NoType) } else { Ok(Self { requirements, types }) }
    }
}

/// What a new claim meets.
#[derive(Clone, Copy)]
pub(super) struct Luck<'a> {
    /// Its place among the claims.
    pub(super) place: usize,
    /// What the pool's limits leave.
    pub(super) remaining: &'a Limits,
    /// Where other pods are.
    pub(super) topology: &'a Topology,
    /// What happens when types are not varied enough.
    pub(super) policy: MinValuesPolicy,
}

/// A node that is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Its pool, by its place in the world.
    pub pool: usize,
    /// What the node may be like.
    pub requirements: Requirements,
    /// Instance types that are left, by their place in the world; cheapest first in the end.
    pub types: Vec<usize>,
    /// Requests of its pods and daemons.
    pub used: Resources,
    /// Its pods, by their place among the asks.
    pub pods: Vec<usize>,
    /// Reservations of which it holds an instance.
    pub reserved: BTreeSet<Arc<str>>,
    /// Minimums that had to be lowered, to what.
    pub relaxed: Minimums,
    /// Its host name: a domain of its own.
    pub hostname: String,
    minimums: Minimums,
    /// Pods and daemons.
    count: u32,
    /// Shapes whose requirements it has taken on.
    shapes: BTreeSet<usize>,
}

impl Claim {
    pub(super) fn open(
        opening: &Opening,
        (asked, shape): (&Shape, usize),
        types: &[InstanceType],
        (pool, node_pool): (usize, &NodePool),
        luck: Luck<'_>,
        reservations: &mut Reservations,
    ) -> Result<Self, Refusal> {
        let within = |place: &&usize| luck.remaining.hold(&types[**place].capacity);
        let left: Vec<_> = opening.types.iter().filter(within).copied().collect();
        if left.is_empty() {
            return Err(Refusal::Limits);
        }
        let mut claim = Self {
            pool,
            requirements: opening.requirements.clone(),
            types: left,
            used: node_pool.daemons.0,
            pods: Vec::new(),
            reserved: BTreeSet::new(),
            relaxed: Minimums::new(),
            hostname: format!("claim-{}", luck.place),
            minimums: minimums(&opening.requirements),
            count: node_pool.daemons.1,
            shapes: BTreeSet::from([shape]),
        };
        if luck.policy == MinValuesPolicy::BestEffort {
            claim.lower_minimums(types);
        }
        claim.add(asked, shape, types, node_pool, luck.topology, reservations)?;
        Ok(claim)
    }

    /// How many pods it holds, daemons included.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Lowers each minimum to what there is.
    fn lower_minimums(&mut self, types: &[InstanceType]) {
        let left = self.types.iter().map(|&place| &types[place]);
        if let Err(short) = satisfied_by(left, &self.minimums) {
            for (key, there) in short {
                self.minimums.insert(key.clone(), there);
                self.relaxed.insert(key, there);
            }
        }
    }

    /// Takes a pod, if types are left that fit it too.
    pub(super) fn add(
        &mut self,
        asked: &Shape,
        shape: usize,
        types: &[InstanceType],
        pool: &NodePool,
        topology: &Topology,
        reservations: &mut Reservations,
    ) -> Result<(), Refusal> {
        let narrowed = self.narrowed(asked, shape, topology)?;
        let requirements = narrowed.as_ref().unwrap_or(&self.requirements);
        let is_left = |place: &&usize| {
            let instance = &types[**place];
            fits_beside(asked, instance, self.used, self.count)
                && (narrowed.is_none()
                    || labels_suit(instance, requirements, pool)
                        && instance.suitable(requirements).next().is_some())
        };
        let left: Vec<_> = self.types.iter().filter(is_left).copied().collect();
        if left.is_empty() {
            return Err(Refusal::NoType);
        }
        if !self.minimums.is_empty() {
            satisfied_by(left.iter().map(|&place| &types[place]), &self.minimums)
                .map_err(|short| Refusal::MinValues(short.into_keys().collect()))?;
        }
        if !reservations.are_none() {
            let offerings = left.iter().flat_map(|&place| types[place].suitable(requirements));
            let wanted = reservations.wanted(offerings, &self.reserved);
            reservations.swap(&mut self.reserved, wanted.ok_or(Refusal::Reserved)?);
        }
        self.types = left;
        self.used += asked.bare.requests;
        self.count += 1;
        self.shapes.insert(shape);
        if let Some(requirements) = narrowed {
            self.requirements = requirements;
        }
        Ok(())
    }

    /// Its requirements with a pod on it; `None` if they stay as they are.
    fn narrowed(
        &self,
        asked: &Shape,
        shape: usize,
        topology: &Topology,
    ) -> Result<Option<Requirements>, Refusal> {
        if self.shapes.contains(&shape) && !asked.looks_at_pods {
            return Ok(None);
        }
        let mut requirements = self.requirements.clone();
        requirements.narrow_by(&asked.requirements);
        if requirements.is_impossible() {
            return Err(Refusal::Requirements);
        }
        let spot = Spot { requirements: &requirements, hostname: &self.hostname };
        let places = topology.narrow(asked, spot).ok_or(Refusal::Topology)?;
        requirements.narrow_by(&places);
        if requirements.is_impossible() {
            return Err(Refusal::Topology);
        }
        Ok(Some(requirements))
    }

    /// The most of each resource over its types: what limits are charged when it opens.
    pub(super) fn largest(&self, types: &[InstanceType]) -> Resources {
        self.types.iter().fold(Resources::default(), |most, &place| {
            let capacity = types[place].capacity;
            Resources {
                cpu: most.cpu.max(capacity.cpu),
                memory: most.memory.max(capacity.memory),
                gpus: most.gpus.max(capacity.gpus),
            }
        })
    }

    /// The round is over: cheapest types first, and reserved capacity if it holds any.
    pub(super) fn finish(&mut self, types: &[InstanceType]) {
        if !self.reserved.is_empty() {
            let reserved = Allowed::one_of(["reserved"]);
            self.requirements.narrow(CAPACITY_TYPE_KEY, &reserved);
            let requirements = &self.requirements;
            self.types.retain(|&place| types[place].suitable(requirements).next().is_some());
        }
        price::sort(&mut self.types, &self.requirements, |&place| &types[place]);
        self.types.truncate(MOST_TYPES);
    }
}

fn fits_beside(shape: &Shape, instance: &InstanceType, used: Resources, pods: u32) -> bool {
    let candidate = Candidate { used, pods, ..Candidate::fresh(&instance.shape) };
    fits(&shape.bare, &candidate).is_ok() && !shape.is_put_off(&instance.shape)
}

/// Whether a type's labels pass. Zone and capacity type are the offerings' business; what the pool itself says
/// about a label that no type has is already settled.
fn labels_suit(instance: &InstanceType, requirements: &Requirements, pool: &NodePool) -> bool {
    requirements.iter().all(|(key, allowed)| match key {
        ZONE_KEY | CAPACITY_TYPE_KEY | POOL_KEY | HOSTNAME_KEY => true,
        INSTANCE_TYPE_KEY => allowed.holds(Some(&instance.name)),
        _ => {
            let own = instance.labels.get(key).map(String::as_str);
            allowed.holds(own.or_else(|| pool.requirements.get(key).and_then(Allowed::only)))
        }
    })
}
