//! The judge in property tests: the same rules, by looking at every pod of every node each time.

use super::{Asking, Cluster, Resident};
use crate::packing::Judge;
use crate::score::preferences::{
    IMAGE_WEIGHT, NODE_AFFINITY_WEIGHT, POD_AFFINITY_WEIGHT, REQUIRED_AFFINITY_WEIGHT, between,
    image_bytes, of_images, of_most,
};
use crate::score::{PACKING_WEIGHT, TAINT_WEIGHT, intolerable, normalised, resources};
use crate::{Candidate, Misfit, Profile, Refusal, enough, fits};
use contract::{
    Constraints, HOSTNAME_KEY, NodeId, NodeShape, PodAffinity, PodSpec, Selector, ZONE_KEY,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node and all that is on it.
#[derive(Clone, Debug)]
pub(super) struct NaiveNode {
    pub(super) id: NodeId,
    pub(super) shape: Arc<NodeShape>,
    pub(super) zone: Option<Arc<str>>,
    pub(super) cordoned: bool,
    pub(super) pods: Vec<Resident>,
    pub(super) images: Vec<String>,
}

impl NaiveNode {
    fn label(&self, key: &str) -> Option<String> {
        match key {
            HOSTNAME_KEY => Some(self.id.to_string()),
            ZONE_KEY => self.zone.as_deref().map(str::to_owned),
            key => self.shape.labels.get(key).cloned(),
        }
    }

    fn candidate(&self) -> Candidate<'_> {
        let mut node = Candidate::fresh(&self.shape);
        self.pods.iter().for_each(|pod| node.add(&pod.spec));
        Candidate { cordoned: self.cordoned, ..node }
    }

    fn likes(&self, term: &Selector) -> bool {
        term.0.iter().all(|requirement| {
            let value =
                if requirement.key == HOSTNAME_KEY { None } else { self.label(&requirement.key) };
            requirement.is.holds(value.as_deref())
        })
    }

    fn affine(&self, spec: &PodSpec) -> bool {
        let terms = own(spec).map_or(&[][..], |own| &own.node_affinity);
        let mut selector = spec.node_selector.iter();
        selector.all(|(key, value)| self.label(key).as_ref() == Some(value))
            && (terms.is_empty() || terms.iter().any(|term| self.likes(term)))
    }
}

/// Nodes in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Naive {
    pub(super) nodes: Vec<NaiveNode>,
    pub(super) start: usize,
}

fn own(spec: &PodSpec) -> Option<&Constraints> {
    spec.constraints.as_deref()
}

fn selects(selector: &Selector, pod: &PodSpec) -> bool {
    selector.matches(|key| own(pod).and_then(|own| own.labels.get(key)).map(String::as_str))
}

impl Naive {
    /// Pods that pass a test in the domain of a node.
    fn near(&self, node: &NaiveNode, key: &str, counts: impl Fn(&Resident) -> bool) -> usize {
        let Some(domain) = node.label(key) else { return 0 };
        let inside = self.nodes.iter().filter(|other| other.label(key) == Some(domain.clone()));
        inside.flat_map(|other| &other.pods).filter(|pod| counts(pod)).count()
    }

    pub(super) fn check(&self, spec: &PodSpec, node: &NaiveNode) -> Result<(), Refusal> {
        if node.cordoned {
            return Err(Misfit::Cordoned.into());
        }
        let free = PodSpec { constraints: None, ..spec.clone() };
        let local = fits(&free, &node.candidate());
        if let Err(misfit @ (Misfit::Taint | Misfit::Selector)) = local {
            return Err(misfit.into());
        }
        if !node.affine(spec) {
            return Err(Misfit::Selector.into());
        }
        let rules = own(spec).cloned().unwrap_or_default();
        let held = node.pods.iter().filter_map(|pod| own(&pod.spec));
        let mut held = held.flat_map(|pod| &pod.host_ports);
        if held.any(|held| rules.host_ports.iter().any(|port| port.conflicts(held))) {
            return Err(Refusal::Ports);
        }
        local?;
        self.check_spread(spec, &rules, node)?;
        self.check_affinity(spec, &rules, node)
    }

