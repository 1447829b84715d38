//! The search for the best node, and the explanation when there is none.

use super::bounds::STRETCH;
use super::ceiling::{Ceiling, Share};
use super::kind::Kind;
use super::row::{self, Row, float};
use super::rules::Rules;
use super::{Asking, Bounds, Cluster};
use crate::device::DeviceShortage;
use crate::filter::of_shape;
use crate::packing::Scorer;
use crate::sampling::enough;
use crate::score::preferences::{
    IMAGE_WEIGHT, NODE_AFFINITY_WEIGHT, POD_AFFINITY_WEIGHT, between, of_images, of_most, preferred,
};
use crate::score::{PACKING_WEIGHT, TAINT_WEIGHT, intolerable, normalised};
use crate::{Profile, Unschedulable};
use contract::{NodeId, PodSpec};

/// A node that fits, and how good it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    place: usize,
    score: u64,
}

/// What a pod thinks of a kind of node.
#[derive(Clone, Copy, Debug)]
struct View {
    suits: bool,
    ceiling: Share,
    /// Soft taints that it does not tolerate.
    intolerable: u64,
    /// Weight of its node preferences.
    preferred: i64,
}

impl View {
    fn of(spec: &PodSpec, profile: &Profile, kind: &Kind) -> Self {
        let zone = kind.zone.as_deref();
        Self {
            suits: of_shape(spec, &kind.shape, zone).is_ok(),
            ceiling: Ceiling::new(profile).share(spec, profile, kind),
            intolerable: intolerable(spec, &kind.shape.taints),
            preferred: preferred(spec, &kind.shape, zone),
        }
    }
}

/// One search.
struct Search<'a> {
    pod: Asking<'a>,
    profile: &'a Profile,
    views: Vec<View>,
    rules: Rules<'a>,
    /// A packed row and its kind alone say whether the pod fits.
    is_plain: bool,
    /// The packing strategy, where it has the first say.
    packing: Option<Scorer<'a>>,
    /// Resources alone do not say which node is the best.
    has_relative_scores: bool,
    cpu: f64,
    memory: f64,
}

/// What a search has come to.
struct Finds<'a> {
    /// Nodes that fit.
    count: usize,
    /// Those of them that may be the best.
    list: &'a mut Vec<Found>,
    /// The best score so far, if scores are final; less than any otherwise.
    best: f64,
}

impl Cluster {
    /// The best node for a pod: the one for which it is nominated if it fits there, otherwise the one with the highest
    /// score of those that fit. Once enough have been found (see [`Profile::percentage_of_nodes_to_score`]) a search
    /// ends, and the next goes on from there.
    ///
    /// `also` is a filter more, for what the cluster does not know of nodes, such as parts of GPUs. `tie` is told how
    /// many nodes are best and says which of them to take, in the order in which they were found: kube-scheduler
    /// draws one at random.
    pub fn find(
        &mut self,
        pod: &Asking<'_>,
        profile: &Profile,
        also: impl Fn(NodeId) -> bool,
        tie: impl FnOnce(usize) -> usize,
    ) -> Option<NodeId> {
        self.group_of(pod.spec.constraints.as_ref());
        self.know_requests(profile);
        if let Some(node) = self.fitting_nomination(pod).filter(|&node| also(node)) {
            return Some(node);
        }
        let mut found = std::mem::take(&mut self.found);
        let mut bounds = std::mem::take(&mut self.bounds);
        found.clear();
        let search = Search::new(self, *pod, profile);
        let examined = search.collect(self, &also, &mut bounds, &mut found);
        search.add_relative_scores(self, &mut found);
        let best = best_of(&found, tie).map(|place| self.nodes[place].id);
        self.start = (self.start + examined) % self.nodes.len().max(1);
        self.found = found;
        self.bounds = bounds;
        best
    }

    fn fitting_nomination(&self, pod: &Asking<'_>) -> Option<NodeId> {
        let node = self.nominated(pod.id?)?;
        let rules = Rules::of(self, pod.spec);
        self.check(pod, &rules, self.at(node)).is_ok().then_some(node)
    }

    /// Whether a node would take a pod.
    pub fn fits(&mut self, pod: &Asking<'_>, node: NodeId) -> bool {
        self.group_of(pod.spec.constraints.as_ref());
        self.check(pod, &Rules::of(self, pod.spec), self.at(node)).is_ok()
    }

