//! Numbers as people read them.

use crate::measure::Measure;
use crate::stats::Estimate;

/// What stands where nothing could be measured.
pub(crate) const ABSENT: &str = "–";

/// A column of estimates, all with the same number of decimals: four digits for the largest, and
/// no more decimals than the measure has.
pub(crate) struct Column {
    decimals: usize,
}

impl Column {
    /// The form that fits the column's values.
    pub(crate) fn of(measure: &Measure, values: &[Option<Estimate>]) -> Self {
        let largest = values.iter().flatten().map(|value| value.mean.abs()).fold(0.0_f64, f64::max);
        Self { decimals: decimals(largest, 4).min(measure.decimals) }
    }

    /// `1,893`: a number in the column's form.
    pub(crate) fn number(&self, value: f64) -> String {
        fixed(value, self.decimals)
    }

    /// `1,893 ±12`; without the interval when there is none.
    pub(crate) fn estimate(&self, value: Option<Estimate>) -> String {
        self.with_interval(value, |mean| fixed(mean, self.decimals))
    }

    /// `+120 ±14`: an estimate of a difference, always with its sign.
    pub(crate) fn difference(&self, value: Option<Estimate>) -> String {
        self.with_interval(value, |mean| signed(mean, self.decimals))
    }

    /// Whether a difference is more than luck, and more than the column can show.
    pub(crate) fn is_clear(&self, value: Estimate) -> bool {
        value.is_clear_of_zero() && self.number(value.mean) != self.number(0.0)
    }

    fn with_interval(&self, value: Option<Estimate>, mean: impl Fn(f64) -> String) -> String {
        let Some(value) = value else { return ABSENT.to_owned() };
        match value.half_width {
            Some(half) => format!("{} ±{}", mean(value.mean), fixed(half, self.decimals)),
            None => mean(value.mean),
        }
    }
}

/// A number with a fixed count of decimals and commas between thousands; never `-0`.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return ABSENT.to_owned();
    }
    let digits = format!("{:.decimals$}", value.abs());
    let is_zero = digits.chars().all(|c| matches!(c, '0' | '.'));
    let sign = if value < 0.0 && !is_zero { "-" } else { "" };
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    format!("{sign}{}{fraction}", with_commas(whole))
}

/// As [`fixed`], with a plus before what is above zero.
pub(crate) fn signed(value: f64, decimals: usize) -> String {
    let text = fixed(value, decimals);
    let is_zero = text.chars().all(|c| matches!(c, '0' | '.' | ',' | '–'));
    if is_zero || text.starts_with('-') { text } else { format!("+{text}") }
}

/// A number with at most three digits and no trailing zeros, or a whole one.
pub(crate) fn short(value: f64) -> String {
    let text = fixed(value, decimals(value.abs(), 3));
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A whole count with commas.
pub(crate) fn count(value: u64) -> String {
    with_commas(&value.to_string())
}

/// A length in milliseconds, in the unit that suits it: `250 ms`, `1.5 s`, `3 min`.
pub(crate) fn millis(value: f64) -> String {
    match value {
        value if value < 1e3 => format!("{} ms", short(value)),
        value if value < 6e4 => format!("{} s", short(value / 1e3)),
        value if value < 3.6e6 => format!("{} min", short(value / 6e4)),
        value => format!("{} h", short(value / 3.6e6)),
    }
}

/// Decimals with which a number has so many digits that count; those of a millionth at most.
fn decimals(value: f64, digits: i32) -> usize {
    let before_point = (-6..=digits).find(|count| value < 10_f64.powi(*count)).unwrap_or(digits);
    usize::try_from(digits - before_point).unwrap_or(0)
}

fn with_commas(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{COST, TTFT_P99};

    fn estimate(mean: f64, half_width: Option<f64>) -> Estimate {
        Estimate { mean, half_width }
    }

    #[test]
    fn a_column_shows_four_digits_of_its_largest() {
        let values = [Some(estimate(1893.4, Some(12.2))), Some(estimate(99.96, Some(0.4))), None];
        let column = Column::of(&COST, &values);
        let texts = values.map(|value| column.estimate(value));
        assert_eq!(texts, ["1,893 ±12", "100 ±0", "–"]);
        let small = [Some(estimate(18.934, None))];
        assert_eq!(Column::of(&COST, &small).estimate(small[0]), "18.93");
        assert_eq!(Column::of(&TTFT_P99, &small).estimate(small[0]), "19");
    }

    #[test]
    fn a_difference_shows_its_sign_and_zero_has_none() {
        let column = Column { decimals: 1 };
        assert_eq!(column.difference(Some(estimate(1234.56, Some(7.0)))), "+1,234.6 ±7.0");
        assert_eq!(column.difference(Some(estimate(-3.0, None))), "-3.0");
        assert_eq!(column.difference(Some(estimate(-0.04, None))), "0.0");
    }

    #[test]
    fn a_difference_that_shows_as_zero_is_not_called_clear() {
        let column = Column { decimals: 1 };
        assert!(column.is_clear(estimate(0.06, Some(0.01))));
        assert!(!column.is_clear(estimate(0.04, Some(0.01))));
        assert!(!column.is_clear(estimate(-0.04, Some(0.01))));
        assert!(!column.is_clear(estimate(3.0, Some(3.1))));
    }

    #[test]
    fn thousands_have_commas() {
        assert_eq!(count(999), "999");
        assert_eq!(count(4_000_123), "4,000,123");
        assert_eq!(fixed(-12_345.678, 2), "-12,345.68");
        assert_eq!(fixed(f64::NAN, 2), "–");
    }

    #[test]
    fn lengths_take_the_unit_that_suits_them() {
        let texts = [0.25, 250.0, 1500.0, 180_000.0, 7.2e6].map(millis);
        assert_eq!(texts, ["0.25 ms", "250 ms", "1.5 s", "3 min", "2 h"]);
    }
}