    fn check_spread(
        &self,
        spec: &PodSpec,
        rules: &Constraints,
        node: &NaiveNode,
    ) -> Result<(), Refusal> {
        let all = &rules.topology_spread;
        let has_all =
            |node: &NaiveNode| all.iter().all(|rule| node.label(&rule.topology_key).is_some());
        for rule in all {
            let key = rule.topology_key.as_str();
            let Some(domain) = node.label(key) else { return Err(Refusal::NoSpreadLabel) };
            let mut counts = BTreeMap::<String, i64>::new();
            let eligible = |node: &&NaiveNode| has_all(node) && node.affine(spec);
            for other in self.nodes.iter().filter(eligible) {
                let matching =
                    |pod: &&Resident| !pod.terminating && selects(&rule.selector, &pod.spec);
                let count = other.pods.iter().filter(matching).count();
                *counts.entry(other.label(key).unwrap()).or_default() +=
                    i64::try_from(count).unwrap();
            }
            let too_few = counts.len() < rule.min_domains as usize;
            let fewest = if too_few { 0 } else { counts.values().copied().min().unwrap_or(0) };
            let itself = i64::from(selects(&rule.selector, spec));
            let here = counts.get(&domain).copied().unwrap_or(0);
            if here + itself - fewest > i64::from(rule.max_skew) {
                return Err(Refusal::Spread);
            }
        }
        Ok(())
    }

    fn check_affinity(
        &self,
        spec: &PodSpec,
        rules: &Constraints,
        node: &NaiveNode,
    ) -> Result<(), Refusal> {
        let every =
            |pod: &PodSpec| rules.pod_affinity.iter().all(|term| selects(&term.selector, pod));
        let keys = || rules.pod_affinity.iter().map(|term| term.topology_key.as_str());
        let anybody = keys().any(|key| {
            let placed = self.nodes.iter().filter(|node| node.label(key).is_some());
            placed.flat_map(|node| &node.pods).any(|pod| every(&pod.spec))
        });
        let labelled = keys().all(|key| node.label(key).is_some());
        let near = keys().all(|key| self.near(node, key, |pod| every(&pod.spec)) > 0);
        if !labelled || !near && (anybody || !every(spec)) {
            return Err(Refusal::PodAffinity);
        }
        let disliked = |term: &PodAffinity| {
            self.near(node, &term.topology_key, |pod| selects(&term.selector, &pod.spec)) > 0
        };
        if rules.pod_anti_affinity.iter().any(disliked) {
            return Err(Refusal::PodAntiAffinity);
        }
        for pod in self.nodes.iter().flat_map(|node| &node.pods) {
            for term in own(&pod.spec).map_or(&[][..], |own| &own.pod_anti_affinity) {
                let is_it = |held: &Resident| held.id == pod.id;
                if selects(&term.selector, spec) && self.near(node, &term.topology_key, is_it) > 0 {
                    return Err(Refusal::ExistingPodsAntiAffinity);
                }
            }
        }
        Ok(())
    }

    fn attraction(&self, spec: &PodSpec, node: &NaiveNode) -> i64 {
        let mut sum = 0;
        let near = |term: &PodAffinity, weight: i64, pod: &Resident| {
            let is_it = |held: &Resident| held.id == pod.id;
            weight * i64::try_from(self.near(node, &term.topology_key, is_it)).unwrap()
        };
        for pod in self.nodes.iter().flat_map(|node| &node.pods) {
            for preference in own(spec).map_or(&[][..], |own| &own.preferred_pods) {
                if selects(&preference.term.selector, &pod.spec) {
                    sum += near(&preference.term, preference.weight.into(), pod);
                }
            }
            let Some(theirs) = own(&pod.spec) else { continue };
            for preference in &theirs.preferred_pods {
                if selects(&preference.term.selector, spec) {
                    sum += near(&preference.term, preference.weight.into(), pod);
                }
            }
            for term in &theirs.pod_affinity {
                if selects(&term.selector, spec) {
                    sum += near(term, REQUIRED_AFFINITY_WEIGHT, pod);
                }
            }
        }
        sum
    }

