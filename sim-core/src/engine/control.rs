//! Control loops: policy turns, and what policies ask for.

use super::{CHECKED, Controller, Engine, Event, id};
use crate::queue::Class;
use crate::spec::ServiceExporter;
use contract::{Action, Instant, Metric, Observation, Plan, PoolId, ServiceId};

impl Engine<'_> {
    /// Asks one policy, and carries out what it asks for.
    pub(super) fn turn(&mut self, controller: u32, generation: u32) {
        if self.controllers[controller as usize].generation != generation {
            return;
        }
        self.refresh_samples();
        if CHECKED {
            self.fleet.check();
        }
        let mut plan = std::mem::take(&mut self.plan);
        plan.clear();
        let seen = Observation {
            now: self.now,
            services: &self.services_seen,
            pending: &self.pending,
            nodes: &self.fleet.seen,
            pools: &self.fleet.pools,
            provisioning: &self.provisioning,
        };
        let policy = &mut self.controllers[controller as usize].policy;
        policy.decide(&seen, &mut plan);
        self.recorder.turn(policy.name(), &seen, &plan);
        let cadence = policy.cadence();
        let acted = self.carry_out(&plan);
        self.plan = plan;
        let entry = &mut self.controllers[controller as usize];
        entry.last = Some(self.now);
        // Two turns follow at once on one that acted: Cluster Autoscaler looks at the loop before the last one.
        let acted_before = std::mem::replace(&mut entry.acted, acted);
        let soon = (acted || acted_before) && cadence.on_unschedulable;
        let wait = if soon { cadence.gap.min(cadence.every) } else { cadence.every };
        self.book_turn(controller, self.now + wait);
    }

    fn book_turn(&mut self, controller: u32, at: Instant) {
        let entry = &mut self.controllers[controller as usize];
        entry.generation += 1;
        entry.next = at;
        let generation = entry.generation;
        self.queue.push(at, Class::Turn, Event::Turn { controller, generation });
    }

    /// First turns, one a controller.
    pub(super) fn book_first_turns(&mut self) {
        for place in 0..self.controllers.len() {
            let first = self.controllers[place].policy.cadence().first;
            self.book_turn(id(place), Instant::ZERO + first);
        }
    }

    /// A pod became unschedulable: controllers that wait for that are asked as soon as their loop is free.
    pub(super) fn wake_controllers(&mut self) {
        for place in 0..self.controllers.len() {
            let controller = &self.controllers[place];
            let cadence = controller.policy.cadence();
            let free = controller.last.map_or(Instant::ZERO, |last| last + cadence.gap);
            let at = free.max(self.now);
            if cadence.on_unschedulable && at < controller.next {
                self.book_turn(id(place), at);
            }
        }
    }

    /// The gateway holds the first request of a service that is to have no replicas: controllers that wait for
    /// that are asked as soon as they can know. The gateway reports it at once, not at its next scrape.
    pub(super) fn poke_controllers(&mut self, service: ServiceId) {
        let waits = |controller: &Controller| controller.policy.cadence().on_held_at_zero;
        let is_exported = self.spec.metrics.service_exporter == ServiceExporter::Gateway;
        if !is_exported || !self.controllers.iter().any(waits) {
            return;
        }
        let number = self.spec.metrics.path_of(Metric::InFlight);
        self.read_service(service, u8::try_from(number).expect("few paths"));
        let at = self.now + self.spec.metrics.paths[number].delay;
        for place in 0..self.controllers.len() {
            if waits(&self.controllers[place]) && at < self.controllers[place].next {
                self.book_turn(id(place), at);
            }
        }
    }

    /// Carries out a plan; true if anything was asked for.
    fn carry_out(&mut self, plan: &Plan) -> bool {
        let mut acted = false;
        for decision in plan.decisions() {
            let Some(action) = &decision.action else { continue };
            // A soft taint is no reason to look again at once.
            acted |= !matches!(action, Action::TaintSoftly { .. } | Action::UntaintSoftly { .. });
            self.fingerprint.text(self.now, &action.to_string());
            match *action {
                Action::AddNodesIn { pool, ref zone, count } => {
                    self.add_nodes_in(pool, zone, count);
                }
                Action::SetReplicas { service, replicas } => self.set_replicas(service, replicas),
                Action::AddNodes { pool, count } => self.add_nodes(pool, None, count),
                Action::Cordon { node } => self.cordon(node, true),
                Action::Uncordon { node } => self.let_pods_on(node),
                Action::TaintSoftly { node } => self.taint_softly(node, true),
                Action::UntaintSoftly { node } => self.taint_softly(node, false),
                Action::Drain { node } => self.drain(node),
                Action::Retire { node, after } => self.retire(node, after),
                Action::Delete { node } => self.delete(node),
                Action::Repartition { node, gpu, ref profiles } => {
                    self.repartition(node, gpu, profiles);
                }
                Action::AnswerProvisioning { job, answer } => {
                    self.answer_provisioning(job, answer, &decision.reason.to_string());
                }
                _ => unreachable!("the engine carries out every action of the contract"),
            }
        }
        acted
    }

    fn set_replicas(&mut self, service: ServiceId, replicas: u32) {
        let place = service.index();
        let seen = &mut self.services_seen[place];
        let before = std::mem::replace(&mut seen.replicas_wanted, replicas);
        self.tallies[place].wanted(replicas);
        let runtime = &mut self.services[place];
        if replicas > before {
            let newest = seen.samples.iter().map(|sample| sample.at).max().unwrap_or(self.now);
            runtime.causes.decided(newest, self.now);
        }
        let entity = u64::from(service.0) << 40 | runtime.actuations;
        runtime.actuations += 1;
        let mut luck = self.spec.seed.stream("actuation", entity);
        let wait = self.spec.control.actuation.draw(&mut luck);
        self.queue.push(self.now + wait, Class::Stage, Event::Reconcile(service));
        self.update_cause(service);
    }

    /// Asks for nodes, never past the pool's maximum.
    fn add_nodes(&mut self, pool: PoolId, zone: Option<usize>, count: u32) {
        let seen = &self.fleet.pools[pool.index()];
        let room = seen.max.saturating_sub(seen.target);
        for _ in 0..count.min(room) {
            self.request_node(pool, zone);
        }
    }

    /// The same in one of the pool's zones.
    fn add_nodes_in(&mut self, pool: PoolId, zone: &str, count: u32) {
        let zones = &self.fleet.specs[pool.index()].zones;
        let place = zones.iter().position(|known| &*known.name == zone);
        assert!(place.is_some(), "policies ask for zones that the pool has");
        self.add_nodes(pool, place, count);
    }
}
