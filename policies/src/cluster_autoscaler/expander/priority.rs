//! `priority`: tiers of pools, by regular expressions over their names.

use super::Offer;
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Pools that are preferred to those of lower tiers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PriorityTier {
    /// Higher goes first.
    pub priority: i32,
    /// Regular expressions over pool names.
    pub pools: Vec<String>,
}

impl PriorityTier {
    /// The tiers of a `cluster-autoscaler-priority-expander` `ConfigMap`, whose `priorities` map numbers to lists of
    /// regular expressions. `None` if it is anything else: then nothing is preferred.
    pub fn of_config(config: &Value) -> Option<Vec<Self>> {
        let tier = |(priority, pools): (&String, &Value)| {
            let priority = priority.parse().ok()?;
            let pattern = |pool: &Value| {
                pool.as_str().filter(|text| Regex::new(text).is_ok()).map(Into::into)
            };
            let pools = pools.as_array()?.iter().map(pattern).collect::<Option<_>>()?;
            Some(Self { priority, pools })
        };
        config.as_object()?.iter().map(tier).collect()
    }
}

/// Options in the highest tier that any of them is in; all of them if none is in any.
pub fn highest_tier(offers: &[Offer<'_>], left: Vec<usize>, tiers: &[PriorityTier]) -> Vec<usize> {
    let tier_of = |&place: &usize| {
        let matching = tiers.iter().filter(|tier| matches(tier, offers[place].pool));
        matching.map(|tier| tier.priority).max()
    };
    let Some(highest) = left.iter().filter_map(tier_of).max() else { return left };
    left.into_iter().filter(|place| tier_of(place) == Some(highest)).collect()
}

/// Whether a tier names a pool; the patterns were checked with the settings.
fn matches(tier: &PriorityTier, pool: &str) -> bool {
    tier.pools.iter().any(|pattern| Regex::new(pattern).is_ok_and(|regex| regex.is_match(pool)))
}
