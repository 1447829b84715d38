//! Numbers that a scenario may set, each with its closed range: what is out of range cannot be built.

use contract::Micros;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// A number outside the range that its setting allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found `{found}`, expected {what} from {low} to {high}")]
pub struct OutOfRange {
    found: String,
    what: &'static str,
    low: String,
    high: String,
}

macro_rules! ranged {
    ($($(#[$doc:meta])* $name:ident: $what:literal, $inner:ty, $low:expr, $high:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
        #[serde(transparent)]
        pub struct $name($inner);

        impl $name {
            /// Lowest value.
            pub const LOW: Self = Self($low);
            /// Highest value.
            pub const HIGH: Self = Self($high);

            /// The bare value.
            pub fn get(self) -> $inner {
                self.0
            }
        }

        impl TryFrom<$inner> for $name {
            type Error = OutOfRange;
            fn try_from(value: $inner) -> Result<Self, OutOfRange> {
                if ($low..=$high).contains(&value) {
                    return Ok(Self(value));
                }
                Err(OutOfRange {
                    found: value.to_string(),
                    what: $what,
                    low: $low.to_string(),
                    high: $high.to_string(),
                })
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::try_from(<$inner>::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let mut schema = <$inner>::json_schema(generator);
                let range = format!("{} from {} to {}", $what, $low, $high);
                schema.insert("description".to_owned(), range.into());
                schema
            }
        }
    )*};
}

ranged! {
    /// Shape of a gamma distribution of gaps: 1 is Poisson, lower is burstier.
    Shape: "a shape", f64, 0.01, 1000.0;
    /// Standard deviation of a logarithm.
    Sigma: "a sigma", f64, 0.0, 5.0;
    /// Standard deviation over the mean.
    Spread: "a relative standard deviation", f64, 0.0, 2.0;
    /// What a rate or a speed is multiplied by.
    Factor: "a factor", f64, 0.001, 1000.0;
    /// Relative weight of a part of a mixture.
    Weight: "a weight", f64, 1e-6, 1e6;
    /// A length in tokens; the sum of a prompt and an output stays far from overflow.
    Tokens: "a number of tokens", u32, 1, 1_000_000_000;
    /// Median length of an on or off spell.
    SpellMedian: "a median", Micros, Micros::from_millis(1), Micros::from_secs(30 * 86_400);
}

impl Factor {
    /// Changes nothing.
    pub const ONE: Self = Self(1.0);
}

impl Shape {
    /// Exponential gaps.
    pub const POISSON: Self = Self(1.0);
}

impl Spread {
    /// None.
    pub const NONE: Self = Self(0.0);
}

impl Default for Spread {
    fn default() -> Self {
        Self::NONE
    }
}

/// Reads a value from its text form; `expected` says what that looks like.
pub(crate) fn text<'de, T, D>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    struct Text<T>(&'static str, PhantomData<T>);
    impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for Text<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Text(expected, PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: TryFrom<V, Error = OutOfRange>, V>(value: V, expected: &str) {
        let found = T::try_from(value).err().map_or_else(String::new, |error| error.to_string());
        assert_eq!(found, expected);
    }

    #[test]
    fn a_range_holds_its_ends_and_nothing_beyond() {
        check::<Shape, _>(0.01, "");
        check::<Shape, _>(1000.0, "");
        check::<Shape, _>(0.0, "found `0`, expected a shape from 0.01 to 1000");
        check::<Shape, _>(-0.87, "found `-0.87`, expected a shape from 0.01 to 1000");
        check::<Shape, _>(f64::NAN, "found `NaN`, expected a shape from 0.01 to 1000");
        check::<SpellMedian, _>(Micros(0), "found `0s`, expected a median from 1ms to 30days");
    }
}
