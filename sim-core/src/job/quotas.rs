//! Queues at run time: who waits for quota, who has it, what each queue uses of its own and of others'.

use super::Eviction;
use super::books::hours;
use crate::outcome::QueueSummary;
use crate::spec::{KueueSpec, QueueSpec};
use contract::{Instant, JobId};
use placement::quota::{Cohort, Queue, Running, Strategy, choose_flavor, victims};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// What a job asks of its queue.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Place of the queue.
    pub(crate) queue: usize,
    /// GPUs of all its pods.
    pub(crate) gpus: u64,
    pub(crate) priority: i32,
    /// By flavor: whether a node of it could hold one of its pods.
    pub(crate) may: Vec<bool>,
}

/// A job without quota.
#[derive(Clone, Debug)]
struct Waiting {
    asked: Asked,
    /// Its place in the line, among those of its priority.
    since: Instant,
    not_before: Instant,
    /// How often it ran out of time in a row.
    timeouts: u32,
    /// How often its admission check failed in a row.
    failures: u32,
}

/// A job with quota.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    pub(crate) asked: Asked,
    pub(crate) flavor: usize,
    /// Admissions are numbered, in order.
    pub(crate) number: u64,
    since: Instant,
    /// All of its pods were up at once.
    ready: bool,
    timeouts: u32,
    failures: u32,
}

/// How a job can have quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// There is enough, of its queue's own or of others'.
    Free { flavor: usize },
    /// These jobs have to go, each for this reason.
    Evicting { flavor: usize, victims: Vec<(JobId, Eviction)> },
}

/// What a queue used, and whose jobs came and went; GPU time in microseconds of one GPU.
#[derive(Clone, Debug, Default)]
struct QueueBooks {
    reserved: u128,
    borrowed: u128,
    admitted: u64,
    evicted: u64,
}

/// All queues.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quotas {
    spec: KueueSpec,
    cohorts: Vec<Cohort>,
    /// By queue: its cohort, and its place there.
    places: Vec<(usize, usize)>,
    waiting: BTreeMap<JobId, Waiting>,
    admitted: BTreeMap<JobId, Admission>,
    admissions: u64,
    books: Vec<QueueBooks>,
    settled: Instant,
    /// Figures at the horizon.
    closed: Vec<QueueSummary>,
}

impl Quotas {
    /// Queues that nobody uses yet.
    pub(crate) fn new(spec: &KueueSpec) -> Self {
        let (mut cohorts, mut places) = (Vec::<Cohort>::new(), Vec::new());
        let mut names = Vec::new();
        for queue in &spec.queues {
            let shared = queue
                .cohort
                .as_ref()
                .and_then(|name| names.iter().position(|it| *it == Some(name)));
            let cohort = shared.unwrap_or_else(|| {
                names.push(queue.cohort.as_ref());
                cohorts.push(Cohort::default());
                cohorts.len() - 1
            });
            let queues = &mut cohorts[cohort].queues;
            places.push((cohort, queues.len()));
            queues.push(idle(queue));
        }
        Self {
            cohorts,
            places,
            books: vec![QueueBooks::default(); spec.queues.len()],
            spec: spec.clone(),
            ..Self::default()
        }
    }

    /// What the scenario says of them.
    pub(crate) fn spec(&self) -> &KueueSpec {
        &self.spec
    }

    /// A job gets in line.
    pub(crate) fn enqueue(&mut self, job: JobId, asked: Asked, now: Instant) {
        let line = Waiting { asked, since: now, not_before: now, timeouts: 0, failures: 0 };
        self.waiting.insert(job, line);
    }

    /// The admission of a job that has quota.
    pub(crate) fn admission(&self, job: JobId) -> Option<&Admission> {
        self.admitted.get(&job)
    }

    /// Whether a job is without quota only because it ran out of time, or its check failed, not long ago.
    pub(crate) fn is_backing_off(&self, job: JobId, now: Instant) -> bool {
        self.waiting.get(&job).is_some_and(|waiting| waiting.not_before > now)
    }

    /// Whether a job is without quota.
    pub(crate) fn waits(&self, job: JobId) -> bool {
        self.waiting.contains_key(&job)
    }

    /// The lines that can be looked at now, by queue: the higher priority first, then the older.
    pub(crate) fn lines(&self, now: Instant) -> Vec<VecDeque<JobId>> {
        let line = |queue| {
            let of_queue = self
                .waiting
                .iter()
                .filter(|(_, it)| it.asked.queue == queue && it.not_before <= now);
            let mut line: Vec<_> =
                of_queue.map(|(&job, it)| (Reverse(it.asked.priority), it.since, job)).collect();
            line.sort_unstable();
            line.into_iter().map(|(_, _, job)| job).collect()
        };
        (0..self.places.len()).map(line).collect()
    }

    /// In which order a cycle looks at the heads of the lines: those within their queue's own quota first, then the
    /// higher priority, then the older (Kueue's `entryOrdering`).
    pub(crate) fn order_heads(&self, heads: &mut [JobId]) {
        heads.sort_by_key(|job| {
            let waiting = &self.waiting[job];
            let Asked { gpus, ref may, priority, .. } = waiting.asked;
            let (cohort, queue) = self.place_of(&waiting.asked);
            let own = &cohort.queues[queue];
            let is_within_own =
                (0..may.len()).any(|flavor| may[flavor] && own.is_within_own(flavor, gpus));
            (!is_within_own, Reverse(priority), waiting.since, *job)
        });
    }

