//! The figures by which stacks are compared: one list for the terminal, the page and their
//! differences.

use crate::stats::{ByRun, Estimate};
use sim_core::outcome::{
    Experiment, JobClassSummary, Latency, RunSummary, ServiceSummary, StackOutcome,
};

/// A figure by which stacks are compared.
pub(crate) struct Measure {
    /// What it is, in a word or two.
    pub(crate) title: &'static str,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// Most digits shown after the point.
    pub(crate) decimals: usize,
    /// Which way is better.
    pub(crate) better: Better,
    /// What it means, in a sentence.
    pub(crate) meaning: &'static str,
    /// Where it comes from.
    pub(crate) source: Source,
}

/// Which way is better.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    /// Less is better.
    Lower,
    /// More is better.
    Higher,
}

/// Where a measure comes from; nothing when the run has nothing to measure.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// The whole fleet.
    Stack(fn(&RunSummary) -> Option<f64>),
    /// One service.
    Service(fn(&ServiceSummary) -> Option<f64>),
}

/// Money per day.
pub(crate) const COST: Measure = Measure {
    title: "cost",
    unit: "USD/day",
    decimals: 2,
    better: Better::Lower,
    meaning: "what the fleet costs in 24 hours, every billed node second included",
    source: Source::Stack(|run| Some(run.cost.usd_per_day)),
};

/// GPU-hours billed.
pub(crate) const GPU_HOURS: Measure = Measure {
    title: "GPU time",
    unit: "h",
    decimals: 1,
    better: Better::Lower,
    meaning: "GPU-hours billed over the run, whatever was done with them",
    source: Source::Stack(|run| Some(run.gpu.total)),
};

/// Share of requests that kept the SLO.
pub(crate) const IN_TIME: Measure = Measure {
    title: "in time",
    unit: "%",
    decimals: 2,
    better: Better::Higher,
    meaning: "share of all arrivals that kept every limit of the service's SLO (attainment); failed and unfinished ones count as missed",
    source: Source::Service(|service| {
        (service.requests.arrived > 0).then_some(100.0 * service.attainment)
    }),
};

/// Median time to first token.
pub(crate) const TTFT_P50: Measure = Measure {
    title: "TTFT p50",
    unit: "ms",
    decimals: 0,
    better: Better::Lower,
    meaning: "time to first token, from arrival at the gateway, of completed requests: half were faster",
    source: Source::Service(|service| quantile(&service.ttft, service.ttft.p50_ms)),
};

/// Tail of the time to first token.
pub(crate) const TTFT_P99: Measure = Measure {
    title: "TTFT p99",
    unit: "ms",
    decimals: 0,
    better: Better::Lower,
    meaning: "time to first token of completed requests: 99 % were faster",
    source: Source::Service(|service| quantile(&service.ttft, service.ttft.p99_ms)),
};

/// Median time per output token.
pub(crate) const TPOT_P50: Measure = Measure {
    title: "TPOT p50",
    unit: "ms",
    decimals: 1,
    better: Better::Lower,
    meaning: "mean time per output token after the first, of completed requests: half were faster",
    source: Source::Service(|service| quantile(&service.tpot, service.tpot.p50_ms)),
};

/// Tail of the time per output token.
pub(crate) const TPOT_P99: Measure = Measure {
    title: "TPOT p99",
    unit: "ms",
    decimals: 1,
    better: Better::Lower,
    meaning: "mean time per output token after the first, of completed requests: 99 % were faster",
    source: Source::Service(|service| quantile(&service.tpot, service.tpot.p99_ms)),
};

/// Share of requests that failed.
pub(crate) const FAILED: Measure = Measure {
    title: "failed",
    unit: "%",
    decimals: 2,
    better: Better::Lower,
    meaning: "share of all arrivals that timed out, were refused by a full queue, or fitted no replica",
    source: Source::Service(|service| {
        let requests = service.requests;
        share(requests.timed_out + requests.rejected + requests.impossible, requests.arrived)
    }),
};

/// Most replicas that were asked for at once.
pub(crate) const PEAK: Measure = Measure {
    title: "peak",
    unit: "replicas",
    decimals: 1,
    better: Better::Lower,
    meaning: "most replicas that were asked for at once, whether or not they came",
    source: Source::Service(|service| Some(f64::from(service.replicas.wanted_peak))),
};

/// Share of GPU time that was ready and unused.
pub(crate) const IDLE: Measure = Measure {
    title: "idle",
    unit: "%",
    decimals: 1,
    better: Better::Lower,
    meaning: "share of billed GPU time in which the GPU could have served and did not: a ready replica had nothing to do, or no pod held the GPU or the rest of it",
    source: Source::Stack(|run| {
        let gpu = run.gpu;
        (gpu.total > 0.0)
            .then(|| 100.0 * (gpu.idle_ready + gpu.unallocated + gpu.stranded) / gpu.total)
    }),
};

/// Share of jobs that were done.
pub(crate) const JOBS_DONE: Measure = Measure {
    title: "jobs done",
    unit: "%",
    decimals: 1,
    better: Better::Higher,
    meaning: "share of the submitted jobs whose work was done before the run ended",
    source: Source::Stack(|run| {
        let sum = |of: fn(&JobClassSummary) -> u64| run.jobs.iter().map(of).sum();
        share(sum(|jobs| jobs.completed), sum(|jobs| jobs.arrived))
    }),
};

/// GPU time that brought no job further.
pub(crate) const JOB_WASTE: Measure = Measure {
    title: "wasted",
    unit: "GPU-h",
    decimals: 1,
    better: Better::Lower,
    meaning: "GPU-hours that jobs held without getting further: gangs of which too few pods had a node, starts, checkpoints, and work that an interruption undid",
    source: Source::Stack(|run| {
        let wasted = run.jobs.iter().map(|jobs| jobs.gpu.wasted()).sum();
        (!run.jobs.is_empty()).then_some(wasted)
    }),
};

