//! A job's life: submitted, its members made, started, its work, interruptions, done.

use super::pods::{Pod, PodRef, Scheduling};
use super::{Engine, Event, RunError, id, tag};
use crate::fleet::Occupancy;
use crate::job::{ClassBooks, Job, JobClass, Member};
use crate::outcome::JobWait;
use crate::queue::Class;
use crate::recorder::JobDecision;
use crate::server::GpuUse;
use crate::source::JobArrival;
use crate::spec::Pace;
use contract::{Instant, JobId, Micros, Owner, PodId, PodStage};

impl Engine<'_> {
    /// The pending arrivals of all classes are booked.
    pub(super) fn book_first_jobs(&mut self) {
        for class in 0..self.job_classes.len() {
            self.book_next_job(class);
        }
    }

    fn book_next_job(&mut self, class: usize) {
        if let Some(next) = &self.job_classes[class].next {
            self.queue.push(next.at, Class::Arrival, Event::JobArrives(id(class)));
        }
    }

    /// The pending arrival of a class is submitted.
    pub(super) fn job_arrives(&mut self, class: u32) -> Result<(), RunError> {
        let class = class as usize;
        let horizon = Instant::ZERO + self.spec.horizon;
        let runtime = &mut self.job_classes[class];
        let arrival = runtime.next.take().expect("a booked arrival is there");
        runtime.next = pull_job(runtime, horizon, arrival.at)?;
        runtime.books.arrived();
        let job = Job::new(class, &runtime.spec, arrival);
        let number = JobId(id(self.jobs.len()));
        self.jobs.push(Some(Box::new(job)));
        self.fingerprint.event(self.now, tag::JOB, u64::from(number.0) << 8);
        self.book_next_job(class);
        self.submit(number);
        Ok(())
    }

    /// A job that has not ended.
    pub(super) fn job(&self, job: JobId) -> Option<&Job> {
        self.jobs[job.index()].as_deref()
    }

    /// The same, to change it.
    pub(super) fn job_mut(&mut self, job: JobId) -> Option<&mut Job> {
        self.jobs[job.index()].as_deref_mut()
    }

    /// A job's member by its id.
    pub(super) fn member_ref(&self, job: JobId, pod: PodId) -> Option<PodRef> {
        let members = &self.job(job)?.members;
        let place = members.binary_search_by_key(&pod, |member| member.id).ok()?;
        Some(PodRef { id: pod, slot: members[place].slot })
    }

    /// The job controller makes the next pods of a job a moment later.
    pub(super) fn book_members(&mut self, number: JobId, batch: u32) {
        let Some(job) = self.job_mut(number) else { return };
        let entity = u64::from(number.0) << 32 | u64::from(job.actuations);
        job.actuations += 1;
        let generation = job.generation;
        let mut luck = self.spec.seed.stream("job-actuation", entity);
        let at = self.now + self.spec.control.actuation.draw(&mut luck);
        self.queue.push(at, Class::Stage, Event::MakeMembers { job: number, generation, batch });
    }

    /// Makes a batch of the members that a job lacks. Batches double, as the slow start of Kubernetes' job controller
    /// has it (`job_controller.go`, `SlowStartInitialBatchSize` 1), so that two jobs that are submitted together get
    /// their pods in turns.
    pub(super) fn make_members(&mut self, number: JobId, generation: u32, batch: u32) {
        let Some(job) = self.job(number).filter(|job| job.generation == generation) else { return };
        let lacking = job.arrival.width - job.made();
        for _ in 0..batch.min(lacking) {
            let pod = self.make_member(number);
            self.member_is_made(number, pod);
        }
        if batch < lacking {
            self.book_members(number, batch.saturating_mul(2));
        }
    }

    fn make_member(&mut self, number: JobId) -> PodRef {
        let pod = self.draw_member(number);
        let created = pod.id;
        let PodRef { id, slot } = self.insert_pending(pod);
        let job = self.job_mut(number).expect("members are made of living jobs");
        job.members.push(Member { id, slot, bound: false, running: false, pace: Pace::REFERENCE });
        self.fingerprint.event(self.now, tag::POD, u64::from(created.0) << 8);
        PodRef { id, slot }
    }

    /// The luck of a job's next member: by how many it had before, so that two policies meet the same.
    fn draw_member(&mut self, number: JobId) -> Pod {
        let id = self.next_pod_id();
        let job = self.jobs[number.index()].as_deref_mut().expect("members belong to a living job");
        let entity = u64::from(number.0) << 32 | u64::from(job.pods_made);
        job.pods_made += 1;
        let now = self.now;
        let mut luck = self.spec.seed.stream("job-member", entity);
        Pod {
            id,
            owner: Owner::Job(number),
            spec: job.pod.clone(),
            shape: 0,
            stage: PodStage::Pending,
            occupancy: Occupancy::Loading,
            created: now,
            container: self.job_classes[job.class].spec.startup.draw(&mut luck),
            engine: Micros::ZERO,
            probe: Micros::ZERO,
            attempt: self.spec.control.scheduling.draw(&mut luck),
            scrape_phase: 0.0,
            uid: luck.bits(),
            node: None,
            scheduling: Scheduling::new(now),
            scrapes: Vec::new(),
        }
    }

    /// A member has got a node, where its container starts.
    pub(super) fn begin_member(&mut self, number: JobId, pod: PodRef) {
        let now = self.now;
        let pace = self.pace_of_member(number, pod);
        let Some(job) = self.job_mut(number) else { return };
        job.settle(now);
        let member = job.member_mut(pod.id).expect("pods know their job");
        (member.bound, member.pace) = (true, pace);
        self.enter_pod_stage(pod, PodStage::Starting);
        let wait = self.pod(pod).map_or(Micros::ZERO, |pod| pod.container);
        self.queue.push(now + wait, Class::Stage, Event::PodStageOver(pod, PodStage::Starting));
        self.update_occupancies(number);
    }

    /// How fast a member can work on the GPUs of its node.
    fn pace_of_member(&self, number: JobId, pod: PodRef) -> Pace {
        let node = self.pod(pod).and_then(|pod| pod.node);
        let (Some(job), Some(node)) = (self.job(number), node) else { return Pace::REFERENCE };
        let pool = self.fleet.node(node).pool.index();
        let gpu = self.fleet.specs[pool].shape.gpu.as_ref();
        self.job_classes[job.class].spec.paces.on(gpu)
    }

    /// A member's container is up: the job works if enough others are.
    pub(super) fn member_runs(&mut self, number: JobId, pod: PodRef) {
        self.enter_pod_stage(pod, PodStage::Ready);
        let Some(job) = self.job_mut(number) else { return };
        job.member_mut(pod.id).expect("pods know their job").running = true;
        if job.running() == job.arrival.width {
            self.quotas.pods_ready(number);
        }
        self.work_on(number);
    }

    /// The members that run changed: work goes on at another pace, or begins.
    fn work_on(&mut self, number: JobId) {
        let now = self.now;
        let Some(job) = self.jobs[number.index()].as_deref_mut() else { return };
        let crew = job.crew();
        if crew.members < job.arrival.min_count {
            return;
        }
        job.books.first_ran.get_or_insert(now);
        let spent = job.progress.run(now, crew);
        job.books.spent(spent);
        self.fleet.ledger.job(spent, job.pod.requests.gpus);
        job.stretch += 1;
        let (stretch, end) = (job.stretch, job.progress.ends_at());
        let end = end.expect("members work");
        self.queue.push(end, Class::Completion, Event::JobDone { job: number, stretch });
        self.update_occupancies(number);
    }

    /// No member works any more, for now or for good.
    pub(super) fn stop_work(&mut self, number: JobId) {
        let now = self.now;
        let Some(job) = self.jobs[number.index()].as_deref_mut() else { return };
        job.settle(now);
        let spent = job.progress.pause(now);
        job.books.spent(spent);
        self.fleet.ledger.job(spent, job.pod.requests.gpus);
        job.stretch += 1;
    }

    /// The work of a job is done, unless its pace has changed since this was booked.
    pub(super) fn job_done(&mut self, number: JobId, stretch: u32) {
        if self.job(number).is_none_or(|job| job.stretch != stretch) {
            return;
        }
        self.stop_work(number);
        let job = self.jobs[number.index()].take().expect("just looked at");
        self.fingerprint.event(self.now, tag::JOB, u64::from(number.0) << 8 | 0xff);
        if !self.past_horizon {
            let books = &mut self.job_classes[job.class].books;
            let gpus = job.pod.requests.gpus;
            books.completed(self.now, &job.books, gpus, job.arrival.duration);
        }
        for member in &job.members {
            self.discard(PodRef { id: member.id, slot: member.slot });
        }
        self.give_quota_back(number);
    }

    /// A member is killed with its node, or evicted. A job that can run without it goes on; one that ran and cannot
    /// goes back to its last checkpoint and starts again with fresh pods, as a `JobSet` does (failure policy
    /// `Recreate`); so does one that would keep a part of its gang on nodes where gangs are scheduled whole.
    pub(super) fn lose_member(&mut self, number: JobId, pod: PodRef) {
        let worked = self.job(number).is_some_and(|job| job.progress.runs());
        self.stop_work(number);
        self.discard(pod);
        let gangs_are_whole = self.is_placed_whole(number);
        let Some(job) = self.job_mut(number) else { return };
        job.members.retain(|member| member.id != pod.id);
        let min_count = job.arrival.min_count;
        let stops = worked && job.running() < min_count;
        if stops || (gangs_are_whole && job.bound() < min_count) {
            self.restart(number, stops);
        } else {
            self.work_on(number);
            self.update_occupancies(number);
            self.book_members(number, 1);
        }
    }

    /// All members go; new ones are made.
    fn restart(&mut self, number: JobId, interrupted: bool) {
        self.remove_members(number, interrupted);
        self.submit(number);
    }

    /// All members go. Work since the last checkpoint is lost if it was under way.
    pub(super) fn remove_members(&mut self, number: JobId, interrupted: bool) {
        let Some(job) = self.jobs[number.index()].as_deref_mut() else { return };
        if interrupted {
            let lost = job.progress.undo();
            job.books.lost(lost);
            self.fleet.ledger.undone(lost, job.pod.requests.gpus);
        }
        job.generation += 1;
        let members = std::mem::take(&mut job.members);
        self.fingerprint.event(self.now, tag::JOB, u64::from(number.0) << 8 | 0xfe);
        for member in members {
            self.discard(PodRef { id: member.id, slot: member.slot });
        }
    }

    /// A member's pod is gone from every table but the job's own.
    fn discard(&mut self, pod: PodRef) {
        self.leave_scheduler(pod);
        let Some(gone) = self.take_pod(pod) else { return };
        self.give_up_nomination(pod.id);
        self.unbind(&gone, GpuUse::default());
        self.fingerprint.event(self.now, tag::POD, u64::from(pod.id.0) << 8 | 0xff);
    }

    /// Writes into the nodes' books what the GPUs under a job's members do now.
    fn update_occupancies(&mut self, number: JobId) {
        let Some(job) = self.job(number) else { return };
        let (partial, works) = (job.is_partial(), job.progress.runs());
        let occupancy = |member: &Member| match member {
            _ if partial => Occupancy::PartialGang,
            Member { running: true, .. } if works => Occupancy::Serving,
            _ => Occupancy::Loading,
        };
        let bound = job.members.iter().filter(|member| member.bound);
        let occupancies: Vec<_> = bound
            .map(|member| (PodRef { id: member.id, slot: member.slot }, occupancy(member)))
            .collect();
        for (pod, occupancy) in occupancies {
            self.set_occupancy(pod, occupancy);
        }
    }

    /// What jobs' books say of their GPUs is what the nodes' books say.
    pub(super) fn check_job_books(&self) {
        let books = || self.job_classes.iter().map(|class| &class.books);
        let partial = books().map(ClassBooks::partial).sum();
        let lost = books().map(ClassBooks::lost).sum();
        self.fleet.ledger.check_jobs(partial, lost);
    }

    /// The horizon: work under way is booked up to here, and what is unfinished is counted as that.
    pub(super) fn close_jobs(&mut self) {
        let now = self.now;
        for place in 0..self.jobs.len() {
            let waits = self.what_it_waits_for(JobId(id(place)));
            let Some(job) = self.jobs[place].as_deref_mut() else { continue };
            job.settle(now);
            let crew = job.progress.crew();
            let spent = job.progress.pause(now);
            job.books.spent(spent);
            self.fleet.ledger.job(spent, job.pod.requests.gpus);
            if let Some(crew) = crew {
                job.progress.run(now, crew);
            }
            let books = &mut self.job_classes[job.class].books;
            books.unfinished(&job.books, job.pod.requests.gpus, waits);
        }
    }

    /// Tells the log what was decided on a job.
    pub(super) fn tell_of_job(
        &mut self,
        by: &'static str,
        number: JobId,
        action: &'static str,
        reason: String,
    ) {
        let Some(job) = self.job(number) else { return };
        let class = self.job_classes[job.class].spec.name.clone();
        let decision = JobDecision { at: self.now, by, job: number, class: &class, action, reason };
        self.recorder.job(&decision);
    }

    /// What keeps a job from work; nothing if it works.
    fn what_it_waits_for(&self, number: JobId) -> Option<JobWait> {
        let job = self.job(number).filter(|job| !job.progress.runs())?;
        Some(match job.bound() {
            _ if self.quotas.is_backing_off(number, self.now) => JobWait::BackOff,
            _ if self.quotas.waits(number) => JobWait::Quota,
            0 => JobWait::Room,
            bound if bound < job.arrival.min_count => JobWait::RestOfGang,
            _ => JobWait::Start,
        })
    }
}

/// Pulls the next job of a class, up to the horizon.
pub(super) fn pull_job(
    class: &mut JobClass,
    horizon: Instant,
    previous: Instant,
) -> Result<Option<JobArrival>, RunError> {
    let job = || class.spec.name.to_string();
    let next = match class.source.next_job() {
        Ok(next) => next.filter(|arrival| arrival.at < horizon),
        Err(cause) => return Err(RunError::JobSource { job: job(), cause }),
    };
    if let Some(arrival) = &next {
        let JobArrival { at, width, min_count, .. } = *arrival;
        assert!(
            (1..=width).contains(&min_count),
            "a job needs one of its pods, and no more than all"
        );
        if at < previous {
            return Err(RunError::JobOutOfOrder { job: job(), at, previous });
        }
    }
    Ok(next)
}
