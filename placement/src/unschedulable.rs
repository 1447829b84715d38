//! Why a pod fits nowhere, in the words of kube-scheduler.

use crate::device::{self, DeviceOrder, DeviceShortage};
use crate::{Candidate, Misfit, Refusal, Unhelpful, fits};
use contract::{GpuSeen, PodSpec};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// How many nodes turned a pod down, for which reasons, and why preemption would not help.
///
/// Displayed as the message of the pod's `PodScheduled` condition: `0/5 nodes are available: 3 Insufficient
/// cpu, 2 node(s) were unschedulable.` A node that is short of several resources counts for each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unschedulable {
    nodes: u32,
    reasons: BTreeMap<Cow<'static, str>, u32>,
    preemption: Option<Box<Unhelpful>>,
}

impl Unschedulable {
    /// Asks every node; those that fit add no reason.
    pub fn explain<'a>(spec: &PodSpec, candidates: impl Iterator<Item = Candidate<'a>>) -> Self {
        let mut found = Self::default();
        for node in candidates {
            found.add_node(fits(spec, &node).map_err(Refusal::Node));
        }
        found
    }

    /// The same for a cluster that divides GPUs: each node with its GPUs.
    pub fn explain_with_gpus<'a>(
        spec: &PodSpec,
        nodes: impl Iterator<Item = (Candidate<'a>, &'a [GpuSeen])>,
    ) -> Self {
        let mut found = Self::default();
        for (node, gpus) in nodes {
            let devices =
                || device::fit(spec, &node.shape.sharing, gpus, DeviceOrder::default()).map(|_| ());
            found.add_node_with(fits(spec, &node).map_err(Refusal::Node), devices);
        }
        found
    }

    /// Counts what a node said, and what divided GPUs it is short of.
    pub(crate) fn add_node_with(
        &mut self,
        answer: Result<(), Refusal>,
        devices: impl FnOnce() -> Result<(), DeviceShortage>,
    ) {
        // What a device plugin counts is a resource among others: all that are short are named. A pod that is
        // short of whole GPUs is told so once.
        let asked = match &answer {
            Ok(()) => true,
            Err(Refusal::Node(Misfit::Resources(shortage))) => !shortage.gpus,
            Err(_) => false,
        };
        self.add_node(answer);
        if asked && let Err(shortage) = devices() {
            self.add(shortage.to_string());
        }
    }

    /// Adds why preemption was of no use.
    #[must_use]
    pub fn with_preemption(self, unhelpful: Unhelpful) -> Self {
        Self { preemption: Some(Box::new(unhelpful)), ..self }
    }

    /// Counts what a node said.
    pub(crate) fn add_node(&mut self, answer: Result<(), Refusal>) {
        self.nodes += 1;
        for reason in answer.err().iter().flat_map(|refusal| refusal.reasons()) {
            self.add(reason);
        }
    }

    /// Counts a node for a reason that is no filter's.
    pub(crate) fn add_node_for(&mut self, reason: &'static str) {
        self.nodes += 1;
        self.add(reason);
    }

    fn add(&mut self, reason: impl Into<Cow<'static, str>>) {
        *self.reasons.entry(reason.into()).or_default() += 1;
    }
}

