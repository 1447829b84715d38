//! Capacity reservations: a claim holds one instance of each that it might use, until it is launched.

use crate::karpenter::instance_type::{InstanceType, Offering};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What reservations have left.
#[derive(Debug)]
pub(super) struct Reservations(BTreeMap<Arc<str>, u32>);

impl Reservations {
    pub(super) fn of(types: &[InstanceType]) -> Self {
        let offerings = types.iter().flat_map(|instance| &instance.offerings);
        let reserved = offerings.filter_map(|offering| offering.reservation.as_ref());
        Self(reserved.map(|reserved| (reserved.id.clone(), reserved.capacity)).collect())
    }

    /// Whether a claim that holds some already may have this one.
    fn has(&self, id: &Arc<str>, held: &BTreeSet<Arc<str>>) -> bool {
        held.contains(id) || self.0.get(id).is_some_and(|&left| left > 0)
    }

    /// What a claim would hold if it could use these offerings. `None` if some are reserved and all of those
    /// are held by others, or if it held some and could use none any more: capacity that is paid for is waited
    /// for.
    pub(super) fn wanted<'a>(
        &self,
        offerings: impl Iterator<Item = &'a Offering>,
        held: &BTreeSet<Arc<str>>,
    ) -> Option<BTreeSet<Arc<str>>> {
        let mut some = !held.is_empty();
        let mut wanted = BTreeSet::new();
        for reserved in offerings.filter_map(|offering| offering.reservation.as_ref()) {
            some = true;
            if self.has(&reserved.id, held) {
                wanted.insert(reserved.id.clone());
            }
        }
        (!some || !wanted.is_empty()).then_some(wanted)
    }

    /// Whether any reservation is known: without, nothing needs to be asked.
    pub(super) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// A claim holds these now instead of those.
    pub(super) fn swap(&mut self, held: &mut BTreeSet<Arc<str>>, wanted: BTreeSet<Arc<str>>) {
        for id in held.difference(&wanted) {
            *self.0.get_mut(id).expect("a reservation that is held is known") += 1;
        }
        for id in wanted.difference(held) {
            *self.0.get_mut(id).expect("a reservation that is wanted is known") -= 1;
        }
        *held = wanted;
    }
}
