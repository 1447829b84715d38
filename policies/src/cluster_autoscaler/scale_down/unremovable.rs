//! Why a node is not removed.

use super::drainability::Blocker;

/// A reason, in upstream's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unremovable {
    /// It is on its way out.
    CurrentlyBeingDeleted,
    /// Someone forbade it.
    ScaleDownDisabledAnnotation,
    /// It belongs to no pool.
    NotAutoscaled,
    /// It is not ready, and such nodes stay.
    ScaleDownUnreadyDisabled,
    /// It is used too much.
    NotUnderutilized,
    /// It does not say what it offers.
    UnexpectedError,
    /// It was found unremovable not long ago.
    RecentlyUnremovable,
    /// A pod of it blocks.
    BlockedByPod(Blocker),
    /// It waits for a pod to finish.
    BlockedByOnCompletionPod,
    /// Its pods fit nowhere else.
    NoPlaceToMovePods,
    /// Not all nodes of its pool can go, and some alone must not.
    AtomicScaleDownFailed,
    /// Ready, and not unneeded for long enough.
    NotUnneededLongEnough,
    /// Not ready, and not for long enough.
    NotUnreadyLongEnough,
    /// Its pool is at its minimum.
    NodeGroupMinSizeReached,
    /// The cluster would have too little left.
    MinimalResourceLimitExceeded,
}

impl Unremovable {
    /// Upstream's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::CurrentlyBeingDeleted => "CurrentlyBeingDeleted",
            Self::ScaleDownDisabledAnnotation => "ScaleDownDisabledAnnotation",
            Self::NotAutoscaled => "NotAutoscaled",
            Self::ScaleDownUnreadyDisabled => "ScaleDownUnreadyDisabled",
            Self::NotUnderutilized => "NotUnderutilized",
            Self::UnexpectedError => "UnexpectedError",
            Self::RecentlyUnremovable => "RecentlyUnremovable",
            Self::BlockedByPod(_) => "BlockedByPod",
            Self::BlockedByOnCompletionPod => "BlockedByOnCompletionPod",
            Self::NoPlaceToMovePods => "NoPlaceToMovePods",
            Self::AtomicScaleDownFailed => "AtomicScaleDownFailed",
            Self::NotUnneededLongEnough => "NotUnneededLongEnough",
            Self::NotUnreadyLongEnough => "NotUnreadyLongEnough",
            Self::NodeGroupMinSizeReached => "NodeGroupMinSizeReached",
            Self::MinimalResourceLimitExceeded => "MinimalResourceLimitExceeded",
        }
    }
}
