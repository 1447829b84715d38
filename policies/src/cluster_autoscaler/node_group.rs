//! Node groups as the flag `--nodes` names them, and the pools as the autoscaler sees them through it.

use contract::PoolSeen;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A node group: `min:max:name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct NodeGroup {
    /// Never fewer nodes than this.
    pub min: u32,
    /// Never more nodes than this.
    pub max: u32,
    /// The pool.
    pub name: String,
}

impl FromStr for NodeGroup {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, ':');
        let mut number = || parts.next()?.parse::<u32>().ok();
        let (min, max) = (number(), number());
        let group = min.zip(max).zip(parts.next().filter(|name| !name.is_empty()));
        let group = group.map(|((min, max), name)| Self { min, max, name: name.to_owned() });
        group.filter(|group| group.min <= group.max).ok_or_else(|| {
            format!("found `{text}`, expected `<min>:<max>:<pool>`, such as `0:10:workers`")
        })
    }
}

impl TryFrom<String> for NodeGroup {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<NodeGroup> for String {
    fn from(group: NodeGroup) -> Self {
        group.to_string()
    }
}

impl fmt::Display for NodeGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.min, self.max, self.name)
    }
}

/// The pools with the limits of their groups, within what the pools themselves allow. A pool that no group names is
/// left as it is: it neither grows nor shrinks. Without groups all pools are managed, within their own limits.
pub(super) fn managed<'a>(pools: &'a [PoolSeen], groups: &[NodeGroup]) -> Cow<'a, [PoolSeen]> {
    if groups.is_empty() {
        return Cow::Borrowed(pools);
    }
    let limits = |pool: &PoolSeen| match groups.iter().find(|group| *group.name == *pool.name) {
        Some(group) => (group.min.min(pool.max), group.max.min(pool.max)),
        None => (pool.target, pool.target),
    };
    let limited = |pool: &PoolSeen| {
        let (min, max) = limits(pool);
        PoolSeen { min, max, ..pool.clone() }
    };
    Cow::Owned(pools.iter().map(limited).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::pool;

    #[track_caller]
    fn check(groups: &[&str], expected: &[(u32, u32)]) {
        let groups: Vec<NodeGroup> =
            groups.iter().map(|text| text.parse().expect("a group")).collect();
        let pools = [pool(0, "a", 0, (1, 3, 10)), pool(1, "b", 0, (0, 2, 5))];
        let limits: Vec<_> =
            managed(&pools, &groups).iter().map(|pool| (pool.min, pool.max)).collect();
        assert_eq!(limits, expected);
    }

    #[test]
    fn groups_limit_their_pools_and_leave_others_alone() {
        check(&[], &[(1, 10), (0, 5)]);
        check(&["2:8:a", "0:5:b"], &[(2, 8), (0, 5)]);
        check(&["2:20:a"], &[(2, 10), (2, 2)]);
    }

    #[test]
    fn a_group_is_least_most_and_name() {
        for text in ["1:2", "2:1:a", "1:b:a", "1:2:"] {
            let error = text.parse::<NodeGroup>().expect_err("no group");
            let expected = "`<min>:<max>:<pool>`, such as `0:10:workers`";
            assert_eq!(error, format!("found `{text}`, expected {expected}"));
        }
        // Names of groups at some clouds have colons in them.
        assert_eq!("0:1:arn:x".parse::<NodeGroup>().expect("a group").name, "arn:x");
    }
}
