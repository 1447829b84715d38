//! Which nodes may be disrupted at all.

use contract::Micros;

/// How a node is disrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// For a saving: pods that must not be disrupted keep their node.
    Graceful,
    /// Because it must go some day: with a `terminationGracePeriod` it goes all the same.
    Eventual,
}

/// What a pod says about its disruption.
#[expect(clippy::struct_excessive_bools, reason = "each is a reason of its own")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodGuard {
    /// It is finished or going: it says nothing.
    pub is_leaving: bool,
    /// It runs from a file on the node, outside the API: budgets do not count for it.
    pub is_mirror: bool,
    /// The annotation `karpenter.sh/do-not-disrupt` holds.
    pub do_not_disrupt: bool,
    /// A disruption budget allows no eviction now.
    pub budget_exhausted: bool,
    /// More than one disruption budget is about it, which the eviction API refuses.
    pub several_budgets: bool,
}

impl PodGuard {
    /// Whether it keeps its node.
    pub fn keeps_node(&self) -> bool {
        let by_budget = !self.is_mirror && (self.budget_exhausted || self.several_budgets);
        !self.is_leaving && (self.do_not_disrupt || by_budget)
    }
}

/// What a node is like.
#[expect(clippy::struct_excessive_bools, reason = "each is a reason of its own")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeGuard {
    /// It has a node and a claim, and belongs to a `NodePool` that exists.
    pub is_managed: bool,
    /// It is initialised.
    pub is_initialized: bool,
    /// Pods are expected on it.
    pub is_nominated: bool,
    /// It is being deleted, or a command about it is under way.
    pub is_going: bool,
    /// Its annotation says so.
    pub do_not_disrupt: bool,
    /// It has a `terminationGracePeriod`.
    pub has_grace_period: bool,
}

impl Default for NodeGuard {
    fn default() -> Self {
        Self {
            is_managed: true,
            is_initialized: true,
            is_nominated: false,
            is_going: false,
            do_not_disrupt: false,
            has_grace_period: false,
        }
    }
}

/// Why a node may not be disrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// Karpenter does not manage it.
    Unmanaged,
    /// It is not initialised.
    Uninitialized,
    /// Pods are expected on it.
    Nominated,
    /// It is going already.
    Going,
    /// It says so itself.
    DoNotDisrupt,
    /// A pod on it says so.
    Pod,
}

/// Whether a node may be disrupted in such a way.
///
/// # Errors
/// What keeps it.
pub fn check(node: &NodeGuard, pods: &[PodGuard], class: Class) -> Result<(), Exclusion> {
    let reasons = [
        (!node.is_managed, Exclusion::Unmanaged),
        (!node.is_initialized, Exclusion::Uninitialized),
        (node.is_nominated, Exclusion::Nominated),
        (node.is_going, Exclusion::Going),
        (node.do_not_disrupt, Exclusion::DoNotDisrupt),
    ];
    if let Some(&(_, why)) = reasons.iter().find(|(holds, _)| *holds) {
        return Err(why);
    }
    let goes_all_the_same = class == Class::Eventual && node.has_grace_period;
    let kept = !goes_all_the_same && pods.iter().any(PodGuard::keeps_node);
    if kept { Err(Exclusion::Pod) } else { Ok(()) }
}

/// Whether pods may be moved to a node in thought: not while it waits for its own `consolidateAfter` (`None` is
/// `Never`, which keeps a node from being a source only).
pub fn may_receive(consolidate_after: Option<Micros>, initialized_for: Micros) -> bool {
    consolidate_after.is_none_or(|after| initialized_for >= after)
}

/// A pod, as far as emptiness goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupant {
    /// Of a daemon set, or a mirror pod: it goes with its node.
    Daemon,
    /// Going already.
    Terminating,
    /// Going already, and its stateful set will not make another before it is gone.
    TerminatingStateful,
    /// It would have to move.
    Movable,
}

/// Whether nothing keeps a node: no pod that would have to move, no room held for pods to come.
pub fn is_empty(occupants: &[Occupant], buffer_pods: u32, is_static: bool) -> bool {
    let stays =
        |occupant: &Occupant| matches!(occupant, Occupant::Movable | Occupant::TerminatingStateful);
    !is_static && buffer_pods == 0 && !occupants.iter().any(stays)
}
