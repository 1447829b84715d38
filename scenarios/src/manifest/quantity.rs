//! Resource quantities as Kubernetes writes them: `"500m"`, `"1k"`, `"2Gi"`, `"1e3"`, `10`.
//!
//! Source of the rules: kubernetes/apimachinery `pkg/api/resource/quantity.go`. What is finer than a thousandth
//! is rounded up, as `Quantity.MilliValue` does; autoscalers read nothing finer.

use serde::{Deserialize, Deserializer, de};
use std::fmt;

/// An amount in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Quantity {
    pub(super) milli: i64,
}

impl Quantity {
    /// The amount.
    #[expect(clippy::cast_precision_loss, reason = "targets stay far below 2^53 thousandths")]
    pub(super) fn value(self) -> f64 {
        self.milli as f64 / 1000.0
    }

    /// Reads a quantity; `None` if it is none, or does not fit.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let digits_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(digits_end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || whole.len() + fraction.len() == 0 {
            return None;
        }
        let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
        let unit = Unit::parse(suffix)?;
        let finer = i32::try_from(fraction.len()).ok()?;
        let milli = unit.milli(if negative { -mantissa } else { mantissa }, finer)?;
        Some(Self { milli: i64::try_from(milli).ok()? })
    }
}

/// What a suffix multiplies by: a power of ten, or of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Ten(i32),
    Two(u32),
}

impl Unit {
    fn parse(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "n" => Self::Ten(-9),
            "u" => Self::Ten(-6),
            "m" => Self::Ten(-3),
            "" => Self::Ten(0),
            "k" => Self::Ten(3),
            "M" => Self::Ten(6),
            "G" => Self::Ten(9),
            "T" => Self::Ten(12),
            "P" => Self::Ten(15),
            "E" => Self::Ten(18),
            "Ki" => Self::Two(10),
            "Mi" => Self::Two(20),
            "Gi" => Self::Two(30),
            "Ti" => Self::Two(40),
            "Pi" => Self::Two(50),
            "Ei" => Self::Two(60),
            exponent => Self::Ten(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
        })
    }

    /// `mantissa` with `finer` digits after the point, in thousandths, rounded up.
    fn milli(self, mantissa: i128, finer: i32) -> Option<i128> {
        let (mantissa, tens) = match self {
            Self::Ten(power) => (mantissa, power.checked_sub(finer)?.checked_add(3)?),
            Self::Two(bits) => (mantissa.checked_mul(1_i128 << bits)?, 3 - finer),
        };
        let factor = 10_i128.checked_pow(tens.unsigned_abs());
        if tens >= 0 {
            return mantissa.checked_mul(factor?);
        }
        // Finer than any quotient that is not zero: the next thousandth above.
        let Some(divisor) = factor else { return Some(i128::from(mantissa > 0)) };
        let above = i128::from(mantissa.rem_euclid(divisor) != 0);
        Some(mantissa.div_euclid(divisor) + above)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    /// From text or, as Kubernetes allows, from a bare number.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Quantity;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quantity, such as `10`, `500m` or `2Gi`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                let misfit = || E::invalid_value(de::Unexpected::Str(text), &self);
                Quantity::parse(text).ok_or_else(misfit)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Quantity, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Quantity, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, milli: Option<i64>) {
        assert_eq!(Quantity::parse(text).map(|quantity| quantity.milli), milli, "{text}");
    }

    #[test]
    fn suffixes_are_powers_of_ten_or_of_two() {
        check("10", Some(10_000));
        check("500m", Some(500));
        check("1k", Some(1_000_000));
        check("1Ki", Some(1_024_000));
        check("2Gi", Some(2_147_483_648_000));
        check("1.5Gi", Some(1_610_612_736_000));
        check("0.1Ki", Some(102_400));
        check("1P", Some(1_000_000_000_000_000_000));
        check("-3", Some(-3_000));
        check("+3", Some(3_000));
    }

    #[test]
    fn an_exponent_is_no_exa() {
        check("1e3", Some(1_000_000));
        check("1E3", Some(1_000_000));
        check("25e-1", Some(2_500));
    }

    #[test]
    fn what_is_finer_than_a_thousandth_is_rounded_up() {
        check("100u", Some(1));
        check("1000u", Some(1));
        check("1001u", Some(2));
        check("1n", Some(1));
        check("0.0015", Some(2));
        check("-0.0015", Some(-1));
        check("1e-60", Some(1));
        check("0", Some(0));
    }

    #[test]
    fn anything_else_is_none() {
        for text in ["", ".", "m", "1K", "1 k", "1mi", "1.2.3", "--1", "ten", "1e", "1e1.5", "1ki"]
        {
            check(text, None);
        }
        check("9Ei", None);
    }

    #[test]
    fn a_point_may_stand_at_either_end() {
        check(".5", Some(500));
        check("5.", Some(5_000));
    }
}
