//! The engine: takes what happens next, lets it happen, until nothing is left to happen.
//!
//! The parts by file: `setup` (time zero), `requests` and `clients` (through the gateway into a replica and
//! back), `pods`, `replicas` and `startup` (a replica's life), `scheduler` and `preemption`, `nodes` (a node's
//! life) and `drain`, `scrapes` (metrics), `jobs`, `gangs`, `enqueue` and `admission` (pods that work on one thing),
//! `provisioning` (room that is asked for before there are pods), `control` (policies, actions), `causes` (blame), `tally` and `finish` (figures).

mod admission;
mod causes;
mod clients;
mod control;
mod devices;
mod drain;
mod enqueue;
mod finish;
mod gangs;
mod jobs;
mod nodes;
mod pods;
mod preemption;
mod provisioning;
mod replicas;
mod requests;
mod scheduler;
mod scrapes;
mod setup;
mod startup;
mod tally;
mod unplaced;

use crate::fingerprint::Fingerprint;
use crate::fleet::Fleet;
use crate::job::{Job, JobClass, Quotas};
use crate::llm;
use crate::metrics::Scrapes;
use crate::outcome::{RunSummary, TimelineRow, Unplaced};
use crate::queue::{Class, EventQueue};
use crate::recorder::Recorder;
use crate::server::Server;
use crate::service::Service;
use crate::source::{Arrival, SourceError, Sources};
use crate::spec::RunSpec;
use crate::wakes::Wakes;
use contract::{
    Instant, JobId, Micros, NodeId, NodeStage, PendingPod, Plan, PodId, PodStage, Policy, PoolId,
    ProvisioningRequest, ServiceId, ServiceSeen,
};
use enqueue::Enqueue;
use pods::Pod;
pub(crate) use pods::PodRef;
use scheduler::Scheduler;
use std::collections::VecDeque;
use tally::Tally;

pub use crate::service::Histograms;

/// Why a run ended without an outcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A source of arrivals failed.
    #[error("service `{service}`: {cause}")]
    Source {
        /// Whose source.
        service: String,
        /// What it said.
        #[source]
        cause: SourceError,
    },
    /// A source went back in time.
    #[error(
        "service `{service}`: request arrives at {at}, before the one ahead of it ({previous})"
    )]
    OutOfOrder {
        /// Whose source.
        service: String,
        /// The late row's time.
        at: Instant,
        /// The time of the row before.
        previous: Instant,
    },
    /// A source of jobs failed.
    #[error("job `{job}`: {cause}")]
    JobSource {
        /// Whose source.
        job: String,
        /// What it said.
        #[source]
        cause: SourceError,
    },
    /// A source of jobs went back in time.
    #[error("job `{job}`: one is submitted at {at}, before the one ahead of it ({previous})")]
    JobOutOfOrder {
        /// Whose source.
        job: String,
        /// The late job's time.
        at: Instant,
        /// The time of the job before.
        previous: Instant,
    },
}

/// What a run gives back.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Figures. The name of the stack is empty: the engine does not know it.
    pub summary: RunSummary,
    /// One row a bin and service.
    pub timeline: Vec<TimelineRow>,
    /// By service.
    pub histograms: Vec<Histograms>,
}

/// Flies one run: a source for each service and each class of jobs, the controllers of one stack.
///
/// # Errors
/// When a source fails or goes back in time. Nothing of such a run is given back.
///
/// # Panics
/// When a checker finds a broken invariant, when `sources` does not match the services and the classes of jobs, or
/// when something in `spec` that must pass between two events is zero.
pub fn run(
    spec: RunSpec,
    sources: impl Into<Sources>,
    controllers: Vec<Box<dyn Policy>>,
    recorder: &mut dyn Recorder,
) -> Result<Outcome, RunError> {
    let mut engine = Engine::new(spec, sources.into(), controllers, recorder)?;
    engine.start();
    engine.fly()?;
    Ok(engine.finish())
}

/// Whether the costly checkers run: in every test, not in release builds.
const CHECKED: bool = cfg!(debug_assertions);

