//! `minValues`: instance types must stay varied enough for a launch to have a choice.

use super::instance_type::InstanceType;
use super::requirements::{INSTANCE_TYPE_KEY, Requirements};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What happens when instance types are not varied enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MinValuesPolicy {
    /// The pod is not placed.
    #[default]
    Strict,
    /// The number is lowered to what there is.
    BestEffort,
}

/// How many different values are asked for, by key.
pub type Minimums = BTreeMap<String, u32>;

/// The minimums among requirements.
pub fn minimums(requirements: &Requirements) -> Minimums {
    let minimum = |(key, allowed): (&str, &super::requirements::Allowed)| {
        allowed.min_values.map(|least| (key.to_owned(), least))
    };
    requirements.iter().filter_map(minimum).collect()
}

/// Whether rows of labels are varied enough, and how many of them it takes, in their order: all of them if
/// they are not.
///
/// # Errors
/// The keys that fall short, with the number of values that there are.
pub fn satisfied<'a, Row>(
    rows: impl Iterator<Item = Row>,
    minimums: &Minimums,
    label: impl Fn(&Row, &str) -> Option<&'a str>,
) -> Result<usize, Minimums> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> =
        minimums.keys().map(|key| (key.as_str(), BTreeSet::new())).collect();
    for (place, row) in rows.enumerate() {
        for (key, seen) in &mut values {
            seen.extend(label(&row, key));
        }
        if values.iter().all(|(key, seen)| seen.len() >= minimums[*key] as usize) {
            return Ok(place + 1);
        }
    }
    let short = values.iter().filter(|(key, seen)| seen.len() < minimums[**key] as usize);
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let short: Minimums =
        short.map(|(key, seen)| ((*key).to_owned(), number(seen.len()))).collect();
    if short.is_empty() { Ok(0) } else { Err(short) }
}

/// The same for instance types, which know their own name.
///
/// # Errors
/// The keys that fall short, with the number of values that there are.
pub fn satisfied_by<'a>(
    types: impl Iterator<Item = &'a InstanceType>,
    minimums: &Minimums,
) -> Result<usize, Minimums> {
    satisfied(types, minimums, |instance, key| {
        if key == INSTANCE_TYPE_KEY {
            return Some(&*instance.name);
        }
        instance.labels.get(key).map(String::as_str)
    })
}
