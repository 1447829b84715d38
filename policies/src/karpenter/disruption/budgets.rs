//! Disruption budgets: how many nodes of a pool may be disrupted at a time, and when.

use super::cron::Schedule;
use crate::Invalid;
use crate::invalid::ensure;
use contract::Micros;
use jiff::SignedDuration;
use jiff::civil::DateTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// No limit (the largest 32-bit integer upstream).
pub const UNLIMITED: u32 = i32::MAX.unsigned_abs();

/// Why a node is disrupted.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum DisruptionReason {
    /// Its pods could be elsewhere, for less.
    Underutilized,
    /// Nothing is on it.
    Empty,
    /// It is not what its pool asks for any more.
    Drifted,
}

/// One budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Budget {
    /// A number of nodes, or a percentage of the pool's nodes, rounded up.
    pub nodes: String,
    /// When it begins to hold, in UTC: five cron fields, or `@daily` and the like; always unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// How long it holds from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Micros>,
    /// For which reasons it holds; for all unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<DisruptionReason>,
}

impl Budget {
    /// Always so many.
    pub fn always(nodes: &str) -> Self {
        Self { nodes: nodes.to_owned(), schedule: None, duration: None, reasons: Vec::new() }
    }

    /// How many nodes of so many; `None` if it says nothing that can be read.
    pub fn value(&self, nodes: u32) -> Option<u32> {
        match self.nodes.strip_suffix('%') {
            Some(percent) => {
                let percent: u32 = percent.parse().ok()?;
                let share = (u64::from(nodes) * u64::from(percent)).div_ceil(100);
                u32::try_from(share).ok()
            }
            None => self.nodes.parse().ok(),
        }
    }

    /// Whether it holds now: its schedule struck within its duration. `None` if the schedule cannot be read.
    pub fn is_active(&self, now: DateTime) -> Option<bool> {
        let Some(schedule) = &self.schedule else { return Some(true) };
        let schedule = Schedule::read(schedule)?;
        let duration = self.duration.unwrap_or_default();
        let duration = SignedDuration::from_micros(i64::try_from(duration.0).ok()?);
        let from = now.checked_sub(duration).ok()?;
        Some(schedule.strikes_within(from, now))
    }

    /// Checks what types cannot.
    pub(crate) fn validate(&self) -> Result<(), Invalid> {
        let expected = "a number of nodes such as `3`, or a percentage such as `10%`";
        ensure(self.value(100).is_some(), "nodes", &self.nodes, expected)?;
        if let Some(schedule) = &self.schedule {
            let expected = "five cron fields such as `0 9 * * MON-FRI`, or `@daily`";
            ensure(Schedule::read(schedule).is_some(), "schedule", schedule, expected)?;
        }
        let both = self.schedule.is_some() == self.duration.is_some();
        ensure(both, "schedule", "one of the two", "`schedule` and `duration` together")
    }

    fn holds_for(&self, reason: DisruptionReason) -> bool {
        self.reasons.is_empty() || self.reasons.contains(&reason)
    }
}

/// How many nodes of `nodes` may be disrupted for a reason: the least of the budgets that hold, none if one of
/// them cannot be read.
pub fn allowed(budgets: &[Budget], nodes: u32, reason: DisruptionReason, now: DateTime) -> u32 {
    let of = |budget: &Budget| match (budget.is_active(now), budget.value(nodes)) {
        (Some(true), Some(value)) => value,
        (Some(false), Some(_)) => UNLIMITED,
        _ => 0,
    };
    let holding = budgets.iter().filter(|budget| budget.holds_for(reason));
    holding.map(of).min().unwrap_or(UNLIMITED)
}

/// Nodes of a pool, as budgets count them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Initialised, and their instances not terminating.
    pub nodes: u32,
    /// Those of them that are not ready, or that are going already.
    pub going: u32,
}

/// How many more may be disrupted now.
pub fn room(budgets: &[Budget], counted: Counted, reason: DisruptionReason, now: DateTime) -> u32 {
    allowed(budgets, counted.nodes, reason, now).saturating_sub(counted.going)
}
