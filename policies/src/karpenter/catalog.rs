//! The instance types that the cluster's pools amount to: pools of equal machines are offerings of one type.

use super::Settings;
use super::instance_type::{CapacityType, InstanceType, Offering, Reservation};
use super::overlay::overlaid;
use super::requirements::{CAPACITY_TYPE_KEY, INSTANCE_TYPE_KEY, POOL_KEY};
use contract::{
    Bytes, MilliCpu, NodeShape, Observation, PoolId, PoolSeen, Resources, UsdPerHour, ZONE_KEY,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The label that says how many vCPUs an instance has (AWS's provider).
pub const INSTANCE_CPU_KEY: &str = "karpenter.k8s.aws/instance-cpu";

/// The label that says how much memory an instance has, in MiB (AWS's provider).
pub const INSTANCE_MEMORY_KEY: &str = "karpenter.k8s.aws/instance-memory";

/// What a reservation costs for the sake of comparison: so small a part of the price, as AWS's provider has it.
const RESERVED_SHARE: f64 = 1e-7;

/// How a pool is sold.
pub(super) fn capacity_type(pool: &PoolSeen, settings: &Settings) -> CapacityType {
    if settings.reserved_pools.iter().any(|name| **name == *pool.name) {
        CapacityType::Reserved
    } else if pool.spot {
        CapacityType::Spot
    } else {
        CapacityType::OnDemand
    }
}

/// What a pool's machine has in all, as far as its labels say; else what pods and daemons may use.
pub(super) fn capacity(shape: &NodeShape) -> Resources {
    let number = |key| shape.labels.get(key).and_then(|value| value.parse::<u64>().ok());
    let mut capacity = shape.allocatable + shape.daemons.requests;
    if let Some(cores) = number(INSTANCE_CPU_KEY) {
        capacity.cpu = MilliCpu(cores * 1000);
    }
    if let Some(mebibytes) = number(INSTANCE_MEMORY_KEY) {
        capacity.memory = Bytes(mebibytes << 20);
    }
    capacity
}

/// The name of a pool's instance type: that of the pool if no label says.
pub(super) fn instance_name(pool: &PoolSeen) -> Arc<str> {
    let label = pool.shape.labels.get(INSTANCE_TYPE_KEY);
    label.map_or_else(|| pool.name.clone(), |name| name.as_str().into())
}

/// All instance types, in the order of the pools. `is_out` says whether the cloud is believed to have none in a
/// pool's zone.
pub(super) fn instance_types(
    seen: &Observation<'_>,
    settings: &Settings,
    is_out: impl Fn(PoolId, &str) -> bool,
) -> Vec<InstanceType> {
    let mut types: Vec<InstanceType> = Vec::new();
    let mut places: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
    for pool in seen.pools {
        let name = instance_name(pool);
        let labels = labels(pool);
        let alike = |&place: &usize| {
            let known = &types[place];
            known.labels == labels && is_alike(&known.shape, &pool.shape)
        };
        let places = places.entry(name.clone()).or_default();
        let place = places.iter().copied().find(alike).unwrap_or_else(|| {
            types.push(InstanceType {
                name,
                shape: pool.shape.clone(),
                capacity: capacity(&pool.shape),
                labels,
                offerings: Vec::new(),
            });
            places.push(types.len() - 1);
            types.len() - 1
        });
        let offerings = offerings(pool, settings, &types[place], &is_out);
        types[place].offerings.extend(offerings);
    }
    types
}

/// Labels that all nodes of a type have, however they are sold.
fn labels(pool: &PoolSeen) -> BTreeMap<String, String> {
    let own = pool.shape.labels.iter();
    let shared = own.filter(|(key, _)| *key != POOL_KEY && *key != CAPACITY_TYPE_KEY);
    shared.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn is_alike(a: &NodeShape, b: &NodeShape) -> bool {
    a.allocatable == b.allocatable
        && a.gpu == b.gpu
        && a.taints == b.taints
        && a.daemons == b.daemons
        && a.pod_limit == b.pod_limit
        && a.sharing == b.sharing
}

fn offerings(
    pool: &PoolSeen,
    settings: &Settings,
    instance: &InstanceType,
    is_out: &impl Fn(PoolId, &str) -> bool,
) -> Vec<Offering> {
    let capacity_type = capacity_type(pool, settings);
    let left = pool.max.saturating_sub(pool.target);
    let reservation = (capacity_type == CapacityType::Reserved)
        .then(|| Reservation { id: pool.name.clone(), capacity: left });
    let offering = |zone: &Arc<str>| Offering {
        pool: pool.id,
        pool_name: pool.name.clone(),
        zone: zone.clone(),
        capacity_type,
        price: price(pool, zone, capacity_type, settings, instance),
        available: left > 0 && !is_out(pool.id, zone),
        reservation: reservation.clone(),
    };
    pool.zones.iter().map(offering).collect()
}

/// What an offering costs, as far as decisions go.
fn price(
    pool: &PoolSeen,
    zone: &str,
    capacity_type: CapacityType,
    settings: &Settings,
    instance: &InstanceType,
) -> UsdPerHour {
    let price = overlaid(&settings.overlays, pool.price, |key| match key {
        ZONE_KEY => Some(zone),
        CAPACITY_TYPE_KEY => Some(capacity_type.label()),
        POOL_KEY => Some(&pool.name),
        INSTANCE_TYPE_KEY => Some(&instance.name),
        other => instance.labels.get(other).map(String::as_str),
    });
    match capacity_type {
        CapacityType::Reserved => UsdPerHour(price.0 * RESERVED_SHARE),
        _ => price,
    }
}
