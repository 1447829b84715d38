//! What became of jobs: the figures by which stacks are compared where a scenario has jobs, for the terminal, the
//! page and `jobs.csv`.

use crate::number;
use crate::stats::{ByRun, Estimate};
use sim_core::outcome::{Experiment, JobClassSummary, JobWaits, RunSummary, StackOutcome};

/// A figure of a class of jobs.
pub(crate) struct JobMeasure {
    /// What it is, in a word or two.
    pub(crate) title: &'static str,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// Digits shown after the point.
    decimals: usize,
    /// What it means, in a sentence.
    pub(crate) meaning: &'static str,
    /// Whether there is something to measure only where queues admit jobs.
    is_of_queues: bool,
    /// The figure in one run; nothing when there is nothing to measure.
    of: fn(&JobClassSummary) -> Option<f64>,
}

/// Every measure, in the order of the columns.
const ALL: [JobMeasure; 12] = [
    JobMeasure {
        title: "arrived",
        unit: "jobs",
        decimals: 0,
        meaning: "jobs that arrived",
        is_of_queues: false,
        of: |jobs| Some(count(jobs.arrived)),
    },
    JobMeasure {
        title: "done",
        unit: "jobs",
        decimals: 0,
        meaning: "jobs whose work was done before the run ended",
        is_of_queues: false,
        of: |jobs| Some(count(jobs.completed)),
    },
    JobMeasure {
        title: "quota wait",
        unit: "min",
        decimals: 1,
        meaning: "submission to admission by its queue, mean over jobs that were admitted",
        is_of_queues: true,
        of: |jobs| (jobs.admitted > 0).then_some(jobs.quota_wait_s.mean / 60.0),
    },
    JobMeasure {
        title: "evicted",
        unit: "times",
        decimals: 0,
        meaning: "times that a job lost its quota: to a higher priority, to the owner of borrowed quota, or because its pods were not up in time",
        is_of_queues: true,
        of: |jobs| Some(count(jobs.evictions.all())),
    },
    JobMeasure {
        title: "wait",
        unit: "min",
        decimals: 1,
        meaning: "submission to first work, mean over jobs whose work began",
        is_of_queues: false,
        of: |jobs| (jobs.started > 0).then_some(jobs.wait_s.mean / 60.0),
    },
    JobMeasure {
        title: "JCT",
        unit: "min",
        decimals: 1,
        meaning: "job completion time: submission to the end of the work, mean over completed jobs",
        is_of_queues: false,
        of: |jobs| (jobs.completed > 0).then_some(jobs.completion_s.mean / 60.0),
    },
    JobMeasure {
        title: "JCT p95",
        unit: "min",
        decimals: 1,
        meaning: "job completion time that 95 % of the completed jobs kept below",
        is_of_queues: false,
        of: |jobs| (jobs.completed > 0).then_some(jobs.completion_s.p95 / 60.0),
    },
    JobMeasure {
        title: "slowdown",
        unit: "×",
        decimals: 2,
        meaning: "completion time over the duration of the work, mean over completed jobs",
        is_of_queues: false,
        of: |jobs| (jobs.completed > 0).then_some(jobs.slowdown.mean),
    },
    JobMeasure {
        title: "cut short",
        unit: "",
        decimals: 0,
        meaning: "times that a job lost pods, stopped and went back to its last checkpoint",
        is_of_queues: false,
        of: |jobs| Some(count(jobs.interruptions)),
    },
    JobMeasure {
        title: "useful",
        unit: "GPU-h",
        decimals: 1,
        meaning: "GPU-hours of work that nothing undid",
        is_of_queues: false,
        of: |jobs| Some(jobs.gpu.useful),
    },
    JobMeasure {
        title: "lost",
        unit: "GPU-h",
        decimals: 1,
        meaning: "GPU-hours of work that an interruption undid, and of checkpoints written and read",
        is_of_queues: false,
        of: |jobs| Some(jobs.gpu.lost + jobs.gpu.overhead),
    },
    JobMeasure {
        title: "partial",
        unit: "GPU-h",
        decimals: 1,
        meaning: "GPU-hours held by members of gangs too few of which had a node for any of them to work",
        is_of_queues: false,
        of: |jobs| Some(jobs.gpu.partial_gangs),
    },
];

