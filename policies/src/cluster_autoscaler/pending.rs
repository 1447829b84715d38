//! Which pending pods call for new nodes.

use super::Settings;
use super::snapshot::Snapshot;
use contract::{Instant, Observation, Owner, PodSpec};

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
        let mut groups = alike(seen, settings);
        groups.sort_by_key(|group| std::cmp::Reverse(group.spec.priority));
        let mut pending = Self::default();
        for group in groups {
            pending.add(&group, seen.now, snapshot, settings);
        }
        pending
    }

    fn add(
        &mut self,
        group: &Alike<'a>,
        now: Instant,
        snapshot: &mut Snapshot<'a>,
        settings: &Settings,
    ) {
        let pods = group.created.iter();
        // Equal pods: where one fits nowhere, none after it does.
        let helped = pods.clone().take_while(|_| settle(group.spec, snapshot)).count();
        self.helped += length(helped);
        let old_enough = |created: &&Instant| {
            let delay = settings.new_pod_scale_up_delay;
            delay.0 == 0 || now.since(**created) > delay
        };
        let left: Vec<_> = pods.skip(helped).filter(old_enough).copied().collect();
        if left.is_empty() {
            return;
        }
        self.groups.push(PodGroup { spec: group.spec, count: length(left.len()) });
        let oldest = left.into_iter().min();
        self.oldest = earlier(self.oldest, oldest);
        if group.spec.requests.gpus > 0 {
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

/// The unschedulable pods of one owner that are alike.
struct Alike<'a> {
    owner: Owner,
    spec: &'a PodSpec,
    created: Vec<Instant>,
}

fn alike<'a>(seen: &Observation<'a>, settings: &Settings) -> Vec<Alike<'a>> {
    let mut groups: Vec<Alike<'a>> = Vec::new();
    let cutoff = settings.expendable_pods_priority_cutoff;
    let counts = seen.pending.iter().filter(|pod| pod.unschedulable_since.is_some());
    for pod in counts.filter(|pod| pod.spec.priority >= cutoff) {
        let same = |group: &&mut Alike<'a>| group.owner == pod.owner && *group.spec == *pod.spec;
        if let Some(group) = groups.iter_mut().find(same) {
            group.created.push(pod.created);
        } else {
            let created = vec![pod.created];
            groups.push(Alike { owner: pod.owner, spec: &pod.spec, created });
        }
    }
    groups
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

fn length(count: usize) -> u32 {
    u32::try_from(count).expect("fewer than 2^32 pods")
}