    /// Why nodes turn a pod down. `devices` is asked what divided GPUs a node is short of, which the cluster does not know.
    pub fn explain(
        &mut self,
        pod: &Asking<'_>,
        devices: impl Fn(NodeId) -> Result<(), DeviceShortage>,
    ) -> Unschedulable {
        self.group_of(pod.spec.constraints.as_ref());
        let rules = Rules::of(self, pod.spec);
        let mut found = Unschedulable::default();
        for place in 0..self.nodes.len() {
            found.add_node_with(self.check(pod, &rules, place), || devices(self.nodes[place].id));
        }
        found
    }
}

impl<'a> Search<'a> {
    fn new(cluster: &'a Cluster, pod: Asking<'a>, profile: &'a Profile) -> Self {
        let rules = Rules::of(cluster, pod.spec);
        let wants_ports =
            pod.spec.constraints.as_ref().is_some_and(|own| !own.host_ports.is_empty());
        let view = |kind| View::of(pod.spec, profile, kind);
        let views: Vec<_> = cluster.kinds.iter().map(view).collect();
        let differs = |view: &View| view.intolerable > 0 || view.preferred != 0;
        let has_images = pod.spec.constraints.as_ref().is_some_and(|own| !own.images.is_empty());
        Self {
            has_relative_scores: profile.packing.is_some()
                || has_images
                || rules.attract()
                || views.iter().any(differs),
            packing: cluster.packing(pod.spec, profile),
            views,
            is_plain: rules.refuse_nothing() && !wants_ports && !pod.spec.needs_gpus(),
            cpu: float(pod.spec.requests.cpu.0),
            memory: float(pod.spec.requests.memory.0),
            rules,
            pod,
            profile,
        }
    }

    /// Finds nodes that fit, with the score of their resources, until there are enough; how many were looked at.
    fn collect(
        &self,
        cluster: &Cluster,
        also: &impl Fn(NodeId) -> bool,
        bounds: &mut Bounds,
        list: &mut Vec<Found>,
    ) -> usize {
        let rows = &cluster.rows;
        let wanted = enough(rows.len(), self.profile.percentage_of_nodes_to_score);
        let start = cluster.start.min(rows.len());
        let (scorer, ceiling) =
            (row::Scorer::new(self.pod.spec, self.profile), Ceiling::new(self.profile));
        let mut finds = Finds { count: 0, list, best: f64::NEG_INFINITY };
        let mut examined = 0;
        for (mut place, end) in [(start, rows.len()), (0, start)] {
            while place < end && finds.count < wanted {
                let stretch = place / STRETCH;
                let next = end.min((stretch + 1) * STRETCH);
                if !bounds.admit(stretch, self.cpu, self.memory) {
                    examined += next - place;
                    place = next;
                    continue;
                }
                let before = finds.count;
                while place < next && finds.count < wanted {
                    if self.fits(cluster, &rows[place], place) && also(cluster.nodes[place].id) {
                        self.add(&mut finds, &rows[place], place, &scorer, ceiling);
                    }
                    (place, examined) = (place + 1, examined + 1);
                }
                if finds.count == before {
                    bounds.tighten(stretch, rows);
                }
            }
        }
        examined
    }

    /// A node fits: it is kept if it may be the best.
    // A search is compiled where its filter is known, in another crate; its inner steps are to go with it.
    #[inline]
    fn add(
        &self,
        finds: &mut Finds<'_>,
        row: &Row,
        place: usize,
        scorer: &row::Scorer,
        ceiling: Ceiling,
    ) {
        finds.count += 1;
        if ceiling.is_below(finds.best, row, self.views[row.kind as usize].ceiling) {
            return;
        }
        let score = scorer.score(row);
        if float(score) >= finds.best {
            finds.list.push(Found { place, score });
            if !self.has_relative_scores {
                finds.best = float(score);
            }
        }
    }

    #[inline]
    fn fits(&self, cluster: &Cluster, row: &Row, place: usize) -> bool {
        row.admits(self.cpu, self.memory)
            && self.views[row.kind as usize].suits
            && (self.is_plain && !row.nominated || self.fits_among_others(cluster, place))
    }

    fn fits_among_others(&self, cluster: &Cluster, place: usize) -> bool {
        cluster.check_among_others(&self.pod, &self.rules, place).is_ok()
    }

