//! Settings with a range: a value outside it cannot be built, so the error stands at its key.

use contract::Micros;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use sim_core::spec::Pace;
use std::borrow::Cow;
use std::num::NonZeroU32;

/// A value outside the range that its setting allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found `{found}`, expected {expected}")]
pub struct OutOfRange {
    found: String,
    expected: &'static str,
}

/// A share, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Share(f64);

impl Share {
    /// The bare value.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Share {
    type Error = OutOfRange;
    fn try_from(value: f64) -> Result<Self, OutOfRange> {
        let error = || OutOfRange { found: value.to_string(), expected: "a share from 0 to 1" };
        (0.0..=1.0).contains(&value).then_some(Self(value)).ok_or_else(error)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(f64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for Share {
    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

/// A length of time that is not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Length(Micros);

impl Length {
    /// The bare value.
    pub fn get(self) -> Micros {
        self.0
    }

    /// A length that is known not to be zero.
    pub(crate) fn of(length: Micros) -> Self {
        assert!(length > Micros::ZERO, "a length of time is not zero");
        Self(length)
    }
}

impl TryFrom<Micros> for Length {
    type Error = OutOfRange;
    fn try_from(value: Micros) -> Result<Self, OutOfRange> {
        let expected = "a duration that is longer than zero";
        let error = || OutOfRange { found: value.to_string(), expected };
        (value > Micros::ZERO).then_some(Self(value)).ok_or_else(error)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Micros::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for Length {
    fn schema_name() -> Cow<'static, str> {
        "Length".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Micros::json_schema(generator)
    }
}

/// How fast a GPU model works, as a multiple of the reference GPU; kept to the thousandth.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Factor(f64);

impl Factor {
    /// In the engine's terms.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 10^6")]
    pub(crate) fn pace(self) -> Pace {
        let thousandths = NonZeroU32::new((self.0 * 1000.0).round() as u32);
        Pace::of_thousandths(thousandths.expect("at least a thousandth"))
    }
}

impl TryFrom<f64> for Factor {
    type Error = OutOfRange;
    fn try_from(value: f64) -> Result<Self, OutOfRange> {
        let expected = "a factor from 0.001 to 1000";
        let error = || OutOfRange { found: value.to_string(), expected };
        let rounded = (value * 1000.0).round() / 1000.0;
        (0.001..=1000.0).contains(&value).then_some(Self(rounded)).ok_or_else(error)
    }
}

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(f64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for Factor {
    fn schema_name() -> Cow<'static, str> {
        "Factor".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0.001, "maximum": 1000 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_ends_and_nothing_beyond() {
        let share = |value: f64| Share::try_from(value).map_err(|error| error.to_string());
        assert_eq!(share(0.0), Ok(Share(0.0)));
        assert_eq!(share(1.0), Ok(Share(1.0)));
        assert_eq!(share(1.01), Err("found `1.01`, expected a share from 0 to 1".to_owned()));
        assert_eq!(share(f64::NAN), Err("found `NaN`, expected a share from 0 to 1".to_owned()));
        let pace = |value| Factor::try_from(value).map(|factor| factor.pace().thousandths()).ok();
        assert_eq!([0.001, 1.0, 1.96349, 1000.0].map(pace), [1, 1000, 1963, 1_000_000].map(Some));
        assert_eq!([0.0, -1.0, 1000.1, f64::NAN].map(pace), [None; 4]);
        assert!(Length::try_from(Micros(1)).is_ok() && Length::try_from(Micros(0)).is_err());
    }
}