/// What can happen, save replica steps, arrivals and time-outs, which have queues of their own.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// Make the pods match `spec.replicas`.
    Reconcile(ServiceId),
    /// An attempt to place a pod is due.
    Schedule,
    /// Look again at pods that have been unschedulable for long.
    Flush,
    /// A timed stage of a pod is over.
    PodStageOver(PodRef, PodStage),
    /// A draining pod's grace is over.
    GraceOver(PodRef),
    /// A replica has fitted nowhere for as long as it keeps its shape.
    FallBack(PodRef),
    /// A transfer on a node may be complete.
    PipeDone(NodeId, PipeKind, u32),
    /// A node reaches a stage.
    NodeReaches(NodeId, NodeStage),
    /// A launch turns out to have failed.
    LaunchFails(NodeId),
    /// A node has been cordoned for long enough before it goes.
    RetireOver(NodeId),
    /// Evictions that were refused are tried again on a node that drains.
    EvictAgain(NodeId),
    /// An instance is gone.
    NodeGone(NodeId),
    /// An instance that is to stand by is up, and takes so long to be prepared.
    StandbyLaunched(PoolId, Micros),
    /// It is prepared and off.
    StandbyPrepared(PoolId),
    /// The cloud wants a spot node back.
    ReclaimNotice(NodeId),
    /// The cloud takes it.
    Reclaim(NodeId),
    /// One of a node's GPUs has been cut anew.
    Repartitioned(NodeId, u32),
    /// The next job of a class is submitted.
    JobArrives(u32),
    /// Kueue looks at its queues.
    Admission,
    /// A job's time to get its pods up is over, if this admission still stands.
    PodsReadyTimeout { job: JobId, admission: u64 },
    /// A job's next members are made, so many at once.
    MakeMembers { job: JobId, generation: u32, batch: u32 },
    /// A job's work is done, if it went on at the same pace.
    JobDone { job: JobId, stretch: u32 },
    /// A client tries again.
    Retry { service: ServiceId, key: u32, attempt: u32 },
    /// A replica's exporter is read, on the path of this number.
    ScrapePod(PodRef, u8),
    /// What is said of a whole service is read, likewise.
    ScrapeService(ServiceId, u8),
    /// A policy is asked.
    Turn { controller: u32, generation: u32 },
    /// A bin of the timeline closes.
    Bin,
    /// Arrivals end, the books close.
    Horizon,
}

/// Which of a node's pipes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PipeKind {
    Pull,
    Load,
}

/// A policy and its turns.
struct Controller {
    policy: Box<dyn Policy>,
    /// Turns of older generations in the queue are void.
    generation: u32,
    /// When its next turn is.
    next: Instant,
    /// When its last turn was.
    last: Option<Instant>,
    /// Whether it asked for something then.
    acted: bool,
}

struct Engine<'a> {
    spec: RunSpec,
    now: Instant,
    queue: EventQueue<Event>,
    /// When replicas change by themselves, by pod slot.
    wakes: Wakes,
    /// When requests arrive, by service.
    arrivals: Wakes,
    /// When clients lose patience, by service.
    timeouts: Wakes,
    fleet: Fleet,
    services: Vec<Service>,
    services_seen: Vec<ServiceSeen>,
    /// By service, then by path.
    service_scrapes: Vec<Vec<Scrapes>>,
    /// Scrapes of pods that no policy may have seen yet, by path, oldest first.
    scrapes_under_way: Vec<VecDeque<(Instant, PodRef)>>,
    /// Oldest first.
    pending: Vec<PendingPod>,
    scheduler: Scheduler,
    pods: Vec<Option<Pod>>,
    free_slots: Vec<u32>,
    /// By number; `None` once they have ended.
    jobs: Vec<Option<Box<Job>>>,
    job_classes: Vec<JobClass>,
    enqueue: Enqueue,
    quotas: Quotas,
    /// Of jobs with quota, oldest first.
    provisioning: Vec<ProvisioningRequest>,
    /// The inside of ready replicas, by pod slot; apart from `pods` because every request touches it.
    servers: Vec<Option<Server>>,
    made_pods: u32,
    controllers: Vec<Controller>,
    recorder: &'a mut dyn Recorder,
    plan: Plan,
    fingerprint: Fingerprint,
    timeline: Vec<TimelineRow>,
    happened: Vec<llm::Event>,
    tallies: Vec<Tally>,
    /// What fitted nowhere at the horizon.
    unplaced: Vec<Unplaced>,
    past_horizon: bool,
}

