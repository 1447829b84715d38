//! Parts of one GPU, in thousandths.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// Thousandths of one GPU, 0 to 1000.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u16")]
pub struct GpuMilli(u16);

/// More thousandths than one GPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found `{0}`, expected thousandths of one GPU, 0 to 1000")]
pub struct TooManyMilli(u16);

impl GpuMilli {
    /// None of it.
    pub const ZERO: Self = Self(0);
    /// A whole GPU.
    pub const WHOLE: Self = Self(1000);

    /// The `parts`th part of a GPU, rounded down.
    ///
    /// # Panics
    /// When `parts` is zero.
    pub fn one_of(parts: u32) -> Self {
        Self(u16::try_from(1000 / parts).expect("at most a thousand"))
    }

    /// The bare number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The sum, a whole GPU at most.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self((self.0 + other.0).min(Self::WHOLE.0))
    }
}

impl TryFrom<u16> for GpuMilli {
    type Error = TooManyMilli;
    fn try_from(value: u16) -> Result<Self, TooManyMilli> {
        if value <= Self::WHOLE.0 { Ok(Self(value)) } else { Err(TooManyMilli(value)) }
    }
}

impl fmt::Display for GpuMilli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl JsonSchema for GpuMilli {
    fn schema_name() -> Cow<'static, str> {
        "GpuMilli".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": 1000 })
    }
}

/// What a holder gets of one GPU's throughput.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GpuShare {
    /// What it gets however busy its neighbours are, as far as the guarantees of all add up to one GPU; also its
    /// weight when it competes for what is idle.
    pub guaranteed: GpuMilli,
    /// What it gets at most.
    pub limit: GpuMilli,
}

impl GpuShare {
    /// The whole GPU.
    pub const WHOLE: Self = Self::fixed(GpuMilli::WHOLE);

    /// So much, never more and never less.
    pub const fn fixed(part: GpuMilli) -> Self {
        Self { guaranteed: part, limit: part }
    }

    /// So much at least, and all that others leave idle.
    pub const fn at_least(part: GpuMilli) -> Self {
        Self { guaranteed: part, limit: GpuMilli::WHOLE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_has_a_thousand_thousandths_and_no_more() {
        let milli = |value: u16| GpuMilli::try_from(value).map_err(|error| error.to_string());
        assert_eq!(milli(1000), Ok(GpuMilli::WHOLE));
        let expected = "found `1001`, expected thousandths of one GPU, 0 to 1000";
        assert_eq!(milli(1001), Err(expected.to_owned()));
        assert_eq!(GpuMilli::one_of(3).get(), 333);
        assert_eq!(GpuMilli::WHOLE.saturating_add(GpuMilli::one_of(2)), GpuMilli::WHOLE);
    }
}
