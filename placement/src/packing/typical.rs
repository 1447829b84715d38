//! Typical pods: what the pods of a workload ask for, most frequent first, as far as needed to cover most of
//! them. Fragmentation is measured against them.

use super::{GpuRequest, MilliGpu, Pod};
use contract::MilliCpu;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The share of pods that typical pods must cover (Weng et al. 2023, `PodPopularityThreshold` of their
/// simulator).
const COVERED: f64 = 0.95;

/// A request that many pods make. Memory does not count.
#[derive(Clone, Debug, PartialEq)]
pub struct TypicalPod {
    /// One of the pods that make it.
    pub pod: Pod,
    /// Its share among the typical pods; they add up to one.
    pub frequency: f64,
}

/// What makes pods alike here; in this order, the larger goes first among equally frequent ones.
type Alike = (MilliCpu, MilliGpu, u32, String);

/// The typical pods of a workload, the most frequent first.
pub fn typical_pods<'a>(pods: impl IntoIterator<Item = &'a Pod>) -> Vec<TypicalPod> {
    typical_of_counted(pods.into_iter().map(|pod| (pod, 1)))
}

/// The same of pods that come with how many there are of each.
pub(super) fn typical_of_counted<'a>(
    pods: impl Iterator<Item = (&'a Pod, u32)>,
) -> Vec<TypicalPod> {
    let mut counts: BTreeMap<Alike, (u32, &Pod)> = BTreeMap::new();
    let mut total = 0;
    for (pod, count) in pods {
        counts.entry(alike(pod)).or_insert((0, pod)).0 += count;
        total += count;
    }
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by(|(alike, (count, _)), (other_alike, (other_count, _))| {
        (Reverse(count), Reverse(alike)).cmp(&(Reverse(other_count), Reverse(other_alike)))
    });
    let mut covered = 0;
    let mut typical = Vec::new();
    for (_, (count, pod)) in sorted {
        if share(covered, total) >= COVERED {
            break;
        }
        covered += count;
        typical.push(TypicalPod { pod: pod.clone(), frequency: share(count, total) });
    }
    // Two divisions, as published: one would move last bits, on which equal scores hang.
    for pod in &mut typical {
        pod.frequency /= share(covered, total);
    }
    typical
}

fn share(count: u32, total: u32) -> f64 {
    f64::from(count) / f64::from(total)
}

fn alike(pod: &Pod) -> Alike {
    let gpu = pod.gpu.as_ref();
    let each = gpu.map_or(MilliGpu::ZERO, GpuRequest::each);
    let models = gpu.map(GpuRequest::models_text).unwrap_or_default();
    (pod.cpu, each, gpu.map_or(0, GpuRequest::count), models)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{pod, share};
    use super::*;

    #[track_caller]
    fn check(pods: &[(Pod, usize)], expected: &str) {
        let pods = pods.iter().flat_map(|(pod, count)| std::iter::repeat_n(pod, *count));
        let line = |it: &TypicalPod| {
            format!("{:.4} of {} cpu {}", it.frequency, it.pod.gpu_sum(), it.pod.cpu)
        };
        let lines: Vec<_> = typical_pods(pods).iter().map(line).collect();
        assert_eq!(lines.join(", "), expected);
    }

    #[test]
    fn the_most_frequent_cover_nineteen_of_twenty_and_add_up_to_one() {
        check(
            &[(pod(1, 0), 5), (pod(4, 1), 80), (share(2, 500), 15)],
            "0.8421 of 1000m cpu 4000m, 0.1579 of 500m cpu 2000m",
        );
        check(
            &[(pod(1, 0), 6), (pod(4, 1), 80), (share(2, 500), 14)],
            "0.8000 of 1000m cpu 4000m, 0.1400 of 500m cpu 2000m, 0.0600 of 0m cpu 1000m",
        );
    }

    #[test]
    fn of_equally_frequent_ones_the_larger_goes_first() {
        check(
            &[(share(2, 300), 1), (share(2, 500), 1), (pod(3, 0), 1)],
            "0.3333 of 0m cpu 3000m, 0.3333 of 500m cpu 2000m, 0.3333 of 300m cpu 2000m",
        );
    }

    #[test]
    fn memory_does_not_count() {
        let roomy = Pod { memory: contract::Bytes(1), ..pod(1, 1) };
        check(&[(pod(1, 1), 1), (roomy, 1)], "1.0000 of 1000m cpu 1000m");
    }

    #[test]
    fn no_pods_have_no_typical_ones() {
        check(&[], "");
    }
}
