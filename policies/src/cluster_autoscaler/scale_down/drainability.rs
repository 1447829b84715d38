//! What happens to a pod when its node is drained: rules in order, the first that speaks decides.

use contract::{Micros, SafeToEvict};

/// Who makes a pod anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    /// Nobody.
    None,
    /// A daemon set.
    DaemonSet,
    /// A controller that Kubernetes brings: replica set, stateful set, job and so on; how many replicas it wants, if
    /// that matters, and whether it is still there.
    Known {
        /// Replicas that it wants; `None` for one without that number.
        replicas: Option<u32>,
        /// It is there.
        exists: bool,
    },
    /// Another controller.
    Custom,
}

/// What the rules look at.
#[expect(clippy::struct_excessive_bools, reason = "facts, each as independent as they are")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodFacts {
    /// Who makes it anew.
    pub controller: Controller,
    /// It mirrors a static pod.
    pub mirror: bool,
    /// For how long it has been terminating beyond its grace period.
    pub overdue: Option<Micros>,
    /// It is done, for good or ill.
    pub finished: bool,
    /// Its own word.
    pub safe_to_evict: SafeToEvict,
    /// It belongs to the system (`kube-system`).
    pub system: bool,
    /// Its age.
    pub age: Micros,
    /// It keeps data on the node that its own annotation does not give up.
    pub local_storage: bool,
    /// Evictions that its disruption budget allows, if it has one.
    pub budget: Option<u32>,
}

/// Flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainRules {
    /// System pods block (`skip-nodes-with-system-pods`).
    pub skip_system: bool,
    /// Until this age (`blocking-system-pod-disruption-timeout`).
    pub system_timeout: Micros,
    /// Local storage blocks (`skip-nodes-with-local-storage`).
    pub skip_local_storage: bool,
    /// Pods of unknown controllers block (`skip-nodes-with-custom-controller-pods`).
    pub skip_custom_controllers: bool,
    /// Pods of controllers that want fewer replicas block (`min-replica-count`).
    pub min_replicas: u32,
}

/// What becomes of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drainability {
    /// It needs nothing.
    Skip,
    /// It belongs to the node.
    DaemonSet,
    /// It must find another place.
    Move,
    /// The node stays until it is done.
    Wait,
    /// The node stays.
    Block(Blocker),
}

/// Why a pod keeps its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// Its controller is gone.
    ControllerNotFound,
    /// Its controller wants too few replicas.
    MinReplicasReached,
    /// Nobody makes it anew.
    NotReplicated,
    /// A young pod of the system without a disruption budget.
    UnmovableKubeSystemPod,
    /// It says so.
    NotSafeToEvictAnnotation,
    /// It keeps data on the node.
    LocalStorageRequested,
    /// Its disruption budget allows no eviction.
    NotEnoughPdb,
}

impl Blocker {
    /// Upstream's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::ControllerNotFound => "ControllerNotFound",
            Self::MinReplicasReached => "MinReplicasReached",
            Self::NotReplicated => "NotReplicated",
            Self::UnmovableKubeSystemPod => "UnmovableKubeSystemPod",
            Self::NotSafeToEvictAnnotation => "NotSafeToEvictAnnotation",
            Self::LocalStorageRequested => "LocalStorageRequested",
            Self::NotEnoughPdb => "NotEnoughPdb",
        }
    }
}

/// A pod that has been terminating for this long after its grace period is not waited for
/// (upstream: `PodLongTerminatingExtraThreshold`).
const LONG_TERMINATING: Micros = Micros::from_secs(30);

impl PodFacts {
    /// A pod with a controller and nothing special about it.
    pub fn replicated(age: Micros) -> Self {
        Self {
            controller: Controller::Known { replicas: None, exists: true },
            mirror: false,
            overdue: None,
            finished: false,
            safe_to_evict: SafeToEvict::Unsaid,
            system: false,
            age,
            local_storage: false,
            budget: None,
        }
    }

    /// What becomes of it.
    pub fn drainability(&self, rules: &DrainRules) -> Drainability {
        if self.mirror || self.overdue.is_some_and(|overdue| overdue > LONG_TERMINATING) {
            return Drainability::Skip;
        }
        if let Some(blocker) = self.controller_blocks(rules) {
            return Drainability::Block(blocker);
        }
        if self.controller == Controller::DaemonSet {
            return Drainability::DaemonSet;
        }
        if self.safe_to_evict == SafeToEvict::Yes || self.finished {
            return Drainability::Move;
        }
        if self.safe_to_evict == SafeToEvict::OnCompletion {
            return Drainability::Wait;
        }
        self.blocker(rules).map_or(Drainability::Move, Drainability::Block)
    }

    /// Whether its controller is gone, or wants too few.
    fn controller_blocks(&self, rules: &DrainRules) -> Option<Blocker> {
        let Controller::Known { replicas, exists } = self.controller else { return None };
        if !exists {
            return Some(Blocker::ControllerNotFound);
        }
        let too_few = replicas.is_some_and(|replicas| replicas < rules.min_replicas);
        too_few.then_some(Blocker::MinReplicasReached)
    }

    fn blocker(&self, rules: &DrainRules) -> Option<Blocker> {
        let replicated = match self.controller {
            Controller::None => false,
            Controller::Custom => !rules.skip_custom_controllers,
            Controller::DaemonSet | Controller::Known { .. } => true,
        };
        let young = self.age < rules.system_timeout;
        let system_blocks = rules.skip_system && self.system && self.budget.is_none() && young;
        let blockers = [
            (!replicated, Blocker::NotReplicated),
            (system_blocks, Blocker::UnmovableKubeSystemPod),
            (self.safe_to_evict == SafeToEvict::No, Blocker::NotSafeToEvictAnnotation),
            (rules.skip_local_storage && self.local_storage, Blocker::LocalStorageRequested),
            (self.budget == Some(0), Blocker::NotEnoughPdb),
        ];
        blockers.into_iter().find_map(|(blocks, blocker)| blocks.then_some(blocker))
    }
}
