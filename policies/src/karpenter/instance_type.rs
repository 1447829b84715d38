//! Instance types, and the offerings in which a cloud sells them.

use super::requirements::{Allowed, CAPACITY_TYPE_KEY, POOL_KEY, Requirements};
use contract::{NodeShape, PoolId, Resources, UsdPerHour, ZONE_KEY};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a cloud sells an instance, in the order in which Karpenter prefers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CapacityType {
    /// Paid for in advance.
    Reserved,
    /// Reclaimable, at a lower price.
    Spot,
    /// By the hour.
    OnDemand,
}

impl CapacityType {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Reserved, Self::Spot, Self::OnDemand];

    /// The value of the label `karpenter.sh/capacity-type`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Spot => "spot",
            Self::OnDemand => "on-demand",
        }
    }
}

/// A share of a capacity reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Its name.
    pub id: Arc<str>,
    /// Instances that it has left.
    pub capacity: u32,
}

/// An instance type in one zone, sold one way.
#[derive(Clone, Debug, PartialEq)]
pub struct Offering {
    /// The scenario's pool that stands for it.
    pub pool: PoolId,
    /// The name of that pool.
    pub pool_name: Arc<str>,
    /// Where.
    pub zone: Arc<str>,
    /// How it is sold.
    pub capacity_type: CapacityType,
    /// Price of one instance.
    pub price: UsdPerHour,
    /// The cloud is believed to have some.
    pub available: bool,
    /// The reservation that it draws from, if it is a reserved one.
    pub reservation: Option<Reservation>,
}

impl Offering {
    /// Whether requirements let it in; whether it is available does not matter.
    pub fn suits(&self, requirements: &Requirements) -> bool {
        OfferingRules::of(requirements).let_in(self)
    }
}

/// What requirements say about offerings, looked up once for many of them.
#[derive(Clone, Copy)]
struct OfferingRules<'r> {
    zone: Option<&'r Allowed>,
    pool: Option<&'r Allowed>,
    capacity_type: Option<&'r Allowed>,
}

impl<'r> OfferingRules<'r> {
    fn of(requirements: &'r Requirements) -> Self {
        Self {
            zone: requirements.get(ZONE_KEY),
            pool: requirements.get(POOL_KEY),
            capacity_type: requirements.get(CAPACITY_TYPE_KEY),
        }
    }

    fn let_in(self, offering: &Offering) -> bool {
        let passes =
            |rule: Option<&Allowed>, value: &str| rule.is_none_or(|one| one.holds(Some(value)));
        passes(self.zone, &offering.zone)
            && passes(self.pool, &offering.pool_name)
            && passes(self.capacity_type, offering.capacity_type.label())
    }
}

/// A kind of machine with its offerings.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceType {
    /// Its name.
    pub name: Arc<str>,
    /// What pods may use, and what taints keep them off.
    pub shape: Arc<NodeShape>,
    /// What the machine has in all: limits of a `NodePool` count this.
    pub capacity: Resources,
    /// Labels beside zone and capacity type.
    pub labels: BTreeMap<String, String>,
    /// How it is sold.
    pub offerings: Vec<Offering>,
}

impl InstanceType {
    /// Offerings that are available and that requirements let in.
    pub fn suitable<'a>(
        &'a self,
        requirements: &Requirements,
    ) -> impl Iterator<Item = &'a Offering> + Clone {
        let rules = OfferingRules::of(requirements);
        self.offerings.iter().filter(move |offering| offering.available && rules.let_in(offering))
    }
}
