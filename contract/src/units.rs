//! Units: a number never travels without one.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;
use std::time::Duration;

/// A value that was written without its unit, or with a wrong one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found `{found}`, expected {expected}")]
pub struct UnitError {
    found: String,
    expected: &'static str,
}

/// A measured value in whole thousandths, as Kubernetes quantities are; cut off, as prometheus-adapter does.
#[expect(clippy::cast_possible_truncation, reason = "saturates at the ends of 64 bits")]
pub fn thousandths(value: f64) -> i64 {
    (value * 1000.0) as i64
}

/// A point on the run's clock: microseconds since the run began.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Instant(pub u64);

impl Instant {
    /// The start of the run.
    pub const ZERO: Self = Self(0);
    /// Later than anything.
    pub const FAR: Self = Self(u64::MAX);

    /// Time since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }

    /// Seconds since the run began, for reports.
    #[expect(clippy::cast_precision_loss, reason = "2^53 µs are 285 years")]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl Add<Micros> for Instant {
    type Output = Self;
    fn add(self, length: Micros) -> Self {
        Self(self.0.saturating_add(length.0))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Micros(self.0).fmt(f)
    }
}

/// A length of time in microseconds. Written with units: `"90s"`, `"1m 30s"`, `"2h"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

impl Micros {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// Whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * 1_000_000)
    }

    /// Whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000)
    }

    /// Whole minutes.
    pub const fn from_mins(minutes: u64) -> Self {
        Self::from_secs(minutes * 60)
    }

    /// Seconds as a measured figure, rounded to the nearest microsecond; negative becomes zero.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturating")]
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self((seconds.max(0.0) * 1e6).round() as u64)
    }

    /// Seconds, for reports.
    #[expect(clippy::cast_precision_loss, reason = "2^53 µs are 285 years")]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Milliseconds, for reports.
    #[expect(clippy::cast_precision_loss, reason = "2^53 µs are 285 years")]
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e3
    }
}

impl Add for Micros {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Micros {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Micros {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl FromStr for Micros {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let expected = "a duration with a unit, such as `90s`, `250ms` or `1h 30m`";
        let length = humantime::parse_duration(text)
            .map_err(|_| UnitError { found: text.to_owned(), expected })?;
        let micros = u64::try_from(length.as_micros())
            .map_err(|_| UnitError { found: text.to_owned(), expected })?;
        Ok(Self(micros))
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&humantime::format_duration(Duration::from_micros(self.0)).to_string())
    }
}

/// An amount of memory or data in bytes. Written with units: `"14GiB"`, `"6.6GB"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl Bytes {
    /// Whole gibibytes.
    pub const fn from_gib(gib: u64) -> Self {
        Self(gib << 30)
    }

    /// Gibibytes, for reports and rates.
    #[expect(clippy::cast_precision_loss, reason = "2^53 bytes are 8 PiB")]
    pub fn as_gib_f64(self) -> f64 {
        self.0 as f64 / f64::from(1 << 30)
    }

    /// Gigabytes (10^9), for reports and rates.
    #[expect(clippy::cast_precision_loss, reason = "2^53 bytes are 8 PiB")]
    pub fn as_gb_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl FromStr for Bytes {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError {
            found: text.to_owned(),
            expected: "a size with a unit, such as `14GiB`",
        };
        if text.trim().ends_with(|last: char| last.is_ascii_digit()) {
            return Err(error());
        }
        text.parse::<bytesize::ByteSize>().map(|size| Self(size.as_u64())).map_err(|_| error())
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        let found =
            exact.iter().find(|(bits, _)| self.0 != 0 && self.0.is_multiple_of(1_u64 << bits));
        match found {
            Some((bits, unit)) => f.pad(&format!("{}{unit}", self.0 >> bits)),
            None => f.pad(&format!("{}B", self.0)),
        }
    }
}

/// CPU in thousandths of a core, as Kubernetes counts it. Written `"3920m"` or `"4"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MilliCpu(pub u64);

impl FromStr for MilliCpu {
    type Err = UnitError;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked range")]
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError {
            found: text.to_owned(),
            expected: "an amount of CPU, such as `3920m` or `4`",
        };
        if let Some(millis) = text.strip_suffix('m') {
            return millis.parse().map(Self).map_err(|_| error());
        }
        let cores: f64 = text.parse().map_err(|_| error())?;
        if !(0.0..1e9).contains(&cores) {
            return Err(error());
        }
        Ok(Self((cores * 1000.0).round() as u64))
    }
}

impl fmt::Display for MilliCpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}m", self.0))
    }
}

/// A price in US dollars per hour, never negative. Written `"1.861 USD/h"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct UsdPerHour(pub f64);

impl UsdPerHour {
    /// What `time` costs at this price.
    pub fn cost(self, time: Micros) -> f64 {
        self.0 * time.as_secs_f64() / 3600.0
    }
}

impl FromStr for UsdPerHour {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError {
            found: text.to_owned(),
            expected: "a price that is not negative, such as `1.861 USD/h`",
        };
        let amount = text.trim().strip_suffix("USD/h").ok_or_else(error)?;
        let price: f64 = amount.trim().parse().map_err(|_| error())?;
        if !price.is_finite() || price < 0.0 {
            return Err(error());
        }
        Ok(Self(price))
    }
}

impl fmt::Display for UsdPerHour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} USD/h", self.0))
    }
}

/// Serde and schema through the text form, so that files and journals carry the unit.
macro_rules! as_text {
    ($($name:ident: $pattern:literal, $what:literal;)*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($what)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "description": $what })
            }
        }
    )*};
}

as_text! {
    Micros: "^([0-9]+ ?[a-zµ]+ ?)+$", "a duration with a unit, such as \"90s\" or \"1h 30m\"";
    Bytes: "^[0-9.]+ ?[kKMGTP]?i?B$", "a size with a unit, such as \"14GiB\"";
    MilliCpu: "^[0-9.]+m?$", "an amount of CPU, such as \"3920m\" or \"4\"";
    UsdPerHour: "^[0-9.]+ USD/h$", "a price, such as \"1.861 USD/h\"";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: FromStr<Err = UnitError> + fmt::Display>(text: &str, expected: &str) {
        let found = text.parse::<T>().map_or_else(|error| error.to_string(), |v| v.to_string());
        assert_eq!(found, expected);
    }

    #[test]
    fn a_duration_needs_a_unit() {
        check::<Micros>("90s", "1m 30s");
        check::<Micros>("250us", "250us");
        check::<Micros>(
            "90",
            "found `90`, expected a duration with a unit, such as `90s`, `250ms` or `1h 30m`",
        );
    }

    #[test]
    fn a_size_needs_a_unit() {
        check::<Bytes>("14GiB", "14GiB");
        check::<Bytes>("6.6GB", "6600000000B");
        check::<Bytes>("14", "found `14`, expected a size with a unit, such as `14GiB`");
    }

    #[test]
    fn a_price_is_never_negative_and_names_its_currency() {
        check::<UsdPerHour>("1.861 USD/h", "1.861 USD/h");
        let expected = "expected a price that is not negative, such as `1.861 USD/h`";
        check::<UsdPerHour>("-1 USD/h", &format!("found `-1 USD/h`, {expected}"));
        check::<UsdPerHour>("1 EUR/h", &format!("found `1 EUR/h`, {expected}"));
    }

    #[test]
    fn cpu_reads_as_kubernetes_writes_it() {
        check::<MilliCpu>("3920m", "3920m");
        check::<MilliCpu>("4", "4000m");
        check::<MilliCpu>("-1", "found `-1`, expected an amount of CPU, such as `3920m` or `4`");
    }
}
