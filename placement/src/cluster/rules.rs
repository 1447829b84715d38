//! What a pod's constraints, and those of the pods that are there, say about every node: worked out once for a
//! search.

use super::Cluster;
use super::counts::{Domains, Effect, Subject, all_of, matches};
use crate::Refusal;
use crate::filter::node_affinity;
use contract::{Constraints, HOSTNAME_KEY, NodeId, PodSpec, Selector, TopologySpread};

/// Rules about domains, ready to be asked about nodes.
#[derive(Debug, Default)]
pub(super) struct Rules<'a> {
    spread: Vec<Spread<'a>>,
    affinity: Vec<Domains<'a>>,
    /// Nobody is there whom the affinity could be to, and the pod itself would do.
    first_of_its_kind: bool,
    anti_affinity: Vec<Domains<'a>>,
    forbidden: Vec<Domains<'a>>,
    attraction: Vec<(i64, Domains<'a>)>,
}

#[derive(Debug)]
struct Spread<'a> {
    domains: Domains<'a>,
    /// A domain with more than this is full.
    most: i64,
}

impl<'a> Rules<'a> {
    /// The rules for a pod. Costs nothing when neither it nor anybody else has any.
    pub(super) fn of(cluster: &'a Cluster, spec: &PodSpec) -> Self {
        let mut rules = Self::default();
        if cluster.counts.is_empty() {
            return rules;
        }
        if let Some(pod) = spec.constraints.as_deref() {
            rules.add_own(cluster, spec, pod);
        }
        rules.add_others(cluster, spec.constraints.as_deref());
        rules
    }

    fn add_own(&mut self, cluster: &'a Cluster, spec: &PodSpec, pod: &Constraints) {
        let domains = |selector: &Selector, key: &str| {
            cluster.domains(&matching(selector, false), key, |_| true)
        };
        for rule in &pod.topology_spread {
            self.spread.push(Spread::of(cluster, spec, pod, rule));
        }
        let every = all_of(&pod.pod_affinity);
        for term in &pod.pod_affinity {
            self.affinity.push(domains(&every, &term.topology_key));
        }
        let nobody = |domains: &Domains<'_>| domains.total == 0;
        self.first_of_its_kind = matches(&every, Some(pod)) && self.affinity.iter().all(nobody);
        for term in &pod.pod_anti_affinity {
            self.anti_affinity.push(domains(&term.selector, &term.topology_key));
        }
        for preference in &pod.preferred_pods {
            let term = &preference.term;
            let weight = i64::from(preference.weight);
            self.attraction.push((weight, domains(&term.selector, &term.topology_key)));
        }
    }

    /// What pods that are there say about this one.
    fn add_others(&mut self, cluster: &'a Cluster, pod: Option<&Constraints>) {
        for count in &cluster.counts {
            let Subject::Owning { selector, effect } = &count.subject else { continue };
            if count.total() == 0 || !matches(selector, pod) {
                continue;
            }
            let domains = count.domains(&cluster.kinds, |_| true);
            match effect {
                Effect::Forbids => self.forbidden.push(domains),
                Effect::Attracts(weight) => self.attraction.push((*weight, domains)),
            }
        }
    }

    /// Whether no node can be refused for these rules.
    pub(super) fn refuse_nothing(&self) -> bool {
        self.spread.is_empty()
            && self.affinity.is_empty()
            && self.anti_affinity.is_empty()
            && self.forbidden.is_empty()
    }

    /// Whether nodes differ in how much other pods draw this one to them.
    pub(super) fn attract(&self) -> bool {
        !self.attraction.is_empty()
    }

    /// `PodTopologySpread`, then `InterPodAffinity`.
    pub(super) fn check(&self, kind: usize, node: NodeId) -> Result<(), Refusal> {
        for spread in &self.spread {
            match spread.domains.at(kind, node) {
                None => return Err(Refusal::NoSpreadLabel),
                Some(count) if i64::from(count) > spread.most => return Err(Refusal::Spread),
                Some(_) => {}
            }
        }
        let counts = |domains: &Domains<'_>| domains.at(kind, node);
        let in_every_domain = self.affinity.iter().all(|domains| counts(domains).is_some());
        let near_a_match = self.affinity.iter().all(|domains| counts(domains) > Some(0));
        if !(in_every_domain && (near_a_match || self.first_of_its_kind)) {
            return Err(Refusal::PodAffinity);
        }
        if self.anti_affinity.iter().any(|domains| counts(domains) > Some(0)) {
            return Err(Refusal::PodAntiAffinity);
        }
        if self.forbidden.iter().any(|domains| counts(domains) > Some(0)) {
            return Err(Refusal::ExistingPodsAntiAffinity);
        }
        Ok(())
    }

    /// How much other pods draw the pod to a node.
    pub(super) fn attraction(&self, kind: usize, node: NodeId) -> i64 {
        let pull = |(weight, domains): &(i64, Domains<'_>)| {
            weight * i64::from(domains.at(kind, node).unwrap_or(0))
        };
        self.attraction.iter().map(pull).sum()
    }
}

impl<'a> Spread<'a> {
    /// Domains count on the nodes that have all the labels and that the pod's node affinity allows (Kubernetes:
    /// `nodeAffinityPolicy: Honor`, `nodeTaintsPolicy: Ignore`).
    fn of(cluster: &'a Cluster, spec: &PodSpec, pod: &Constraints, rule: &TopologySpread) -> Self {
        let eligible = |kind: usize| {
            let kind = &cluster.kinds[kind];
            let has = |rule: &TopologySpread| {
                rule.topology_key == HOSTNAME_KEY || kind.label(&rule.topology_key).is_some()
            };
            pod.topology_spread.iter().all(has)
                && node_affinity::matches(spec, &kind.shape, kind.zone.as_deref())
        };
        let subject = matching(&rule.selector, true);
        let domains = cluster.domains(&subject, &rule.topology_key, eligible);
        let fewest = domains.fewest.filter(|_| domains.count >= rule.min_domains).unwrap_or(0);
        let itself = i64::from(matches(&rule.selector, Some(pod)));
        Self { most: i64::from(rule.max_skew) + i64::from(fewest) - itself, domains }
    }
}

fn matching(selector: &Selector, staying: bool) -> Subject {
    Subject::Matching { selector: selector.clone(), staying }
}
