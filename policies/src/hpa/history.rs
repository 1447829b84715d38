//! What was proposed and what was changed, and for how long it still counts.

use super::behavior::Rules;
use contract::{Instant, Micros};
use serde::{Deserialize, Serialize};

/// What the metrics proposed at one time, before anything smoothed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recommendation {
    /// When.
    pub at: Instant,
    /// How many replicas.
    pub replicas: u32,
}

/// A change of the replica count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaleEvent {
    /// When.
    pub at: Instant,
    /// By how many.
    pub change: u32,
    /// Its place may be taken by a newer one.
    pub outdated: bool,
}

/// Changes by direction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// Replicas added.
    pub up: Vec<ScaleEvent>,
    /// Replicas removed.
    pub down: Vec<ScaleEvent>,
}

impl Events {
    /// Notes a change under the rules of its direction.
    pub fn record(&mut self, before: u32, after: u32, rules: &Rules, now: Instant) {
        let list = if after > before { &mut self.up } else { &mut self.down };
        let longest = rules.longest_period();
        for event in list.iter_mut() {
            event.outdated |= now.since(event.at) > longest;
        }
        let event = ScaleEvent { at: now, change: after.abs_diff(before), outdated: false };
        match list.iter().rposition(|event| event.outdated) {
            Some(place) => list[place] = event,
            None => list.push(event),
        }
    }
}

/// Sum of the changes that are younger than `period`.
pub fn sum_within(events: &[ScaleEvent], period: Micros, now: Instant) -> u32 {
    let young = events.iter().filter(|event| now.since(event.at) < period);
    young.map(|event| event.change).sum()
}

/// Without `behavior`: the highest proposal of the window, which is closed at its far end. The new one is kept.
pub fn stabilise_down(
    history: &mut Vec<Recommendation>,
    proposed: u32,
    window: Micros,
    now: Instant,
) -> u32 {
    let inside = |past: &&Recommendation| now.since(past.at) <= window;
    let highest = history.iter().filter(inside).map(|past| past.replicas).max();
    keep(history, proposed, now, |age| age > window);
    highest.unwrap_or(proposed).max(proposed)
}

/// The stabilisation windows of both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// A scale-up takes the lowest proposal of this long.
    pub up: Micros,
    /// A scale-down takes the highest proposal of this long.
    pub down: Micros,
}

/// With `behavior`: the current count, moved no further than the proposals of the two windows agree on. Windows
/// are open at their far end. The new proposal is kept.
pub fn stabilise_both(
    history: &mut Vec<Recommendation>,
    current: u32,
    proposed: u32,
    windows: Windows,
    now: Instant,
) -> u32 {
    let within = |window: Micros| {
        let inside = move |past: &&Recommendation| now.since(past.at) < window;
        history.iter().filter(inside).map(|past| past.replicas)
    };
    let floor = within(windows.up).min().unwrap_or(proposed).min(proposed);
    let ceiling = within(windows.down).max().unwrap_or(proposed).max(proposed);
    keep(history, proposed, now, |age| age > windows.up && age > windows.down);
    current.max(floor).min(ceiling)
}

/// Keeps a proposal, in the place of one that no longer counts if there is any.
fn keep(
    history: &mut Vec<Recommendation>,
    replicas: u32,
    now: Instant,
    is_old: impl Fn(Micros) -> bool,
) {
    let recommendation = Recommendation { at: now, replicas };
    match history.iter().rposition(|past| is_old(now.since(past.at))) {
        Some(place) => history[place] = recommendation,
        None => history.push(recommendation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::at;

    /// Proposals by age in seconds.
    fn history(past: &[(u64, u32)]) -> Vec<Recommendation> {
        past.iter()
            .map(|&(age, replicas)| Recommendation { at: at(1000 - age), replicas })
            .collect()
    }

    #[test]
    fn without_behavior_a_proposal_counts_up_to_and_at_the_window() {
        let window = Micros::from_secs(300);
        assert_eq!(stabilise_down(&mut history(&[(300, 9)]), 3, window, at(1000)), 9);
        assert_eq!(stabilise_down(&mut history(&[(301, 9)]), 3, window, at(1000)), 3);
        assert_eq!(stabilise_down(&mut history(&[(10, 2)]), 3, window, at(1000)), 3);
    }

    #[test]
    fn with_behavior_a_proposal_counts_up_to_but_not_at_the_window() {
        let windows = Windows { up: Micros::ZERO, down: Micros::from_secs(300) };
        assert_eq!(stabilise_both(&mut history(&[(299, 9)]), 9, 3, windows, at(1000)), 9);
        assert_eq!(stabilise_both(&mut history(&[(300, 9)]), 9, 3, windows, at(1000)), 3);
    }

    #[test]
    fn a_scale_up_takes_the_lowest_proposal_of_its_window() {
        let windows = Windows { up: Micros::from_secs(60), down: Micros::ZERO };
        assert_eq!(stabilise_both(&mut history(&[(59, 5)]), 4, 8, windows, at(1000)), 5);
        assert_eq!(stabilise_both(&mut history(&[(60, 5)]), 4, 8, windows, at(1000)), 8);
    }

    #[test]
    fn old_proposals_give_their_place_to_new_ones() {
        let mut past = history(&[(301, 9), (10, 2)]);
        stabilise_down(&mut past, 3, Micros::from_secs(300), at(1000));
        let kept: Vec<_> = past.iter().map(|past| past.replicas).collect();
        assert_eq!(kept, [3, 2]);
    }
}
