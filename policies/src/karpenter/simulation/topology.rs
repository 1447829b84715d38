//! Where pods are, for those that spread, that want to be near others, or that want to be away from them.

use super::asking::{Shape, Shapes};
use super::{Claim, ExistingNode, World};
use crate::karpenter::requirements::{Allowed, CAPACITY_TYPE_KEY, Requirements};
use contract::{Constraints, HOSTNAME_KEY, PodAffinity, Selector, ZONE_KEY};
use std::collections::{BTreeMap, BTreeSet};

/// What a rule asks of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Spread { max_skew: u32, min_domains: u32 },
    Near,
    Away,
}

/// A rule, and how many pods that it is about are in each domain.
#[derive(Clone, Debug)]
struct Group {
    rule: Rule,
    key: String,
    selector: Selector,
    counts: BTreeMap<String, u32>,
    /// Counts pods that have the rule, not pods that it selects: those that want nobody near them.
    of_owners: bool,
}

/// A claim with a pod on it in thought: what it may be, and its host name.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) requirements: &'a Requirements,
    pub(super) hostname: &'a str,
}

/// All rules of the pods that ask for a place.
#[derive(Debug)]
pub(super) struct Topology {
    groups: Vec<Group>,
}

impl Topology {
    pub(super) fn of(world: &World<'_>, shapes: &Shapes) -> Self {
        let mut topology = Self { groups: Vec::new() };
        for shape in shapes.iter().filter(|shape| shape.looks_at_pods) {
            topology.add_rules(&shape.constraints);
        }
        let placed =
            || world.nodes.iter().flat_map(|node| node.pods.iter().map(move |pod| (node, pod)));
        for (_, pod) in placed() {
            for term in pod.spec.constraints.iter().flat_map(|own| &own.pod_anti_affinity) {
                topology.group(Rule::Away, term, true);
            }
        }
        if topology.groups.is_empty() {
            return topology;
        }
        topology.add_domains(world);
        for (node, pod) in placed() {
            if let Some(own) = pod.spec.constraints.as_deref() {
                topology.count(own, |key| node.label(key).map(str::to_owned).into_iter().collect());
            }
        }
        topology
    }

    fn add_rules(&mut self, constraints: &Constraints) {
        for spread in &constraints.topology_spread {
            let term = PodAffinity {
                topology_key: spread.topology_key.clone(),
                selector: spread.selector.clone(),
            };
            let (max_skew, min_domains) = (spread.max_skew, spread.min_domains);
            self.group(Rule::Spread { max_skew, min_domains }, &term, false);
        }
        for term in &constraints.pod_affinity {
            self.group(Rule::Near, term, false);
        }
        for term in &constraints.pod_anti_affinity {
            self.group(Rule::Away, term, false);
            self.group(Rule::Away, term, true);
        }
        for preference in &constraints.preferred_pods {
            let rule = if preference.weight < 0 { Rule::Away } else { Rule::Near };
            self.group(rule, &preference.term, false);
        }
    }

    fn group(&mut self, rule: Rule, term: &PodAffinity, of_owners: bool) {
        let known = self.find(rule, term, of_owners).is_some();
        if !known {
            self.groups.push(Group {
                rule,
                key: term.topology_key.clone(),
                selector: term.selector.clone(),
                counts: BTreeMap::new(),
                of_owners,
            });
        }
    }

    fn find(&self, rule: Rule, term: &PodAffinity, of_owners: bool) -> Option<&Group> {
        self.groups.iter().find(|group| {
            group.rule == rule
                && group.of_owners == of_owners
                && group.key == term.topology_key
                && group.selector == term.selector
        })
    }

    /// Domains in which nodes stand or could stand; every host is one, so those come with their nodes.
    fn add_domains(&mut self, world: &World<'_>) {
        for group in &mut self.groups {
            for node in world.nodes {
                group.counts.extend(node.label(&group.key).map(|value| (value.to_owned(), 0)));
            }
            let places = world.pools.iter().flat_map(|pool| &pool.types);
            let types: BTreeSet<_> = places.copied().collect();
            for offering in types.into_iter().flat_map(|place| &world.types[place].offerings) {
                let value = match group.key.as_str() {
                    ZONE_KEY => &*offering.zone,
                    CAPACITY_TYPE_KEY => offering.capacity_type.label(),
                    _ => continue,
                };
                group.counts.entry(value.to_owned()).or_insert(0);
            }
        }
    }

    /// Counts a pod in every domain where it is, or where it might be.
    fn count(&mut self, own: &Constraints, domains: impl Fn(&str) -> Vec<String>) {
        for group in &mut self.groups {
            let counts = if group.of_owners {
                let is_it = |term: &PodAffinity| {
                    term.topology_key == group.key && term.selector == group.selector
                };
                own.pod_anti_affinity.iter().any(is_it)
            } else {
                group.selects(own)
            };
            if !counts {
                continue;
            }
            let domains = domains(&group.key);
            // A pod that may be in several domains counts in all of them for those that want to be away, and
            // in none for the others.
            if domains.len() == 1 || group.rule == Rule::Away {
                for domain in domains {
                    *group.counts.entry(domain).or_insert(0) += 1;
                }
            }
        }
    }

    pub(super) fn placed_on_node(&mut self, shape: &Shape, node: &ExistingNode<'_>) {
        self.count(&shape.constraints, |key| {
            node.label(key).map(str::to_owned).into_iter().collect()
        });
    }

