//! Prices: what a launch costs at best, at worst, and what a node costs now.

use super::instance_type::{CapacityType, InstanceType, Offering};
use super::requirements::Requirements;
use contract::UsdPerHour;

/// The lowest price of a suitable available offering.
pub fn cheapest(instance: &InstanceType, requirements: &Requirements) -> Option<UsdPerHour> {
    instance.suitable(requirements).map(|offering| offering.price).min_by(by_price)
}

/// Puts instance types in order, those with the cheapest offering first, of equal prices by name.
pub fn sort<'t, T: Copy>(
    types: &mut Vec<T>,
    requirements: &Requirements,
    instance: impl Fn(&T) -> &'t InstanceType,
) {
    let price =
        |one: &T| cheapest(instance(one), requirements).map_or(f64::INFINITY, |price| price.0);
    let mut priced: Vec<_> = types.iter().map(|one| (price(one), *one)).collect();
    priced.sort_by(|(a, one), (b, other)| {
        a.total_cmp(b).then_with(|| instance(one).name.cmp(&instance(other).name))
    });
    *types = priced.into_iter().map(|(_, one)| one).collect();
}

/// The highest price that a launch may come to: Karpenter launches reserved capacity before spot before on
/// demand, in a zone that it does not choose. `None` if nothing suits.
pub fn worst_launch<'a>(
    offerings: impl Iterator<Item = &'a Offering> + Clone,
) -> Option<UsdPerHour> {
    let first = offerings.clone().map(|offering| offering.capacity_type).min()?;
    let same = offerings.filter(|offering| offering.capacity_type == first);
    same.map(|offering| offering.price).max_by(by_price)
}

/// What a node costs: the price of its offering, available or not; nothing if the offering is not known.
pub fn of_node(instance: &InstanceType, zone: &str, capacity_type: CapacityType) -> UsdPerHour {
    let is_its =
        |offering: &&Offering| &*offering.zone == zone && offering.capacity_type == capacity_type;
    let price = instance.offerings.iter().find(is_its).map(|offering| offering.price);
    price.filter(|price| !price.0.is_nan()).unwrap_or_default()
}

/// Which offering a launch takes: the lowest price; of equal prices reserved before spot before on demand, then
/// the first type by name. Clouds choose among zones at the same price by their own lights; here `turn` does.
/// `may` leaves out offerings that cannot be had.
pub fn launch<'a>(
    types: impl Iterator<Item = &'a InstanceType>,
    requirements: &Requirements,
    turn: usize,
    may: impl Fn(&Offering) -> bool,
) -> Option<(&'a InstanceType, &'a Offering)> {
    let suitable: Vec<_> = types
        .flat_map(|instance| {
            instance.suitable(requirements).map(move |offering| (instance, offering))
        })
        .filter(|(_, offering)| may(offering))
        .collect();
    let order = |a: &(&InstanceType, &Offering), b: &(&InstanceType, &Offering)| {
        by_price(&a.1.price, &b.1.price)
            .then_with(|| a.1.capacity_type.cmp(&b.1.capacity_type))
            .then_with(|| a.0.name.cmp(&b.0.name))
    };
    let best = suitable.iter().min_by(|a, b| order(a, b))?;
    let equals: Vec<_> = suitable.iter().filter(|one| order(one, best).is_eq()).collect();
    Some(*equals[turn % equals.len()])
}

/// Lower first.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as `min_by` asks")]
fn by_price(a: &UsdPerHour, b: &UsdPerHour) -> std::cmp::Ordering {
    a.0.total_cmp(&b.0)
}
