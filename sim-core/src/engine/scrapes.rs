//! The metrics pipeline at work: exporters are scraped, policies see what has reached them.

use super::pods::PodRef;
use super::{Engine, Event, pod_place};
use crate::fleet::scaled;
use crate::metrics::{NOT_MEASURED, POD_METRICS, SERVICE_METRICS, Scrapes, Values, WIDTH};
use crate::metrics::{hide, read_paths, scrape_number};
use crate::queue::Class;
use crate::server::{LlmGauges, Server};
use crate::service::Totals;
use crate::spec::ServiceExporter;
use contract::{Instant, Metric, Micros, ServiceId};

impl Engine<'_> {
    /// A replica became ready: its exporter is scraped from now on, at a phase of its own.
    pub(super) fn first_scrape(&mut self, pod: PodRef) {
        let now = self.now;
        let paths = &self.spec.metrics.paths;
        let made = self.pods[pod.slot as usize].as_mut().expect("the pod that became ready");
        made.scrapes.resize_with(paths.len(), Scrapes::default);
        for ((path, number), scrapes) in paths.iter().zip(0..).zip(&mut made.scrapes) {
            scrapes.counted_at = Some(now);
            let first = now + scaled(path.scrape_interval, made.scrape_phase);
            self.queue.push(first, Class::Scrape, Event::ScrapePod(pod, number));
        }
    }

    /// The run begins: gateways are scraped from now on.
    pub(super) fn book_first_service_scrapes(&mut self, service: ServiceId) {
        let mut luck = self.spec.seed.stream("service-scrape-phase", u64::from(service.0));
        let phase = luck.unit();
        for (path, number) in self.spec.metrics.paths.iter().zip(0..) {
            let first = self.now + scaled(path.scrape_interval, phase);
            self.queue.push(first, Class::Scrape, Event::ScrapeService(service, number));
        }
    }

    /// Reads a replica's exporter on one of the paths.
    pub(super) fn scrape_pod(&mut self, pod: PodRef, number: u8) {
        let now = self.now;
        let Some(server) = self.servers[pod.slot as usize].as_ref() else { return };
        let Some(found) = self.pods[pod.slot as usize].as_mut().filter(|found| found.id == pod.id)
        else {
            return;
        };
        let metrics = &self.spec.metrics;
        let path = &metrics.paths[usize::from(number)];
        let scrapes = &mut found.scrapes[usize::from(number)];
        let (running, waiting) = (f64::from(server.running()), f64::from(server.waiting()));
        let busy = server.busy(now);
        let elapsed = now.since(scrapes.counted_at.expect("counts since it became ready"));
        let share = if elapsed == Micros::ZERO {
            NOT_MEASURED
        } else {
            ((busy - scrapes.busy_before).as_secs_f64() / elapsed.as_secs_f64()).min(1.0)
        };
        let [kv_tokens, kv_capacity, waiting_prompt, step_time, step_prompt, step_kv] =
            llm_values(server, now);
        let mut values = [
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
        let scrape = scrape_number(found.uid, scrapes.count, number);
        let luck = (self.spec.seed, "missed-pod-scrape", scrape);
        let hidden = hide(metrics, luck, now, &POD_METRICS, &mut values);
        scrapes.push(now, values, path);
        if !hidden(Metric::Busy) {
            scrapes.busy_before = busy;
            scrapes.counted_at = Some(now);
        }
        if !self.controllers.is_empty() {
            self.scrapes_under_way[usize::from(number)].push_back((now, pod));
        }
        let tagged = u64::from(number) << 32 | u64::from(pod.slot);
        self.fingerprint.event(now, super::tag::SCRAPED, tagged);
        let next = now + path.scrape_interval;
        self.queue.push(next, Class::Scrape, Event::ScrapePod(pod, number));
    }

    /// Reads what is said of a whole service, on one of the paths, and books the next time.
    pub(super) fn scrape_service(&mut self, service: ServiceId, number: u8) {
        self.read_service(service, number);
        let next = self.now + self.spec.metrics.paths[usize::from(number)].scrape_interval;
        self.queue.push(next, Class::Scrape, Event::ScrapeService(service, number));
    }

    /// Reads what is said of a whole service, on one of the paths.
    pub(super) fn read_service(&mut self, service: ServiceId, number: u8) {
        let (now, metrics) = (self.now, &self.spec.metrics);
        let path = &metrics.paths[usize::from(number)];
        let totals = self.services[service.index()].score.totals();
        let before = &self.service_scrapes[service.index()][usize::from(number)];
        let mut values = match metrics.service_exporter {
            ServiceExporter::Gateway => self.read_gateway(service, &totals, before),
            ServiceExporter::Replicas => self.read_replicas(service),
        };
        let scrape = scrape_number(u64::from(service.0) << 40, before.count, number);
        let luck = (self.spec.seed, "missed-service-scrape", scrape);
        let hidden = hide(metrics, luck, now, &SERVICE_METRICS, &mut values);
        let scrapes = &mut self.service_scrapes[service.index()][usize::from(number)];
        scrapes.push(now, values, path);
        if !hidden(Metric::ArrivalRate) {
            scrapes.totals_before = totals;
            scrapes.counted_at = Some(now);
        }
    }

    /// What a gateway exports.
    fn read_gateway(&self, service: ServiceId, totals: &Totals, before: &Scrapes) -> Values {
        let runtime = &self.services[service.index()];
        let held = f64::from(runtime.gateway.held());
        // A rate needs two scrapes, and so does a mean of what came between them.
        let [rate, prompt, output, ttft, tpot] =
            before.counted_at.map_or([NOT_MEASURED; 5], |last| {
                let between = totals.since(&before.totals_before);
                let attempts = between.attempts / self.now.since(last).as_secs_f64();
                let [prompt, output, ttft, tpot] = between.means();
                [attempts, prompt, output, ttft, tpot]
            });
        let inside = f64::from(runtime.score.inside() - runtime.pausing);
        let queue = held + f64::from(self.waiting_inside(service));
        let none = NOT_MEASURED;
        [held, queue, inside, rate, prompt, output, ttft, tpot, none, none, none]
    }

    /// What the replicas of a service export in all; nothing while there are none.
    fn read_replicas(&self, service: ServiceId) -> Values {
        let slots = self.services[service.index()].slots.iter();
        let mut found = [NOT_MEASURED; WIDTH];
        for server in slots.filter_map(|slot| self.servers[*slot as usize].as_ref()) {
            let (running, waiting) = (f64::from(server.running()), f64::from(server.waiting()));
            for (sum, value) in found[1..3].iter_mut().zip([waiting, running + waiting]) {
                // `max` takes the number where the other is none.
                *sum = sum.max(0.0) + value;
            }
        }
        found
    }

    /// Requests that wait inside the replicas of a service.
    pub(super) fn waiting_inside(&self, service: ServiceId) -> u32 {
        let slots = self.services[service.index()].slots.iter();
        let servers = slots.filter_map(|slot| self.servers[*slot as usize].as_ref());
        servers.map(Server::waiting).sum()
    }

    /// Brings the samples that policies see up to date: those of pods only where a scrape has arrived since the
    /// last time.
    pub(super) fn refresh_samples(&mut self) {
        let (now, spec) = (self.now, &self.spec.metrics);
        for (scrapes, seen) in self.service_scrapes.iter().zip(&mut self.services_seen) {
            read_paths(spec, now, &SERVICE_METRICS, scrapes, &mut seen.samples);
        }
        let mut news = Vec::new();
        for (path, under_way) in spec.paths.iter().zip(&mut self.scrapes_under_way) {
            let known_until = path.known_until(now);
            let reaches = |scrape: &mut (Instant, PodRef)| Some(scrape.0) <= known_until;
            news.extend(std::iter::from_fn(|| under_way.pop_front_if(reaches)).map(|(_, pod)| pod));
        }
        news.sort_unstable_by_key(|pod| (pod.slot, pod.id));
        news.dedup();
        for pod in news {
            self.refresh_samples_of(pod);
        }
    }

    /// Scrapes of a pod have reached the policies.
    fn refresh_samples_of(&mut self, pod: PodRef) {
        let Some(found) = self.pods[pod.slot as usize].as_ref().filter(|found| found.id == pod.id)
        else {
            return;
        };
        let Some(service) = found.owner.service() else { return };
        let seen = &mut self.services_seen[service.index()];
        let place = pod_place(seen, pod.id).expect("policies see every pod");
        let (now, spec) = (self.now, &self.spec.metrics);
        seen.pods.edit(place, |pod| {
            read_paths(spec, now, &POD_METRICS, &found.scrapes, &mut pod.samples);
        });
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
