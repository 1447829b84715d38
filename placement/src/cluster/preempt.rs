//! Preemption: which pods of lower priority to evict from which node, so that a pod fits.

use super::rules::Rules;
use super::{Asking, Cluster, Resident};
use crate::{Refusal, Unschedulable};
use contract::{Instant, NodeId, PodId};
use std::cmp::Reverse;
use std::fmt;

/// Share of the nodes where eviction may help that is tried, in percent (kube-scheduler:
/// `minCandidateNodesPercentage`).
const CANDIDATES_PERCENT: usize = 10;

/// Always tried, if there are as many (kube-scheduler: `minCandidateNodesAbsolute`).
const CANDIDATES_LEAST: usize = 100;

/// What must go so that a pod fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preemption {
    /// Where.
    pub node: NodeId,
    /// Who, the most important first. Some may be on their way out already.
    pub victims: Vec<PodId>,
    /// How many of them their disruption budgets protect.
    pub violations: u32,
}

/// Why no eviction helps a pod. Displayed in kube-scheduler's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unhelpful {
    /// The pod evicts nobody.
    Never,
    /// It is nominated for a node where pods that it outranks are still terminating.
    Underway,
    /// No node would take it, by reason.
    Nowhere(Unschedulable),
}

impl fmt::Display for Unhelpful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("not eligible due to preemptionPolicy=Never."),
            Self::Underway => {
                f.write_str("not eligible due to a terminating pod on the nominated node.")
            }
            Self::Nowhere(reasons) => reasons.fmt(f),
        }
    }
}

/// A node where evictions would do, in the order in which candidates are preferred: fewest violations of budgets,
/// lowest of the highest priorities, smallest sum of priorities, fewest victims, latest start of the most important
/// ones, first found.
type Preference = (u32, i32, i64, usize, Reverse<Instant>);

/// What evictions from one node would take.
struct Dry {
    victims: Vec<Resident>,
    violations: u32,
}

impl Dry {
    fn preference(&self) -> Preference {
        let highest = self.victims.iter().map(|pod| pod.spec.priority).max().unwrap_or(i32::MIN);
        // Shifted above zero, so that few victims with a negative priority are better than many (kube-scheduler).
        let shifted = |pod: &Resident| i64::from(pod.spec.priority) + (1 << 31);
        let of_highest = self.victims.iter().filter(|pod| pod.spec.priority == highest);
        let earliest = of_highest.map(|pod| pod.started).min().unwrap_or(Instant::ZERO);
        let sum = self.victims.iter().map(shifted).sum();
        (self.violations, highest, sum, self.victims.len(), Reverse(earliest))
    }
}

impl Cluster {
    /// Looks for evictions that make room for a pod that fits nowhere.
    ///
    /// `allowed` says by budget how many of its pods may be evicted; budgets are kept if any node allows it.
    /// Candidates are tried from `offset` on, which kube-scheduler draws at random, until there are enough: a tenth of
    /// the nodes where eviction may help, at least 100.
    ///
    /// Only nodes of which `may` is true are cleared.
    ///
    /// # Errors
    /// Why no eviction helps.
    pub fn preempt(
        &mut self,
        pod: &Asking<'_>,
        allowed: &[u32],
        offset: usize,
        may: impl Fn(NodeId) -> bool,
    ) -> Result<Preemption, Unhelpful> {
        self.group_of(pod.spec.constraints.as_ref());
        if pod.spec.constraints.as_ref().is_some_and(|own| own.never_preempts) {
            return Err(Unhelpful::Never);
        }
        let places = self.promising(pod, may);
        if self.is_underway(pod, &places) {
            return Err(Unhelpful::Underway);
        }
        let wanted = (places.len() * CANDIDATES_PERCENT / 100).max(CANDIDATES_LEAST);
        let mut reasons = Unschedulable::default();
        let mut best: Option<(Preference, usize, Dry)> = None;
        let (mut candidates, mut sparing) = (0, 0);
        for step in 0..places.len() {
            // As in kube-scheduler: enough candidates end the search once one of them spares all budgets.
            if sparing > 0 && candidates >= wanted {
                break;
            }
            let place = places[(offset + step) % places.len()];
            match self.dry_run(pod, allowed, place) {
                Ok(dry) => {
                    candidates += 1;
                    sparing += u32::from(dry.violations == 0);
                    let preference = dry.preference();
                    if best.as_ref().is_none_or(|(top, ..)| preference < *top) {
                        best = Some((preference, place, dry));
                    }
                }
                Err(Some(refusal)) => reasons.add_node(Err(refusal)),
                Err(None) => reasons.add_node_for("No preemption victims found for incoming pod"),
            }
        }
        let Some((_, place, dry)) = best else {
            for _ in places.len()..self.nodes.len() {
                reasons.add_node_for("Preemption is not helpful for scheduling");
            }
            return Err(Unhelpful::Nowhere(reasons));
        };
        let victims = dry.victims.iter().map(|pod| pod.id).collect();
        Ok(Preemption { node: self.nodes[place].id, victims, violations: dry.violations })
    }

