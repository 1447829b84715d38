//! What the search reads of a node, packed, and its score in few instructions.
//!
//! Amounts are whole numbers in floats: below 2^53 they are exact, and the whole part of a correctly rounded quotient
//! of two of them is the whole part of the true one. A property test holds the scores against [`crate::score`].

use crate::score::{ShapePoint, change, evenness_of_two, for_scoring, piecewise_score};
use crate::{Allocation, Balance, Candidate, Profile};
use contract::{PodSpec, Resources};

/// A node, packed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Below zero on a node that takes no pods at all: cordoned, or at its limit.
    pub(super) free_cpu: f64,
    pub(super) free_memory: f64,
    used_cpu: f64,
    used_memory: f64,
    cpu: f64,
    memory: f64,
    /// Free share of the CPU plus that of the memory; not a number without one of them.
    pub(super) free_shares: f64,
    /// How much more of the CPU than of the memory is in use, in shares; likewise.
    pub(super) tilt: f64,
    /// Evenness of CPU and memory as they are used, 0 to 100.
    pub(super) evenness: u32,
    pub(super) kind: u32,
    /// Only the filters themselves know whether a pod fits: something is promised to others here.
    pub(super) nominated: bool,
}

#[expect(clippy::cast_precision_loss, reason = "amounts stay below 2^53")]
#[inline]
pub(super) fn float(amount: u64) -> f64 {
    amount as f64
}

impl Row {
    pub(super) fn of(node: &Candidate<'_>, kind: u32, nominated: bool) -> Self {
        let (free, all) = (node.free(), &node.shape.allocatable);
        let (cpu, memory) = (float(all.cpu.0), float(all.memory.0));
        let (used_cpu, used_memory) = (float(node.used.cpu.0), float(node.used.memory.0));
        let (cpu_share, memory_share) = (used_cpu / cpu, used_memory / memory);
        let takes_pods = !node.cordoned && node.pods < node.shape.pod_limit;
        Self {
            free_cpu: if takes_pods { float(free.cpu.0) } else { -1.0 },
            free_memory: float(free.memory.0),
            used_cpu,
            used_memory,
            cpu,
            memory,
            free_shares: 2.0 - cpu_share - memory_share,
            tilt: cpu_share - memory_share,
            evenness: evenness(used_cpu, cpu, used_memory, memory),
            kind,
            nominated,
        }
    }

    /// Whether the node takes pods and has so much free.
    #[inline]
    pub(super) fn admits(&self, cpu: f64, memory: f64) -> bool {
        cpu <= self.free_cpu && memory <= self.free_memory
    }
}

/// Evenness of the shares in use; what the node does not have is left out, and one resource alone is even.
fn evenness(cpu: f64, of_cpu: f64, memory: f64, of_memory: f64) -> u32 {
    if of_cpu == 0.0 || of_memory == 0.0 {
        return 100;
    }
    let even = evenness_of_two((cpu / of_cpu).min(1.0), (memory / of_memory).min(1.0));
    u32::try_from(even).expect("at most 100")
}

/// Scores the resources of rows for one pod: `NodeResourcesFit` and `NodeResourcesBalancedAllocation`.
#[derive(Debug)]
pub(super) struct Scorer {
    /// What the pod counts as.
    cpu: f64,
    memory: f64,
    allocation: Curve,
    /// What it requests; `None` for a pod that requests nothing, which is not scored for balance.
    requests: Option<(f64, f64)>,
    balance: Balance,
}

#[derive(Debug)]
enum Curve {
    Free,
    Used,
    /// By percent in use.
    Points(Vec<u32>),
}

impl Scorer {
    pub(super) fn new(spec: &PodSpec, profile: &Profile) -> Self {
        let counted = for_scoring(spec.requests);
        let requests = (float(spec.requests.cpu.0), float(spec.requests.memory.0));
        Self {
            cpu: float(counted.cpu.0),
            memory: float(counted.memory.0),
            allocation: Curve::of(&profile.allocation),
            requests: (spec.requests != Resources::default()).then_some(requests),
            balance: profile.balance,
        }
    }

    /// The weighted score, both weights being one.
    #[inline]
    pub(super) fn score(&self, row: &Row) -> u64 {
        let cpu = self.allocation.score(row.used_cpu + self.cpu, row.cpu);
        let memory = self.allocation.score(row.used_memory + self.memory, row.memory);
        u64::from(self.allocation.mean(cpu, memory)) + self.balance(row)
    }

    fn balance(&self, row: &Row) -> u64 {
        let Some((cpu, memory)) = self.requests else { return 0 };
        let (cpu, memory) = (row.used_cpu + cpu, row.used_memory + memory);
        let with = evenness(cpu, row.cpu, memory, row.memory);
        match self.balance {
            Balance::Classic => with.into(),
            Balance::Change => change(with.into(), row.evenness.into()),
        }
    }
}

impl Curve {
    fn of(allocation: &Allocation) -> Self {
        match allocation {
            Allocation::LeastAllocated => Self::Free,
            Allocation::MostAllocated => Self::Used,
            Allocation::RequestedToCapacityRatio(points) => Self::Points(table(points)),
        }
    }

    /// One resource's score; `None` if the node does not have it.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
    fn score(&self, used: f64, of: f64) -> Option<u32> {
        let percent = |amount: f64| (amount * 100.0 / of) as u32;
        (of > 0.0).then(|| match self {
            Self::Free => percent((of - used).max(0.0)),
            Self::Used => percent(used.min(of)),
            Self::Points(table) => table[percent(used.min(of)) as usize],
        })
    }

    /// The mean, cut off; on a curve of points what scores nothing does not count, and halves are rounded up.
    fn mean(&self, cpu: Option<u32>, memory: Option<u32>) -> u32 {
        match (self, cpu, memory) {
            (Self::Free | Self::Used, Some(cpu), Some(memory)) => u32::midpoint(cpu, memory),
            (Self::Points(_), Some(cpu @ 1..), Some(memory @ 1..)) => (cpu + memory).div_ceil(2),
            _ => cpu.unwrap_or(0).max(memory.unwrap_or(0)),
        }
    }
}

fn table(points: &[ShapePoint]) -> Vec<u32> {
    (0..=100).map(|percent| piecewise_score(points, percent)).collect()
}
