//! GPUs that are divided among pods: who holds what of a node's, the pace at which holders work, cutting anew.

use super::pods::PodRef;
use super::{Engine, Event};
use crate::fleet::Fleet;
use crate::queue::Class;
use crate::server::{Server, SharedServer, speeds};
use contract::{
    GpuMilli, GpuRequest, GpuSeen, GpuShare, Held, NodeId, NodeSeen, NodeStage, PodId, PodSpec,
    Sharing,
};
use placement::device::{self, Grant, mig};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Fleet {
    /// How a node divides its GPUs.
    pub(super) fn sharing_of(&self, node: &NodeSeen) -> &Sharing {
        &self.specs[node.pool.index()].shape.sharing
    }

    /// Whether a pod of a job may go to a node: its books know whole GPUs alone.
    pub(super) fn counts_whole_gpus(&self, node: &NodeSeen, spec: &PodSpec) -> bool {
        self.sharing_of(node).is_whole() || !spec.needs_gpus()
    }

    /// Whether a node has the parts of GPUs that a pod asks for, or the whole ones where it divides its GPUs.
    pub(super) fn has_devices(&self, node: &NodeSeen, spec: &PodSpec) -> bool {
        let is_counted = spec.gpu_parts.is_none() && self.sharing_of(node).is_whole();
        is_counted || self.grants(node, spec).is_some()
    }

    fn grants(&self, node: &NodeSeen, spec: &PodSpec) -> Option<Vec<Grant>> {
        let order = self.specs[node.pool.index()].division.order;
        device::fit(spec, self.sharing_of(node), &node.gpus, order).ok()
    }
}