    pub(super) fn placed_on_claim(&mut self, shape: &Shape, claim: &Claim) {
        if self.groups.is_empty() {
            return;
        }
        let known: BTreeMap<String, Vec<String>> = self
            .groups
            .iter()
            .map(|group| {
                let spot = Spot { requirements: &claim.requirements, hostname: &claim.hostname };
                (group.key.clone(), group.possible(spot))
            })
            .collect();
        self.count(&shape.constraints, |key| known.get(key).cloned().unwrap_or_default());
    }

    /// The rules that a pod must keep, with whether the pod itself counts for them.
    fn rules_of<'a>(&'a self, shape: &'a Shape) -> impl Iterator<Item = (&'a Group, bool)> {
        let own = &shape.constraints;
        let spread = own.topology_spread.iter().filter_map(|spread| {
            let rule = Rule::Spread { max_skew: spread.max_skew, min_domains: spread.min_domains };
            self.groups.iter().find(|group| {
                group.rule == rule
                    && group.key == spread.topology_key
                    && group.selector == spread.selector
            })
        });
        let near = own.pod_affinity.iter().filter_map(|term| self.find(Rule::Near, term, false));
        let away =
            own.pod_anti_affinity.iter().filter_map(|term| self.find(Rule::Away, term, false));
        let preferred = own.preferred_pods.iter().filter_map(|preference| {
            let rule = if preference.weight < 0 { Rule::Away } else { Rule::Near };
            self.find(rule, &preference.term, false)
        });
        let shunned = self.groups.iter().filter(|group| group.of_owners && group.selects(own));
        let all = spread.chain(near).chain(away).chain(preferred).chain(shunned);
        all.map(|group| (group, group.selects(own)))
    }

    /// Whether a pod may go to a node.
    pub(super) fn allows_node(&self, shape: &Shape, node: &ExistingNode<'_>) -> bool {
        self.groups.is_empty()
            || self.rules_of(shape).all(|(group, counts)| {
                let here = node.label(&group.key);
                here.is_some_and(|here| {
                    let near = BTreeSet::from([here]);
                    group.choose(&shape.requirements, &near, counts).contains(here)
                })
            })
    }

    /// What a claim must be for a pod to go there; `None` if it cannot.
    pub(super) fn narrow(&self, shape: &Shape, spot: Spot<'_>) -> Option<Requirements> {
        let mut places = Requirements::default();
        if self.groups.is_empty() {
            return Some(places);
        }
        for (group, counts) in self.rules_of(shape) {
            let possible = group.possible(spot);
            let possible: BTreeSet<&str> = possible.iter().map(String::as_str).collect();
            let chosen = group.choose(&shape.requirements, &possible, counts);
            if chosen.is_empty() {
                return None;
            }
            if group.key != HOSTNAME_KEY {
                places.narrow(&group.key, &Allowed::one_of(chosen));
            }
        }
        Some(places)
    }
}

impl Group {
    fn selects(&self, own: &Constraints) -> bool {
        self.selector.matches(|key| own.labels.get(key).map(String::as_str))
    }

    /// Domains in which a claim might be.
    fn possible(&self, spot: Spot<'_>) -> Vec<String> {
        if self.key == HOSTNAME_KEY {
            return vec![spot.hostname.to_owned()];
        }
        let may = |domain: &&String| spot.requirements.allows(&self.key, domain);
        self.counts.keys().filter(may).cloned().collect()
    }

    fn at(&self, domain: &str) -> u32 {
        self.counts.get(domain).copied().unwrap_or(0)
    }

    /// Which of the possible domains keep the rule. `wanted` are the pod's own requirements: domains that it
    /// could not be in do not count for the spread.
    fn choose<'a>(
        &self,
        wanted: &Requirements,
        possible: &BTreeSet<&'a str>,
        counts: bool,
    ) -> BTreeSet<&'a str> {
        match self.rule {
            Rule::Spread { max_skew, min_domains } => {
                let fewest = self.fewest(wanted, min_domains);
                let skew = |domain: &&&str| {
                    self.at(domain) + u32::from(counts) - fewest.min(self.at(domain)) <= max_skew
                };
                let least = possible.iter().filter(skew).min_by_key(|domain| self.at(domain));
                least.copied().into_iter().collect()
            }
            Rule::Near => {
                let with = |domain: &&&str| self.at(domain) > 0;
                let near: BTreeSet<_> = possible.iter().filter(with).copied().collect();
                // The first of a group has nobody to be near to, and goes anywhere.
                let is_first = counts && self.counts.values().all(|&count| count == 0);
                if near.is_empty() && is_first {
                    return possible.iter().take(1).copied().collect();
                }
                near
            }
            Rule::Away => possible.iter().filter(|domain| self.at(domain) == 0).copied().collect(),
        }
    }

    /// The fewest pods in a domain. A new host can always be had, so for hosts that is none.
    fn fewest(&self, wanted: &Requirements, min_domains: u32) -> u32 {
        if self.key == HOSTNAME_KEY {
            return 0;
        }
        let eligible = self.counts.iter().filter(|(domain, _)| wanted.allows(&self.key, domain));
        let counts: Vec<_> = eligible.map(|(_, &count)| count).collect();
        let enough = counts.len() >= min_domains as usize;
        counts.into_iter().min().filter(|_| enough).unwrap_or(0)
    }
}
