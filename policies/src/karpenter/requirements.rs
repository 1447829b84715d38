//! What labels a node may have: sets of values by key, narrowed as pods come on.

use crate::Invalid;
use crate::invalid::ensure;
use contract::{Requirement, Test};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The label that names an instance type.
pub const INSTANCE_TYPE_KEY: &str = "node.kubernetes.io/instance-type";

/// The label that names a capacity type: `reserved`, `spot` or `on-demand`.
pub const CAPACITY_TYPE_KEY: &str = "karpenter.sh/capacity-type";

/// The label that names a `NodePool`.
pub const NODE_POOL_KEY: &str = "karpenter.sh/nodepool";

/// The label that names the scenario's pool that a node comes from.
pub const POOL_KEY: &str = "pool";

/// How a requirement compares a label with its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Operator {
    /// It has one of the values.
    In,
    /// It has none of them; an absent label passes.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
    /// It is a whole number above the value.
    Gt,
    /// It is a whole number below the value.
    Lt,
    /// It is a whole number, the value or above.
    Gte,
    /// It is a whole number, the value or below.
    Lte,
}

/// One requirement of a `NodePool`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PoolRequirement {
    /// The label's key.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// How many different values the instance types of a claim must offer at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_values: Option<u32>,
}

/// How varied a `NodePool` may ask instance types to be (its schema).
const MIN_VALUES: std::ops::RangeInclusive<u32> = 1..=50;

impl PoolRequirement {
    /// Whether a node needs the label to pass.
    pub fn needs_label(&self) -> bool {
        !matches!(self.operator, Operator::NotIn | Operator::DoesNotExist)
    }

    /// Checks that the values suit the operator.
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        if let Some(least) = self.min_values {
            ensure(MIN_VALUES.contains(&least), "min-values", least, "from 1 to 50")?;
            let named = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
            let is_met = self.operator != Operator::In || least <= named;
            let expected = format!("at most the number of `values`, {named}");
            ensure(is_met, "min-values", least, expected)?;
        }
        let count = self.values.len();
        let found = format!("{count} values for `{}`", self.key);
        match self.operator {
            Operator::In => ensure(count > 0, "values", found, "at least one for `In`"),
            Operator::NotIn => ensure(count > 0, "values", found, "at least one for `NotIn`"),
            Operator::Exists | Operator::DoesNotExist => {
                ensure(count == 0, "values", found, "none for `Exists` and `DoesNotExist`")
            }
            Operator::Gt | Operator::Lt | Operator::Gte | Operator::Lte => {
                let is_number = count == 1 && self.values[0].parse::<i64>().is_ok();
                ensure(is_number, "values", self.values.join(", "), "one whole number")
            }
        }
    }
}

/// Which values a label may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// `values` are those that are left out, not those that are let in.
    complement: bool,
    values: BTreeSet<String>,
    /// It may also be absent.
    absent: bool,
    at_least: Option<i64>,
    at_most: Option<i64>,
    /// Different values that instance types must offer at least.
    pub min_values: Option<u32>,
}

impl Allowed {
    /// One of these values.
    pub fn one_of<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let values = values.into_iter().map(str::to_owned).collect();
        Self { complement: false, values, ..Self::anything() }
    }

    /// Any value, but there.
    fn anything() -> Self {
        let (at_least, at_most, min_values) = (None, None, None);
        let values = BTreeSet::new();
        Self { complement: true, values, absent: false, at_least, at_most, min_values }
    }

    /// None of these values, or absent.
    fn none_of(values: BTreeSet<String>) -> Self {
        Self { values, absent: true, ..Self::anything() }
    }

    /// Absent.
    fn absent() -> Self {
        Self { complement: false, absent: true, ..Self::anything() }
    }

    fn of_pool(requirement: &PoolRequirement) -> Self {
        let values: BTreeSet<_> = requirement.values.iter().cloned().collect();
        let number = values.first().and_then(|value| value.parse::<i64>().ok());
        let any = Self::anything();
        let allowed = match requirement.operator {
            Operator::In => Self { complement: false, values, ..any },
            Operator::NotIn => Self::none_of(values),
            Operator::Exists => any,
            Operator::DoesNotExist => Self::absent(),
            Operator::Gt => Self { at_least: number.map(|number| number + 1), ..any },
            Operator::Lt => Self { at_most: number.map(|number| number - 1), ..any },
            Operator::Gte => Self { at_least: number, ..any },
            Operator::Lte => Self { at_most: number, ..any },
        };
        Self { min_values: requirement.min_values, ..allowed }
    }

    fn of_pod(test: &Test) -> Self {
        match test {
            Test::In(values) => Self::one_of(values.iter().map(String::as_str)),
            Test::NotIn(values) => Self::none_of(values.clone()),
            Test::Exists => Self::anything(),
            Test::DoesNotExist => Self::absent(),
            Test::Gt(bound) => Self { at_least: Some(bound + 1), ..Self::anything() },
            Test::Lt(bound) => Self { at_most: Some(bound - 1), ..Self::anything() },
        }
    }

    /// Whether a label with this value, or an absent one, passes.
    pub fn holds(&self, value: Option<&str>) -> bool {
        let Some(value) = value else { return self.absent };
        self.complement != self.values.contains(value) && self.within(value)
    }

    /// Whether a label may be missing.
    pub fn may_be_absent(&self) -> bool {
        self.absent
    }

    fn within(&self, value: &str) -> bool {
        if self.at_least.is_none() && self.at_most.is_none() {
            return true;
        }
        let number = value.parse::<i64>().ok();
        number.is_some_and(|number| {
            self.at_least.is_none_or(|least| least <= number)
                && self.at_most.is_none_or(|most| number <= most)
        })
    }

    /// Whether nothing is left that a label could be.
    pub fn is_empty(&self) -> bool {
        let crossed = self.at_least.zip(self.at_most).is_some_and(|(least, most)| least > most);
        !self.absent && (crossed || (!self.complement && self.values.is_empty()))
    }

    /// The only value that is left, if there is one.
    pub fn only(&self) -> Option<&str> {
        let single = !self.complement && self.values.len() == 1 && !self.absent;
        self.values.first().filter(|_| single).map(String::as_str)
    }

    /// What both allow. Of two minimums the larger one stays.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let at_least = self.at_least.max(other.at_least);
        let at_most = match (self.at_most, other.at_most) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let values: BTreeSet<_> = match (self.complement, other.complement) {
            (true, true) => self.values.union(&other.values).cloned().collect(),
            (true, false) => other.values.difference(&self.values).cloned().collect(),
            (false, true) => self.values.difference(&other.values).cloned().collect(),
            (false, false) => self.values.intersection(&other.values).cloned().collect(),
        };
        let complement = self.complement && other.complement;
        let absent = self.absent && other.absent;
        let min_values = self.min_values.max(other.min_values);
        let mut both = Self { complement, values, absent, at_least, at_most, min_values };
        if !complement {
            let within: BTreeSet<_> =
                both.values.iter().filter(|value| both.within(value)).cloned().collect();
            both.values = within;
        }
        both
    }
}

