//! Which pending pods call for new nodes.

use super::Settings;
use super::luck::Luck;
use super::provisioning::is_granted;
use super::snapshot::{Guest, Snapshot};
use crate::karpenter::buffer::Implementation;
use contract::{Instant, Micros, Observation, Owner, PendingPod, PodSpec, ProvisioningRequest};
use std::cmp::Reverse;

/// Pods with the same owner and the same wishes: one of them speaks for all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PodGroup<'a> {
    /// What each asks for.
    pub spec: &'a PodSpec,
    /// How many.
    pub count: u32,
}

/// Specs of one owner that are told apart; pods with further ones each stand alone (upstream:
/// `maxEquivalenceGroupsByController`).
const SPECS_BY_OWNER: usize = 10;

/// Pods that fit neither on nodes that are there nor on those that are on their way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending<'a> {
    /// By owner and wishes, in the order in which the first of each came.
    pub(crate) groups: Vec<PodGroup<'a>>,
    /// Pods that will fit once they are tried again, or once nodes on their way are ready.
    pub(crate) helped: u32,
    /// When the oldest pod was made.
    oldest: Option<Instant>,
    /// When the oldest pod that asks for GPUs was made.
    oldest_with_gpus: Option<Instant>,
}

impl<'a> Pending<'a> {
    /// Sorts the unschedulable pods; those that fit take their place in the snapshot.
    ///
    /// Higher priority goes first. Beyond that the order is another in every loop, as that of upstream's maps is:
    /// its `luck` decides. So pods of several sizes are packed otherwise each time, and some that a node was
    /// ordered for may find no room.
    pub(crate) fn of(
        seen: &Observation<'a>,
        snapshot: &mut Snapshot<'a>,
        settings: &Settings,
        luck: Luck,
    ) -> Self {
        let cutoff = settings.expendable_pods_priority_cutoff;
        // A nominated pod has its place once its victims have left.
        let is_lost =
            |pod: &PendingPod| pod.unschedulable_since.is_some() && pod.nominated.is_none();
        let counts = |pod: &&PendingPod| is_lost(pod) && pod.spec.priority >= cutoff;
        let mut pods: Vec<_> = seen.pending.iter().filter(counts).collect();
        pods.sort_by_cached_key(|pod| (Reverse(pod.spec.priority), luck.rank(pod.id)));
        let mut left = place_in_thought(&pods, snapshot);
        let mut pending = Self { helped: length(pods.len() - left.len()), ..Self::default() };
        left.retain(|pod| !is_granted(pod, seen));
        left.sort_by_key(|pod| pod.id);
        let delay = settings.new_pod_scale_up_delay;
        let old_enough = |created| delay == Micros::ZERO || seen.now.since(created) > delay;
        let mut owners = Owners::default();
        for pod in left.into_iter().filter(|pod| old_enough(created(pod))) {
            pending.note_age(pod);
            owners.add(pod);
        }
        pending.groups = owners.groups();
        pending.add_buffers(seen, snapshot, settings);
        pending
    }

    /// Pods of a request, of which only some fit: those left.
    pub(crate) fn requested(request: &'a ProvisioningRequest, left: u32) -> Self {
        let oldest = Some(whole_seconds(request.created));
        Self {
            groups: vec![PodGroup { spec: &request.spec, count: left }],
            helped: request.pods - left,
            oldest,
            oldest_with_gpus: oldest.filter(|_| request.spec.needs_gpus()),
        }
    }

    /// Room that is kept for pods that are not there yet (`CapacityBuffer`): taken in thought once all real pods have
    /// theirs, so that these always win. Nobody waits for more of such pods.
    fn add_buffers(
        &mut self,
        seen: &Observation<'a>,
        snapshot: &mut Snapshot<'a>,
        settings: &Settings,
    ) {
        for service in seen.services {
            let Some(buffer) = settings.buffers.get(&*service.name) else { continue };
            let (spec, wanted) = (&*service.spec, service.replicas_wanted);
            let chunks = buffer.chunks(Implementation::ClusterAutoscaler, wanted, &spec.requests);
            let fits = |_: &u32| snapshot.place(Guest { spec, pod: None }, |_| true).is_some();
            let chunks = chunks.unwrap_or(0);
            let placed = length((0..chunks).take_while(fits).count());
            if chunks > placed {
                self.groups.push(PodGroup { spec, count: chunks - placed });
            }
        }
    }

    fn note_age(&mut self, pod: &PendingPod) {
        let created = Some(created(pod));
        self.oldest = earlier(self.oldest, created);
        if pod.spec.needs_gpus() {
            self.oldest_with_gpus = earlier(self.oldest_with_gpus, created);
        }
    }

    /// How many pods are left.
    pub(crate) fn count(&self) -> u32 {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// Whether the pods are so new that more are to be expected: a burst is created one by one.
    pub(crate) fn is_new(&self, now: Instant, settings: &Settings) -> bool {
        let younger = |created: Option<Instant>, than| {
            created.is_some_and(|created| now.since(created) < than)
        };
        younger(self.oldest, settings.new_pods_wait)
            || younger(self.oldest_with_gpus, settings.new_gpu_pods_wait)
    }

    /// Takes pods out for which nodes have been asked, by group.
    pub(crate) fn take(&mut self, placed: &[u32]) {
        for (group, placed) in self.groups.iter_mut().zip(placed) {
            group.count -= placed;
        }
        self.groups.retain(|group| group.count > 0);
    }
}

/// Places pods on nodes that are there or on their way, in order; gives back those that fit on none.
fn place_in_thought<'a>(
    pods: &[&'a PendingPod],
    snapshot: &mut Snapshot<'a>,
) -> Vec<&'a PendingPod> {
    let mut hopeless: Vec<&PodSpec> = Vec::new();
    let mut left = Vec::new();
    for &pod in pods {
        let spec = &*pod.spec;
        let alike = |known: &&PodSpec| std::ptr::eq(*known, spec) || **known == *spec;
        // Room only shrinks while pods are placed: where one fits nowhere, none like it does.
        let is_hopeless = hopeless.iter().any(alike);
        if is_hopeless || snapshot.place(Guest { spec, pod: None }, |_| true).is_none() {
            if !is_hopeless {
                hopeless.push(spec);
            }
            left.push(pod);
        }
    }
    left
}

/// Pods by owner and wishes.
#[derive(Default)]
struct Owners<'a> {
    groups: Vec<(Owner, PodGroup<'a>)>,
}

impl<'a> Owners<'a> {
    fn add(&mut self, pod: &'a PendingPod) {
        let spec = &*pod.spec;
        let mut of_owner = 0;
        for (owner, group) in &mut self.groups {
            if *owner != pod.owner {
                continue;
            }
            of_owner += 1;
            if of_owner <= SPECS_BY_OWNER
                && (std::ptr::eq(group.spec, spec) || *group.spec == *spec)
            {
                group.count += 1;
                return;
            }
        }
        self.groups.push((pod.owner, PodGroup { spec, count: 1 }));
    }

    fn groups(self) -> Vec<PodGroup<'a>> {
        self.groups.into_iter().map(|(_, group)| group).collect()
    }
}

/// When a pod was made, as Kubernetes writes it.
fn created(pod: &PendingPod) -> Instant {
    whole_seconds(pod.created)
}

fn whole_seconds(at: Instant) -> Instant {
    const SECOND: u64 = 1_000_000;
    Instant(at.0 / SECOND * SECOND)
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

fn length(count: usize) -> u32 {
    u32::try_from(count).expect("fewer than 2^32 pods")
}
