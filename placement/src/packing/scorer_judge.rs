//! The judge of [`Scorer`](super::Scorer): the cluster of the study, filled with the pods of nodes whose GPUs are whole.

use super::cluster::Cluster;
use super::pod::Demand;
use super::{GpuRequest, MilliGpu, NodeSpec, Pod, Strategy, typical_pods};
use contract::{NodeId, NodeShape, PodSpec};

/// Nodes with their pods, and a pod that looks for a place.
pub(crate) struct Judge {
    strategy: Strategy,
    ids: Vec<NodeId>,
    cluster: Cluster,
    demand: Demand,
}

impl Judge {
    pub(crate) fn new(
        strategy: Strategy,
        nodes: &[(NodeId, &NodeShape, Vec<&PodSpec>)],
        spec: &PodSpec,
    ) -> Self {
        let there = nodes.iter().flat_map(|(_, _, pods)| pods.iter().copied());
        let pods: Vec<_> = there.chain([spec]).map(as_pod).collect();
        let specs: Vec<_> = nodes.iter().map(|(_, shape, _)| as_node(shape)).collect();
        let mut cluster = Cluster::new(&specs, &typical_pods(&pods)).expect("few GPUs");
        for (node, (_, _, pods)) in nodes.iter().enumerate() {
            for pod in pods {
                let demand = Demand::of(&as_pod(pod), cluster.models());
                let slots = cluster.nodes()[node].usual_slots(&demand).expect("the pod is there");
                cluster.add(node, &demand, &slots);
            }
        }
        let demand = Demand::of(&as_pod(spec), cluster.models());
        Self { strategy, ids: nodes.iter().map(|(id, _, _)| *id).collect(), cluster, demand }
    }

    /// The score of a node on which the pod fits, from 0.
    pub(crate) fn score(&self, id: NodeId) -> u64 {
        let node = self.ids.iter().position(|known| *known == id).expect("a node of these");
        let score = self.cluster.score(self.strategy, &self.demand, node).expect("the pod fits");
        u64::try_from(i64::from(score) - i64::from(i32::MIN)).expect("from zero")
    }
}

fn as_node(shape: &NodeShape) -> NodeSpec {
    let all = shape.allocatable;
    NodeSpec { model: shape.gpu.clone(), cpu: all.cpu, memory: all.memory, gpus: all.gpus }
}

fn as_pod(spec: &PodSpec) -> Pod {
    let gpu = GpuRequest::new(spec.requests.gpus, MilliGpu::WHOLE, spec.gpu_models.clone());
    Pod { cpu: spec.requests.cpu, memory: spec.requests.memory, gpu }
}