    pub(super) fn find(
        &mut self,
        spec: &PodSpec,
        profile: &Profile,
        tie: impl FnOnce(usize) -> usize,
    ) -> Option<NodeId> {
        let (count, start) = (self.nodes.len(), self.start.min(self.nodes.len()));
        let wanted = enough(count, profile.percentage_of_nodes_to_score);
        let mut fitting = Vec::new();
        let mut examined = 0;
        for node in self.nodes[start..].iter().chain(&self.nodes[..start]) {
            if fitting.len() == wanted {
                break;
            }
            examined += 1;
            if self.check(spec, node).is_ok() {
                fitting.push(node);
            }
        }
        self.start = (start + examined) % count.max(1);
        let scores = self.scores(spec, profile, &fitting);
        let top = scores.iter().max()?;
        let best: Vec<_> = (0..fitting.len()).filter(|&at| scores[at] == *top).collect();
        Some(fitting[best[tie(best.len())]].id)
    }

    fn scores(&self, spec: &PodSpec, profile: &Profile, fitting: &[&NaiveNode]) -> Vec<u64> {
        let taints = |node: &NaiveNode| intolerable(spec, &node.shape.taints);
        let most_taints = fitting.iter().map(|node| taints(node)).max().unwrap_or(0);
        let preferred = |node: &NaiveNode| -> i64 {
            let all = own(spec).map_or(&[][..], |own| &own.preferred_nodes);
            all.iter()
                .filter(|liked| node.likes(&liked.term))
                .map(|liked| i64::from(liked.weight))
                .sum()
        };
        let most_preferred = fitting.iter().map(|node| preferred(node)).max().unwrap_or(0);
        let pulls: Vec<_> = fitting.iter().map(|node| self.attraction(spec, node)).collect();
        let (least, most) = (pulls.iter().copied().min(), pulls.iter().copied().max());
        let packing = profile.packing.map(|strategy| {
            let nodes = self.nodes.iter().map(|node| {
                (node.id, &*node.shape, node.pods.iter().map(|pod| &*pod.spec).collect())
            });
            Judge::new(strategy, &nodes.collect::<Vec<_>>(), spec)
        });
        let mut scores = Vec::new();
        for (node, &pull) in fitting.iter().zip(&pulls) {
            let own = match &packing {
                Some(judge) => PACKING_WEIGHT * judge.score(node.id),
                None => resources(spec, &node.candidate(), profile),
            };
            scores.push(
                own + TAINT_WEIGHT * normalised(taints(node), most_taints)
                    + NODE_AFFINITY_WEIGHT * of_most(preferred(node), most_preferred)
                    + POD_AFFINITY_WEIGHT * between(pull, least.unwrap(), most.unwrap())
                    + IMAGE_WEIGHT * self.images(spec, node),
            );
        }
        scores
    }

    fn images(&self, spec: &PodSpec, node: &NaiveNode) -> u64 {
        let images = own(spec).map_or(&[][..], |own| &own.images);
        let holders =
            |name: &String| self.nodes.iter().filter(|node| node.images.contains(name)).count();
        let bytes = |image: &contract::Image| {
            let nodes = u32::try_from(holders(&image.name)).unwrap();
            image_bytes(image.size.0, nodes, self.nodes.len())
        };
        let here = images.iter().filter(|image| node.images.contains(&image.name));
        of_images(here.map(bytes).sum(), images.len())
    }
}

/// The cluster says of every node what the judge says.
pub(super) fn assert_same_answers(cluster: &mut Cluster, naive: &Naive, spec: &PodSpec) {
    let pod = Asking { id: None, spec };
    cluster.group_of(spec.constraints.as_ref());
    for (place, node) in naive.nodes.iter().enumerate() {
        let rules = super::Rules::of(cluster, spec);
        assert_eq!(cluster.check(&pod, &rules, place), naive.check(spec, node), "node {}", node.id);
    }
}
