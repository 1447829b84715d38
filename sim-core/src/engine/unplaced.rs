//! Pods that fit nowhere, with what kube-scheduler would say of them.

use super::Engine;
use crate::outcome::{UNPLACED, Unplaced};
use contract::{NodeId, Owner, PendingPod};
use placement::Asking;
use placement::device::{self, DeviceShortage};

/// Of a pod that is pending although some node would take it.
const ROOM: &str = "a node has room: it waits for its next attempt, or for the rest of its gang";

impl Engine<'_> {
    /// Those that fit nowhere now, longest waiting first, pods of one owner for the same reasons together.
    pub(super) fn explain_unplaced(&mut self) -> Vec<Unplaced> {
        let mut groups: Vec<Unplaced> = Vec::new();
        // Pending pods are in the order in which they were made.
        let pending = std::mem::take(&mut self.pending);
        for pod in pending.iter().filter(|pod| pod.unschedulable_since.is_some()) {
            let (owner, message) = (self.owner_name(pod.owner), self.why_pending(pod));
            let is_its = |group: &&mut Unplaced| group.owner == owner && group.message == message;
            if let Some(group) = groups.iter_mut().find(is_its) {
                group.pods += 1;
            } else if groups.len() < UNPLACED {
                let waited = self.now.since(pod.created);
                groups.push(Unplaced { owner, pods: 1, waited, message });
            }
        }
        self.pending = pending;
        groups
    }

    fn why_pending(&mut self, pod: &PendingPod) -> String {
        let fleet = &self.fleet;
        let devices = |node: NodeId| -> Result<(), DeviceShortage> {
            let node = fleet.node(node);
            let division = &fleet.specs[node.pool.index()].division;
            device::fit(&pod.spec, fleet.sharing_of(node), &node.gpus, division.order).map(|_| ())
        };
        let asking = Asking { id: Some(pod.id), spec: &pod.spec };
        let cluster = &mut self.scheduler.cluster;
        let mut nodes = fleet.seen.iter().map(|node| node.id);
        if nodes.any(|node| {
            cluster.has_node(node) && cluster.fits(&asking, node) && devices(node).is_ok()
        }) {
            return ROOM.to_owned();
        }
        self.scheduler.cluster.explain(&asking, devices).to_string()
    }

    fn owner_name(&self, owner: Owner) -> String {
        match owner {
            Owner::Service(service) => {
                format!("service {}", self.services[service.index()].spec.name)
            }
            Owner::Job(number) => {
                let class = self.job(number).map(|job| &self.job_classes[job.class].spec.name);
                format!("job {number} of {}", class.map_or("?", |name| name))
            }
        }
    }
}