    /// Adds the scores that are relative to the other nodes that fit, or rare.
    fn add_relative_scores(&self, cluster: &Cluster, found: &mut [Found]) {
        if !self.has_relative_scores {
            return;
        }
        if let Some(packing) = &self.packing {
            for found in &mut *found {
                let score = packing.score(cluster.ground(found.place));
                found.score = PACKING_WEIGHT * u64::from(score);
            }
        }
        let view = |found: &Found| &self.views[cluster.nodes[found.place].kind];
        if self.views.iter().any(|view| view.intolerable > 0) {
            let most = found.iter().map(|found| view(found).intolerable).max().unwrap_or(0);
            for found in &mut *found {
                found.score += TAINT_WEIGHT * normalised(view(found).intolerable, most);
            }
        }
        if self.views.iter().any(|view| view.preferred != 0) {
            let most = found.iter().map(|found| view(found).preferred).max().unwrap_or(0);
            for found in &mut *found {
                found.score += NODE_AFFINITY_WEIGHT * of_most(view(found).preferred, most);
            }
        }
        if self.rules.attract() {
            self.add_attraction(cluster, found);
        }
        let images = self.pod.spec.constraints.as_ref().map_or(&[][..], |own| &own.images);
        if !images.is_empty() {
            for found in found {
                let bytes = cluster.image_bytes(images, found.place);
                found.score += IMAGE_WEIGHT * of_images(bytes, images.len());
            }
        }
    }

    fn add_attraction(&self, cluster: &Cluster, found: &mut [Found]) {
        let pull = |found: &Found| {
            let node = &cluster.nodes[found.place];
            self.rules.attraction(node.kind, node.id)
        };
        let pulls: Vec<_> = found.iter().map(pull).collect();
        let least = pulls.iter().copied().min().unwrap_or(0);
        let most = pulls.iter().copied().max().unwrap_or(0);
        for (found, pull) in found.iter_mut().zip(pulls) {
            found.score += POD_AFFINITY_WEIGHT * between(pull, least, most);
        }
    }
}

