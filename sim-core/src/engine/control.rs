//! Control loops: scrapes, policy turns, and what policies ask for.

use super::pods::PodRef;
use super::{CHECKED, Engine, Event, id, pod_place};
use crate::fleet::scaled;
use crate::metrics::{NOT_MEASURED, POD_METRICS, SERVICE_METRICS};
use crate::queue::Class;
use crate::server::{LlmGauges, Server};
use contract::{Action, Instant, Micros, Observation, Plan, PoolId, ServiceId};

/// A loop that waits for unschedulable pods looks again this much later when one turns up, or when it has just
/// acted: the time that one iteration of a real loop takes at least (Cluster Autoscaler logs show about a second).
const LOOP_GAP: Micros = Micros::from_secs(1);

impl Engine<'_> {
    /// A replica became ready: its exporter is scraped from now on, at a phase of its own.
    pub(super) fn first_scrape(&mut self, pod: PodRef) {
        let (now, interval) = (self.now, self.spec.metrics.scrape_interval);
        let made = self.pod_mut(pod).expect("the pod that became ready");
        made.scrapes.last = now;
        let first = now + scaled(interval, made.scrape_phase);
        self.queue.push(first, Class::Scrape, Event::ScrapePod(pod));
    }

    /// The run begins: gateways are scraped from now on.
    pub(super) fn book_first_service_scrape(&mut self, service: ServiceId) {
        let mut luck = self.spec.seed.stream("service-scrape-phase", u64::from(service.0));
        let phase = scaled(self.spec.metrics.scrape_interval, luck.unit());
        self.queue.push(self.now + phase, Class::Scrape, Event::ScrapeService(service));
    }

    /// Reads a replica's exporter.
    pub(super) fn scrape_pod(&mut self, pod: PodRef) {
        let now = self.now;
        let Some(server) = self.servers[pod.slot as usize].as_ref() else { return };
        let Some(found) = self.pods[pod.slot as usize].as_mut().filter(|found| found.id == pod.id)
        else {
            return;
        };
        let (running, waiting) = (f64::from(server.running()), f64::from(server.waiting()));
        let busy = server.busy(now);
        let elapsed = now.since(found.scrapes.last);
        let share = if elapsed == Micros::ZERO {
            NOT_MEASURED
        } else {
            ((busy - found.scrapes.busy_before).as_secs_f64() / elapsed.as_secs_f64()).min(1.0)
        };
        let [kv_tokens, kv_capacity, waiting_prompt, step_time, step_prompt, step_kv] =
            llm_values(server, now);
        let values = [
            running + waiting,
            running,
            waiting,
            server.kv_use(now),
            share,
            kv_tokens,
            kv_capacity,
            waiting_prompt,
            step_time,
            step_prompt,
            step_kv,
        ];
        found.scrapes.push(now, values, &self.spec.metrics);
        found.scrapes.busy_before = busy;
        if !self.controllers.is_empty() {
            self.scrapes_under_way.push_back((now, pod));
        }
        self.fingerprint.event(now, super::tag::SCRAPED, u64::from(pod.slot));
        let interval = self.spec.metrics.scrape_interval;
        self.queue.push(now + interval, Class::Scrape, Event::ScrapePod(pod));
    }

    /// Reads a gateway's exporter.
    pub(super) fn scrape_service(&mut self, service: ServiceId) {
        let now = self.now;
        let waiting = self.waiting_inside(service);
        let runtime = &mut self.services[service.index()];
        let held = f64::from(runtime.gateway.held());
        let totals = runtime.score.totals();
        // A rate needs two scrapes, and so does a mean of what came between them.
        let since = runtime.last_scrape.replace((now, totals));
        let [rate, prompt, output, ttft, tpot] =
            since.map_or([NOT_MEASURED; 5], |(last, before)| {
                let between = totals.since(&before);
                let attempts = between.attempts / now.since(last).as_secs_f64();
                let [prompt, output, ttft, tpot] = between.means();
                [attempts, prompt, output, ttft, tpot]
            });
        let inside = f64::from(runtime.score.inside() - runtime.pausing);
        let queue = held + f64::from(waiting);
        let none = NOT_MEASURED;
        let values = [held, queue, inside, rate, prompt, output, ttft, tpot, none, none, none];
        self.service_scrapes[service.index()].push(now, values, &self.spec.metrics);
        let interval = self.spec.metrics.scrape_interval;
        self.queue.push(now + interval, Class::Scrape, Event::ScrapeService(service));
    }

    /// Requests that wait inside the replicas of a service.
    pub(super) fn waiting_inside(&self, service: ServiceId) -> u32 {
        let slots = self.services[service.index()].slots.iter();
        let servers = slots.filter_map(|slot| self.servers[*slot as usize].as_ref());
        servers.map(Server::waiting).sum()
    }

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
        };
        let policy = &mut self.controllers[controller as usize].policy;
        policy.decide(&seen, &mut plan);
        self.recorder.turn(policy.name(), &seen, &plan);
        let cadence = policy.cadence();
        self.controllers[controller as usize].last = Some(self.now);
        let acted = self.carry_out(&plan);
        self.plan = plan;
        let soon = acted && cadence.on_unschedulable;
        let wait = if soon { LOOP_GAP.min(cadence.every) } else { cadence.every };
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
            let free = controller.last.map_or(Instant::ZERO, |last| last + LOOP_GAP);
            let at = free.max(self.now);
            if controller.policy.cadence().on_unschedulable && at < controller.next {
                self.book_turn(id(place), at);
            }
        }
    }

    /// Brings the samples that policies see up to date: those of pods only where a scrape has arrived since the
    /// last time.
    fn refresh_samples(&mut self) {
        let (now, spec) = (self.now, &self.spec.metrics);
        for (scrapes, seen) in self.service_scrapes.iter_mut().zip(&mut self.services_seen) {
            scrapes.read(now, &SERVICE_METRICS, spec, &mut seen.samples);
        }
        let delay = spec.delay;
        let reaches = |scrape: &mut (Instant, PodRef)| scrape.0 + delay <= now;
        while let Some((taken, pod)) = self.scrapes_under_way.pop_front_if(reaches) {
            self.refresh_samples_of(pod, taken);
        }
    }

    /// A scrape of a pod has reached the policies, maybe together with newer ones.
    fn refresh_samples_of(&mut self, pod: PodRef, taken: Instant) {
        let found = self.pods[pod.slot as usize].as_mut().filter(|found| found.id == pod.id);
        let Some(found) = found.filter(|found| found.scrapes.seen < Some(taken)) else { return };
        let seen = &mut self.services_seen[found.service.index()];
        let place = pod_place(seen, pod.id).expect("policies see every pod");
        let (now, spec) = (self.now, &self.spec.metrics);
        seen.pods.edit(place, |pod| {
            found.scrapes.read(now, &POD_METRICS, spec, &mut pod.samples);
        });
    }

    /// Carries out a plan; true if anything was asked for.
    fn carry_out(&mut self, plan: &Plan) -> bool {
        let mut acted = false;
        for decision in plan.decisions() {
            let Some(action) = &decision.action else { continue };
            acted = true;
            self.fingerprint.text(self.now, &action.to_string());
            match *action {
                Action::SetReplicas { service, replicas } => self.set_replicas(service, replicas),
                Action::AddNodes { pool, count } => self.add_nodes(pool, count),
                Action::Cordon { node } => self.cordon(node, true),
                Action::Uncordon { node } => self.cordon(node, false),
                Action::Drain { node } => self.drain(node),
                Action::Delete { node } => self.delete(node),
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
    fn add_nodes(&mut self, pool: PoolId, count: u32) {
        let seen = &self.fleet.pools[pool.index()];
        let room = seen.max.saturating_sub(seen.target);
        for _ in 0..count.min(room) {
            self.request_node(pool);
        }
    }
}

/// The metrics of an LLM engine, in order; not measured of a plain server, and a step only where one is under way.
fn llm_values(server: &Server, now: Instant) -> [f64; 6] {
    let Some(gauges) = server.llm_gauges(now) else { return [NOT_MEASURED; 6] };
    let step = gauges.step.map_or([NOT_MEASURED; 3], |step| {
        #[expect(clippy::cast_precision_loss, reason = "token counts stay below 2^53")]
        let kv_tokens = step.kv_tokens as f64;
        [step.seconds, f64::from(step.prompt_tokens), kv_tokens]
    });
    let [time, prompt, kv] = step;
    let LlmGauges { kv_tokens, kv_capacity, waiting_prompt_tokens, .. } = gauges;
    [kv_tokens, kv_capacity, waiting_prompt_tokens, time, prompt, kv]
}