/// Measures of services, beside those of the fleet.
const OF_SERVICES: [Measure; 7] = [IN_TIME, TTFT_P50, TTFT_P99, TPOT_P50, TPOT_P99, FAILED, PEAK];

/// The measures of an experiment, in the order of the tables' columns: those of services and of jobs where it has any.
pub(crate) fn of(experiment: &Experiment) -> Vec<Measure> {
    let mut measures = vec![COST, GPU_HOURS];
    if !experiment.jobs.is_empty() {
        measures.extend([JOBS_DONE, JOB_WASTE]);
    }
    if !experiment.services.is_empty() {
        measures.extend(OF_SERVICES);
    }
    measures.push(IDLE);
    measures
}

/// The few of them by which single runs are told apart.
pub(crate) fn of_runs(experiment: &Experiment) -> Vec<Measure> {
    let few = [COST, JOBS_DONE, JOB_WASTE, IN_TIME, TTFT_P99, TPOT_P99, FAILED];
    let titles: Vec<_> = of(experiment).iter().map(|measure| measure.title).collect();
    few.into_iter().filter(|measure| titles.contains(&measure.title)).collect()
}

impl Measure {
    /// Whether it is one figure for the whole fleet rather than one a service.
    pub(crate) fn is_of_stack(&self) -> bool {
        matches!(self.source, Source::Stack(_))
    }

    /// The unit of its differences: shares differ by percentage points.
    pub(crate) fn difference_unit(&self) -> &'static str {
        if self.unit == "%" { "points" } else { self.unit }
    }

    /// The figure in one run.
    pub(crate) fn in_run(&self, run: &RunSummary, service: usize) -> Option<f64> {
        let value = match self.source {
            Source::Stack(of) => of(run),
            Source::Service(of) => run.services.get(service).and_then(of),
        };
        value.filter(|value| value.is_finite())
    }

    /// The figure in every run of a stack.
    pub(crate) fn by_run(&self, stack: &StackOutcome, service: usize) -> ByRun {
        let values = stack.runs.iter();
        values.filter_map(|run| Some((run.run, self.in_run(run, service)?))).collect()
    }

    /// The mean over a stack's runs.
    pub(crate) fn estimate(&self, stack: &StackOutcome, service: usize) -> Option<Estimate> {
        Estimate::of(&self.by_run(stack, service))
    }

    /// The mean difference to the first stack, run by run.
    pub(crate) fn difference(
        &self,
        experiment: &Experiment,
        stack: &StackOutcome,
        service: usize,
    ) -> Option<Estimate> {
        let baseline = experiment.stacks.first()?;
        Estimate::of_difference(&self.by_run(stack, service), &self.by_run(baseline, service))
    }
}

fn quantile(latency: &Latency, value_ms: f64) -> Option<f64> {
    (latency.count > 0).then_some(value_ms)
}

#[expect(clippy::cast_precision_loss, reason = "request counts stay far below 2^53")]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| 100.0 * part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use sim_core::outcome::{GpuHours, RequestCounts};

    #[test]
    fn a_service_without_requests_has_no_shares_and_no_latencies() {
        let run = RunSummary { services: vec![fixture::service()], ..fixture::run() };
        let all = of(&fixture::experiment(1, 1, 1));
        let measured = all.iter().filter(|measure| measure.in_run(&run, 0).is_some());
        let titles: Vec<_> = measured.map(|measure| measure.title).collect();
        assert_eq!(titles, ["cost", "GPU time", "peak"]);
    }

    #[test]
    fn failed_counts_time_outs_refusals_and_misfits_but_not_the_unfinished() {
        let requests = RequestCounts {
            arrived: 200,
            timed_out: 3,
            rejected: 2,
            impossible: 1,
            unfinished: 50,
            ..RequestCounts::default()
        };
        let service = ServiceSummary { requests, ..fixture::service() };
        let run = RunSummary { services: vec![service], ..fixture::run() };
        assert_eq!(FAILED.in_run(&run, 0), Some(3.0));
    }

    #[test]
    fn idle_leaves_out_gpus_that_are_still_starting() {
        let gpu = GpuHours {
            total: 10.0,
            useful: 4.0,
            idle_ready: 2.0,
            loading: 1.5,
            booting: 1.5,
            unallocated: 0.5,
            stranded: 0.5,
            ..GpuHours::default()
        };
        assert_eq!(IDLE.in_run(&RunSummary { gpu, ..fixture::run() }, 0), Some(30.0));
    }

    #[test]
    fn measures_of_services_and_of_jobs_are_taken_where_there_are_any() {
        let titles = |experiment: &Experiment| -> Vec<_> {
            of(experiment).iter().map(|measure| measure.title).collect()
        };
        let mut experiment = fixture::with_jobs();
        assert!(titles(&experiment).contains(&"in time"));
        experiment.services.clear();
        assert_eq!(titles(&experiment), ["cost", "GPU time", "jobs done", "wasted", "idle"]);
    }

    #[test]
    fn what_jobs_held_is_wasted_unless_it_is_work_that_nothing_undid() {
        let experiment = fixture::with_jobs();
        let wasted = |stack: usize| JOB_WASTE.in_run(&experiment.stacks[stack].runs[0], 0);
        assert_eq!((wasted(0), wasted(1)), (Some(143.9), Some(0.0)));
        assert_eq!(JOBS_DONE.in_run(&experiment.stacks[0].runs[0], 0), Some(0.0));
    }
}