/// Requirements by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements(BTreeMap<String, Allowed>);

impl Requirements {
    /// Those of a `NodePool`; several for one key narrow each other.
    pub fn of_pool(requirements: &[PoolRequirement]) -> Self {
        let mut all = Self::default();
        for requirement in requirements {
            all.narrow(&requirement.key, &Allowed::of_pool(requirement));
        }
        all
    }

    /// Those of a term of node affinity.
    pub fn of_pod(requirements: &[Requirement]) -> Self {
        let mut all = Self::default();
        for requirement in requirements {
            all.narrow(&requirement.key, &Allowed::of_pod(&requirement.is));
        }
        all
    }

    /// Narrows one key.
    pub fn narrow(&mut self, key: &str, allowed: &Allowed) {
        let both = self.0.get(key).map_or_else(|| allowed.clone(), |own| own.and(allowed));
        self.0.insert(key.to_owned(), both);
    }

    /// Narrows every key of the other.
    pub fn narrow_by(&mut self, other: &Self) {
        for (key, allowed) in &other.0 {
            self.narrow(key, allowed);
        }
    }

    /// What is allowed for a key, if anything is said about it.
    pub fn get(&self, key: &str) -> Option<&Allowed> {
        self.0.get(key)
    }

    /// Whether a value may stand for a key.
    pub fn allows(&self, key: &str, value: &str) -> bool {
        self.0.get(key).is_none_or(|allowed| allowed.holds(Some(value)))
    }

    /// Whether nothing is left for one of the keys.
    pub fn is_impossible(&self) -> bool {
        self.0.values().any(Allowed::is_empty)
    }

    /// Keys with what is allowed for them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Allowed)> {
        self.0.iter().map(|(key, allowed)| (key.as_str(), allowed))
    }

    /// Whether labels pass, all keys looked at; `label` looks one up.
    pub fn hold_for<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0.iter().all(|(key, allowed)| allowed.holds(label(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(operator: Operator, values: &[&str]) -> PoolRequirement {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        PoolRequirement { key: "k".into(), operator, values, min_values: None }
    }

    /// Which of the labels (`-` is an absent one) pass all requirements together.
    #[track_caller]
    fn check(requirements: &[PoolRequirement], expected: &str) {
        let all = Requirements::of_pool(requirements);
        let passes = |label: &&str| all.hold_for(|_| Some(*label).filter(|label| *label != "-"));
        let found: Vec<_> = ["-", "1", "2", "3", "x"].into_iter().filter(passes).collect();
        assert_eq!(found.join(" "), expected);
    }

    #[test]
    fn each_operator_lets_in_what_kubernetes_says() {
        check(&[pool(Operator::In, &["1", "x"])], "1 x");
        check(&[pool(Operator::NotIn, &["1", "x"])], "- 2 3");
        check(&[pool(Operator::Exists, &[])], "1 2 3 x");
        check(&[pool(Operator::DoesNotExist, &[])], "-");
        check(&[pool(Operator::Gt, &["1"])], "2 3");
        check(&[pool(Operator::Lt, &["3"])], "1 2");
        check(&[pool(Operator::Gte, &["2"])], "2 3");
        check(&[pool(Operator::Lte, &["2"])], "1 2");
    }

    #[test]
    fn several_requirements_of_a_key_narrow_each_other() {
        check(&[pool(Operator::In, &["1", "2", "3"]), pool(Operator::NotIn, &["2"])], "1 3");
        check(&[pool(Operator::Gt, &["1"]), pool(Operator::Lt, &["3"])], "2");
        check(&[pool(Operator::In, &["1", "2"]), pool(Operator::Gte, &["2"])], "2");
        check(&[pool(Operator::NotIn, &["1"]), pool(Operator::Exists, &[])], "2 3 x");
    }

    #[test]
    fn what_cannot_hold_is_seen_without_labels() {
        let impossible = |all: &[PoolRequirement]| Requirements::of_pool(all).is_impossible();
        assert!(impossible(&[pool(Operator::In, &["1"]), pool(Operator::In, &["2"])]));
        assert!(impossible(&[pool(Operator::Gt, &["2"]), pool(Operator::Lt, &["3"])]));
        assert!(impossible(&[pool(Operator::Exists, &[]), pool(Operator::DoesNotExist, &[])]));
        assert!(!impossible(&[pool(Operator::NotIn, &["1"]), pool(Operator::DoesNotExist, &[])]));
    }
}
