//! The Deployment's side: as many pods as asked for, and which of them go first.

use super::pods::PodRef;
use super::{Engine, Event};
use crate::queue::Class;
use contract::{Instant, Owner, PodSeen, PodStage, ServiceId};
use std::cmp::Reverse;
use std::collections::BTreeMap;

impl Engine<'_> {
    /// A written replica count takes effect: the newest one, whichever writing this is about.
    pub(super) fn actuate(&mut self, service: ServiceId) {
        self.services[service.index()].replicas =
            self.services_seen[service.index()].replicas_wanted;
        self.reconcile(service);
    }

    /// Makes the pods of a service match its replica count.
    pub(super) fn reconcile(&mut self, service: ServiceId) {
        let counts = self.services_seen[service.index()].replicas;
        let alive = counts.pending + counts.starting + counts.ready;
        let wanted = self.services[service.index()].replicas;
        for _ in alive..wanted {
            let pod = self.make_replica(service, 0);
            self.enqueue(pod);
        }
        if wanted < alive {
            for victim in self.victims(service, (alive - wanted) as usize) {
                self.terminate_pod(victim);
            }
        }
        self.update_cause(service);
    }

    /// A replica that has fitted nowhere for long: a pod cannot change its shape, so one of the next shape takes its place.
    pub(super) fn fall_back(&mut self, pod: PodRef) {
        let Some(service) = self.service_of(pod) else { return };
        let found = self.pod(pod).expect("the pod of a service");
        if found.stage != PodStage::Pending || found.node.is_some() {
            return;
        }
        if self.scheduler.cluster.nominated(pod.id).is_some() {
            // A node is being cleared for it.
            return self.book_fallback(service, pod);
        }
        let next = (found.shape + 1) % self.services[service.index()].spec.shape_count();
        self.terminate_pod(pod);
        let replacement = self.make_replica(service, next);
        self.enqueue(replacement);
        self.update_cause(service);
    }

    /// Books when a replica that fits nowhere is given another shape, if there is one.
    pub(super) fn book_fallback(&mut self, service: ServiceId, pod: PodRef) {
        let spec = &self.services[service.index()].spec;
        if spec.shape_count() > 1 {
            let at = self.now + spec.alternatives.fallback_after;
            self.queue.push(at, Class::Stage, Event::FallBack(pod));
        }
    }

    /// The pods that a scale-down removes, in the order of the `ReplicaSet` controller.
    fn victims(&self, service: ServiceId, count: usize) -> Vec<PodRef> {
        let seen = &self.services_seen[service.index()];
        let alive = || seen.pods.iter().filter(|pod| pod.stage != PodStage::Draining);
        let mut neighbours = BTreeMap::new();
        for pod in alive() {
            *neighbours.entry(pod.node).or_insert(0_u32) += 1;
        }
        let mut ranked: Vec<_> = alive()
            .filter_map(|pod| {
                let reference = self.pod_ref(Owner::Service(service), pod.id)?;
                let uid = self.pod(reference)?.uid;
                Some((victim_rank(pod, neighbours[&pod.node], self.now, uid), reference))
            })
            .collect();
        ranked.sort_unstable();
        ranked.into_iter().take(count).map(|(_, pod)| pod).collect()
    }

    /// Deployments replace pods that left with their node.
    pub(super) fn reconcile_all(&mut self) {
        for place in 0..self.services.len() {
            self.reconcile(ServiceId(super::id(place)));
        }
    }
}

/// Least goes first. The order of `ActivePodsWithRanks` in Kubernetes' `controller_utils.go`: unassigned
/// before assigned, phase Pending before Running, not ready before ready, more pods of the same service on
/// the node before fewer, then the shorter time ready (time since creation for those not ready), compared
/// by its power of two in nanoseconds; the UID breaks ties.
type VictimRank = (bool, bool, bool, Reverse<u32>, Option<u32>, u64);

fn victim_rank(pod: &PodSeen, neighbours: u32, now: Instant, uid: u64) -> VictimRank {
    let ready = pod.stage == PodStage::Ready;
    // The phase is Pending until the container runs.
    let running = pod.stage > PodStage::Pulling;
    let age = now.since(if ready { pod.since } else { pod.created });
    let power = age.0.saturating_mul(1000).checked_ilog2();
    (pod.node.is_some(), running, ready, Reverse(neighbours), power, uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{NodeId, PodId};

    /// Pods as (stage, node, seconds in the stage, neighbours); in which order do they go?
    #[track_caller]
    fn check(pods: &[(PodStage, Option<u32>, u64, u32)], expected: &[usize]) {
        let now = Instant(1_000_000_000);
        let mut ranked: Vec<_> = pods
            .iter()
            .enumerate()
            .map(|(place, &(stage, node, seconds, neighbours))| {
                let since = Instant(now.0 - seconds * 1_000_000);
                let id = PodId(u32::try_from(place).unwrap());
                let node = node.map(NodeId);
                let samples = Vec::new();
                let pod = PodSeen { id, stage, since, created: since, node, samples };
                (victim_rank(&pod, neighbours, now, 1000 - place as u64), place)
            })
            .collect();
        ranked.sort_unstable();
        let order: Vec<_> = ranked.into_iter().map(|(_, place)| place).collect();
        assert_eq!(order, expected);
    }

    #[test]
    fn the_less_a_pod_has_got_the_sooner_it_goes() {
        use PodStage::{Loading, Pending, Probing, Pulling, Ready};
        check(
            &[
                (Ready, Some(1), 1, 1),
                (Probing, Some(1), 1, 1),
                (Pulling, Some(1), 1, 1),
                (Pending, None, 1, 4),
                (Loading, Some(2), 900, 1),
            ],
            &[3, 2, 1, 4, 0],
        );
    }

    #[test]
    fn pods_that_share_a_node_go_before_the_newest() {
        use PodStage::Ready;
        check(&[(Ready, Some(1), 500, 2), (Ready, Some(2), 1, 1)], &[0, 1]);
    }

    #[test]
    fn ages_within_one_power_of_two_count_as_equal() {
        use PodStage::Ready;
        // 2^33 ns are 8.59 s and 2^34 ns 17.18 s: the second and third are as old as each other.
        check(
            &[(Ready, Some(1), 18, 1), (Ready, Some(2), 9, 1), (Ready, Some(3), 17, 1)],
            &[2, 1, 0],
        );
    }
}