impl fmt::Display for Unschedulable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nodes == 0 {
            return f.write_str("no nodes available to schedule pods");
        }
        // kube-scheduler sorts the finished phrases as text, numbers and all.
        let mut phrases: Vec<_> =
            self.reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        phrases.sort();
        write!(f, "0/{} nodes are available: {}.", self.nodes, phrases.join(", "))?;
        match &self.preemption {
            // Since 1.34, where `DynamicResources` looks for claims to release before pods are evicted.
            Some(unhelpful) => write!(f, " no new claims to deallocate, preemption: {unhelpful}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{cpu_node, gpu_node, pod, sharing_by_counters};
    use contract::{GpuRequest, NodeShape, PodId, Taint, TaintEffect};
    use std::num::NonZeroU32;

    #[track_caller]
    fn check(spec: &PodSpec, nodes: &[Candidate<'_>], expected: &str) {
        let found = Unschedulable::explain(spec, nodes.iter().copied());
        assert_eq!(found.to_string(), expected);
    }

    #[test]
    fn every_reason_is_counted_as_kube_scheduler_words_it() {
        let (small, gpu) = (cpu_node(), gpu_node("L40S", 1));
        let taint =
            Taint { key: "spot".into(), value: String::new(), effect: TaintEffect::NoSchedule };
        let tainted = NodeShape { taints: vec![taint], ..gpu.clone() };
        let nodes = [
            Candidate::fresh(&small),
            Candidate { cordoned: true, ..Candidate::fresh(&gpu) },
            Candidate::fresh(&tainted),
            Candidate { pods: 110, ..Candidate::fresh(&gpu) },
            Candidate::fresh(&gpu),
        ];
        check(
            &pod("9", "1GiB", 2),
            &nodes,
            "0/5 nodes are available: 1 Too many pods, 1 node(s) had untolerated taint(s), \
             1 node(s) were unschedulable, 3 Insufficient cpu, 3 Insufficient nvidia.com/gpu.",
        );
    }

    #[test]
    fn a_gpu_model_that_is_not_there_reads_as_a_selector() {
        let (l40s, mut spec) = (gpu_node("L40S", 1), pod("1", "1GiB", 1));
        spec.gpu_models = vec![contract::GpuModel("H100".into())];
        check(
            &spec,
            &[Candidate::fresh(&l40s)],
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
        );
    }

    #[test]
    fn a_claim_that_a_gpu_has_no_devices_left_for_is_pending_with_a_reason() {
        let sharing = sharing_by_counters();
        let shape = NodeShape { sharing, ..gpu_node("A100", 1) };
        let claim = GpuRequest::Claim { class: "mig-3g.40gb".into(), count: NonZeroU32::MIN };
        let spec = PodSpec { gpu_parts: Some(claim), ..pod("1", "1GiB", 0) };
        let (mut node, mut gpus) = (Candidate::fresh(&shape), device::fresh(&shape));
        for id in 0..2 {
            let grants = device::fit(&spec, &shape.sharing, &gpus, DeviceOrder::default());
            device::take(&mut gpus, PodId(id), &grants.expect("room for two"));
            node.add(&spec);
        }
        let third = Unschedulable::explain_with_gpus(&spec, [(node, &gpus[..])].into_iter());
        let expected = "0/1 nodes are available: 1 cannot allocate all claims.";
        assert_eq!(third.to_string(), expected);
    }

    #[test]
    fn a_mig_device_that_is_short_is_named_beside_cpu_and_whole_gpus_once() {
        let shape = gpu_node("A100", 1);
        let mig = GpuRequest::Mig { profile: "3g.40gb".into(), count: NonZeroU32::MIN };
        let of_mig = PodSpec { gpu_parts: Some(mig), ..pod("9", "1GiB", 0) };
        let explain = |spec: &PodSpec, node| {
            Unschedulable::explain_with_gpus(spec, [(node, &[][..])].into_iter()).to_string()
        };
        assert_eq!(
            explain(&of_mig, Candidate::fresh(&shape)),
            "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient nvidia.com/mig-3g.40gb.",
        );
        let divided = NodeShape { sharing: sharing_by_counters(), ..gpu_node("A100", 1) };
        let whole = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.";
        assert_eq!(explain(&pod("1", "1GiB", 2), Candidate::fresh(&shape)), whole);
        assert_eq!(explain(&pod("1", "1GiB", 1), Candidate::fresh(&divided)), whole);
    }

    #[test]
    fn a_message_ends_with_why_preemption_would_not_help() {
        let small = cpu_node();
        let found =
            Unschedulable::explain(&pod("9", "1GiB", 0), [Candidate::fresh(&small)].into_iter());
        let mut nowhere = Unschedulable::default();
        nowhere.add_node_for("Preemption is not helpful for scheduling");
        let found = found.with_preemption(Unhelpful::Nowhere(nowhere));
        assert_eq!(
            found.to_string(),
            "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: \
             0/1 nodes are available: 1 Preemption is not helpful for scheduling."
        );
    }

    #[test]
    fn a_cluster_without_nodes_says_so() {
        check(&pod("1", "1GiB", 0), &[], "no nodes available to schedule pods");
    }
}