impl Engine<'_> {
    /// A pod takes its parts of a node's GPUs.
    pub(super) fn take_devices(&mut self, place: usize, pod: PodRef, spec: &PodSpec) {
        let grants = match self.packed_gpu(place, pod, spec) {
            Some(gpu) => {
                let node = &self.fleet.seen[place];
                device::fit_on(gpu, spec, self.fleet.sharing_of(node), &node.gpus).ok()
            }
            None => self.fleet.grants(&self.fleet.seen[place], spec),
        };
        let grants = grants.expect("the scheduler chose a node with what the pod asks for");
        if !grants.is_empty() {
            device::take(&mut self.fleet.seen[place].gpus, pod.id, &grants);
            self.fleet.state[place].holders.push(pod);
            self.fleet.count_stranded(place);
            self.tell_gpus_used(place);
        }
    }

    /// The GPU of which a pod gets a part in thousandths, where the scheduler packs by a strategy.
    fn packed_gpu(&mut self, place: usize, pod: PodRef, spec: &PodSpec) -> Option<usize> {
        let node = &self.fleet.seen[place];
        let is_fraction =
            matches!(spec.gpu_parts, Some(GpuRequest::Milli(_) | GpuRequest::Burst { .. }));
        if !is_fraction {
            return None;
        }
        let luck = self.spec.seed.stream("packing-gpu", u64::from(pod.id.0)).bits() >> 32;
        let luck = u32::try_from(luck).expect("32 bits");
        self.scheduler.cluster.gpu_for(spec, node.id, &self.spec.control.profile, luck)
    }

    /// Packing strategies look at what is left of each GPU.
    fn tell_gpus_used(&mut self, place: usize) {
        if self.spec.control.profile.packing.is_none() {
            return;
        }
        let node = &self.fleet.seen[place];
        let sharing = self.fleet.sharing_of(node);
        let used = |gpu: &GpuSeen| {
            let parts = gpu.holds.iter().map(|hold| device::own(sharing, hold.held));
            parts.fold(GpuMilli::ZERO, GpuMilli::saturating_add)
        };
        self.scheduler.cluster.set_gpus_used(node.id, node.gpus.iter().map(used).collect());
    }

    /// A pod that left a node gives its parts back; its neighbours may work faster.
    pub(super) fn give_devices_back(&mut self, place: usize, pod: PodId) {
        let holders = &mut self.fleet.state[place].holders;
        let before = holders.len();
        holders.retain(|holder| holder.id != pod);
        if holders.len() < before {
            device::give_back(&mut self.fleet.seen[place].gpus, pod);
            self.fleet.count_stranded(place);
            self.tell_gpus_used(place);
            self.share_anew(place);
            for gpu in 0..super::id(self.fleet.seen[place].gpus.len()) {
                self.cut_if_idle(place, gpu);
            }
        }
    }

    /// Thousandths of GPUs that a pod holds on its node.
    pub(super) fn milli_of(&self, place: usize, pod: PodId, spec: &PodSpec) -> u32 {
        let node = &self.fleet.seen[place];
        if self.fleet.sharing_of(node).is_whole() {
            return 1000 * spec.requests.gpus;
        }
        let sharing = self.fleet.sharing_of(node);
        held_by(&node.gpus, pod).map(|held| u32::from(device::own(sharing, held).get())).sum()
    }

    /// Puts a replica's server on the parts of GPUs that it holds, if it holds parts.
    pub(super) fn on_its_parts(&self, server: Server, place: usize, pod: PodId) -> Server {
        let node = &self.fleet.seen[place];
        let sharing = self.fleet.sharing_of(node);
        let mut own = Vec::new();
        for gpu in &node.gpus {
            let mine = held_by(std::slice::from_ref(gpu), pod);
            let parts: Vec<_> = mine.map(|held| device::own(sharing, held)).collect();
            if !parts.is_empty() {
                own.push(parts.into_iter().fold(GpuMilli::ZERO, GpuMilli::saturating_add));
            }
        }
        if own.is_empty() || own.iter().all(|&part| part == GpuMilli::WHOLE) {
            return server;
        }
        Server::Shared(Box::new(SharedServer::new(server, own, self.now)))
    }

    /// A replica on parts of GPUs has got its first request, or has none left: its neighbours' parts change.
    pub(super) fn activity_changed(&mut self, slot: u32) {
        let node = self.pods[slot as usize].as_ref().and_then(|pod| pod.node);
        if let Some(place) = node.and_then(|node| self.fleet.place(node)) {
            self.share_anew(place);
        }
    }

    /// Gives the busy holders of a node's GPUs their pace.
    fn share_anew(&mut self, place: usize) {
        let now = self.now;
        for (slot, speed) in self.paces(place) {
            if let Some(Server::Shared(server)) = &mut self.servers[slot as usize] {
                server.set_speed(now, speed);
                let wake = server.next_wake();
                self.wakes.set(slot, wake.max(now));
            }
        }
    }

    /// Slots of the busy holders, with the pace of each: that of the slowest of its GPUs.
    fn paces(&self, place: usize) -> BTreeMap<u32, u16> {
        let node = &self.fleet.seen[place];
        let sharing = self.fleet.sharing_of(node);
        let interference = self.fleet.specs[node.pool.index()].division.interference;
        let interference = if device::isolates(sharing) { 0.0 } else { interference };
        let mut paces = BTreeMap::new();
        for gpu in &node.gpus {
            let busy = self.busy_holders(place, gpu, sharing);
            let shares: Vec<_> = busy.values().copied().collect();
            for (&slot, speed) in busy.keys().zip(speeds(&shares, interference)) {
                let pace = paces.entry(slot).or_insert(speed);
                *pace = speed.min(*pace);
            }
        }
        paces
    }

    /// Slots of the busy holders of a GPU, with what each may get of it.
    fn busy_holders(
        &self,
        place: usize,
        gpu: &GpuSeen,
        sharing: &Sharing,
    ) -> BTreeMap<u32, GpuShare> {
        let mut busy = BTreeMap::new();
        for hold in &gpu.holds {
            let holders = &self.fleet.state[place].holders;
            let holder = holders.iter().find(|holder| holder.id == hold.pod);
            let slot = holder.expect("whoever holds a part is known").slot;
            let Some(Server::Shared(server)) = &self.servers[slot as usize] else { continue };
            if server.is_busy() {
                let share = device::share(sharing, hold.held);
                let sum = busy.entry(slot).or_insert(GpuShare::fixed(GpuMilli::ZERO));
                sum.guaranteed = sum.guaranteed.saturating_add(share.guaranteed);
                sum.limit = sum.limit.saturating_add(share.limit);
            }
        }
        busy
    }

    /// Begins to cut a GPU anew, after its pods have left. Nothing happens unless the node is up and cuts GPUs on demand,
    /// the GPU is not being cut or emptied already, and the instances fit on it.
    pub(super) fn repartition(&mut self, node: NodeId, gpu: u32, profiles: &[Arc<str>]) {
        let Some(place) = self.fleet.place(node) else { return };
        let seen = &self.fleet.seen[place];
        let ready = seen.stage == NodeStage::Ready
            && seen.gpus.get(gpu as usize).is_some_and(GpuSeen::takes_pods);
        let layout = cut(self.fleet.sharing_of(seen), profiles);
        let (true, Some(layout)) = (ready, layout) else { return };
        let seen = &mut self.fleet.seen[place].gpus[gpu as usize];
        seen.ordered = layout;
        self.cut_if_idle(place, gpu);
        self.evict_pods_of(place);
    }

    /// A GPU that is to be cut anew is cut once nobody holds any of it.
    fn cut_if_idle(&mut self, place: usize, gpu: u32) {
        let node = &mut self.fleet.seen[place];
        let seen = &mut node.gpus[gpu as usize];
        if seen.ordered.is_empty() || !seen.is_idle() {
            return;
        }
        seen.partition = std::mem::take(&mut seen.ordered);
        seen.repartitioning = true;
        let (id, pool) = (node.id, node.pool.index());
        let cuts = self.fleet.state[place].cuts;
        let mut luck = self.spec.seed.stream("repartition", u64::from(id.0) << 32 | cuts);
        let wait = self.fleet.specs[pool].division.repartition.draw(&mut luck);
        self.fleet.state[place].cuts += 1;
        self.queue.push(self.now + wait, Class::Stage, Event::Repartitioned(id, gpu));
    }

    /// A GPU's new instances can be had.
    pub(super) fn repartitioned(&mut self, node: NodeId, gpu: u32) {
        let Some(place) = self.fleet.place(node) else { return };
        self.fleet.seen[place].gpus[gpu as usize].repartitioning = false;
        let tagged = u64::from(node.0) << 8 | 0xfb;
        self.fingerprint.event(self.now, super::tag::NODE, tagged);
        self.wake_unschedulable_for_node(node);
    }
}

/// What a pod holds of some GPUs.
fn held_by(gpus: &[GpuSeen], pod: PodId) -> impl Iterator<Item = Held> {
    let holds = gpus.iter().flat_map(|gpu| &gpu.holds);
    holds.filter(move |hold| hold.pod == pod).map(|hold| hold.held)
}

/// Instances of these profiles on an empty GPU, where GPUs are cut on demand and the instances fit.
fn cut(sharing: &Sharing, profiles: &[Arc<str>]) -> Option<Vec<contract::MigInstance>> {
    let Sharing::Mig { board, dynamic: true, .. } = sharing else { return None };
    let places: Option<Vec<_>> = profiles.iter().map(|name| board.profile(name)).collect();
    mig::layout(board, &places?)
}
