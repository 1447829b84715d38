//! Values as Go programs read them from annotations and config maps: always text.

use contract::Micros;

/// A duration as `time.ParseDuration` reads it: `60s`, `1m30s`, `1.5h`, `0`. What is finer than a microsecond is
/// cut off; `None` for what is no duration, or negative.
pub(super) fn duration(text: &str) -> Option<Micros> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if text == "0" {
        return Some(Micros::ZERO);
    }
    let mut nanos = 0_u128;
    let mut rest = text;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        nanos = nanos.checked_add(scaled(number, nanos_of(unit)?)?)?;
        rest = tail;
    }
    let micros = u64::try_from(nanos / 1000).ok()?;
    (!text.is_empty()).then_some(Micros(micros))
}

fn nanos_of(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// A decimal number times `unit`, cut off.
fn scaled(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let divisor = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    Some(digits.checked_mul(unit)? / divisor)
}

/// A truth value as `strconv.ParseBool` reads it.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A finite number.
pub(super) fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, micros: Option<u64>) {
        assert_eq!(duration(text).map(|length| length.0), micros, "{text}");
    }

    #[test]
    fn durations_add_up_their_parts() {
        check("60s", Some(60_000_000));
        check("1m30s", Some(90_000_000));
        check("1.5h", Some(5_400_000_000));
        check(".5s", Some(500_000));
        check("1h0m0.25s", Some(3_600_250_000));
        check("1500ns", Some(1));
        check("0", Some(0));
    }

    #[test]
    fn a_duration_without_a_unit_is_none() {
        for text in ["", "60", "1m30", "-5s", "5 s", "1d", "s", ".s", "1..5s"] {
            check(text, None);
        }
    }

    #[test]
    fn truth_has_the_words_of_go() {
        assert_eq!(boolean("T"), Some(true));
        assert_eq!(boolean("0"), Some(false));
        assert_eq!(boolean("yes"), None);
    }
}