/// The measures of an experiment's jobs.
pub(crate) fn measures(experiment: &Experiment) -> Vec<&'static JobMeasure> {
    let runs = || experiment.stacks.iter().flat_map(|stack| &stack.runs);
    let any_queue = runs().any(|run| !run.queues.is_empty());
    ALL.iter().filter(|measure| any_queue || !measure.is_of_queues).collect()
}

/// A row of the tables: a stack and one of its classes of jobs.
pub(crate) struct Row<'a> {
    /// Place of the stack.
    pub(crate) stack: usize,
    /// Its name.
    pub(crate) stack_name: &'a str,
    /// The class.
    pub(crate) job: &'a str,
    /// A mean over replications for each measure; a dash where there is none.
    pub(crate) cells: Vec<String>,
}

/// The rows, by stack, then by class.
pub(crate) fn rows(experiment: &Experiment) -> Vec<Row<'_>> {
    let measures = measures(experiment);
    let stacks = experiment.stacks.iter().enumerate();
    let of_stack = |(stack, outcome): (usize, _)| {
        let jobs = experiment.jobs.iter().enumerate();
        let measures = &measures;
        jobs.map(move |(class, job)| row(measures, (stack, outcome), class, &job.name))
    };
    stacks.flat_map(of_stack).collect()
}

fn row<'a>(
    measures: &[&JobMeasure],
    (stack, outcome): (usize, &'a StackOutcome),
    class: usize,
    job: &'a str,
) -> Row<'a> {
    let cell = |measure: &&JobMeasure| {
        let mean = Estimate::of(&by_run(measure, outcome, class)).map(|estimate| estimate.mean);
        mean.map_or("–".to_owned(), |mean| number::fixed(mean, measure.decimals))
    };
    Row { stack, stack_name: &outcome.name, job, cells: measures.iter().map(cell).collect() }
}

/// What unfinished jobs wait for at the end, a line a stack that has any, summed over replications.
pub(crate) fn waits(experiment: &Experiment) -> Vec<String> {
    let line = |stack: &StackOutcome| {
        let all: Vec<_> =
            stack.runs.iter().flat_map(|run| &run.jobs).map(|it| it.waiting).collect();
        let parts: Vec<_> = WAITS
            .iter()
            .filter_map(|&(what, of)| {
                let jobs: u64 = all.iter().map(of).sum();
                (jobs > 0).then(|| format!("{jobs} for {what}"))
            })
            .collect();
        (!parts.is_empty()).then(|| {
            format!("{}: unfinished jobs wait at the end, {}", stack.name, parts.join(", "))
        })
    };
    experiment.stacks.iter().filter_map(line).collect()
}

