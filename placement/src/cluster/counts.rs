//! How many pods of a kind there are, by topology domain: kept while pods come and go, so that no filter looks at
//! every pod.

use super::kind::Kind;
use contract::{Constraints, HOSTNAME_KEY, NodeId, PodAffinity, Requirement, Selector};
use std::collections::BTreeMap;

/// Which pods a count is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// Those that a selector matches.
    Matching {
        /// By their labels.
        selector: Selector,
        /// Only those that are not on their way out, as topology spread counts.
        staying: bool,
    },
    /// Those that have a term about others, which the selector matches.
    Owning {
        /// Whom the term is about.
        selector: Selector,
        /// What it does to them.
        effect: Effect,
    },
}

/// What a pod's term does to others that want to its domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Keeps them off: required anti-affinity.
    Forbids,
    /// Makes the domain better (or worse, below zero) by this.
    Attracts(i64),
}

/// A count by domain of one node label.
#[derive(Clone, Debug)]
pub(super) struct Count {
    pub(super) subject: Subject,
    key: String,
    /// By kind of node; nodes of one kind have the same value of the label, except for the node's own name.
    by_kind: Vec<u32>,
    /// By node where there are any; kept only where every node is a domain.
    by_node: BTreeMap<NodeId, u32>,
    /// How many nodes of a kind have how many; likewise, and only where there are any.
    levels: BTreeMap<(usize, u32), u32>,
}

impl Count {
    pub(super) fn new(subject: Subject, key: &str) -> Self {
        Self {
            subject,
            key: key.to_owned(),
            by_kind: Vec::new(),
            by_node: BTreeMap::new(),
            levels: BTreeMap::new(),
        }
    }

    pub(super) fn is_of(&self, subject: &Subject, key: &str) -> bool {
        self.subject == *subject && self.key == key
    }

    /// Whether it leaves out pods that are on their way out.
    pub(super) fn counts_staying(&self) -> bool {
        matches!(self.subject, Subject::Matching { staying: true, .. })
    }

    /// How often a pod with these constraints counts.
    pub(super) fn times(&self, pod: Option<&Constraints>) -> usize {
        match &self.subject {
            Subject::Matching { selector, .. } => usize::from(matches(selector, pod)),
            Subject::Owning { .. } => pod.map_or(0, |pod| {
                terms(pod).iter().filter(|(subject, key)| self.is_of(subject, key)).count()
            }),
        }
    }

    /// A pod that counts came to a node.
    pub(super) fn add(&mut self, kind: usize, node: NodeId) {
        if self.by_kind.len() <= kind {
            self.by_kind.resize(kind + 1, 0);
        }
        self.by_kind[kind] += 1;
        if self.key == HOSTNAME_KEY {
            let count = self.by_node.entry(node).or_default();
            *count += 1;
            let now = *count;
            self.shift((kind, now - 1), (kind, now));
        }
    }

    /// A pod that counts left a node.
    pub(super) fn remove(&mut self, kind: usize, node: NodeId) {
        self.by_kind[kind] -= 1;
        if let Some(count) = self.by_node.get_mut(&node) {
            *count -= 1;
            let now = *count;
            if now == 0 {
                self.by_node.remove(&node);
            }
            self.shift((kind, now + 1), (kind, now));
        }
    }

    /// A node's count changed.
    fn shift(&mut self, from: (usize, u32), to: (usize, u32)) {
        if let Some(nodes) = self.levels.get_mut(&from) {
            *nodes -= 1;
            if *nodes == 0 {
                self.levels.remove(&from);
            }
        }
        if to.1 > 0 {
            *self.levels.entry(to).or_default() += 1;
        }
    }