    /// The queue of a waiting job, if those behind it wait until it is admitted.
    pub(crate) fn strict_queue(&self, job: JobId) -> Option<usize> {
        let queue = self.waiting.get(&job)?.asked.queue;
        (self.spec.queues[queue].strategy == Strategy::StrictFifo).then_some(queue)
    }

    /// How a waiting job can have quota now; `None` if it cannot.
    pub(crate) fn way(&self, job: JobId) -> Option<Way> {
        let asked = &self.waiting.get(&job)?.asked;
        let (cohort, queue) = self.place_of(asked);
        let rules = &self.spec.queues[asked.queue];
        let may = |flavor: usize| asked.may[flavor];
        if let Some(choice) = choose_flavor(cohort, queue, asked.gpus, rules.when_can_borrow, may) {
            return Some(Way::Free { flavor: choice.flavor });
        }
        let (jobs, running) = self.running_in(self.places[asked.queue].0);
        (0..asked.may.len()).filter(|&flavor| may(flavor)).find_map(|flavor| {
            let wanted = (queue, flavor);
            let found =
                victims(cohort, wanted, asked.gpus, asked.priority, &running, rules.preemption)?;
            let victims = found.into_iter().map(|place| {
                let own = running[place].queue == queue;
                (jobs[place], if own { Eviction::Preempted } else { Eviction::Reclaimed })
            });
            Some(Way::Evicting { flavor, victims: victims.collect() })
        })
    }

    /// Jobs with quota in a cohort, and the same as `placement` looks at them.
    fn running_in(&self, cohort: usize) -> (Vec<JobId>, Vec<Running>) {
        let of_cohort =
            self.admitted.iter().filter(|(_, it)| self.places[it.asked.queue].0 == cohort);
        let running = |(&job, it): (&JobId, &Admission)| {
            let Asked { gpus, priority, .. } = it.asked;
            let queue = self.places[it.asked.queue].1;
            (job, Running { queue, flavor: it.flavor, amount: gpus, priority, admitted: it.number })
        };
        of_cohort.map(running).unzip()
    }

    /// A waiting job gets quota of a flavor.
    pub(crate) fn reserve(&mut self, job: JobId, flavor: usize, now: Instant) {
        self.settle(now);
        let Waiting { asked, timeouts, failures, .. } =
            self.waiting.remove(&job).expect("who is admitted has waited");
        let (cohort, queue) = self.places[asked.queue];
        self.cohorts[cohort].reserve(queue, flavor, asked.gpus);
        self.books[asked.queue].admitted += 1;
        let number = self.admissions;
        self.admissions += 1;
        let (since, ready) = (now, false);
        let admission = Admission { asked, flavor, number, since, ready, timeouts, failures };
        self.admitted.insert(job, admission);
    }

    /// The admission check of a job with quota passed: it is admitted from now on.
    pub(crate) fn pass_check(&mut self, job: JobId, now: Instant) {
        let admission = self.admitted.get_mut(&job).expect("only jobs with quota are checked");
        (admission.since, admission.failures) = (now, 0);
    }

    /// The check failed: the job gives its quota back and gets in line again, at the end and after a while. Gives when
    /// it will be looked at; `None` if it failed too often and is not tried again (Kueue deactivates the workload).
    pub(crate) fn fail_check(&mut self, job: JobId, now: Instant) -> Option<Instant> {
        let was = self.release(job, now).expect("only jobs with quota are checked");
        let check = self.spec.queues[was.asked.queue].provisioning.expect("its queue checks");
        let not_before = now + check.backoff(was.failures + 1)?;
        let Admission { asked, timeouts, failures, .. } = was;
        let line = Waiting { asked, since: now, not_before, timeouts, failures: failures + 1 };
        self.waiting.insert(job, line);
        Some(not_before)
    }

    /// A job is done, or evicted, and gives its quota back. `None` if it had none.
    pub(crate) fn release(&mut self, job: JobId, now: Instant) -> Option<Admission> {
        self.settle(now);
        let admission = self.admitted.remove(&job)?;
        let (cohort, queue) = self.places[admission.asked.queue];
        self.cohorts[cohort].release(queue, admission.flavor, admission.asked.gpus);
        Some(admission)
    }

    /// An evicted job gets in line again: at its old place if others took its quota, at the end and after a while if
    /// it ran out of time. Gives when it will be looked at.
    pub(crate) fn requeue(
        &mut self,
        job: JobId,
        was: Admission,
        why: Eviction,
        (arrived, now): (Instant, Instant),
    ) -> Instant {
        self.books[was.asked.queue].evicted += 1;
        let waiting = match (why, self.spec.pods_ready) {
            (Eviction::NotReady, Some(spec)) => {
                let timeouts = was.timeouts + 1;
                Waiting {
                    asked: was.asked,
                    since: now,
                    not_before: now + spec.backoff(timeouts),
                    timeouts,
                    failures: was.failures,
                }
            }
            _ => Waiting {
                asked: was.asked,
                since: arrived,
                not_before: now,
                timeouts: was.timeouts,
                failures: was.failures,
            },
        };
        let not_before = waiting.not_before;
        self.waiting.insert(job, waiting);
        not_before
    }

