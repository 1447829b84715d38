//! Cron schedules of budgets, in UTC (`robfig/cron`'s standard form: five fields or a descriptor).

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};
use std::collections::BTreeSet;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// One field: values that match, and whether it began with a star.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    values: BTreeSet<i8>,
    any: bool,
}

/// When a budget begins to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

impl Schedule {
    /// Reads a schedule; `None` if it is none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let plain = match text.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let fields: Vec<_> = plain.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.try_into().ok()?;
        Some(Self {
            minute: Field::read(minute, 0, 59, &[])?,
            hour: Field::read(hour, 0, 23, &[])?,
            day: Field::read(day, 1, 31, &[])?,
            month: Field::read(month, 1, 12, &MONTHS)?,
            weekday: Field::read(weekday, 0, 6, &DAYS)?,
        })
    }

    /// Whether it strikes after `from` and not after `to`.
    pub(crate) fn strikes_within(&self, from: DateTime, to: DateTime) -> bool {
        let mut date = from.date();
        while date <= to.date() {
            if self.is_day(date) && self.times(date).any(|at| from < at && at <= to) {
                return true;
            }
            let Ok(next) = date.checked_add(1.day()) else { return false };
            date = next;
        }
        false
    }

    fn is_day(&self, date: Date) -> bool {
        let day = self.day.values.contains(&date.day());
        let weekday = self.weekday.values.contains(&date.weekday().to_sunday_zero_offset());
        // If both are restricted either will do.
        let suits = if self.day.any || self.weekday.any { day && weekday } else { day || weekday };
        suits && self.month.values.contains(&date.month())
    }

    fn times(&self, date: Date) -> impl Iterator<Item = DateTime> {
        self.hour.values.iter().flat_map(move |&hour| {
            self.minute.values.iter().map(move |&minute| date.at(hour, minute, 0, 0))
        })
    }
}

impl Field {
    /// A list of `*`, `5`, `1-5`, with `/2` after it.
    fn read(text: &str, least: i8, most: i8, names: &[&str]) -> Option<Self> {
        let mut values = BTreeSet::new();
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, Some(step.parse::<u8>().ok().filter(|&s| s > 0)?)),
                None => (part, None),
            };
            let value = |text: &str| read_value(text, least, names);
            let (from, to) = match range.split_once('-') {
                _ if range == "*" || range == "?" => (least, most),
                Some((from, to)) => (value(from)?, value(to)?),
                // `5/10` goes on to the end.
                None if step.is_some() => (value(range)?, most),
                None => (value(range)?, value(range)?),
            };
            if from < least || most < to || to < from {
                return None;
            }
            values.extend((from..=to).step_by(usize::from(step.unwrap_or(1))));
        }
        Some(Self { values, any: text.starts_with(['*', '?']) })
    }
}

fn read_value(text: &str, least: i8, names: &[&str]) -> Option<i8> {
    let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let named = named.and_then(|place| i8::try_from(place).ok()).map(|place| place + least);
    named.or_else(|| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it strikes within the hour before a moment.
    #[track_caller]
    fn check(schedule: &str, now: &str, expected: bool) {
        let now: DateTime = now.parse().expect("a moment");
        let schedule = Schedule::read(schedule).expect("a schedule");
        assert_eq!(schedule.strikes_within(now - 1.hour(), now), expected);
    }

    #[test]
    fn it_strikes_at_its_minute_and_not_an_hour_later() {
        check("30 6 * * *", "2024-01-07T06:29:59", false);
        check("30 6 * * *", "2024-01-07T06:30:00", true);
        check("30 6 * * *", "2024-01-07T07:29:59", true);
        check("30 6 * * *", "2024-01-07T07:30:00", false);
    }

    #[test]
    fn days_of_the_month_and_of_the_week_are_alternatives_if_both_are_given() {
        check("0 6 1 * *", "2024-01-07T06:30:00", false);
        check("0 6 * * SUN", "2024-01-07T06:30:00", true);
        check("0 6 1 * SUN", "2024-01-07T06:30:00", true);
        check("0 6 7 * MON", "2024-01-07T06:30:00", true);
        check("0 6 8 * MON", "2024-01-07T06:30:00", false);
    }

    #[test]
    fn lists_ranges_and_steps_are_read() {
        check("0,15 6 * * *", "2024-01-07T06:20:00", true);
        check("*/40 * * JAN-MAR 0-6", "2024-01-07T06:40:00", true);
        check("@weekly", "2024-01-07T00:30:00", true);
        check("@yearly", "2024-01-07T00:30:00", false);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in
            ["", "* * * *", "60 * * * *", "* * 0 * *", "a * * * *", "*/0 * * * *", "@fortnightly"]
        {
            assert_eq!(Schedule::read(text), None, "{text}");
        }
    }
}