    /// The counts of domains over those kinds of node that are `eligible`.
    pub(super) fn domains(&self, kinds: &[Kind], eligible: impl Fn(usize) -> bool) -> Domains<'_> {
        let eligible: Vec<_> = (0..kinds.len()).map(eligible).collect();
        let counted = kinds.iter().enumerate();
        let counted = counted.filter(|(place, kind)| eligible[*place] && kind.nodes > 0);
        if self.key == HOSTNAME_KEY {
            let (mut fewest, mut count) = (None, 0);
            for (place, kind) in counted {
                count += kind.nodes;
                let here = self.fewest_on_a_node(place, kind);
                fewest = Some(fewest.map_or(here, |fewest: u32| fewest.min(here)));
            }
            let at = At::Nodes { by_node: &self.by_node, eligible };
            return Domains { at, fewest, count, total: self.total() };
        }
        let mut by_value = BTreeMap::<&str, u32>::new();
        for (place, kind) in counted {
            if let Some(value) = kind.label(&self.key) {
                *by_value.entry(value).or_default() += self.of_kind(place);
            }
        }
        let of = |kind: &Kind| {
            kind.label(&self.key).map(|value| by_value.get(value).copied().unwrap_or(0))
        };
        let fewest = by_value.values().copied().min();
        let count = u32::try_from(by_value.len()).expect("no more domains than nodes");
        let total = by_value.values().sum();
        Domains { at: At::Kinds(kinds.iter().map(of).collect()), fewest, count, total }
    }

    fn fewest_on_a_node(&self, place: usize, kind: &Kind) -> u32 {
        let levels = || self.levels.range((place, 0)..(place + 1, 0));
        let with_some: u32 = levels().map(|(_, nodes)| nodes).sum();
        let lowest = levels().next().map_or(0, |((_, count), _)| *count);
        if with_some < kind.nodes { 0 } else { lowest }
    }

    /// How many there are in all.
    pub(super) fn total(&self) -> u32 {
        self.by_kind.iter().sum()
    }

    fn of_kind(&self, kind: usize) -> u32 {
        self.by_kind.get(kind).copied().unwrap_or(0)
    }
}

/// Counts by domain, as one search needs them.
#[derive(Debug)]
pub(super) struct Domains<'a> {
    at: At<'a>,
    /// The fewest in any eligible domain; `None` if there is no such domain.
    pub(super) fewest: Option<u32>,
    /// Eligible domains.
    pub(super) count: u32,
    /// The sum over them.
    pub(super) total: u32,
}

#[derive(Debug)]
enum At<'a> {
    /// Every node is a domain: those with any, and which kinds of node count.
    Nodes { by_node: &'a BTreeMap<NodeId, u32>, eligible: Vec<bool> },
    /// Nodes with the same label are one: by kind of node, the count of its domain; `None` without the label.
    Kinds(Vec<Option<u32>>),
}

impl Domains<'_> {
    /// The count of the domain that a node is in; `None` if it is in none.
    pub(super) fn at(&self, kind: usize, node: NodeId) -> Option<u32> {
        match &self.at {
            At::Nodes { eligible, .. } if !eligible[kind] => Some(0),
            At::Nodes { by_node, .. } => Some(by_node.get(&node).copied().unwrap_or(0)),
            At::Kinds(by_kind) => by_kind[kind],
        }
    }
}

/// Whether a selector matches a pod with these constraints.
pub(super) fn matches(selector: &Selector, pod: Option<&Constraints>) -> bool {
    selector.matches(|key| pod.and_then(|pod| pod.labels.get(key)).map(String::as_str))
}

/// One selector for pods that all the terms match.
pub(super) fn all_of(terms: &[PodAffinity]) -> Selector {
    let requirements = terms.iter().flat_map(|term| &term.selector.0);
    Selector(requirements.cloned().collect::<Vec<Requirement>>())
}

/// What must be counted because pods with these constraints exist: whom they are about, and who is about others.
pub(super) fn needed(pod: &Constraints) -> Vec<(Subject, &str)> {
    let matching =
        |selector: &Selector, staying| Subject::Matching { selector: selector.clone(), staying };
    let spread = pod.topology_spread.iter();
    let mut all: Vec<_> =
        spread.map(|rule| (matching(&rule.selector, true), rule.topology_key.as_str())).collect();
    let every = all_of(&pod.pod_affinity);
    all.extend(
        pod.pod_affinity.iter().map(|term| (matching(&every, false), term.topology_key.as_str())),
    );
    let preferred = pod.preferred_pods.iter().map(|preference| &preference.term);
    all.extend(
        pod.pod_anti_affinity
            .iter()
            .chain(preferred)
            .map(|term| (matching(&term.selector, false), term.topology_key.as_str())),
    );
    all.extend(terms(pod));
    all
}

/// A pod's own terms about others.
fn terms(pod: &Constraints) -> Vec<(Subject, &str)> {
    let owning =
        |term: &PodAffinity, effect| Subject::Owning { selector: term.selector.clone(), effect };
    let required = Effect::Attracts(crate::score::preferences::REQUIRED_AFFINITY_WEIGHT);
    let mut all = Vec::new();
    for term in &pod.pod_affinity {
        all.push((owning(term, required), term.topology_key.as_str()));
    }
    for term in &pod.pod_anti_affinity {
        all.push((owning(term, Effect::Forbids), term.topology_key.as_str()));
    }
    for preference in &pod.preferred_pods {
        let effect = Effect::Attracts(i64::from(preference.weight));
        all.push((owning(&preference.term, effect), preference.term.topology_key.as_str()));
    }
    all
}
