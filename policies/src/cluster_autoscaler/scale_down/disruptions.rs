//! What disruption budgets leave while nodes are removed in thought.

use crate::cluster_autoscaler::snapshot::Guest;
use contract::{ServiceId, ServiceSeen};
use std::collections::BTreeMap;

/// Disruptions that are still allowed, by service; services without a budget are not in it (upstream:
/// `RemainingPdbTracker`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disruptions(BTreeMap<ServiceId, u32>);

impl Disruptions {
    /// What the budgets of services allow now.
    pub fn of(services: &[ServiceSeen]) -> Self {
        let allowed = |service: &ServiceSeen| Some((service.id, service.disruptions_allowed()?));
        Self(services.iter().filter_map(allowed).collect())
    }

    /// How many more pods of its service may go; `None` without a budget.
    pub fn left(&self, guest: &Guest<'_>) -> Option<u32> {
        self.0.get(&guest.pod?.owner.service()?).copied()
    }

    /// Pods go together. True if a budget does not allow all of them at once: then their node is risky.
    pub fn take(&mut self, guests: &[Guest<'_>]) -> bool {
        let mut exceeded = false;
        for service in guests.iter().filter_map(|guest| guest.pod?.owner.service()) {
            if let Some(left) = self.0.get_mut(&service) {
                exceeded |= *left == 0;
                *left = left.saturating_sub(1);
            }
        }
        exceeded
    }
}