    /// Where what keeps the pod off may go away with the pods that are there.
    fn promising(&self, pod: &Asking<'_>, may: impl Fn(NodeId) -> bool) -> Vec<usize> {
        let rules = Rules::of(self, pod.spec);
        let may_help = |&place: &usize| {
            if !may(self.nodes[place].id) {
                return false;
            }
            let allocatable = &self.kinds[self.nodes[place].kind].shape.allocatable;
            let answer = self.check(pod, &rules, place);
            answer.is_err_and(|refusal| refusal.is_resolvable(pod.spec, allocatable))
        };
        (0..self.nodes.len()).filter(may_help).collect()
    }

    fn is_underway(&self, pod: &Asking<'_>, promising: &[usize]) -> bool {
        let nominated = pod.id.and_then(|id| self.nominated(id));
        let place = nominated.map(|node| self.at(node)).filter(|place| promising.contains(place));
        place.is_some_and(|place| {
            let mut pods = self.nodes[place].pods.iter();
            pods.any(|held| held.terminating && held.spec.priority < pod.spec.priority)
        })
    }

    /// What would have to go from one node. Leaves the cluster as it was. `None` as an error: there is nobody to evict.
    fn dry_run(
        &mut self,
        pod: &Asking<'_>,
        allowed: &[u32],
        place: usize,
    ) -> Result<Dry, Option<Refusal>> {
        let before = self.nodes[place].pods.clone();
        let is_lower = |held: &&Resident| held.spec.priority < pod.spec.priority;
        let mut lower: Vec<_> = before.iter().filter(is_lower).cloned().collect();
        if lower.is_empty() {
            return Err(None);
        }
        lower.sort_by_key(importance);
        let node = self.nodes[place].id;
        for held in &lower {
            self.remove_pod(node, held.id);
        }
        let found = match self.check_now(pod, place) {
            Ok(()) => Ok(self.reprieve(pod, allowed, place, lower)),
            Err(refusal) => Err((Some(refusal), lower)),
        };
        let gone = match &found {
            Ok(dry) => &dry.victims,
            Err((_, lower)) => lower,
        };
        for held in gone {
            self.add_pod(node, held.clone());
        }
        self.nodes[place].pods = before;
        found.map_err(|(refusal, _)| refusal)
    }

    /// Puts back as many as possible of those that were taken off: first those whose budget their eviction would
    /// violate, then the others, the most important first.
    fn reprieve(
        &mut self,
        pod: &Asking<'_>,
        allowed: &[u32],
        place: usize,
        lower: Vec<Resident>,
    ) -> Dry {
        let mut left: Vec<i64> = allowed.iter().map(|&allowed| i64::from(allowed)).collect();
        let (violating, others): (Vec<_>, Vec<_>) = lower.into_iter().partition(|held| {
            held.budget.is_some_and(|budget| {
                left[budget as usize] -= 1;
                left[budget as usize] < 0
            })
        });
        let mut victims = self.put_back(pod, place, violating);
        let violations = u32::try_from(victims.len()).expect("fewer than 2^32 pods");
        victims.extend(self.put_back(pod, place, others));
        victims.sort_by_key(importance);
        Dry { victims, violations }
    }

