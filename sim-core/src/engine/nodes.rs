//! A node's life: requested, launched, booted, registered, accelerator, ready, draining, gone.

use super::pods::PodRef;
use super::{Engine, Event, PipeKind, tag};
use crate::fleet::{Order, WeightsId};
use crate::queue::Class;
use contract::{Instant, Micros, NodeId, NodeStage, PoolId};

impl Engine<'_> {
    /// Asks the cloud for a node.
    pub(super) fn request_node(&mut self, pool: PoolId, zone: Option<usize>) {
        let now = self.now;
        let node = self.fleet.request(now, pool, zone);
        let place = self.fleet.place(node).expect("just requested");
        if !self.fleet.state[place].awaits_stock {
            self.launch(place);
        }
        if self.fleet.state[place].luck.resumes {
            self.resume(place, pool);
        }
        self.fingerprint.event(now, tag::NODE, u64::from(node.0) << 8);
        self.update_causes();
    }

    /// The cloud takes an order on.
    fn launch(&mut self, place: usize) {
        let node = self.fleet.seen[place].id;
        let luck = &self.fleet.state[place].luck;
        let event = match luck.failure {
            Some(_) => Event::LaunchFails(node),
            None => Event::NodeReaches(node, NodeStage::Booting),
        };
        self.queue.push(self.now + luck.launch, Class::Stage, event);
    }

    /// A node is gone.
    fn remove_node(&mut self, place: usize) {
        let pool = self.fleet.seen[place].pool;
        self.fleet.remove(self.now, place);
        self.serve_waiting(pool);
    }

    /// What a node left to the cloud goes to those that wait for it.
    fn serve_waiting(&mut self, pool: PoolId) {
        while let Some(place) = self.fleet.end_of_wait(pool) {
            self.launch(place);
        }
    }

    /// A node resumes from standby, with what was put on it; another is prepared in its place.
    fn resume(&mut self, place: usize, pool: PoolId) {
        let keeps_memory = self.fleet.standby_keeps_memory(pool);
        for (service, shape) in self.shapes_for(pool) {
            let image = self.image_of(service, shape);
            self.fleet.state[place].hold_image(image);
            if keeps_memory {
                self.fleet.state[place].hold_weights(WeightsId(service, shape));
            }
        }
        if let Some(Order { launch, prepare }) = self.fleet.order_standby(pool) {
            self.queue.push(self.now + launch, Class::Stage, Event::StandbyLaunched(pool, prepare));
        }
    }

    /// An instance that is to stand by is up, and is prepared.
    pub(super) fn standby_launched(&mut self, pool: PoolId, prepare: Micros) {
        self.fleet.standby_launched(self.now, pool);
        self.queue.push(self.now + prepare, Class::Stage, Event::StandbyPrepared(pool));
    }

    /// The launch came to nothing: stock-out or a broken instance.
    pub(super) fn launch_fails(&mut self, node: NodeId) {
        let Some(place) = self.fleet.place(node) else { return };
        if let Some(kind) = self.fleet.state[place].luck.failure {
            let pool = self.fleet.seen[place].pool;
            self.fleet.fail(self.now, place, kind);
            self.serve_waiting(pool);
            self.fingerprint.event(self.now, tag::NODE, u64::from(node.0) << 8 | 0xfe);
            self.update_causes();
        }
    }

    /// A node reaches the next stage of its start.
    pub(super) fn node_reaches(&mut self, node: NodeId, stage: NodeStage) {
        let Some(place) = self.fleet.place(node) else { return };
        if self.fleet.seen[place].stage >= stage {
            return;
        }
        let now = self.now;
        self.fleet.enter(place, now, stage);
        self.fingerprint.event(now, tag::NODE, u64::from(node.0) << 8 | stage as u64);
        let luck = &self.fleet.state[place].luck;
        let next = match stage {
            NodeStage::Booting => Some((NodeStage::Registering, luck.boot)),
            NodeStage::Registering => Some((NodeStage::AcceleratorStarting, luck.register)),
            NodeStage::AcceleratorStarting if !luck.accelerator_fails => {
                Some((NodeStage::Ready, luck.accelerator))
            }
            _ => None,
        };
        if stage == NodeStage::Booting
            && let Some(life) = luck.spot_life
        {
            self.queue.push(now + life, Class::Stage, Event::ReclaimNotice(node));
        }
        if let Some((next, wait)) = next {
            self.queue.push(now + wait, Class::Stage, Event::NodeReaches(node, next));
        }
        self.update_causes();
        if stage >= NodeStage::AcceleratorStarting {
            self.show_scheduler(place);
            self.wake_unschedulable_for_node(node);
        }
    }

    /// A node that was there before the run began.
    pub(super) fn initial_node(&mut self, pool: PoolId) {
        let node = self.fleet.initial(pool);
        let place = self.fleet.place(node).expect("just made");
        self.show_scheduler(place);
        if let Some(life) = self.fleet.state[place].luck.spot_life {
            self.queue.push(Instant::ZERO + life, Class::Stage, Event::ReclaimNotice(node));
        }
    }

    /// The scheduler learns of a node that registered, and of its accelerator when that is ready.
    fn show_scheduler(&mut self, place: usize) {
        let node = &self.fleet.seen[place];
        let cluster = &mut self.scheduler.cluster;
        if !cluster.has_node(node.id) {
            let shape = self.fleet.shape_of(node);
            cluster.add_node(node.id, &shape, Some(&node.zone));
            cluster.cordon(node.id, node.cordoned);
            self.tell_images(place);
        }
        let node = &self.fleet.seen[place];
        let is_ready = node.stage == NodeStage::Ready;
        self.scheduler.cluster.set_accelerator_ready(node.id, is_ready);
    }

    pub(super) fn set_cordoned(&mut self, place: usize, cordoned: bool) {
        let node = &mut self.fleet.seen[place];
        node.cordoned = cordoned;
        if self.scheduler.cluster.has_node(node.id) {
            self.scheduler.cluster.cordon(node.id, cordoned);
        }
    }

    /// Has new pods go elsewhere if they can, or no longer.
    pub(super) fn taint_softly(&mut self, node: NodeId, tainted: bool) {
        let Some(place) = self.fleet.place(node) else { return };
        let is_news = self.fleet.seen[place].softly_tainted != tainted;
        if is_news && self.fleet.seen[place].stage <= NodeStage::Ready {
            self.fleet.seen[place].softly_tainted = tainted;
            self.show_shape(place);
        }
    }

    /// The scheduler learns of a soft taint that was put on a node or taken off.
    fn show_shape(&mut self, place: usize) {
        let node = &self.fleet.seen[place];
        if self.scheduler.cluster.has_node(node.id) {
            let shape = self.fleet.shape_of(node);
            self.scheduler.cluster.reshape(node.id, &shape);
        }
    }

    /// Keeps new pods off a node, or lets them on again.
    pub(super) fn cordon(&mut self, node: NodeId, cordoned: bool) {
        let Some(place) = self.fleet.place(node) else { return };
        if self.fleet.seen[place].stage <= NodeStage::Ready {
            self.set_cordoned(place, cordoned);
            if !cordoned {
                self.wake_unschedulable_for_node(node);
            }
        }
    }

    /// Deletes a node at once; its pods lose what they were doing.
    pub(super) fn delete(&mut self, node: NodeId) {
        let Some(place) = self.fleet.place(node) else { return };
        if self.fleet.seen[place].stage == NodeStage::Terminating {
            return;
        }
        self.set_cordoned(place, true);
        self.fleet.give_back(place);
        self.terminate_node(place);
        self.reconcile_all();
    }

    /// The pods on a node, oldest first.
    pub(super) fn pods_on(&self, place: usize) -> Vec<PodRef> {
        let pods = self.fleet.seen[place].pods.iter();
        pods.filter_map(|pod| self.pod_ref(pod.owner, pod.id)).collect()
    }

    /// Shuts an instance down, with whatever still runs on it.
    pub(super) fn terminate_node(&mut self, place: usize) {
        let node = self.fleet.seen[place].id;
        self.fingerprint.event(self.now, tag::NODE, u64::from(node.0) << 8 | 0xfc);
        if self.fleet.seen[place].stage == NodeStage::Requested {
            // A launch that was called back never becomes an instance.
            self.remove_node(place);
        } else {
            let wait = self.fleet.state[place].luck.terminate;
            self.queue.push(self.now + wait, Class::Stage, Event::NodeGone(node));
            // The stage first: from here on nothing terminates it a second time.
            self.fleet.enter(place, self.now, NodeStage::Terminating);
            let pods = self.pods_on(place);
            for &pod in &pods {
                self.leave_gateway(pod);
            }
            for pod in pods {
                self.remove_pod(pod);
            }
            if self.scheduler.cluster.has_node(node) {
                self.scheduler.cluster.remove_node(node);
            }
        }
        self.update_causes();
    }

    /// The instance is gone.
    pub(super) fn node_gone(&mut self, node: NodeId) {
        if let Some(place) = self.fleet.place(node) {
            self.remove_node(place);
            self.fingerprint.event(self.now, tag::NODE, u64::from(node.0) << 8 | 0xff);
        }
    }

    /// The cloud wants a spot node back: it drains for as long as the notice lasts.
    pub(super) fn reclaim_notice(&mut self, node: NodeId) {
        let Some(place) = self.fleet.place(node) else { return };
        if self.fleet.seen[place].stage == NodeStage::Terminating {
            return;
        }
        self.fleet.count_reclaim();
        let pool = self.fleet.seen[place].pool.index();
        let notice = self.fleet.specs[pool].spot.as_ref().map_or(Micros::ZERO, |spot| spot.notice);
        self.queue.push(self.now + notice, Class::Stage, Event::Reclaim(node));
        self.drain(node);
    }

    /// The cloud takes a spot node, whatever still runs on it; it does not wait for a shutdown.
    pub(super) fn reclaim(&mut self, node: NodeId) {
        self.delete(node);
        self.node_gone(node);
    }

    /// Asks to be told when the next transfer on a pipe completes.
    pub(super) fn watch_pipe(&mut self, place: usize, kind: PipeKind) {
        let state = &mut self.fleet.state[place];
        let pipe = match kind {
            PipeKind::Pull => &mut state.pulls,
            PipeKind::Load => &mut state.loads,
        };
        if let Some((at, generation)) = pipe.next() {
            let node = self.fleet.seen[place].id;
            let event = Event::PipeDone(node, kind, generation);
            self.queue.push(at.max(self.now), Class::Stage, event);
        }
    }

    /// A transfer may be complete.
    pub(super) fn pipe_done(&mut self, node: NodeId, kind: PipeKind, generation: u32) {
        let Some(place) = self.fleet.place(node) else { return };
        let state = &mut self.fleet.state[place];
        let pipe = match kind {
            PipeKind::Pull => &mut state.pulls,
            PipeKind::Load => &mut state.loads,
        };
        if !pipe.is_current(generation) {
            return;
        }
        for pod in pipe.finished(self.now) {
            match kind {
                PipeKind::Pull => self.image_pulled(place, pod),
                PipeKind::Load => self.weights_loaded(place, pod),
            }
        }
        self.watch_pipe(place, kind);
    }
}
