//! What packing strategies are told of the cluster, where the profile names one.

use super::{Cluster, Requests};
use crate::Profile;
use crate::packing::{Ground, Scorer, Strategy};
use contract::{NodeId, PodSpec};

impl Cluster {
    /// From the first search on whose strategy asks for it, the cluster knows what its pods ask for.
    pub(super) fn know_requests(&mut self, profile: &Profile) {
        if profile.packing == Some(Strategy::Fgd) && self.requests.is_none() {
            let mut requests = Requests::default();
            self.nodes.iter().flat_map(|node| &node.pods).for_each(|pod| requests.add(&pod.spec));
            self.requests = Some(requests);
        }
    }

    /// The profile's packing strategy at work for a pod.
    pub(super) fn packing(&self, spec: &PodSpec, profile: &Profile) -> Option<Scorer<'_>> {
        let strategy = profile.packing?;
        let shapes = self.kinds.iter().map(|kind| &*kind.shape).collect();
        let there = self.requests.iter().flat_map(Requests::iter);
        Some(Scorer::new(strategy, spec, shapes, there.chain([(spec, 1)])))
    }

    /// A node as a packing strategy is shown it.
    pub(super) fn ground(&self, place: usize) -> Ground<'_, impl Iterator<Item = &PodSpec>> {
        let node = &self.nodes[place];
        let pods = node.pods.iter().map(|pod| &*pod.spec);
        Ground { kind: node.kind, node: self.candidate(place), gpus_used: &node.gpus_used, pods }
    }

    /// The GPU of a node that a pod's part is to be taken from, where the profile's packing strategy says; `luck` is
    /// 32 random bits.
    pub fn gpu_for(
        &mut self,
        spec: &PodSpec,
        node: NodeId,
        profile: &Profile,
        luck: u32,
    ) -> Option<usize> {
        self.know_requests(profile);
        self.packing(spec, profile)?.gpu(self.ground(self.at(node)), luck)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{gpu_node, pod};
    use crate::{Asking, Resident};
    use contract::{GpuMilli, GpuRequest, Instant, NodeShape, PodId, Sharing};
    use std::sync::Arc;

    /// Nodes whose GPUs are used so, in thousandths; where does a part of 300 go, node and GPU?
    #[track_caller]
    fn check(strategy: Strategy, used: &[&[u16]], expected: (u32, usize)) {
        let mut cluster = Cluster::default();
        let milli = |part: u16| GpuMilli::try_from(part).expect("thousandths");
        for (id, gpus) in (0..).zip(used) {
            let count = u32::try_from(gpus.len()).expect("few");
            let shape = NodeShape { sharing: Sharing::Milli, ..gpu_node("A100", count) };
            cluster.add_node(NodeId(id), &Arc::new(shape), None);
            cluster.set_gpus_used(NodeId(id), gpus.iter().map(|&part| milli(part)).collect());
        }
        let whole = Arc::new(pod("1", "1GiB", 1));
        let started = Instant::ZERO;
        let resident =
            Resident { id: PodId(0), spec: whole, started, budget: None, terminating: false };
        cluster.add_pod(NodeId(0), resident);
        let part =
            PodSpec { gpu_parts: Some(GpuRequest::Milli(milli(300))), ..pod("1", "1GiB", 0) };
        let profile = Profile { packing: Some(strategy), ..Profile::default() };
        let node = cluster.find(&Asking { id: None, spec: &part }, &profile, |_| true, |_| 0);
        let node = node.expect("both have room");
        let gpu = cluster.gpu_for(&part, node, &profile, u32::MAX).expect("a GPU with room");
        assert_eq!((node.0, gpu), expected);
    }

    #[test]
    fn a_part_goes_where_its_strategy_says_node_and_gpu() {
        let used: &[&[u16]] = &[&[1000, 0, 0], &[600, 600, 700]];
        check(Strategy::BestFit, used, (1, 2));
        check(Strategy::GpuPacking, used, (1, 2));
        // Nothing of the GPU is left over that no pod could use.
        check(Strategy::Fgd, used, (1, 2));
        // The last of the GPUs with room, by luck.
        check(Strategy::Random, &[&[1000, 0, 0]], (0, 2));
    }

    #[test]
    fn pods_that_are_there_say_what_a_fragment_is() {
        // Half the pods want a whole GPU: a device that is broken into already goes before one that would be.
        check(Strategy::Fgd, &[&[1000, 0, 0, 200]], (0, 3));
    }
}
