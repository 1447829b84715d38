//! Axes: how a value becomes a place, and which ticks are named.

use crate::number;
use contract::Micros;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// An axis with its title (what it shows and in which unit) and its named ticks.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// What the axis shows, with its unit.
    pub(crate) title: String,
    /// Values at both ends.
    pub(crate) ends: Range<f64>,
    /// Values and names of the ticks, rising.
    pub(crate) ticks: Vec<(f64, String)>,
    /// Rising; equal steps of it are equally long.
    scale: fn(f64) -> f64,
}

/// Shares that the axis of nines may name, as percentages.
const NINES: [f64; 13] =
    [0.0, 50.0, 80.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.8, 99.9, 99.95, 99.99, 99.999];
/// Those that it names when there are many.
const NINES_SPARSE: [f64; 6] = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99];
/// Most ticks on an axis of nines.
const NINES_MOST: usize = 9;

impl Axis {
    /// From zero to a round number not below `largest`.
    pub(crate) fn from_zero(title: impl Into<String>, largest: f64, ticks: usize) -> Self {
        let (step, count) = round_steps(largest, ticks);
        let values = (0..=count).map(|index| f64::from(index) * step);
        Self {
            title: title.into(),
            ends: 0.0..step * f64::from(count),
            ticks: values.map(|value| (value, number::short(value))).collect(),
            scale: |value| value,
        }
    }

    /// Hours of the run, values in hours: every third hour of a day, fewer on longer runs; minutes
    /// on runs below two hours.
    pub(crate) fn of_run(horizon: Micros) -> Self {
        let hours = (horizon.as_secs_f64() / 3600.0).max(1e-6);
        let (title, per_hour) = match hours {
            hours if hours < 2.0 => ("minutes since the run began", 60.0),
            hours if hours <= 72.0 => ("hours since the run began", 1.0),
            _ => ("days since the run began", 1.0 / 24.0),
        };
        let steps = [1.0, 2.0, 3.0, 6.0, 12.0, 24.0];
        let length = hours * per_hour;
        let step = steps.into_iter().find(|step| length / step <= 12.5);
        let step = step.unwrap_or_else(|| round_steps(length, 10).0);
        let count = whole(length / step + 1e-9);
        let tick =
            |index| (f64::from(index) * step / per_hour, number::short(f64::from(index) * step));
        Self {
            title: title.to_owned(),
            ends: 0.0..hours,
            ticks: (0..=count).map(tick).collect(),
            scale: |value| value,
        }
    }

    /// Lengths of time on a logarithmic axis, values in milliseconds: whole decades around all of
    /// `values`.
    pub(crate) fn log_millis(values: impl Iterator<Item = f64>, most: usize) -> Self {
        let logs = values.filter(|value| value.is_finite()).map(log10_millis);
        let (low, high) = logs.fold((f64::MAX, f64::MIN), |(low, high), log| {
            (low.min(log.floor()), high.max(log.ceil()))
        });
        // Nothing to show: a decade either side of a hundred milliseconds.
        let (low, high) = if low <= high { (low, high.max(low + 1.0)) } else { (1.0, 3.0) };
        let decades = whole(high - low);
        let step = usize::try_from(decades).map_or(1, |decades| decades / most + 1);
        let tick = |decade: u32| {
            let value = 10_f64.powf(low + f64::from(decade));
            (value, decade_name(value))
        };
        Self {
            title: "time (log scale)".to_owned(),
            ends: 10_f64.powf(low)..10_f64.powf(high),
            ticks: (0..=decades).step_by(step).map(tick).collect(),
            scale: log10_millis,
        }
    }

    /// Counts on a logarithmic axis that begins at zero.
    pub(crate) fn log_count(title: impl Into<String>, largest: f64) -> Self {
        let decades = whole(largest.max(1.0).log10().ceil()).max(1);
        // From two decades on, one would stand too close to zero to be named.
        let named = (u32::from(decades > 1)..=decades).step_by(usize::from(decades > 4) + 1);
        let tick = |decade: u32| {
            let count = 10_f64.powf(f64::from(decade));
            (count, number::short(count))
        };
        Self {
            title: title.into(),
            ends: 0.0..10_f64.powf(f64::from(decades)),
            ticks: std::iter::once((0.0, "0".to_owned())).chain(named.map(tick)).collect(),
            scale: log10_of_one_more,
        }
    }

    /// Shares below one by their nines: 90 %, 99 % and 99.9 % are equally far apart, since each
    /// misses a tenth of what the one before it does. Values are percentages.
    pub(crate) fn of_nines(title: impl Into<String>, lowest: f64, highest: f64) -> Self {
        let below = |value: f64| NINES.iter().rposition(|tick| *tick <= value).unwrap_or(0);
        let above = |value: f64| NINES.iter().position(|tick| *tick >= value);
        let top = above(highest).unwrap_or(NINES.len() - 1);
        let bottom = below(lowest).min(top.saturating_sub(1));
        let top = top.max(bottom + 1);
        let inside = &NINES[bottom..=top];
        let is_sparse = inside.len() > NINES_MOST;
        let ends = [NINES[bottom], NINES[top]];
        let is_named =
            |tick: &f64| !is_sparse || NINES_SPARSE.contains(tick) || ends.contains(tick);
        let named = inside.iter().filter(|tick| is_named(tick));
        Self {
            title: title.into(),
            ends: NINES[bottom]..NINES[top],
            ticks: named.map(|tick| (*tick, format!("{tick} %"))).collect(),
            scale: nines,
        }
    }

