//! Request rates.

use crate::setting::text;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A request rate, never negative. Written `"45 req/s"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct RequestsPerSecond(f64);

impl RequestsPerSecond {
    /// The highest rate: the clock counts microseconds, and requests should not share one as a rule.
    pub const MAX: Self = Self(1e6);

    /// Requests per second, as a number.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// A rate without its unit, negative, or beyond [`RequestsPerSecond::MAX`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found `{found}`, expected {EXPECTED}")]
pub struct RateError {
    found: String,
}

const EXPECTED: &str = "a rate from 0 to 1000000 requests per second, such as `45 req/s`";

impl TryFrom<f64> for RequestsPerSecond {
    type Error = RateError;
    fn try_from(rate: f64) -> Result<Self, RateError> {
        let known = (0.0..=Self::MAX.0).contains(&rate);
        known.then_some(Self(rate)).ok_or_else(|| RateError { found: rate.to_string() })
    }
}

impl FromStr for RequestsPerSecond {
    type Err = RateError;
    fn from_str(text: &str) -> Result<Self, RateError> {
        let number =
            text.trim().strip_suffix("req/s").and_then(|number| number.trim().parse().ok());
        let rate = number.and_then(|number: f64| Self::try_from(number).ok());
        rate.ok_or_else(|| RateError { found: text.to_owned() })
    }
}

impl fmt::Display for RequestsPerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} req/s", self.0))
    }
}

impl Serialize for RequestsPerSecond {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RequestsPerSecond {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "a rate with its unit, such as \"45 req/s\"")
    }
}

impl JsonSchema for RequestsPerSecond {
    fn schema_name() -> Cow<'static, str> {
        "RequestsPerSecond".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9.]+ ?req/s$",
            "description": "a request rate, such as \"45 req/s\""
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = text.parse::<RequestsPerSecond>();
        assert_eq!(found.map_or_else(|error| error.to_string(), |rate| rate.to_string()), expected);
    }

    #[test]
    fn a_rate_names_its_unit_and_is_never_negative() {
        check("45 req/s", "45 req/s");
        check("0req/s", "0 req/s");
        check("1000000 req/s", "1000000 req/s");
        let expected = "expected a rate from 0 to 1000000 requests per second, such as `45 req/s`";
        for bad in ["45", "-1 req/s", "1000001 req/s", "NaN req/s", "45 req/min", "req/s"] {
            check(bad, &format!("found `{bad}`, {expected}"));
        }
    }
}
