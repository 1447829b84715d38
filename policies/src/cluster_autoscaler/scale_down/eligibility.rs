//! Which nodes may be looked at for removal at all.

use super::unremovable::Unremovable;
use super::utilization::{NoUtilization, Utilization};
use contract::Micros;

/// A node that was told to go this recently counts as going (upstream: `MaxCloudProviderNodeDeletionTime`).
const DELETION_TIME: Micros = Micros::from_secs(5 * 60);

/// What the rules look at.
#[expect(clippy::struct_excessive_bools, reason = "facts, each as independent as they are")]
#[derive(Clone, Copy, Debug)]
pub struct Eligibility<'a> {
    /// How long ago it was told to go, if it was.
    pub told_to_go_for: Option<Micros>,
    /// Someone forbade its removal (annotation `cluster-autoscaler.kubernetes.io/scale-down-disabled`).
    pub disabled: bool,
    /// It belongs to a pool.
    pub in_pool: bool,
    /// It is ready.
    pub ready: bool,
    /// Unready nodes may go (`scale-down-unready-enabled`).
    pub unready_may_go: bool,
    /// How much of it is requested.
    pub utilization: Result<&'a Utilization, NoUtilization>,
    /// Up to this share it is underused, this share included.
    pub threshold: f64,
}

impl Eligibility<'_> {
    /// Whether the node may be looked at.
    ///
    /// # Errors
    /// The first reason why not.
    pub fn check(&self) -> Result<(), Unremovable> {
        if self.told_to_go_for.is_some_and(|ago| ago < DELETION_TIME) {
            return Err(Unremovable::CurrentlyBeingDeleted);
        }
        if self.disabled {
            return Err(Unremovable::ScaleDownDisabledAnnotation);
        }
        if !self.in_pool {
            return Err(Unremovable::NotAutoscaled);
        }
        if !self.ready && !self.unready_may_go {
            return Err(Unremovable::ScaleDownUnreadyDisabled);
        }
        match self.utilization {
            Err(_) => Err(Unremovable::UnexpectedError),
            Ok(utilization) if utilization.share > self.threshold => {
                Err(Unremovable::NotUnderutilized)
            }
            Ok(_) => Ok(()),
        }
    }
}
