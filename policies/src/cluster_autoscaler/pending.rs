//! Which pending pods call for new nodes.

use super::Settings;
use super::snapshot::Snapshot;
use contract::{Instant, Observation, PodSpec, ServiceId};

/// Pods with the same owner and the same wishes: one of them speaks for all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PodGroup<'a> {
    /// What each asks for.
    pub spec: &'a PodSpec,
    /// How many.
    pub count: u32,
}

/// Pods that fit neither on nodes that are there nor on those that are on their way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending<'a> {
    /// By owner, higher priority first.
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
    pub(crate) fn of(
        seen: &Observation<'a>,
        snapshot: &mut Snapshot<'a>,
        settings: &Settings,
    ) -> Self {
        let mut owners = owners(seen, settings);
        owners.sort_by_key(|owner| std::cmp::Reverse(owner.spec.priority));
        let mut pending = Self::default();
        for owner in owners {
            pending.add(&owner, seen.now, snapshot, settings);
        }
        pending
    }

    fn add(
        &mut self,
        owner: &Owner<'a>,
        now: Instant,
        snapshot: &mut Snapshot<'a>,
        settings: &Settings,
    ) {
        let pods = owner.created.iter();
        // Equal pods: where one fits nowhere, none after it does.
        let helped = pods.clone().take_while(|_| settle(owner.spec, snapshot)).count();
        self.helped += length(helped);
        let old_enough = |created: &&Instant| {
            let delay = settings.new_pod_scale_up_delay;
            delay.0 == 0 || now.since(**created) > delay
        };
        let left: Vec<_> = pods.skip(helped).filter(old_enough).copied().collect();
        if left.is_empty() {
            return;
        }
        self.groups.push(PodGroup { spec: owner.spec, count: length(left.len()) });
        let oldest = left.into_iter().min();
        self.oldest = earlier(self.oldest, oldest);
        if owner.spec.requests.gpus > 0 {
            self.oldest_with_gpus = earlier(self.oldest_with_gpus, oldest);
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
}

/// Places a pod on a node that is there or on its way; false if there is none.
fn settle(spec: &PodSpec, snapshot: &mut Snapshot<'_>) -> bool {
    let place = snapshot.place(spec, |_| true);
    if let Some(place) = place {
        snapshot.nodes[place].awaited = true;
    }
    place.is_some()
}

/// A service's unschedulable pods.
struct Owner<'a> {
    service: ServiceId,
    spec: &'a PodSpec,
    created: Vec<Instant>,
}

fn owners<'a>(seen: &Observation<'a>, settings: &Settings) -> Vec<Owner<'a>> {
    let mut owners: Vec<Owner<'a>> = Vec::new();
    let cutoff = settings.expendable_pods_priority_cutoff;
    let counts = seen.pending.iter().filter(|pod| pod.unschedulable_since.is_some());
    for pod in counts.filter(|pod| pod.spec.priority >= cutoff) {
        let same =
            |owner: &&mut Owner<'a>| owner.service == pod.service && *owner.spec == *pod.spec;
        match owners.iter_mut().find(same) {
            Some(owner) => owner.created.push(pod.created),
            None => owners.push(Owner {
                service: pod.service,
                spec: &pod.spec,
                created: vec![pod.created],
            }),
        }
    }
    owners
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

fn length(count: usize) -> u32 {
    u32::try_from(count).expect("fewer than 2^32 pods")
}
