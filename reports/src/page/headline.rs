//! The headline: who gets the jobs done and keeps how much in time, at what cost. Computed, so that it holds for any
//! outcome.

use crate::measure;
use crate::number;
use sim_core::outcome::{Experiment, StackOutcome};

/// Shares, in percent, that a service may want to keep; the headline takes the highest that some
/// stack keeps.
const TARGETS: [f64; 4] = [99.0, 95.0, 90.0, 50.0];

/// Stacks whose shares of jobs done are no further apart than this, in percentage points, get as much done: the run's
/// end finds a job more or less under way.
const AS_MANY_JOBS: f64 = 1.0;

/// A stack's place in the comparison.
struct Standing<'a> {
    name: &'a str,
    cost: f64,
    /// Nothing if no request arrived.
    in_time: Option<f64>,
    /// Nothing if no job was submitted.
    jobs_done: Option<f64>,
    /// Completion time of jobs over their own duration, mean over those that were done.
    slowdown: f64,
    /// GPU-hours that brought no job further.
    wasted: f64,
}

/// One to five sentences.
pub(super) fn sentence(experiment: &Experiment) -> String {
    let all: Vec<_> =
        experiment.stacks.iter().filter_map(|stack| standing(experiment, stack)).collect();
    let Some(most) = all.iter().filter_map(|standing| standing.jobs_done).reduce(f64::max) else {
        return of_requests(experiment, &all.iter().collect::<Vec<_>>(), all.first());
    };
    if most == 0.0 {
        return "No stack gets a single job done: none of them can be recommended.".to_owned();
    }
    // Whoever leaves more jobs undone than another is out, however cheap.
    let able: Vec<_> = all
        .iter()
        .filter(|it| it.jobs_done.is_some_and(|done| done + AS_MANY_JOBS >= most))
        .collect();
    let rest = if able.iter().any(|standing| standing.in_time.is_some()) {
        of_requests(experiment, &able, all.first())
    } else {
        of_cost(&able)
    };
    format!("{} {rest}", of_jobs(&all, able.len(), most))
}