    /// Rows of bars, one unit each, without names.
    pub(crate) fn of_rows(count: usize) -> Self {
        let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX).max(1));
        Self { title: String::new(), ends: 0.0..count, ticks: Vec::new(), scale: |value| value }
    }

    /// Where a value stands, from 0 at the start to 1 at the end; what lies beyond an end stands on
    /// it, and what is no number at the start.
    fn place(&self, value: f64) -> f64 {
        let [low, high, value] = [self.ends.start, self.ends.end, value].map(self.scale);
        let place = (value - low) / (high - low);
        if place.is_nan() { 0.0 } else { place.clamp(0.0, 1.0) }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    #[expect(clippy::cast_possible_truncation, reason = "between the limits")]
    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let length = f64::from(limit.1 - limit.0);
        limit.0 + (self.place(*value) * length).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(value, _)| *value).collect()
    }

    fn range(&self) -> Range<f64> {
        self.ends.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|(tick, _)| tick.total_cmp(value).is_eq());
        tick.map_or(String::new(), |(_, name)| name.clone())
    }
}

/// Microseconds are the shortest that the engine can tell apart.
const SHORTEST_MS: f64 = 1e-3;

/// A power of ten of milliseconds, in milliseconds or seconds.
fn decade_name(millis: f64) -> String {
    if millis < 999.0 {
        format!("{} ms", number::short(millis))
    } else {
        format!("{} s", number::short(millis / 1e3))
    }
}

fn log10_millis(value: f64) -> f64 {
    value.max(SHORTEST_MS).log10()
}

fn log10_of_one_more(value: f64) -> f64 {
    (value.max(0.0) + 1.0).log10()
}

fn nines(percent: f64) -> f64 {
    -(1.0 - percent / 100.0).max(1e-9).log10()
}

/// A round step (1, 2 or 5 times a power of ten) and how many of them cover `largest` with about
/// `ticks` of them.
fn round_steps(largest: f64, ticks: usize) -> (f64, u32) {
    let largest = if largest.is_finite() && largest > 0.0 { largest } else { 1.0 };
    let ticks = f64::from(u32::try_from(ticks).unwrap_or(u32::MAX).max(1));
    let power = 10_f64.powf((largest / ticks).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = step.into_iter().find(|step| largest / step <= ticks).unwrap_or(10.0 * power);
    (step, whole((largest / step - 1e-9).ceil()).max(1))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturating")]
fn whole(value: f64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(axis: &Axis, expected: &str) {
        let names: Vec<_> = axis.ticks.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names.join(", "), expected);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.0, 1e300] {
            let place = axis.place(value);
            assert!((0.0..=1.0).contains(&place), "{value} is off the axis");
        }
        assert!(axis.ends.start < axis.ends.end);
    }

    #[test]
    fn an_axis_from_zero_ends_at_a_round_number() {
        check(&Axis::from_zero("cost", 1340.0, 5), "0, 500, 1,000, 1,500");
        check(&Axis::from_zero("cost", 1000.0, 5), "0, 200, 400, 600, 800, 1,000");
        check(&Axis::from_zero("cost", 0.03, 3), "0, 0.01, 0.02, 0.03");
    }

    #[test]
    fn an_axis_without_values_still_has_a_length() {
        check(&Axis::from_zero("cost", 0.0, 2), "0, 0.5, 1");
        check(&Axis::from_zero("cost", f64::NAN, 2), "0, 0.5, 1");
        check(&Axis::log_millis([].into_iter(), 5), "10 ms, 100 ms, 1 s");
        check(&Axis::log_count("queue", 0.0), "0, 1, 10");
        check(&Axis::of_nines("in time", 100.0, 100.0), "99.99 %, 99.999 %");
    }

    #[test]
    fn a_run_is_named_in_the_unit_that_suits_it() {
        let hours = |hours: u64| Axis::of_run(Micros::from_mins(60 * hours));
        check(&hours(24), "0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24");
        check(&hours(6), "0, 1, 2, 3, 4, 5, 6");
        check(&hours(168), "0, 1, 2, 3, 4, 5, 6, 7");
        check(&Axis::of_run(Micros::from_mins(60)), "0, 6, 12, 18, 24, 30, 36, 42, 48, 54, 60");
    }

    #[test]
    fn a_count_of_one_is_not_named_where_it_would_touch_zero() {
        check(&Axis::log_count("queue", 10.0), "0, 1, 10");
        check(&Axis::log_count("queue", 11.0), "0, 10, 100");
        check(&Axis::log_count("queue", 90_000.0), "0, 10, 1,000, 100,000");
    }

    #[test]
    fn time_takes_whole_decades() {
        check(&Axis::log_millis([12.0, 900.0].into_iter(), 5), "10 ms, 100 ms, 1 s");
        check(&Axis::log_millis([100.0].into_iter(), 5), "100 ms, 1 s");
        check(&Axis::log_millis([0.002, 6e6].into_iter(), 5), "0.001 ms, 1 ms, 1 s, 1,000 s");
    }

    #[test]
    fn shares_are_spaced_by_what_they_miss() {
        check(
            &Axis::of_nines("in time", 91.0, 99.96),
            "90 %, 95 %, 98 %, 99 %, 99.5 %, 99.8 %, 99.9 %, 99.95 %, 99.99 %",
        );
        let axis = Axis::of_nines("in time", 50.0, 99.9);
        let step = axis.place(99.0) - axis.place(90.0);
        assert!((axis.place(99.9) - axis.place(99.0) - step).abs() < 1e-9);
    }
}
