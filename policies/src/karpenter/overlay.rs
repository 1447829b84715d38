//! `NodeOverlay`: prices as the user knows them, in place of those of the cloud.

use super::requirements::{PoolRequirement, Requirements};
use contract::UsdPerHour;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How an overlay changes a price. Written `"80.0"` (instead), `"+5"`, `"-0.5"`, `"+10%"`, `"-25%"`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Adjustment {
    /// This price instead.
    Instead(f64),
    /// So much more, or less.
    Plus(f64),
    /// So many percent more, or less.
    Percent(f64),
}

impl Adjustment {
    /// The price that results, never below nothing.
    #[must_use]
    pub fn apply(self, price: UsdPerHour) -> UsdPerHour {
        let changed = match self {
            Self::Instead(own) => own,
            Self::Plus(more) => price.0 + more,
            Self::Percent(percent) => price.0 * (1.0 + percent / 100.0),
        };
        UsdPerHour(changed.max(0.0))
    }
}

impl FromStr for Adjustment {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.parse::<f64>().ok().filter(|number| number.is_finite());
        let signed = text.starts_with(['+', '-']);
        let found = match text.strip_suffix('%') {
            Some(percent) if signed => number(percent).map(Self::Percent),
            None if signed => number(text).map(Self::Plus),
            None => number(text).map(Self::Instead),
            Some(_) => None,
        };
        found.ok_or_else(|| {
            format!(
                "found `{text}`, expected a price, `+` or `-` an amount, or `+` or `-` a percentage"
            )
        })
    }
}

impl TryFrom<String> for Adjustment {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Adjustment> for String {
    fn from(adjustment: Adjustment) -> Self {
        adjustment.to_string()
    }
}

impl fmt::Display for Adjustment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instead(price) => write!(f, "{price}"),
            Self::Plus(more) => write!(f, "{more:+}"),
            Self::Percent(percent) => write!(f, "{percent:+}%"),
        }
    }
}

/// An overlay over the instance types that its requirements let in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Overlay {
    /// Which offerings it changes: labels of the type, zone, capacity type.
    #[serde(default)]
    pub requirements: Vec<PoolRequirement>,
    /// How their price changes.
    pub price: Adjustment,
    /// Of several that match, the one with the greatest weight counts.
    #[serde(default)]
    pub weight: u32,
}

/// The price of an offering with these labels under overlays; of equal weights the first counts.
pub fn overlaid<'a>(
    overlays: &[Overlay],
    price: UsdPerHour,
    label: impl Fn(&str) -> Option<&'a str>,
) -> UsdPerHour {
    let matches =
        |overlay: &&Overlay| Requirements::of_pool(&overlay.requirements).hold_for(&label);
    let heaviest = overlays.iter().rev().filter(matches).max_by_key(|overlay| overlay.weight);
    heaviest.map_or(price, |overlay| overlay.price.apply(price))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(adjustment: &str, expected: Option<f64>) {
        let found = adjustment.parse::<Adjustment>().ok();
        assert_eq!(found.map(|adjustment| adjustment.apply(UsdPerHour(10.0)).0), expected);
        if let Some(found) = found {
            assert_eq!(found.to_string().parse(), Ok(found), "reads as it is written");
        }
    }

    #[test]
    fn a_price_is_replaced_raised_or_scaled_and_never_negative() {
        check("80.0", Some(80.0));
        check("+5", Some(15.0));
        check("-15", Some(0.0));
        check("-10%", Some(9.0));
        check("+100%", Some(20.0));
        check("10%", None);
        check("cheap", None);
    }

    #[test]
    fn the_heaviest_overlay_that_matches_counts() {
        let overlay = |price: &str, weight| Overlay {
            requirements: Vec::new(),
            price: price.parse().expect("an adjustment"),
            weight,
        };
        let overlays = [overlay("1", 5), overlay("2", 10), overlay("3", 10)];
        assert_eq!(overlaid(&overlays, UsdPerHour(9.0), |_| None), UsdPerHour(2.0));
        assert_eq!(overlaid(&[], UsdPerHour(9.0), |_| None), UsdPerHour(9.0));
    }
}