/// Who gets the most jobs done, and who comes closest of those that do not.
fn of_jobs(all: &[Standing<'_>], able: usize, most: f64) -> String {
    let behind =
        all.iter().filter(|it| it.jobs_done.is_some_and(|done| done + AS_MANY_JOBS < most));
    let next =
        behind.reduce(|best, next| if next.jobs_done > best.jobs_done { next } else { best });
    let most = percent(most);
    match (next, all) {
        (None, [only]) => format!("{} gets {most} of the jobs done.", only.name),
        (None, all) => format!("All {} stacks get {most} of the jobs done.", all.len()),
        (Some(next), all) => {
            let left = percent(next.jobs_done.unwrap_or(0.0));
            let all = all.len();
            let who = if able == 1 { "one gets".to_owned() } else { format!("{able} get") };
            format!(
                "Of {all} stacks {who} {most} of the jobs done; {} comes next with {left}.",
                next.name
            )
        }
    }
}

/// What those that get the jobs done cost and waste.
fn of_cost(able: &[&Standing<'_>]) -> String {
    let key = |it: &Standing<'_>| (it.cost, it.slowdown, it.wasted);
    let winner =
        able.iter().copied().reduce(|best, next| if key(next) < key(best) { next } else { best });
    let Some(winner) = winner else { return String::new() };
    let others = || able.iter().filter(|it| it.name != winner.name);
    let what = if able.len() == 1 {
        "does so"
    } else if others().all(|it| it.cost > winner.cost) {
        "is the cheapest of them,"
    } else if others().all(|it| it.cost > winner.cost || it.slowdown > winner.slowdown) {
        "is the quickest of the cheapest,"
    } else {
        "is as good as any,"
    };
    format!(
        "{} {what} at {}: jobs take {} times their own duration, and {} GPU-hours bring none of them further.",
        winner.name,
        cost(winner.cost),
        number::fixed(winner.slowdown, 2),
        number::fixed(winner.wasted, 1)
    )
}

/// Who keeps how many requests in time, at what cost.
fn of_requests<'a>(
    experiment: &Experiment,
    standings: &[&Standing<'a>],
    baseline: Option<&Standing<'a>>,
) -> String {
    let Some(best) = most_in_time(standings) else {
        return "No request arrived: there is nothing to keep, only what the fleets cost."
            .to_owned();
    };
    let Some((target, winner)) = cheapest_that_keeps(standings) else {
        return format!(
            "No stack keeps half of the requests in time; {} comes closest with {} at {}.",
            best.name,
            percent(best.kept()),
            cost(best.cost)
        );
    };
    if let [only] = standings {
        return format!(
            "{} keeps {} {} in time at {}.",
            only.name,
            percent(only.kept()),
            whose(experiment),
            cost(only.cost)
        );
    }
    let mut sentences = vec![winning(experiment, standings, winner, target)];
    sentences.extend(against_baseline(baseline, winner));
    sentences.extend(cheaper(standings, baseline, (winner, target)));
    sentences.extend(better(baseline, winner, best));
    sentences.join(" ")
}

impl Standing<'_> {
    /// Its share in time, none if no request arrived.
    fn kept(&self) -> f64 {
        self.in_time.unwrap_or(0.0)
    }
}

/// How many keep the target, and which of them costs least.
fn winning(
    experiment: &Experiment,
    standings: &[&Standing<'_>],
    winner: &Standing<'_>,
    target: f64,
) -> String {
    let keep = standings.iter().filter(|standing| standing.kept() >= target).count();
    let all = standings.len();
    let (name, whose) = (winner.name, whose(experiment));
    let price = format!("{} at {}", percent(winner.kept()), cost(winner.cost));
    match keep {
        1 => format!("Of {all} stacks only {name} keeps {target}\u{a0}% {whose} in time: {price}."),
        keep if keep == all => {
            format!(
                "All {all} stacks keep {target}\u{a0}% {whose} in time; {name} is the cheapest: {price}."
            )
        }
        keep => format!(
            "{keep} of {all} stacks keep {target}\u{a0}% {whose} in time; {name} is the cheapest of them: {price}."
        ),
    }
}

/// A stack's cost, its share in time (with several services, that of the worst served), and what became of its jobs.
fn standing<'a>(experiment: &Experiment, stack: &'a StackOutcome) -> Option<Standing<'a>> {
    let services = 0..experiment.services.len();
    let mean = |measure: &measure::Measure, service| {
        measure.estimate(stack, service).map(|estimate| estimate.mean)
    };
    Some(Standing {
        name: &stack.name,
        cost: mean(&measure::COST, 0)?,
        in_time: services.filter_map(|service| mean(&measure::IN_TIME, service)).reduce(f64::min),
        jobs_done: mean(&measure::JOBS_DONE, 0),
        slowdown: slowdown(stack),
        wasted: mean(&measure::JOB_WASTE, 0).unwrap_or(0.0),
    })
}

/// Mean over all jobs of a stack that were done, whatever their class; zero if none was.
#[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 jobs")]
fn slowdown(stack: &StackOutcome) -> f64 {
    let jobs = || stack.runs.iter().flat_map(|run| &run.jobs);
    let sum: f64 = jobs().map(|jobs| jobs.slowdown.mean * jobs.completed as f64).sum();
    let done: u64 = jobs().map(|jobs| jobs.completed).sum();
    sum / done.max(1) as f64
}

fn most_in_time<'a, 'b>(standings: &[&'b Standing<'a>]) -> Option<&'b Standing<'a>> {
    let asked = standings.iter().copied().filter(|standing| standing.in_time.is_some());
    asked.reduce(|best, next| if next.in_time > best.in_time { next } else { best })
}

fn cheapest<'a: 'b, 'b>(
    standings: impl Iterator<Item = &'b Standing<'a>>,
) -> Option<&'b Standing<'a>> {
    standings.reduce(|best, next| if next.cost < best.cost { next } else { best })
}

fn cheapest_that_keeps<'a, 'b>(standings: &[&'b Standing<'a>]) -> Option<(f64, &'b Standing<'a>)> {
    TARGETS.into_iter().find_map(|target| {
        let keep = standings.iter().copied().filter(|standing| standing.kept() >= target);
        Some((target, cheapest(keep)?))
    })
}

