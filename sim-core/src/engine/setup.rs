//! The state at time zero: initial nodes, initial replicas, the first event of every loop.

use super::enqueue::Enqueue;
use super::jobs::pull_job;
use super::{Controller, Engine, Event, RunError, Scheduler, Tally, id, pull};
use crate::fingerprint::Fingerprint;
use crate::fleet::Fleet;
use crate::job::{ClassBooks, JobClass, Quotas};
use crate::metrics::Scrapes;
use crate::queue::{Class, EventQueue};
use crate::recorder::Recorder;
use crate::service::{CauseTrack, Gateway, Patience, Requests, Room, Score, Service, Stages};
use crate::source::{ArrivalSource, JobSource, Sources};
use crate::spec::{GangScheduling, JobClassSpec, RunSpec, ServiceSpec};
use crate::wakes::Wakes;
use contract::{
    Counts, Instant, Micros, NodeShape, Plan, PodSpec, Pods, Policy, PoolId, ServiceId, ServiceSeen,
};
use placement::device::fit_fresh;
use placement::fits_fresh;
use std::collections::{BTreeMap, VecDeque};

impl<'a> Engine<'a> {
    pub(super) fn new(
        spec: RunSpec,
        sources: Sources,
        controllers: Vec<Box<dyn Policy>>,
        recorder: &'a mut dyn Recorder,
    ) -> Result<Self, RunError> {
        assert_eq!(spec.services.len(), sources.requests.len(), "one source a service");
        assert_eq!(spec.batch.classes.len(), sources.jobs.len(), "one source a class of jobs");
        check_paces(&spec, &controllers);
        let horizon = Instant::ZERO + spec.horizon;
        let mut services = Vec::new();
        let mut services_seen = Vec::new();
        for ((place, service), source) in spec.services.iter().enumerate().zip(sources.requests) {
            services_seen.push(service_seen(place, service));
            services.push(make_service(&spec, place, service, source, horizon)?);
        }
        let classes = spec.batch.classes.iter().zip(sources.jobs);
        let job_classes = classes
            .map(|(class, source)| make_class(class, source, horizon))
            .collect::<Result<_, _>>()?;
        let by_path = || spec.metrics.paths.iter().map(|_| Scrapes::default()).collect();
        let service_scrapes = services.iter().map(|_| by_path()).collect();
        let scrapes_under_way = spec.metrics.paths.iter().map(|_| VecDeque::new()).collect();
        let controller = |policy| Controller {
            policy,
            generation: 0,
            next: Instant::FAR,
            last: None,
            acted: false,
        };
        let tally = |service: &ServiceSpec| Tally::new(service.initial);
        Ok(Self {
            fleet: Fleet::new(spec.pools.clone(), spec.seed, horizon),
            tallies: spec.services.iter().map(tally).collect(),
            quotas: quotas(&spec),
            spec,
            now: Instant::ZERO,
            queue: EventQueue::default(),
            wakes: Wakes::default(),
            arrivals: Wakes::default(),
            timeouts: Wakes::default(),
            services,
            services_seen,
            scrapes_under_way,
            service_scrapes,
            pending: Vec::new(),
            scheduler: Scheduler::default(),
            pods: Vec::new(),
            free_slots: Vec::new(),
            jobs: Vec::new(),
            job_classes,
            enqueue: Enqueue::default(),
            provisioning: Vec::new(),
            servers: Vec::new(),
            made_pods: 0,
            controllers: controllers.into_iter().map(controller).collect(),
            recorder,
            plan: Plan::default(),
            fingerprint: Fingerprint::default(),
            timeline: Vec::new(),
            happened: Vec::new(),
            unplaced: Vec::new(),
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
                let pod = self.make_replica(service, 0);
                if !self.place_initial(pod) {
                    self.enqueue(pod);
                }
            }
            let next = self.services[place].next.map_or(Instant::FAR, |next| next.at);
            self.arrivals.set(id(place), next);
            self.book_first_service_scrapes(service);
        }
        self.book_first_jobs();
        self.update_causes();
        self.book_first_turns();
        let flush = self.spec.control.queue.flush_interval;
        self.queue.push(Instant::ZERO + flush, Class::Stage, Event::Flush);
        self.book_bin();
        let horizon = Instant::ZERO + self.spec.horizon;
        self.queue.push(horizon, Class::Bookkeeping, Event::Horizon);
    }
}

fn service_seen(place: usize, spec: &ServiceSpec) -> ServiceSeen {
    ServiceSeen {
        id: ServiceId(id(place)),
        name: spec.name.clone(),
        spec: spec.pod.clone(),
        replicas_wanted: spec.initial,
        replicas: Counts::default(),
        disruption_budget: spec.disruption_budget,
        samples: Vec::new(),
        pods: Pods::default(),
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
        patience: Patience::default(),
        pausing: 0,
        earlier_waits: BTreeMap::new(),
        causes: CauseTrack::default(),
        score: Score::new(id(place), spec.slo),
        work_luck: run.seed.stream("service-time", entity),
        replicas: spec.initial,
        actuations: 0,
        pods_made: 0,
        slots: Vec::new(),
        stages: Stages::default(),
        rooms: spec.shapes().map(|shape| room(run, shape.pod)).collect(),
    };
    service.next = pull(&mut service, horizon, Instant::ZERO)?;
    Ok(service)
}

fn room(run: &RunSpec, pod: &PodSpec) -> Room {
    let pools = run.pools.iter().map(|pool| could_hold(pod, &pool.shape)).collect();
    Room { pools, may_be: true }
}

/// The queues, if it is Kueue that looks at them.
fn quotas(spec: &RunSpec) -> Quotas {
    match spec.batch.gangs {
        GangScheduling::Kueue => Quotas::new(&spec.batch.kueue),
        GangScheduling::Off | GangScheduling::Core | GangScheduling::Volcano => Quotas::default(),
    }
}

/// Whether an empty node of this shape has room for the pod, its GPUs included.
fn could_hold(pod: &PodSpec, shape: &NodeShape) -> bool {
    fits_fresh(pod, shape).is_ok() && fit_fresh(pod, shape).is_ok()
}

fn make_class(
    spec: &JobClassSpec,
    source: Box<dyn JobSource>,
    horizon: Instant,
) -> Result<JobClass, RunError> {
    let spec = spec.clone();
    let mut class = JobClass { spec, source, next: None, books: ClassBooks::default() };
    class.next = pull_job(&mut class, horizon, Instant::ZERO)?;
    Ok(class)
}

/// What recurs without a pause would stop the clock.
fn check_paces(spec: &RunSpec, controllers: &[Box<dyn Policy>]) {
    assert!(spec.bin > Micros::ZERO, "bins of the timeline have a width");
    assert!(!spec.metrics.paths.is_empty(), "metrics take some path");
    for path in &spec.metrics.paths {
        assert!(path.scrape_interval > Micros::ZERO, "time passes between scrapes");
    }
    assert!(spec.control.queue.flush_interval > Micros::ZERO, "time passes between flushes");
    for checkpoint in spec.batch.classes.iter().filter_map(|class| class.checkpoint.as_ref()) {
        assert!(checkpoint.interval > Micros::ZERO, "time passes between checkpoints");
    }
    for policy in controllers {
        let every = policy.cadence().every;
        assert!(every > Micros::ZERO, "time passes between turns of {}", policy.name());
    }
}
