//! The two ends of a run: setting everything up, and turning sums into figures.

use super::{Controller, Engine, Event, Outcome, RunError, Tally, id, pull};
use crate::fingerprint::Fingerprint;
use crate::fleet::Fleet;
use crate::metrics::Scrapes;
use crate::outcome::{FleetSummary, ReplicaSummary, RunSummary, ServiceSummary, TimelineRow};
use crate::queue::{Class, EventQueue};
use crate::recorder::Recorder;
use crate::service::{CauseTrack, Gateway, Requests, Score, Service};
use crate::source::ArrivalSource;
use crate::spec::{RunSpec, ServiceSpec};
use crate::wakes::Wakes;
use contract::{Counts, Instant, Micros, Plan, Policy, PoolId, ServiceId, ServiceSeen};
use std::collections::{BTreeMap, VecDeque};

impl<'a> Engine<'a> {
    pub(super) fn new(
        spec: RunSpec,
        sources: Vec<Box<dyn ArrivalSource>>,
        controllers: Vec<Box<dyn Policy>>,
        recorder: &'a mut dyn Recorder,
    ) -> Result<Self, RunError> {
        assert_eq!(spec.services.len(), sources.len(), "one source a service");
        let horizon = Instant::ZERO + spec.horizon;
        let mut services = Vec::new();
        let mut services_seen = Vec::new();
        for ((place, service), source) in spec.services.iter().enumerate().zip(sources) {
            services_seen.push(service_seen(place, service));
            services.push(make_service(&spec, place, service, source, horizon)?);
        }
        let count = services.len();
        let controller = |policy| Controller { policy, generation: 0 };
        Ok(Self {
            fleet: Fleet::new(spec.pools.clone(), spec.seed, horizon),
            spec,
            now: Instant::ZERO,
            queue: EventQueue::default(),
            wakes: Wakes::default(),
            services,
            services_seen,
            service_scrapes: (0..count).map(|_| Scrapes::default()).collect(),
            pending: Vec::new(),
            pods: Vec::new(),
            free_slots: Vec::new(),
            servers: Vec::new(),
            made_pods: 0,
            actuations: 0,
            controllers: controllers.into_iter().map(controller).collect(),
            recorder,
            plan: Plan::default(),
            fingerprint: Fingerprint::default(),
            timeline: Vec::new(),
            happened: Vec::new(),
            tallies: vec![Tally::default(); count],
            past_horizon: false,
        })
    }

    /// The state at time zero: initial nodes, initial replicas, the first event of every loop.
    pub(super) fn start(&mut self) {
        for pool in 0..self.fleet.specs.len() {
            for _ in 0..self.fleet.specs[pool].initial {
                self.initial_node(PoolId(id(pool)));
            }
        }
        for place in 0..self.services.len() {
            let service = ServiceId(id(place));
            for _ in 0..self.services[place].spec.initial {
                let pod = self.make_pod(service);
                if !self.place_initial(pod) {
                    self.enqueue(pod, Instant::ZERO);
                }
            }
            let interval = self.spec.metrics.scrape_interval;
            let mut luck = self.spec.seed.stream("service-scrape-phase", u64::from(service.0));
            let phase = Micros::from_secs_f64(luck.unit() * interval.as_secs_f64());
            self.queue.push(Instant::ZERO + phase, Class::Scrape, Event::ScrapeService(service));
        }
        self.book_first_turns();
        let flush = self.spec.control.flush_interval;
        self.queue.push(Instant::ZERO + flush, Class::Stage, Event::Flush);
        let bin = Instant::ZERO + self.spec.bin.min(self.spec.horizon);
        self.queue.push(bin, Class::Bookkeeping, Event::Bin);
        let horizon = Instant::ZERO + self.spec.horizon;
        self.queue.push(horizon, Class::Bookkeeping, Event::Horizon);
    }

    /// Closes a bin of the timeline and opens the next, up to the horizon.
    pub(super) fn close_bin(&mut self) {
        let now = self.now;
        for place in 0..self.services.len() {
            let waiting = self.waiting_inside(ServiceId(id(place)));
            let service = &mut self.services[place];
            let counts = self.services_seen[place].replicas;
            let row = TimelineRow {
                wanted: self.services_seen[place].replicas_wanted,
                ready: counts.ready,
                starting: counts.pending + counts.starting,
                queue: service.gateway.held() + waiting,
                inside: service.score.inside(),
                nodes: self.fleet.ledger.nodes_up(),
                nodes_starting: id(self.fleet.starting()),
                usd_per_hour: self.fleet.ledger.usd_per_hour(),
                ..service.score.close_bin(now)
            };
            self.timeline.push(row);
        }
        let horizon = Instant::ZERO + self.spec.horizon;
        if now < horizon {
            let next = (now + self.spec.bin).min(horizon);
            self.queue.push(next, Class::Bookkeeping, Event::Bin);
        }
    }