    /// All pods of a job are up.
    pub(crate) fn pods_ready(&mut self, job: JobId) {
        if let Some(admission) = self.admitted.get_mut(&job) {
            admission.ready = true;
            admission.timeouts = 0;
        }
    }

    /// Whether an admission still stands and its pods were never all up.
    pub(crate) fn is_unready(&self, job: JobId, number: u64) -> bool {
        self.admitted.get(&job).is_some_and(|it| it.number == number && !it.ready)
    }

    /// GPUs of a flavor that a queue uses, and those of its own.
    pub(crate) fn used(&self, queue: usize, flavor: usize) -> (u64, u64) {
        let (cohort, place) = self.places[queue];
        let queue = &self.cohorts[cohort].queues[place];
        (queue.used[flavor], queue.quotas[flavor].nominal)
    }

    /// The most GPUs of one flavor that a waiting job could have now.
    pub(crate) fn available(&self, job: JobId) -> u64 {
        let Some(Waiting { asked, .. }) = self.waiting.get(&job) else { return 0 };
        let (cohort, queue) = self.place_of(asked);
        let flavors = (0..asked.may.len()).filter(|&flavor| asked.may[flavor]);
        flavors.map(|flavor| cohort.available(queue, flavor)).max().unwrap_or(0)
    }

    fn place_of(&self, asked: &Asked) -> (&Cohort, usize) {
        let (cohort, queue) = self.places[asked.queue];
        (&self.cohorts[cohort], queue)
    }

    /// Books what queues used since the last booking. To be called before that changes.
    fn settle(&mut self, now: Instant) {
        let time = u128::from(now.since(self.settled).0);
        self.settled = now;
        for (books, &(cohort, place)) in self.books.iter_mut().zip(&self.places) {
            let queue = &self.cohorts[cohort].queues[place];
            for (&used, quota) in queue.used.iter().zip(&queue.quotas) {
                books.reserved += time * u128::from(used);
                books.borrowed += time * u128::from(used.saturating_sub(quota.nominal));
            }
        }
    }

    /// What a waiting job asks for.
    pub(crate) fn wish(&self, job: JobId) -> Option<&Asked> {
        self.waiting.get(&job).map(|waiting| &waiting.asked)
    }

    /// Jobs without quota.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = JobId> {
        self.waiting.keys().copied()
    }

    /// Quota in use is that of the jobs which have it, never above a queue's own and what it may borrow, nor above
    /// what its cohort has.
    pub(crate) fn check(&self) {
        for (cohort, queues) in self.cohorts.iter().enumerate() {
            for flavor in 0..self.spec.flavors.len() {
                let own =
                    queues.queues.iter().map(|queue| queue.quotas[flavor].nominal).sum::<u64>();
                let used = queues.queues.iter().map(|queue| queue.used[flavor]).sum::<u64>();
                assert!(used <= own, "a cohort uses no more quota than it has: {used} of {own}");
                for (place, queue) in queues.queues.iter().enumerate() {
                    let quota = queue.quotas[flavor];
                    let most =
                        quota.borrowing_limit.map_or(u64::MAX, |limit| quota.nominal + limit);
                    assert!(queue.used[flavor] <= most, "a queue borrows no more than it may");
                    assert_eq!(
                        queue.used[flavor],
                        self.reserved_by((cohort, place), flavor),
                        "quota in use is that of admitted jobs"
                    );
                }
            }
        }
    }

    fn reserved_by(&self, place: (usize, usize), flavor: usize) -> u64 {
        let here = self
            .admitted
            .values()
            .filter(|it| self.places[it.asked.queue] == place && it.flavor == flavor);
        here.map(|it| it.asked.gpus).sum()
    }

    /// The horizon: figures are taken.
    pub(crate) fn close(&mut self, now: Instant) {
        self.settle(now);
        let queues = self.spec.queues.iter().zip(&self.books);
        let summary = |(queue, books): (&QueueSpec, &QueueBooks)| QueueSummary {
            name: queue.name.to_string(),
            nominal_gpus: queue.quotas.iter().flatten().map(|quota| quota.nominal).sum(),
            admitted: books.admitted,
            evicted: books.evicted,
            reserved_gpu_hours: hours(books.reserved),
            borrowed_gpu_hours: hours(books.borrowed),
        };
        self.closed = queues.map(summary).collect();
    }

    /// Figures, by queue, up to the horizon.
    pub(crate) fn summaries(&self) -> Vec<QueueSummary> {
        self.closed.clone()
    }
}

impl Admission {
    /// When it was given, or its check passed.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }
}

/// A queue that nobody uses.
fn idle(spec: &QueueSpec) -> Queue {
    Queue::idle(spec.quotas.iter().map(|quota| quota.unwrap_or_default()).collect())
}
