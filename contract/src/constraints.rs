//! What few pods ask of their place beyond resources: affinities, spreading, ports; and the labels by which
//! others find them. One value is shared by all pods alike, so that pods without any pay nothing.

use crate::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The label whose value is the node itself: every node is a domain of its own.
pub const HOSTNAME_KEY: &str = "kubernetes.io/hostname";

/// The label whose value is the zone in which a node stands.
pub const ZONE_KEY: &str = "topology.kubernetes.io/zone";

/// A pod's labels and its rules about places. The fields are those of a Kubernetes pod, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Constraints {
    /// Labels of the pod, which selectors of other pods (and of its own) look at.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Required node affinity: the node's labels match one of these, if there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub node_affinity: Vec<Selector>,
    /// Preferred node affinity: the weights of all that match are added up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub preferred_nodes: Vec<Preference<Selector>>,
    /// How evenly matching pods must be spread (`whenUnsatisfiable: DoNotSchedule`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topology_spread: Vec<TopologySpread>,
    /// Required pod affinity: in the node's domain runs a matching pod, for each of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pod_affinity: Vec<PodAffinity>,
    /// Required pod anti-affinity: in the node's domain runs no matching pod, for any of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pod_anti_affinity: Vec<PodAffinity>,
    /// Preferred pod affinity: each matching pod in the domain adds the weight; a negative weight is preferred
    /// anti-affinity.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub preferred_pods: Vec<Preference<PodAffinity>>,
    /// Ports of the node that it takes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host_ports: Vec<HostPort>,
    /// Images of its containers, if nodes that have them are to be preferred.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// Waits for room instead of evicting pods of lower priority (`preemptionPolicy: Never`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub never_preempts: bool,
}

/// Labels match if every requirement does; without any, everything matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Selector(pub Vec<Requirement>);

impl Selector {
    /// Selects what has these labels.
    pub fn of_labels<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let is = |value: &str| Test::In(BTreeSet::from([value.to_owned()]));
        let requirement = |(key, value): (&str, _)| Requirement { key: key.into(), is: is(value) };
        Self(labels.into_iter().map(requirement).collect())
    }

    /// Whether labels match; `label` looks one up by its key.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0.iter().all(|requirement| requirement.is.holds(label(&requirement.key)))
    }
}

/// What one label must be like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// The test that its value passes.
    pub is: Test,
}

/// A test of a label (the operators of a Kubernetes `NodeSelectorRequirement`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// It has one of these values.
    In(BTreeSet<String>),
    /// It has none of these values; an absent label passes.
    NotIn(BTreeSet<String>),
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
    /// It is a whole number above this.
    Gt(i64),
    /// It is a whole number below this.
    Lt(i64),
}

impl Test {
    /// Whether a label with this value, or an absent one, passes.
    pub fn holds(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::In(values) => value.is_some_and(|value| values.contains(value)),
            Self::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Self::Exists => value.is_some(),
            Self::DoesNotExist => value.is_none(),
            Self::Gt(bound) => number().is_some_and(|number| number > *bound),
            Self::Lt(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

/// Something preferred, and how much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Preference<T> {
    /// 1 to 100 (Kubernetes); below zero it is disliked.
    pub weight: i32,
    /// What is preferred.
    pub term: T,
}

/// Pods that match, in the domain of a node: all nodes with the same value of a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PodAffinity {
    /// The node label whose values are the domains.
    pub topology_key: String,
    /// Which pods count.
    pub selector: Selector,
}

/// How evenly matching pods are spread over domains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TopologySpread {
    /// By how many pods a domain may exceed the one with the fewest.
    pub max_skew: u32,
    /// With fewer domains than this, the fewest counts as none.
    #[serde(default = "one_domain")]
    pub min_domains: u32,
    /// The node label whose values are the domains.
    pub topology_key: String,
    /// Which pods count.
    pub selector: Selector,
}

/// Kubernetes: a missing `minDomains` is one.
fn one_domain() -> u32 {
    1
}

/// A port of the node that a pod takes for itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HostPort {
    /// Its number.
    pub port: u16,
    /// Its protocol.
    #[serde(default)]
    pub protocol: Protocol,
    /// The address it is bound to; `None` is every address of the node.
    #[serde(default)]
    pub ip: Option<String>,
}

impl HostPort {
    /// Whether a node cannot give out both.
    pub fn conflicts(&self, other: &Self) -> bool {
        let same_address = self.ip.is_none() || other.ip.is_none() || self.ip == other.ip;
        self.port == other.port && self.protocol == other.protocol && same_address
    }
}

/// A port's protocol.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Protocol {
    /// TCP.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
    /// SCTP.
    #[serde(rename = "SCTP")]
    Sctp,
}

/// A container image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Image {
    /// Its name.
    pub name: String,
    /// Its size on a node.
    pub size: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(is: &str, value: Option<&str>, expected: bool) {
        let test: Test = serde_json::from_str(is).expect("a test");
        assert_eq!(test.holds(value), expected);
    }

    #[test]
    fn in_needs_the_label_and_not_in_does_not() {
        check(r#"{"in": ["a", "b"]}"#, Some("b"), true);
        check(r#"{"in": ["a", "b"]}"#, Some("c"), false);
        check(r#"{"in": ["a", "b"]}"#, None, false);
        check(r#"{"not-in": ["a"]}"#, Some("a"), false);
        check(r#"{"not-in": ["a"]}"#, Some("b"), true);
        check(r#"{"not-in": ["a"]}"#, None, true);
    }

    #[test]
    fn existence_looks_at_the_key_alone() {
        check(r#""exists""#, Some(""), true);
        check(r#""exists""#, None, false);
        check(r#""does-not-exist""#, Some(""), false);
        check(r#""does-not-exist""#, None, true);
    }

    #[test]
    fn greater_and_less_are_strict_and_only_for_whole_numbers() {
        check(r#"{"gt": 4}"#, Some("5"), true);
        check(r#"{"gt": 4}"#, Some("4"), false);
        check(r#"{"lt": 4}"#, Some("3"), true);
        check(r#"{"lt": 4}"#, Some("4"), false);
        check(r#"{"gt": 4}"#, Some("many"), false);
        check(r#"{"lt": 4}"#, None, false);
    }

    #[test]
    fn every_requirement_of_a_selector_must_hold() {
        let selector = Selector::of_labels([("app", "chat"), ("tier", "gold")]);
        let gold = BTreeMap::from([("app", "chat"), ("tier", "gold")]);
        assert!(selector.matches(|key| gold.get(key).copied()));
        assert!(!selector.matches(|key| gold.get(key).copied().filter(|_| key == "app")));
        assert!(Selector::default().matches(|_| None));
    }

    #[test]
    fn ports_conflict_where_their_addresses_meet() {
        let port = |ip: Option<&str>| HostPort {
            port: 80,
            protocol: Protocol::Tcp,
            ip: ip.map(Into::into),
        };
        assert!(port(None).conflicts(&port(Some("10.0.0.1"))));
        assert!(port(Some("10.0.0.1")).conflicts(&port(Some("10.0.0.1"))));
        assert!(!port(Some("10.0.0.1")).conflicts(&port(Some("10.0.0.2"))));
        assert!(!port(None).conflicts(&HostPort { port: 81, ..port(None) }));
        assert!(!port(None).conflicts(&HostPort { protocol: Protocol::Udp, ..port(None) }));
    }
}
