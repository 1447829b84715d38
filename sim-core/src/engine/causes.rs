//! What stands between waiting requests and more capacity, at every moment.

use super::{Engine, id};
use crate::fleet::Start;
use crate::outcome::Cause;
use contract::{Owner, PendingPod, PodStage, ServiceId};

impl Engine<'_> {
    /// Notes on the track of a service what it waits for now.
    pub(super) fn update_cause(&mut self, service: ServiceId) {
        let cause = self.cause(service);
        self.services[service.index()].set_cause(self.now, cause);
    }

    /// The same for all services: nodes concern every one.
    pub(super) fn update_causes(&mut self) {
        for place in 0..self.services.len() {
            self.update_cause(ServiceId(id(place)));
        }
    }

    /// The most advanced step of the scale-up in progress, or why there is none.
    fn cause(&self, service: ServiceId) -> Cause {
        let runtime = &self.services[service.index()];
        match runtime.stages.furthest_start() {
            Some(PodStage::Pulling) => return Cause::ImagePull,
            Some(PodStage::Starting) => return Cause::ContainerStart,
            Some(PodStage::Loading) => return Cause::WeightsLoad,
            Some(_) => return Cause::EngineInit,
            None => {}
        }
        let seen = &self.services_seen[service.index()];
        if seen.replicas.pending > 0 {
            let owner = Owner::Service(service);
            let oldest = self.pending.iter().find(|pod| pod.owner == owner);
            return self.pending_cause(service, oldest.expect("one is pending"));
        }
        if seen.replicas_wanted > seen.replicas.ready { Cause::Scheduling } else { Cause::Decision }
    }

    fn pending_cause(&self, service: ServiceId, pending: &PendingPod) -> Cause {
        let pod = self.pod_ref(Owner::Service(service), pending.id);
        let shape = pod.and_then(|pod| self.pod(pod)).map_or(0, |pod| pod.shape);
        let room = &self.services[service.index()].rooms[shape];
        let Some(since) = pending.unschedulable_since.filter(|_| !room.may_be) else {
            return Cause::Scheduling;
        };
        let pools = &room.pools;
        match self.fleet.furthest_start(pools) {
            Start::Accelerator => Cause::Accelerator,
            Start::Booting => Cause::NodeBoot,
            Start::Doomed => Cause::StockOut,
            Start::None if self.fleet.failed_since(pools, since) => Cause::StockOut,
            Start::None => Cause::NoNode,
        }
    }
}