fn best_of(found: &[Found], tie: impl FnOnce(usize) -> usize) -> Option<usize> {
    let top = found.iter().map(|found| found.score).max()?;
    let mut best = found.iter().filter(|found| found.score == top);
    let count = best.clone().count();
    let chosen = tie(count);
    assert!(chosen < count, "a tie is broken by one of the best");
    best.nth(chosen).map(|found| found.place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{cpu_node, pod};
    use crate::{Allocation, Resident};
    use contract::{
        Constraints, HOSTNAME_KEY, HostPort, Instant, NodeShape, PodAffinity, PodId, Protocol,
        Selector, Taint, TaintEffect, TopologySpread, ZONE_KEY,
    };
    use std::sync::Arc;

    fn soft_taint() -> Taint {
        let effect = TaintEffect::PreferNoSchedule;
        Taint { key: "DeletionCandidate".into(), value: String::new(), effect }
    }

    fn resident(id: u32, spec: PodSpec) -> Resident {
        let started = Instant::ZERO;
        Resident { id: PodId(id), spec: Arc::new(spec), started, budget: None, terminating: false }
    }

    /// Nodes with this many cores (of 8) in use; which gets a pod of one core?
    #[track_caller]
    fn check(allocation: Allocation, used: &[&str], soft_taint_on: &[u32], expected: Option<u32>) {
        let clean = Arc::new(cpu_node());
        let tainted = Arc::new(NodeShape { taints: vec![soft_taint()], ..cpu_node() });
        let mut cluster = Cluster::default();
        for (id, cpu) in (0..).zip(used) {
            let shape = if soft_taint_on.contains(&id) { &tainted } else { &clean };
            cluster.add_node(NodeId(id), shape, None);
            cluster.add_pod(NodeId(id), resident(id, pod(cpu, "0B", 0)));
        }
        let profile = Profile { allocation, ..Profile::default() };
        let asking = Asking { id: None, spec: &pod("1", "4GiB", 0) };
        assert_eq!(cluster.find(&asking, &profile, |_| true, |_| 0), expected.map(NodeId));
    }

    #[test]
    fn the_emptiest_node_wins_by_default() {
        check(Allocation::LeastAllocated, &["4", "2", "3"], &[], Some(1));
    }

    #[test]
    fn the_fullest_that_fits_wins_with_most_allocated() {
        check(Allocation::MostAllocated, &["4", "7", "7001m"], &[], Some(1));
    }

    #[test]
    fn no_node_is_better_than_a_node_that_does_not_fit() {
        check(Allocation::LeastAllocated, &["8", "7500m"], &[], None);
        check(Allocation::LeastAllocated, &[], &[], None);
    }

    #[test]
    fn a_soft_taint_outweighs_an_empty_node() {
        check(Allocation::LeastAllocated, &["0", "7"], &[0], Some(1));
        check(Allocation::LeastAllocated, &["0", "7"], &[0, 1], Some(0));
    }

    #[test]
    fn a_tie_goes_to_whom_the_caller_draws() {
        let mut cluster = Cluster::default();
        let shape = Arc::new(cpu_node());
        (0..3).for_each(|id| cluster.add_node(NodeId(id), &shape, None));
        let (asking, profile) =
            (Asking { id: None, spec: &pod("1", "1GiB", 0) }, Profile::default());
        let mut find = |choice: usize| {
            let tie = |equals| {
                assert_eq!(equals, 3);
                choice
            };
            cluster.find(&asking, &profile, |_| true, tie)
        };
        assert_eq!([0, 1, 2].map(&mut find), [0, 1, 2].map(|id| Some(NodeId(id))));
    }

    /// Node 0 in zone a with a pod of `app: web` on port 80 that wants to be alone there, node 1 without a zone.
    #[track_caller]
    fn check_message(rules: Constraints, expected: &str) {
        let mut own = Constraints {
            pod_anti_affinity: vec![PodAffinity {
                topology_key: HOSTNAME_KEY.into(),
                selector: Selector::of_labels([("app", "batch")]),
            }],
            host_ports: vec![HostPort { port: 80, protocol: Protocol::Tcp, ip: None }],
            ..Constraints::default()
        };
        own.labels.insert("app".into(), "web".into());
        let mut cluster = Cluster::default();
        let shape = Arc::new(cpu_node());
        cluster.add_node(NodeId(0), &shape, Some(&"a".into()));
        cluster.add_node(NodeId(1), &shape, None);
        let web_pod = PodSpec { constraints: Some(Arc::new(own)), ..pod("1", "1GiB", 0) };
        cluster.add_pod(NodeId(0), resident(0, web_pod));
        let spec = PodSpec { constraints: Some(Arc::new(rules)), ..pod("1", "1GiB", 0) };
        let message = cluster.explain(&Asking { id: None, spec: &spec }, |_| Ok(())).to_string();
        assert_eq!(message, format!("0/2 nodes are available: {expected}."));
    }

    fn near(key: &str, app: &str) -> PodAffinity {
        PodAffinity { topology_key: key.into(), selector: Selector::of_labels([("app", app)]) }
    }

    #[test]
    fn rules_about_other_pods_are_worded_as_kube_scheduler_words_them() {
        let port = HostPort { port: 80, protocol: Protocol::Tcp, ip: None };
        check_message(
            Constraints { host_ports: vec![port], ..Constraints::default() },
            "1 node(s) didn't have free ports for the requested pod ports",
        );
        let affinity = vec![near(ZONE_KEY, "cache")];
        check_message(
            Constraints { pod_affinity: affinity, ..Constraints::default() },
            "2 node(s) didn't match pod affinity rules",
        );
        let apart = vec![near(ZONE_KEY, "web")];
        check_message(
            Constraints { pod_anti_affinity: apart, ..Constraints::default() },
            "1 node(s) didn't match pod anti-affinity rules",
        );
        let labels = [("app".to_owned(), "batch".to_owned())].into();
        check_message(
            Constraints { labels, ..Constraints::default() },
            "1 node(s) didn't satisfy existing pods anti-affinity rules",
        );
        let spread = |key: &str, min_domains| TopologySpread {
            max_skew: 1,
            min_domains,
            topology_key: key.into(),
            selector: Selector::default(),
        };
        check_message(
            Constraints { topology_spread: vec![spread(ZONE_KEY, 2)], ..Constraints::default() },
            "1 node(s) didn't match pod topology spread constraints, 1 node(s) didn't match pod \
             topology spread constraints (missing required label)",
        );
    }
}