    /// Arrivals are over, the books close.
    pub(super) fn reach_horizon(&mut self) {
        let now = self.now;
        for place in 0..self.pods.len() {
            if let (Some(pod), Some(server)) = (&self.pods[place], &self.servers[place]) {
                let gpus = self.services[pod.service.index()].spec.pod.requests.gpus;
                self.fleet.ledger.useful(server.busy(now), gpus);
            }
        }
        self.fleet.close_books(now);
        for (tally, seen) in self.tallies.iter_mut().zip(&self.services_seen) {
            let ready = seen.replicas.ready;
            tally.ready_integral += u128::from(now.since(tally.ready_since).0) * u128::from(ready);
            tally.ready_since = Instant::FAR;
        }
        self.past_horizon = true;
    }

    /// Figures.
    pub(super) fn finish(mut self) -> Outcome {
        self.end_all_unfinished();
        let length = self.spec.horizon;
        let seed = self.spec.seed;
        let tokens: u64 = self
            .services
            .iter()
            .map(|service| service.score.tokens())
            .map(|tokens| tokens.prompt + tokens.output)
            .sum();
        let services = (0..self.services.len()).map(|place| self.service_summary(place)).collect();
        let summary = RunSummary {
            stack: String::new(),
            seed: seed.seed,
            run: seed.run,
            fingerprint: self.fingerprint.digest(),
            horizon: length,
            events: self.fingerprint.events(),
            services,
            cost: self.fleet.ledger.cost(length, tokens),
            gpu: self.fleet.ledger.gpu_hours(),
            fleet: FleetSummary {
                nodes_mean: self.fleet.ledger.nodes_mean(length),
                nodes_peak: self.fleet.ledger.nodes_peak(),
                launched: self.fleet.launched,
                launch_failures: self.fleet.launch_failures,
                reclaimed: self.fleet.reclaimed,
            },
        };
        let histograms = self.services.iter().map(|service| service.score.histograms()).collect();
        Outcome { summary, timeline: self.timeline, histograms }
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for reports")]
    fn service_summary(&self, place: usize) -> ServiceSummary {
        let service = &self.services[place];
        let score = &service.score;
        let tally = &self.tallies[place];
        let of_service = |slot: &usize| {
            self.pods[*slot].as_ref().is_some_and(|pod| pod.service.index() == place)
        };
        let alive = (0..self.pods.len()).filter(of_service);
        let preempted: u64 = alive
            .filter_map(|slot| self.servers[slot].as_ref())
            .map(super::Server::preemptions)
            .sum();
        let mut requests = score.counts;
        requests.preemptions = tally.preemptions + preempted;
        let [ttft, tpot, e2e] = score.latencies();
        let share = |part: u64, whole: u64| {
            if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
        };
        let length = self.spec.horizon.0.max(1) as f64;
        let starts = tally.starts.max(1) as f64;
        ServiceSummary {
            name: service.spec.name.to_string(),
            goodput_rps: requests.attained as f64 / (length / 1e6),
            attainment: share(requests.attained, requests.arrived),
            requests,
            ttft,
            tpot,
            e2e,
            tokens: score.tokens(),
            replicas: ReplicaSummary {
                ready_mean: tally.ready_integral as f64 / length,
                ready_peak: tally.ready_peak,
                wanted_peak: tally.wanted_peak,
                created: tally.created,
                start_mean_s: tally.start_sum as f64 / starts / 1e6,
                start_max_s: tally.start_max as f64 / 1e6,
            },
            blame: score.blames(),
            little: score.little(self.now.since(Instant::ZERO)),
        }
    }
}

fn service_seen(place: usize, spec: &ServiceSpec) -> ServiceSeen {
    ServiceSeen {
        id: ServiceId(id(place)),
        name: spec.name.clone(),
        spec: spec.pod.clone(),
        replicas_wanted: spec.initial,
        replicas: Counts::default(),
        samples: Vec::new(),
        pods: Vec::new(),
    }
}

fn make_service(
    run: &RunSpec,
    place: usize,
    spec: &ServiceSpec,
    source: Box<dyn ArrivalSource>,
    horizon: Instant,
) -> Result<Service, RunError> {
    let entity = place as u64;
    let luck = run.seed.stream("routing", entity);
    let mut service = Service {
        gateway: Gateway::new(spec.gateway.routing, spec.gateway.routing_scrape, luck),
        spec: spec.clone(),
        source,
        next: None,
        requests: Requests::default(),
        timeouts: VecDeque::new(),
        earlier_waits: BTreeMap::new(),
        causes: CauseTrack::default(),
        score: Score::new(id(place), spec.slo),
        service_times: run.seed.stream("service-time", entity),
        pods_made: 0,
        arrived_at_last_scrape: 0,
        last_scrape: Instant::ZERO,
    };
    service.next = pull(&mut service, horizon, Instant::ZERO)?;
    Ok(service)
}