impl Engine<'_> {
    fn fly(&mut self) -> Result<(), RunError> {
        while let Some((at, class)) = self.next_time() {
            if self.is_over(at) {
                break;
            }
            assert!(at >= self.now, "time never goes back");
            self.now = at;
            match class {
                Next::Wake => self.wake(),
                Next::Queue => self.happen()?,
                Next::Arrival => self.arrive(self.arrivals.slot() as usize)?,
                Next::Timeout => self.time_out(self.timeouts.slot() as usize),
            }
        }
        Ok(())
    }

    /// After the horizon the run goes on until every request has ended, or the drain is over.
    fn is_over(&mut self, next: Instant) -> bool {
        if !self.past_horizon {
            return false;
        }
        let end = Instant::ZERO + self.spec.horizon + self.spec.drain;
        if next > end {
            self.now = end;
            return true;
        }
        self.services.iter().all(|service| service.requests.len() == 0)
    }

    fn next_time(&self) -> Option<(Instant, Next)> {
        let mut best = (self.wakes.at(), Class::Completion, Next::Wake);
        if let Some((at, class)) = self.queue.peek()
            && (at, class) < (best.0, best.1)
        {
            best = (at, class, Next::Queue);
        }
        if (self.arrivals.at(), Class::Arrival) < (best.0, best.1) {
            best = (self.arrivals.at(), Class::Arrival, Next::Arrival);
        }
        if (self.timeouts.at(), Class::Timeout) < (best.0, best.1) {
            best = (self.timeouts.at(), Class::Timeout, Next::Timeout);
        }
        (best.0 < Instant::FAR).then_some((best.0, best.2))
    }

    fn happen(&mut self) -> Result<(), RunError> {
        let Some((_, event)) = self.queue.pop() else { return Ok(()) };
        match event {
            Event::Reconcile(service) => self.actuate(service),
            Event::Schedule => self.schedule(),
            Event::Flush => self.flush_unschedulable(),
            Event::PodStageOver(pod, stage) => self.pod_stage_over(pod, stage),
            Event::GraceOver(pod) => self.grace_over(pod),
            Event::FallBack(pod) => self.fall_back(pod),
            Event::PipeDone(node, kind, generation) => self.pipe_done(node, kind, generation),
            Event::NodeReaches(node, stage) => self.node_reaches(node, stage),
            Event::LaunchFails(node) => self.launch_fails(node),
            Event::RetireOver(node) => self.retire_over(node),
            Event::EvictAgain(node) => self.evict_again(node),
            Event::NodeGone(node) => self.node_gone(node),
            Event::StandbyLaunched(pool, prepare) => self.standby_launched(pool, prepare),
            Event::StandbyPrepared(pool) => self.fleet.standby_switched_off(self.now, pool),
            Event::ReclaimNotice(node) => self.reclaim_notice(node),
            Event::Reclaim(node) => self.reclaim(node),
            Event::Repartitioned(node, gpu) => self.repartitioned(node, gpu),
            Event::JobArrives(class) => self.job_arrives(class)?,
            Event::Admission => self.admit_jobs(),
            Event::PodsReadyTimeout { job, admission } => self.pods_ready_timeout(job, admission),
            Event::MakeMembers { job, generation, batch } => {
                self.make_members(job, generation, batch);
            }
            Event::JobDone { job, stretch } => self.job_done(job, stretch),
            Event::Retry { service, key, attempt } => self.retry(service, key, attempt),
            Event::ScrapePod(pod, path) => self.scrape_pod(pod, path),
            Event::ScrapeService(service, path) => self.scrape_service(service, path),
            Event::Turn { controller, generation } => self.turn(controller, generation),
            Event::Bin => self.close_bin(),
            Event::Horizon => self.reach_horizon(),
        }
        Ok(())
    }
}

/// Where the next thing comes from.
#[derive(Clone, Copy, Debug)]
enum Next {
    Wake,
    Queue,
    Arrival,
    Timeout,
}

/// Tags of the fingerprint, one a kind of event.
mod tag {
    pub(super) const ARRIVED: u8 = 1;
    pub(super) const FIRST_TOKEN: u8 = 2;
    pub(super) const ENDED: u8 = 3;
    pub(super) const SENT: u8 = 4;
    pub(super) const POD: u8 = 5;
    pub(super) const NODE: u8 = 6;
    pub(super) const SCRAPED: u8 = 7;
    pub(super) const JOB: u8 = 8;
}

/// An id as the engine's tables count.
fn id(place: usize) -> u32 {
    u32::try_from(place).expect("fewer than 2^32 of anything")
}

/// Pulls the next arrival of a service, up to the horizon.
fn pull(
    service: &mut Service,
    horizon: Instant,
    previous: Instant,
) -> Result<Option<Arrival>, RunError> {
    let name = || service.spec.name.to_string();
    let next = match service.source.next_arrival() {
        Ok(next) => next.filter(|arrival| arrival.at < horizon),
        Err(cause) => return Err(RunError::Source { service: name(), cause }),
    };
    if let Some(arrival) = next
        && arrival.at < previous
    {
        return Err(RunError::OutOfOrder { service: name(), at: arrival.at, previous });
    }
    Ok(next)
}

/// What everything is called in the tables of pods: policies see ids, the engine works with slots.
fn pod_place(seen: &ServiceSeen, pod: PodId) -> Option<usize> {
    seen.pods.binary_search_by_key(&pod, |pod| pod.id).ok()
}