    /// Puts pods back one by one while the pod still fits; those that cannot come back.
    fn put_back(&mut self, pod: &Asking<'_>, place: usize, pods: Vec<Resident>) -> Vec<Resident> {
        let node = self.nodes[place].id;
        let mut victims = Vec::new();
        for held in pods {
            self.add_pod(node, held.clone());
            if self.check_now(pod, place).is_err() {
                self.remove_pod(node, held.id);
                victims.push(held);
            }
        }
        victims
    }

    fn check_now(&self, pod: &Asking<'_>, place: usize) -> Result<(), Refusal> {
        self.check(pod, &Rules::of(self, pod.spec), place)
    }
}

/// The order among pods that could be evicted: higher priority, then longer there, is more important
/// (kube-scheduler: `MoreImportantPod`).
fn importance(pod: &Resident) -> (Reverse<i32>, Instant, PodId) {
    (Reverse(pod.spec.priority), pod.started, pod.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{cpu_node, pod};
    use contract::{Constraints, NodeShape, PodSpec};
    use std::fmt::Write;
    use std::sync::Arc;

    /// Cores, priority, start in seconds, budget.
    type Held = (u32, i32, u64, Option<u32>);

    fn spec(cores: u32, priority: i32) -> PodSpec {
        PodSpec { priority, ..pod(&cores.to_string(), "0B", 0) }
    }

    /// Nodes of 8 cores with these pods, numbered through.
    fn cluster(nodes: &[&[Held]]) -> Cluster {
        let mut cluster = Cluster::default();
        let mut made = 0;
        for (id, pods) in (0..).map(NodeId).zip(nodes) {
            cluster.add_node(id, &Arc::new(cpu_node()), None);
            for &(cores, priority, started, budget) in *pods {
                let pod = Resident {
                    id: PodId(made),
                    spec: Arc::new(spec(cores, priority)),
                    started: Instant(started * 1_000_000),
                    budget,
                    terminating: false,
                };
                made += 1;
                cluster.add_pod(id, pod);
            }
        }
        cluster
    }

    /// Which pods give way to one of these cores and priority 10, with this much left of each budget?
    #[track_caller]
    fn check(nodes: &[&[Held]], allowed: &[u32], cores: u32, expected: &str) {
        let spec = spec(cores, 10);
        let found = cluster(nodes).preempt(&Asking { id: None, spec: &spec }, allowed, 0, |_| true);
        let text = match found {
            Ok(found) => {
                let victims = found.victims.iter().map(|pod| pod.0.to_string());
                let victims = victims.collect::<Vec<_>>().join(" ");
                let mut text = format!("node {}: {victims}", found.node);
                if found.violations > 0 {
                    write!(text, ", {} protected", found.violations).expect("a string");
                }
                text
            }
            Err(unhelpful) => unhelpful.to_string(),
        };
        assert_eq!(text, expected);
    }

    #[test]
    fn as_many_as_fit_beside_the_pod_come_back_the_most_important_first() {
        check(&[&[(2, 0, 0, None), (4, 5, 0, None), (2, 0, 0, None)]], &[], 2, "node 0: 2");
        check(&[&[(4, 1, 0, None), (4, 2, 0, None)]], &[], 4, "node 0: 0");
        // The earlier of equals stays.
        check(&[&[(4, 1, 9, None), (4, 1, 8, None)]], &[], 4, "node 0: 0");
    }

    #[test]
    fn protected_pods_come_back_first_whatever_their_priority() {
        let node: &[Held] = &[(4, 1, 0, Some(0)), (4, 5, 0, None)];
        check(&[node], &[0], 4, "node 0: 1");
        check(&[node], &[1], 4, "node 0: 0");
        check(&[node], &[0], 8, "node 0: 1 0, 1 protected");
    }

    #[test]
    fn a_budget_that_allows_one_protects_the_less_important_of_two() {
        check(&[&[(4, 2, 0, Some(0)), (4, 1, 0, Some(0))]], &[1], 8, "node 0: 0 1, 1 protected");
    }

    #[test]
    fn nodes_are_chosen_by_budget_then_priority_then_sum_then_number_then_start() {
        let protected: &[Held] = &[(8, 0, 0, Some(0))];
        check(&[protected, &[(8, 9, 0, None)]], &[0], 8, "node 1: 1");
        check(&[&[(8, 5, 0, None)], &[(4, 4, 0, None), (4, 4, 0, None)]], &[], 8, "node 1: 1 2");
        let two: &[Held] = &[(4, 5, 0, None), (4, 1, 0, None)];
        check(&[two, &[(8, 5, 0, None)]], &[], 8, "node 1: 2");
        check(&[&[(8, 5, 1, None)], &[(8, 5, 2, None)]], &[], 8, "node 1: 1");
        check(&[&[(8, 5, 2, None)], &[(8, 5, 2, None)]], &[], 8, "node 0: 0");
    }

    #[test]
    fn pods_of_the_same_or_a_higher_priority_stay() {
        check(
            &[&[(8, 10, 0, None)], &[(8, 11, 0, None)]],
            &[],
            1,
            "0/2 nodes are available: 2 No preemption victims found for incoming pod.",
        );
    }

    #[test]
    fn a_node_that_is_too_small_even_when_empty_is_not_tried() {
        check(
            &[&[(8, 1, 0, None)]],
            &[],
            9,
            "0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
        );
    }

    #[test]
    fn evicting_all_that_is_lower_may_still_not_be_enough() {
        check(
            &[&[(4, 1, 0, None), (4, 20, 0, None)]],
            &[],
            8,
            "0/1 nodes are available: 1 Insufficient cpu.",
        );
    }

    #[test]
    fn a_pod_that_never_preempts_or_whose_victims_still_leave_waits() {
        let never = Constraints { never_preempts: true, ..Constraints::default() };
        let never = PodSpec { constraints: Some(Arc::new(never)), ..spec(8, 10) };
        let mut cluster = cluster(&[&[(8, 1, 0, None)]]);
        let found = cluster.preempt(&Asking { id: None, spec: &never }, &[], 0, |_| true);
        assert_eq!(found, Err(Unhelpful::Never));
        let spec = Arc::new(spec(8, 10));
        let pod = Asking { id: Some(PodId(7)), spec: &spec };
        cluster.nominate(PodId(7), NodeId(0), spec.clone());
        cluster.terminate_pod(NodeId(0), PodId(0));
        assert_eq!(cluster.preempt(&pod, &[], 0, |_| true), Err(Unhelpful::Underway));
    }

    #[test]
    fn a_node_that_is_cleared_for_a_pod_is_not_there_for_lower_ones() {
        let mut cluster = cluster(&[&[]]);
        let (high, low) = (Arc::new(spec(8, 10)), Arc::new(spec(1, 0)));
        cluster.nominate(PodId(7), NodeId(0), high.clone());
        let mut fits = |id, spec| cluster.fits(&Asking { id: Some(PodId(id)), spec }, NodeId(0));
        assert!(fits(7, &high));
        assert!(!fits(8, &low));
        assert!(fits(8, &PodSpec { priority: 11, ..PodSpec::clone(&low) }));
    }

    #[test]
    fn candidates_are_tried_from_the_offset_on_until_there_are_a_hundred() {
        let shape: Arc<NodeShape> = Arc::new(cpu_node());
        let mut cluster = Cluster::default();
        for id in 0..300 {
            cluster.add_node(NodeId(id), &shape, None);
            // The later, the better a victim.
            let (spec, started) = (Arc::new(spec(8, 0)), Instant(id.into()));
            let pod = Resident { id: PodId(id), spec, started, budget: None, terminating: false };
            cluster.add_pod(NodeId(id), pod);
        }
        let spec = spec(8, 10);
        let found = cluster.preempt(&Asking { id: None, spec: &spec }, &[], 50, |_| true);
        assert_eq!(found.map(|found| found.node), Ok(NodeId(149)));
    }
}
