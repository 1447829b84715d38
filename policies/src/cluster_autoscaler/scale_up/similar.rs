//! Which pools are so alike that they share new nodes.

use contract::{HOSTNAME_KEY, NodeShape, Resources, ZONE_KEY};

/// How far pools may differ and still count as alike, and by which labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Similarity {
    /// Memory may differ by this share (`memory-difference-ratio`).
    pub memory_difference_ratio: f64,
    /// What pods may use may differ by this share (`max-allocatable-difference-ratio`).
    pub max_allocatable_difference_ratio: f64,
    /// What is free on an empty node may differ by this share (`max-free-difference-ratio`).
    pub max_free_difference_ratio: f64,
    /// Labels that may differ, beside host name, zone and region (`balancing-ignore-label`).
    pub ignore_labels: Vec<String>,
    /// If there are any, these labels alone decide, in place of everything else (`balancing-label`).
    pub labels: Vec<String>,
}

impl Default for Similarity {
    fn default() -> Self {
        Self {
            memory_difference_ratio: 0.015,
            max_allocatable_difference_ratio: 0.05,
            max_free_difference_ratio: 0.05,
            ignore_labels: Vec::new(),
            labels: Vec::new(),
        }
    }
}

/// Labels that always may differ (upstream: `BasicIgnoredLabels`).
const IGNORED_LABELS: [&str; 7] = [
    HOSTNAME_KEY,
    ZONE_KEY,
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/fluentd-ds-ready",
    "kops.k8s.io/instancegroup",
];

impl Similarity {
    /// Whether nodes of two pools are alike: the same kinds of resources, CPU and GPUs alike, memory nearly so, and
    /// the same labels. What daemons hold is taken off already, so what is free is what is allocatable.
    pub fn holds(&self, one: &NodeShape, other: &NodeShape) -> bool {
        if !self.labels.is_empty() {
            return self.labels.iter().all(|key| one.labels.get(key) == other.labels.get(key));
        }
        let (a, b) = (&one.allocatable, &other.allocatable);
        let memory = self.memory_difference_ratio.min(self.widest());
        one.gpu == other.gpu
            && a.cpu == b.cpu
            && a.gpus == b.gpus
            && differ_at_most(a, b, memory)
            && self.labels_match(one, other)
    }

    fn widest(&self) -> f64 {
        self.max_allocatable_difference_ratio.min(self.max_free_difference_ratio)
    }

    fn labels_match(&self, one: &NodeShape, other: &NodeShape) -> bool {
        let counts = |key: &&String| {
            !IGNORED_LABELS.contains(&key.as_str()) && !self.ignore_labels.contains(key)
        };
        let mut keys = one.labels.keys().chain(other.labels.keys()).filter(counts);
        keys.all(|key| one.labels.get(key) == other.labels.get(key))
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes stay below 2^53")]
fn differ_at_most(one: &Resources, other: &Resources, ratio: f64) -> bool {
    let (smaller, larger) = (one.memory.min(other.memory).0, one.memory.max(other.memory).0);
    (larger - smaller) as f64 <= larger as f64 * ratio
}

/// Pools among those alike that would take every pod group which the chosen pool takes. Groups are by place;
/// `takes` says which of them a pool takes, and is `None` for one that may not grow.
pub fn similar_pools<'a>(
    chosen: usize,
    alike: impl IntoIterator<Item = usize>,
    takes: impl Fn(usize) -> Option<&'a [usize]>,
) -> Vec<usize> {
    let Some(wanted) = takes(chosen).filter(|groups| !groups.is_empty()) else {
        return Vec::new();
    };
    let takes_all = |pool: &usize| {
        takes(*pool).is_some_and(|own| wanted.iter().all(|group| own.contains(group)))
    };
    alike.into_iter().filter(takes_all).collect()
}
