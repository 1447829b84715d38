//! A disruption budget: `disruption-budget = { min-available = "50%" }`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::spec;

/// How many of a service's pods may be disrupted at once (`PodDisruptionBudget`): no drain evicts more, and pods of
/// higher priority do only if they find no other place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DisruptionBudget {
    /// So many stay ready: a number, or a percentage of the replicas asked for.
    MinAvailable(Part),
    /// So many may not be ready: likewise.
    MaxUnavailable(Part),
}

/// A number of pods, or a percentage such as `"50%"`, which is rounded up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, try_from = "Written")]
pub enum Part {
    /// So many.
    Count(u32),
    /// So many in a hundred, with its sign.
    Percent(String),
}

/// As it may stand in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number of pods or a percentage such as `50%`")]
enum Written {
    Count(u32),
    Text(String),
}

impl TryFrom<Written> for Part {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Count(count) => Ok(Self::Count(count)),
            Written::Text(text) if percent(&text).is_some() => Ok(Self::Percent(text)),
            Written::Text(text) => Err(format!(
                "found `{text}`, expected a number of pods or a percentage such as `50%`"
            )),
        }
    }
}

fn percent(text: &str) -> Option<u32> {
    text.strip_suffix('%')?.parse().ok().filter(|percent| *percent <= 100)
}

impl From<&Part> for spec::IntOrPercent {
    fn from(part: &Part) -> Self {
        match part {
            Part::Count(count) => Self::Count(*count),
            Part::Percent(text) => Self::Percent(percent(text).expect("checked when it was read")),
        }
    }
}

impl From<&DisruptionBudget> for spec::DisruptionBudget {
    fn from(budget: &DisruptionBudget) -> Self {
        match budget {
            DisruptionBudget::MinAvailable(part) => Self::MinAvailable(part.into()),
            DisruptionBudget::MaxUnavailable(part) => Self::MaxUnavailable(part.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: Result<spec::DisruptionBudget, &str>) {
        let found = serde_json::from_str::<DisruptionBudget>(json);
        let found = found.map(|budget| spec::DisruptionBudget::from(&budget));
        match expected {
            Ok(budget) => assert_eq!(found.expect("a budget"), budget),
            Err(part) => assert!(found.expect_err("no budget").to_string().contains(part)),
        }
    }

    #[test]
    fn a_budget_is_a_count_or_a_percentage() {
        use spec::{DisruptionBudget as Budget, IntOrPercent as Part};
        check(r#"{"min-available": 3}"#, Ok(Budget::MinAvailable(Part::Count(3))));
        check(r#"{"max-unavailable": "25%"}"#, Ok(Budget::MaxUnavailable(Part::Percent(25))));
        let expected = "expected a number of pods or a percentage such as `50%`";
        check(r#"{"min-available": "101%"}"#, Err(expected));
        check(r#"{"min-available": "half"}"#, Err(expected));
        check(r#"{"min-available": -1}"#, Err(expected));
    }
}
