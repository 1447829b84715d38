//! The headline: who keeps how much in time, at what cost. Computed, so that it holds for any
//! outcome.

use crate::measure;
use crate::number;
use sim_core::outcome::{Experiment, StackOutcome};

/// Shares, in percent, that a service may want to keep; the headline takes the highest that some
/// stack keeps.
const TARGETS: [f64; 4] = [99.0, 95.0, 90.0, 50.0];

/// A stack's place in the comparison.
struct Standing<'a> {
    name: &'a str,
    cost: f64,
    in_time: f64,
}

/// One to four sentences.
pub(super) fn sentence(experiment: &Experiment) -> String {
    let standings: Vec<_> =
        experiment.stacks.iter().filter_map(|stack| standing(experiment, stack)).collect();
    let Some(best) = most_in_time(&standings) else {
        return "No request arrived: there is nothing to keep, only what the fleets cost."
            .to_owned();
    };
    let Some((target, winner)) = cheapest_that_keeps(&standings) else {
        return format!(
            "No stack keeps half of the requests in time; {} comes closest with {} at {}.",
            best.name,
            percent(best.in_time),
            cost(best.cost)
        );
    };
    if let [only] = standings.as_slice() {
        return format!(
            "{} keeps {} {} in time at {}.",
            only.name,
            percent(only.in_time),
            whose(experiment),
            cost(only.cost)
        );
    }
    let mut sentences = vec![winning(experiment, &standings, winner, target)];
    sentences.extend(against_baseline(&standings, winner));
    sentences.extend(cheaper(&standings, winner, target));
    sentences.extend(better(&standings, winner, best));
    sentences.join(" ")
}

/// How many keep the target, and which of them costs least.
fn winning(
    experiment: &Experiment,
    standings: &[Standing<'_>],
    winner: &Standing<'_>,
    target: f64,
) -> String {
    let keep = standings.iter().filter(|standing| standing.in_time >= target).count();
    let all = standings.len();
    let (name, whose) = (winner.name, whose(experiment));
    let price = format!("{} at {}", percent(winner.in_time), cost(winner.cost));
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

/// A stack's cost, and its share in time: with several services, that of the worst served.
fn standing<'a>(experiment: &Experiment, stack: &'a StackOutcome) -> Option<Standing<'a>> {
    let services = 0..experiment.services.len();
    let in_time = services
        .filter_map(|service| measure::IN_TIME.estimate(stack, service))
        .map(|estimate| estimate.mean)
        .reduce(f64::min)?;
    let cost = measure::COST.estimate(stack, 0)?.mean;
    Some(Standing { name: &stack.name, cost, in_time })
}

fn most_in_time<'a, 'b>(standings: &'b [Standing<'a>]) -> Option<&'b Standing<'a>> {
    standings.iter().reduce(|best, next| if next.in_time > best.in_time { next } else { best })
}

fn cheapest<'a: 'b, 'b>(
    standings: impl Iterator<Item = &'b Standing<'a>>,
) -> Option<&'b Standing<'a>> {
    standings.reduce(|best, next| if next.cost < best.cost { next } else { best })
}

fn cheapest_that_keeps<'a, 'b>(standings: &'b [Standing<'a>]) -> Option<(f64, &'b Standing<'a>)> {
    TARGETS.into_iter().find_map(|target| {
        let keep = standings.iter().filter(|standing| standing.in_time >= target);
        Some((target, cheapest(keep)?))
    })
}

/// How the winner stands to the first stack.
fn against_baseline(standings: &[Standing<'_>], winner: &Standing<'_>) -> Option<String> {
    let baseline = standings.first().filter(|baseline| baseline.name != winner.name)?;
    let change = 100.0 * (winner.cost / baseline.cost - 1.0);
    if !change.is_finite() {
        return None;
    }
    let amount = match number::fixed(change.abs(), 0).as_str() {
        "0" => "as much as".to_owned(),
        text if change < 0.0 => format!("{text}\u{a0}% less than"),
        text => format!("{text}\u{a0}% more than"),
    };
    Some(format!("That is {amount} {}, which keeps {}.", baseline.name, percent(baseline.in_time)))
}

/// What can be had for less.
fn cheaper(standings: &[Standing<'_>], winner: &Standing<'_>, target: f64) -> Option<String> {
    let less = standings.iter().filter(|standing| standing.in_time < target);
    let cheapest = cheapest(less).filter(|standing| standing.cost < winner.cost)?;
    // The baseline was spoken of already.
    if standings.first().is_some_and(|baseline| baseline.name == cheapest.name) {
        return None;
    }
    Some(format!(
        "{} costs less, {}, and keeps {}.",
        cheapest.name,
        cost(cheapest.cost),
        percent(cheapest.in_time)
    ))
}

/// What more money buys.
fn better(
    standings: &[Standing<'_>],
    winner: &Standing<'_>,
    best: &Standing<'_>,
) -> Option<String> {
    let (kept, more) = (percent(winner.in_time), percent(best.in_time));
    // The baseline was spoken of already.
    let is_baseline = standings.first().is_some_and(|baseline| baseline.name == best.name);
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
}