/// How the winner stands to the first stack.
fn against_baseline(baseline: Option<&Standing<'_>>, winner: &Standing<'_>) -> Option<String> {
    let baseline = baseline.filter(|baseline| baseline.name != winner.name)?;
    let change = 100.0 * (winner.cost / baseline.cost - 1.0);
    if !change.is_finite() {
        return None;
    }
    let amount = match number::fixed(change.abs(), 0).as_str() {
        "0" => "as much as".to_owned(),
        text if change < 0.0 => format!("{text}\u{a0}% less than"),
        text => format!("{text}\u{a0}% more than"),
    };
    Some(format!("That is {amount} {}, which keeps {}.", baseline.name, percent(baseline.kept())))
}

/// What can be had for less.
fn cheaper(
    standings: &[&Standing<'_>],
    baseline: Option<&Standing<'_>>,
    (winner, target): (&Standing<'_>, f64),
) -> Option<String> {
    let less = standings.iter().copied().filter(|standing| standing.kept() < target);
    let cheapest = cheapest(less).filter(|standing| standing.cost < winner.cost)?;
    // The baseline was spoken of already.
    if baseline.is_some_and(|baseline| baseline.name == cheapest.name) {
        return None;
    }
    Some(format!(
        "{} costs less, {}, and keeps {}.",
        cheapest.name,
        cost(cheapest.cost),
        percent(cheapest.kept())
    ))
}

/// What more money buys.
fn better(
    baseline: Option<&Standing<'_>>,
    winner: &Standing<'_>,
    best: &Standing<'_>,
) -> Option<String> {
    let (kept, more) = (percent(winner.kept()), percent(best.kept()));
    // The baseline was spoken of already.
    let is_baseline = baseline.is_some_and(|baseline| baseline.name == best.name);
    (!is_baseline && kept != more && best.cost > winner.cost)
        .then(|| format!("{} keeps the most, {more}, at {}.", best.name, cost(best.cost)))
}

fn whose(experiment: &Experiment) -> &'static str {
    if experiment.services.len() > 1 { "of every service's requests" } else { "of requests" }
}

fn percent(value: f64) -> String {
    format!("{}\u{a0}%", number::fixed(value, if value >= 99.0 { 2 } else { 1 }))
}

fn cost(value: f64) -> String {
    format!("{} USD a day", number::fixed(value, if value < 100.0 { 2 } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    /// Stacks by name, cost per day and share in time; no share means that no request arrived.
    #[track_caller]
    fn check(stacks: &[(&str, f64, Option<f64>)], expected: &str) {
        let mut experiment = fixture::experiment(1, 1, 1);
        let like = experiment.stacks.remove(0);
        for (name, usd_per_day, in_time) in stacks {
            let mut stack = like.clone();
            (*name).clone_into(&mut stack.name);
            stack.runs[0].cost.usd_per_day = *usd_per_day;
            let service = &mut stack.runs[0].services[0];
            match in_time {
                Some(percent) => service.attainment = percent / 100.0,
                None => service.requests.arrived = 0,
            }
            experiment.stacks.push(stack);
        }
        // Shares do not part from their sign at the end of a line.
        assert_eq!(sentence(&experiment).replace('\u{a0}', " "), expected);
    }

    #[test]
    fn the_cheapest_that_keeps_the_highest_target_wins() {
        check(
            &[
                ("lean", 100.0, Some(80.0)),
                ("rich", 300.0, Some(99.99)),
                ("hpa", 150.0, Some(99.0)),
                ("queue", 90.0, Some(70.0)),
            ],
            "2 of 4 stacks keep 99 % of requests in time; hpa is the cheapest of them: 99.00 % at 150 USD a day. \
             That is 50 % more than lean, which keeps 80.0 %. queue costs less, 90.00 USD a day, and keeps 70.0 %. \
             rich keeps the most, 99.99 %, at 300 USD a day.",
        );
    }

    #[test]
    fn the_first_of_equals_wins() {
        check(
            &[("one", 100.0, Some(96.0)), ("two", 100.0, Some(96.0))],
            "All 2 stacks keep 95 % of requests in time; one is the cheapest: 96.0 % at 100 USD a day.",
        );
    }

    #[test]
    fn one_that_stands_alone_is_named_alone() {
        check(
            &[("one", 100.0, Some(96.0)), ("two", 200.0, Some(99.5))],
            "Of 2 stacks only two keeps 99 % of requests in time: 99.50 % at 200 USD a day. \
             That is 100 % more than one, which keeps 96.0 %.",
        );
    }

    #[test]
    fn a_baseline_that_keeps_the_most_is_spoken_of_once() {
        check(
            &[("rich", 300.0, Some(99.99)), ("hpa", 150.0, Some(99.2))],
            "All 2 stacks keep 99 % of requests in time; hpa is the cheapest: 99.20 % at 150 USD a day. \
             That is 50 % less than rich, which keeps 99.99 %.",
        );
    }

    #[test]
    fn one_stack_is_compared_with_nothing() {
        check(
            &[("one", 100.0, Some(96.0))],
            "one keeps 96.0 % of requests in time at 100 USD a day.",
        );
    }

    #[test]
    fn a_bad_day_is_called_one() {
        check(
            &[("one", 100.0, Some(20.0)), ("two", 200.0, Some(30.0))],
            "No stack keeps half of the requests in time; two comes closest with 30.0 % at 200 USD a day.",
        );
    }

    #[test]
    fn a_day_without_requests_has_no_winner() {
        check(
            &[("one", 100.0, None)],
            "No request arrived: there is nothing to keep, only what the fleets cost.",
        );
    }

    /// Stacks by name, cost per day, share of requests in time if any arrived, jobs done of four, GPU-hours wasted, of which each makes
    /// jobs a tenth of their duration slower.
    #[track_caller]
    fn check_jobs(stacks: &[(&str, f64, Option<f64>, u64, f64)], expected: &str) {
        let mut experiment = fixture::with_jobs();
        let like = experiment.stacks.remove(0);
        experiment.stacks.clear();
        for (name, usd_per_day, in_time, done, wasted) in stacks {
            let mut stack = like.clone();
            (*name).clone_into(&mut stack.name);
            let run = &mut stack.runs[0];
            run.cost.usd_per_day = *usd_per_day;
            match in_time {
                Some(percent) => run.services[0].attainment = percent / 100.0,
                None => run.services[0].requests.arrived = 0,
            }
            (run.jobs[0].arrived, run.jobs[0].completed) = (4, *done);
            run.jobs[0].gpu.partial_gangs = *wasted;
            run.jobs[0].slowdown.mean = 1.0 + wasted / 10.0;
            experiment.stacks.push(stack);
        }
        assert_eq!(sentence(&experiment).replace('\u{a0}', " "), expected);
    }

    #[test]
    fn a_stack_that_leaves_jobs_undone_is_never_the_recommendation() {
        check_jobs(
            &[("stuck", 50.0, Some(100.0), 0, 30.0), ("gangs", 100.0, Some(96.0), 4, 0.0)],
            "Of 2 stacks one gets 100.00 % of the jobs done; stuck comes next with 0.0 %. \
             gangs keeps 96.0 % of requests in time at 100 USD a day.",
        );
        check_jobs(
            &[
                ("stuck", 50.0, None, 0, 30.0),
                ("half", 60.0, None, 2, 0.0),
                ("gangs", 100.0, None, 4, 2.5),
                ("kueue", 90.0, None, 4, 3.5),
            ],
            "Of 4 stacks 2 get 100.00 % of the jobs done; half comes next with 50.0 %. \
             kueue is the cheapest of them, at 90.00 USD a day: jobs take 1.35 times their own duration, and 3.5 GPU-hours bring none of them further.",
        );
    }

    #[test]
    fn of_stacks_that_cost_the_same_the_one_with_quicker_jobs_is_named() {
        check_jobs(
            &[("gangs", 100.0, None, 4, 2.5), ("kueue", 100.0, None, 4, 0.5)],
            "All 2 stacks get 100.00 % of the jobs done. \
             kueue is the quickest of the cheapest, at 100 USD a day: jobs take 1.05 times their own duration, and 0.5 GPU-hours bring none of them further.",
        );
    }

    #[test]
    fn where_no_job_is_done_nobody_is_recommended() {
        check_jobs(
            &[("one", 50.0, Some(100.0), 0, 30.0), ("two", 100.0, Some(96.0), 0, 0.0)],
            "No stack gets a single job done: none of them can be recommended.",
        );
    }

    #[test]
    fn one_stack_with_jobs_alone_is_named_alone() {
        check_jobs(
            &[("one", 50.0, None, 4, 3.0)],
            "one gets 100.00 % of the jobs done. \
             one does so at 50.00 USD a day: jobs take 1.30 times their own duration, and 3.0 GPU-hours bring none of them further.",
        );
    }
}