/// What jobs can wait for, in words, and how many do.
type Wait = (&'static str, fn(&JobWaits) -> u64);

/// Everything that jobs can wait for.
const WAITS: [Wait; 5] = [
    ("quota", |waits| waits.quota),
    ("the end of their back-off", |waits| waits.back_off),
    ("nodes with room", |waits| waits.room),
    ("the rest of their gang, holding nodes", |waits| waits.rest_of_gang),
    ("their pods to start", |waits| waits.start),
];

fn by_run(measure: &JobMeasure, stack: &StackOutcome, class: usize) -> ByRun {
    let value = |run: &RunSummary| Some((run.run, (measure.of)(run.jobs.get(class)?)?));
    stack.runs.iter().filter_map(value).collect()
}

#[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 jobs")]
fn count(jobs: u64) -> f64 {
    jobs as f64
}

/// One column of `jobs.csv`: its name, and how its cell is made.
type Column = (&'static str, fn(&RunSummary, &JobClassSummary) -> String);

/// The columns, in order. Those of the fleet repeat in each class's row.
const COLUMNS: [Column; 40] = [
    ("stack", |run, _| run.stack.clone()),
    ("seed", |run, _| run.seed.to_string()),
    ("run", |run, _| run.run.to_string()),
    ("job", |_, jobs| jobs.name.clone()),
    ("submitted_jobs", |_, jobs| jobs.arrived.to_string()),
    ("started_jobs", |_, jobs| jobs.started.to_string()),
    ("completed_jobs", |_, jobs| jobs.completed.to_string()),
    ("interruptions", |_, jobs| jobs.interruptions.to_string()),
    ("admitted_jobs", |_, jobs| jobs.admitted.to_string()),
    ("quota_wait_mean_s", |_, jobs| jobs.quota_wait_s.mean.to_string()),
    ("quota_wait_p95_s", |_, jobs| jobs.quota_wait_s.p95.to_string()),
    ("quota_wait_max_s", |_, jobs| jobs.quota_wait_s.max.to_string()),
    ("evictions_preempted", |_, jobs| jobs.evictions.preempted.to_string()),
    ("evictions_reclaimed", |_, jobs| jobs.evictions.reclaimed.to_string()),
    ("evictions_not_ready", |_, jobs| jobs.evictions.not_ready.to_string()),
    ("waiting_quota_jobs", |_, jobs| jobs.waiting.quota.to_string()),
    ("waiting_back_off_jobs", |_, jobs| jobs.waiting.back_off.to_string()),
    ("waiting_room_jobs", |_, jobs| jobs.waiting.room.to_string()),
    ("waiting_rest_of_gang_jobs", |_, jobs| jobs.waiting.rest_of_gang.to_string()),
    ("waiting_start_jobs", |_, jobs| jobs.waiting.start.to_string()),
    ("wait_mean_s", |_, jobs| jobs.wait_s.mean.to_string()),
    ("wait_p50_s", |_, jobs| jobs.wait_s.p50.to_string()),
    ("wait_p95_s", |_, jobs| jobs.wait_s.p95.to_string()),
    ("wait_max_s", |_, jobs| jobs.wait_s.max.to_string()),
    ("completion_mean_s", |_, jobs| jobs.completion_s.mean.to_string()),
    ("completion_p50_s", |_, jobs| jobs.completion_s.p50.to_string()),
    ("completion_p95_s", |_, jobs| jobs.completion_s.p95.to_string()),
    ("completion_max_s", |_, jobs| jobs.completion_s.max.to_string()),
    ("slowdown_mean", |_, jobs| jobs.slowdown.mean.to_string()),
    ("slowdown_p50", |_, jobs| jobs.slowdown.p50.to_string()),
    ("slowdown_p95", |_, jobs| jobs.slowdown.p95.to_string()),
    ("slowdown_max", |_, jobs| jobs.slowdown.max.to_string()),
    ("gpu_useful_h", |_, jobs| jobs.gpu.useful.to_string()),
    ("gpu_overhead_h", |_, jobs| jobs.gpu.overhead.to_string()),
    ("gpu_lost_h", |_, jobs| jobs.gpu.lost.to_string()),
    ("gpu_partial_gangs_h", |_, jobs| jobs.gpu.partial_gangs.to_string()),
    ("gpu_starting_h", |_, jobs| jobs.gpu.starting.to_string()),
    ("cost_usd", |run, _| run.cost.usd.to_string()),
    ("gpu_total_h", |run, _| run.gpu.total.to_string()),
    ("fingerprint", |run, _| run.fingerprint.clone()),
];

/// `jobs.csv`: a row a stack, run and class; units stand in the column names.
pub(crate) fn csv(experiment: &Experiment) -> csv::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS.map(|(name, _)| name))?;
    for run in experiment.stacks.iter().flat_map(|stack| &stack.runs) {
        for jobs in &run.jobs {
            writer.write_record(COLUMNS.map(|(_, cell)| cell(run, jobs)))?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}
