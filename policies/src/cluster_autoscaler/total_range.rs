//! `min:max`, as flags write limits of the whole cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Least and most of something in the whole cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct TotalRange {
    /// Never less is left by a removal.
    pub min: u64,
    /// Never more is asked for.
    pub max: u64,
}

impl FromStr for TotalRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text
            .split_once(':')
            .and_then(|(min, max)| Some(Self { min: min.parse().ok()?, max: max.parse().ok()? }));
        parsed.filter(|range| range.min <= range.max).ok_or_else(|| {
            format!("found `{text}`, expected `<min>:<max>` in whole numbers, such as `0:320000`")
        })
    }
}

impl TryFrom<String> for TotalRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TotalRange> for String {
    fn from(range: TotalRange) -> Self {
        range.to_string()
    }
}

impl fmt::Display for TotalRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.min, self.max)
    }
}
