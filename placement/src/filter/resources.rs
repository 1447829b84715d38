//! `NodeResourcesFit`: requests and the pod limit.

use super::Misfit;
use crate::Candidate;
use contract::Resources;

/// Which resources a node has not enough of.
#[expect(
    clippy::struct_excessive_bools,
    reason = "one flag a resource, each as independent as they are"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shortage {
    /// The kubelet accepts no more pods.
    pub pods: bool,
    /// CPU.
    pub cpu: bool,
    /// Memory.
    pub memory: bool,
    /// GPUs.
    pub gpus: bool,
}

pub(crate) fn check(requests: &Resources, node: &Candidate<'_>) -> Result<(), Misfit> {
    let free = node.free();
    let shortage = Shortage {
        pods: node.pods >= node.shape.pod_limit,
        cpu: requests.cpu > free.cpu,
        memory: requests.memory > free.memory,
        gpus: requests.gpus > free.gpus,
    };
    if shortage == Shortage::default() { Ok(()) } else { Err(Misfit::Resources(shortage)) }
}

#[cfg(test)]
mod tests {
    use crate::samples::{gpu_node, pod};
    use crate::{Candidate, Misfit, Shortage, fits};

    /// A node of 8 cores, 32 GiB and 2 GPUs, with `pods` of (cpu, memory, gpus) on it; what keeps the next off?
    #[track_caller]
    fn check(on: &[(&str, &str, u32)], next: (&str, &str, u32), expected: Result<(), Shortage>) {
        let shape = gpu_node("L40S", 2);
        let mut node = Candidate::fresh(&shape);
        for &(cpu, memory, gpus) in on {
            node.add(&pod(cpu, memory, gpus));
        }
        let found = fits(&pod(next.0, next.1, next.2), &node);
        assert_eq!(found, expected.map_err(Misfit::Resources));
    }

    #[test]
    fn a_pod_may_take_the_last_of_everything_and_no_more() {
        check(&[("4", "16GiB", 1)], ("4", "16GiB", 1), Ok(()));
        let cpu = Shortage { cpu: true, ..Shortage::default() };
        check(&[("4", "16GiB", 1)], ("4001m", "16GiB", 1), Err(cpu));
        let both = Shortage { memory: true, gpus: true, ..Shortage::default() };
        check(&[("4", "16GiB", 1)], ("4", "17GiB", 2), Err(both));
    }

    #[test]
    fn a_pod_that_asks_for_nothing_fits_until_the_pod_limit() {
        let nothing = ("0", "0B", 0);
        check(&vec![nothing; 109], nothing, Ok(()));
        let pods = Shortage { pods: true, ..Shortage::default() };
        check(&vec![nothing; 110], nothing, Err(pods));
    }
}
