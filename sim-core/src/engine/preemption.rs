//! Preemption in a run: a pod that fits nowhere evicts pods of lower priority, then waits for their node.

use super::Engine;
use super::pods::PodRef;
use crate::spec::DisruptionBudget;
use contract::{NodeId, PodId, ServiceId};
use placement::{Asking, Unhelpful};

impl Engine<'_> {
    /// Looks for pods whose eviction makes room for a parked pod, and tells them to go. Their node is held for it
    /// until it is bound, there or elsewhere.
    pub(super) fn preempt(&mut self, pod: PodRef) {
        let Some(spec) = self.pod(pod).map(|pod| pod.spec.clone()) else { return };
        if spec.gpu_parts.is_some() || !self.scheduler.cluster.outranks_anyone(spec.priority) {
            return;
        }
        let allowed = self.allowed_disruptions();
        let asking = Asking { id: Some(pod.id), spec: &spec };
        let fleet = &self.fleet;
        // Who must go for a part of a GPU is not worked out: such nodes are left alone, as are pods that ask for parts.
        let is_whole = |node| fleet.sharing_of(fleet.node(node)).is_whole();
        match self.scheduler.cluster.preempt(&asking, &allowed, 0, is_whole) {
            Ok(preemption) => {
                self.nominate(pod, preemption.node);
                self.evict(preemption.node, &preemption.victims);
            }
            Err(Unhelpful::Nowhere(_)) => self.give_up_nomination(pod.id),
            Err(Unhelpful::Never | Unhelpful::Underway) => {}
        }
    }

    /// Holds a node for a pod. Pods of lower priority for which it was held look for another.
    fn nominate(&mut self, pod: PodRef, node: NodeId) {
        let Some(spec) = self.pod(pod).map(|pod| pod.spec.clone()) else { return };
        for outranked in self.scheduler.cluster.nominees_below(node, spec.priority) {
            self.scheduler.cluster.denominate(outranked);
            self.show_nomination(outranked, None);
            if let Some(outranked) = self.scheduler.parked_pod(outranked) {
                self.enqueue(outranked);
            }
        }
        self.scheduler.cluster.nominate(pod.id, node, spec);
        self.show_nomination(pod.id, Some(node));
    }

    /// Tells victims to go; Deployments replace them, and the replacements wait like anybody else.
    fn evict(&mut self, node: NodeId, victims: &[PodId]) {
        let Some(place) = self.fleet.place(node) else { return };
        for pod in self.pods_on(place) {
            if victims.contains(&pod.id) {
                self.leave_gateway(pod);
                self.terminate_pod(pod);
            }
        }
        self.reconcile_all();
    }

    /// A pod no longer waits for the node that was held for it, whose room is anybody's again.
    pub(super) fn give_up_nomination(&mut self, pod: PodId) {
        let Some(node) = self.scheduler.cluster.nominated(pod) else { return };
        self.scheduler.cluster.denominate(pod);
        self.show_nomination(pod, None);
        self.wake_unschedulable(node);
    }

    fn show_nomination(&mut self, pod: PodId, node: Option<NodeId>) {
        if let Ok(place) = self.pending.binary_search_by_key(&pod, |pending| pending.id) {
            self.pending[place].nominated = node;
        }
    }

    /// What protects the pods of a service.
    pub(super) fn budget(&self, service: ServiceId) -> Option<DisruptionBudget> {
        self.services[service.index()].spec.disruption_budget
    }

    /// By service: how many of its pods may be evicted. Nothing is said of services without a budget.
    fn allowed_disruptions(&self) -> Vec<u32> {
        let allowed = |seen: &contract::ServiceSeen| {
            let budget = self.budget(seen.id);
            budget.map_or(0, |budget| budget.allowed(seen.replicas_wanted, seen.replicas.ready))
        };
        self.services_seen.iter().map(allowed).collect()
    }
}
