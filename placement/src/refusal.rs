//! Why a cluster's node does not take a pod: its own filters, or rules about the other pods of the cluster.

use crate::{Misfit, Shortage};
use contract::{PodSpec, Resources};

/// The first filter that keeps a pod off a node of a cluster, in the order of kube-scheduler's default profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Something about the node alone.
    Node(Misfit),
    /// A port of the node that the pod wants is taken (`NodePorts`).
    Ports,
    /// The node is in none of the domains over which the pod is to be spread (`PodTopologySpread`).
    NoSpreadLabel,
    /// Its domain has too many matching pods already (`PodTopologySpread`).
    Spread,
    /// No pod that it wants to be near is in its domain (`InterPodAffinity`).
    PodAffinity,
    /// A pod that it wants to be apart from is in its domain (`InterPodAffinity`).
    PodAntiAffinity,
    /// A pod that wants to be apart from it is in its domain (`InterPodAffinity`).
    ExistingPodsAntiAffinity,
}

impl Refusal {
    /// Whether it may go away when pods leave the node (kube-scheduler: `Unschedulable` rather than
    /// `UnschedulableAndUnresolvable`).
    pub fn is_resolvable(self, spec: &PodSpec, allocatable: &Resources) -> bool {
        match self {
            // A node that is too small even when empty stays so.
            Self::Node(Misfit::Resources(_)) => allocatable.holds(&spec.requests),
            Self::Node(_) | Self::NoSpreadLabel | Self::PodAffinity => false,
            Self::Ports | Self::Spread | Self::PodAntiAffinity | Self::ExistingPodsAntiAffinity => {
                true
            }
        }
    }

    /// The reasons in kube-scheduler's words: one, or one a resource that is short.
    pub(crate) fn reasons(self) -> Vec<&'static str> {
        let one = match self {
            Self::Node(Misfit::Resources(shortage)) => return short_of(shortage),
            Self::Node(Misfit::Cordoned) => "node(s) were unschedulable",
            Self::Node(Misfit::Taint) => "node(s) had untolerated taint(s)",
            // A GPU model is asked for through the labels of the node.
            Self::Node(Misfit::Selector | Misfit::GpuModel) => {
                "node(s) didn't match Pod's node affinity/selector"
            }
            Self::Ports => "node(s) didn't have free ports for the requested pod ports",
            Self::NoSpreadLabel => {
                "node(s) didn't match pod topology spread constraints (missing required label)"
            }
            Self::Spread => "node(s) didn't match pod topology spread constraints",
            Self::PodAffinity => "node(s) didn't match pod affinity rules",
            Self::PodAntiAffinity => "node(s) didn't match pod anti-affinity rules",
            Self::ExistingPodsAntiAffinity => {
                "node(s) didn't satisfy existing pods anti-affinity rules"
            }
        };
        vec![one]
    }
}

impl From<Misfit> for Refusal {
    fn from(misfit: Misfit) -> Self {
        Self::Node(misfit)
    }
}

fn short_of(shortage: Shortage) -> Vec<&'static str> {
    let short = [
        (shortage.pods, "Too many pods"),
        (shortage.cpu, "Insufficient cpu"),
        (shortage.memory, "Insufficient memory"),
        (shortage.gpus, "Insufficient nvidia.com/gpu"),
    ];
    short.into_iter().filter(|(is_short, _)| *is_short).map(|(_, reason)| reason).collect()
}
