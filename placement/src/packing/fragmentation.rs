//! Fragmentation: how much idle GPU the pods that are to come cannot use.
//!
//! Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient
//! Descent" (USENIX ATC 2023), section 4: the fragments of a node are, for each typical pod, the idle GPU that
//! it cannot use there, weighted by how frequent it is.
//!
//! Scores are whole numbers, and which of two nodes gets a pod may hang on the last bit of a fragment. So the
//! sums are taken in the order of the authors' simulator (hkust-adsl/kubernetes-scheduler-simulator at
//! 8f3d6417, `pkg/utils/frag.go`): pod by pod into one sum for each reason, then the sums one after the other.

use super::devices::Devices;
use super::node::Node;
use super::pod::Demand;
use super::{MilliGpu, TypicalPod};
use contract::{GpuModel, MilliCpu};
use std::cell::RefCell;

/// Why idle GPU is of no use to a pod, in the order in which the sums are added.
#[derive(Clone, Copy)]
enum Reason {
    /// Neither devices nor CPU suffice.
    LacksBoth,
    /// Devices do not suffice; or they do, and these are the devices that are too full for it.
    LacksGpu,
    /// Devices suffice, the CPU does not.
    LacksCpu,
    /// It needs no GPU.
    NoGpuWanted,
    /// It needs no GPU, and even the CPU does not suffice.
    NoGpuWantedLacksCpu,
    /// It may not run on this model.
    OtherModel,
}

const REASONS: usize = 6;

/// A typical pod on nodes of one model.
struct Row {
    frequency: f64,
    cpu: MilliCpu,
    want: Want,
}

/// What it wants of the GPUs.
enum Want {
    Nothing,
    OtherModel,
    /// `count` devices with as much free as the threshold of this place says.
    Shares {
        count: u32,
        threshold: usize,
    },
}

/// Measures the fragments of nodes against typical pods.
pub(super) struct Fragmentation {
    /// By model of the node, the typical pods in their order.
    rows: Vec<Vec<Row>>,
    /// What typical pods ask of one device: distinct amounts, rising.
    thresholds: Vec<MilliGpu>,
    /// By what is free on a device, how many thresholds it reaches.
    reached: Vec<usize>,
    /// Kept between calls, which are many and short.
    reach: RefCell<Vec<Reach>>,
}

/// By threshold: how many devices reach it, and what is free on those that do not.
#[derive(Clone, Copy, Default)]
struct Reach {
    devices: u32,
    below: u32,
}

impl Fragmentation {
    /// For nodes of these models.
    pub(super) fn new(typical: &[TypicalPod], models: &[Option<GpuModel>]) -> Self {
        let demands: Vec<_> =
            typical.iter().map(|it| (it.frequency, Demand::of(&it.pod, models))).collect();
        let mut thresholds: Vec<_> =
            demands.iter().filter(|(_, it)| it.wants_gpu()).map(|(_, it)| it.each).collect();
        thresholds.sort();
        thresholds.dedup();
        let reached = |free| thresholds.partition_point(|amount| amount.0 <= free);
        let reached = (0..=MilliGpu::WHOLE.0).map(reached).collect();
        let row = |(frequency, demand): &(f64, Demand), model: usize| Row {
            frequency: *frequency,
            cpu: demand.cpu,
            want: want(demand, model, &thresholds),
        };
        let rows = (0..models.len())
            .map(|model| demands.iter().map(|demand| row(demand, model)).collect())
            .collect();
        Self { rows, thresholds, reached, reach: RefCell::default() }
    }

    /// The fragments of a node of this model with this much CPU and these devices free, in thousandths of a GPU.
    pub(super) fn of(&self, model: usize, cpu_free: MilliCpu, devices: &Devices) -> f64 {
        let idle = devices.free_sum();
        if idle == MilliGpu::ZERO {
            return 0.0;
        }
        let reach = &mut *self.reach.borrow_mut();
        self.fill(reach, devices);
        let idle = f64::from(idle.0);
        let mut sums = [0.0; REASONS];
        for row in &self.rows[model] {
            let has_cpu = row.cpu <= cpu_free;
            let (reason, amount) = match row.want {
                Want::Nothing if has_cpu => (Reason::NoGpuWanted, idle),
                Want::Nothing => (Reason::NoGpuWantedLacksCpu, idle),
                Want::OtherModel => (Reason::OtherModel, idle),
                Want::Shares { count, threshold } => {
                    let reach = reach[threshold];
                    match (reach.devices >= count, has_cpu) {
                        (false, false) => (Reason::LacksBoth, idle),
                        (false, true) => (Reason::LacksGpu, idle),
                        (true, false) => (Reason::LacksCpu, idle),
                        (true, true) => (Reason::LacksGpu, f64::from(reach.below)),
                    }
                }
            };
            sums[reason as usize] += row.frequency * amount;
        }
        sums.iter().sum()
    }

    /// The fragments of a node as it is.
    pub(super) fn of_node(&self, node: &Node) -> f64 {
        self.of(node.model, node.cpu_free, &node.devices)
    }

    /// What the devices can do for each threshold.
    fn fill(&self, reach: &mut Vec<Reach>, devices: &Devices) {
        reach.clear();
        reach.resize(self.thresholds.len() + 1, Reach::default());
        for free in devices.free() {
            let short_of = &mut reach[self.reached[free.0 as usize]];
            short_of.devices += 1;
            short_of.below += free.0;
        }
        // Devices that fall short of a threshold fall short of all above it.
        let (mut too_full, mut below) = (0, 0);
        for threshold in reach {
            too_full += threshold.devices;
            below += threshold.below;
            *threshold = Reach { devices: devices.count() - too_full, below };
        }
    }
}

fn want(demand: &Demand, model: usize, thresholds: &[MilliGpu]) -> Want {
    if !demand.wants_gpu() {
        return Want::Nothing;
    }
    if !demand.allowed[model] {
        return Want::OtherModel;
    }
    let threshold = thresholds.partition_point(|amount| *amount < demand.each);
    Want::Shares { count: demand.count, threshold }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{pod, share, with_models};
    use super::super::{Pod, typical_pods};
    use super::*;
    use proptest::prelude::*;

    const MODEL: &str = "T4";

    fn fragmentation(typical: &[TypicalPod]) -> Fragmentation {
        Fragmentation::new(typical, &[Some(GpuModel(MODEL.into()))])
    }

    fn devices(free: &[u32]) -> Devices {
        let mut devices = Devices::whole(u32::try_from(free.len()).unwrap()).unwrap();
        for (device, free) in free.iter().enumerate() {
            devices.take(&super::super::Slots::one(device, MilliGpu(1000 - free)));
        }
        devices
    }

    /// A cluster's only kind of pods, and a node with so much free.
    #[track_caller]
    fn check(pod: &Pod, cores_free: u64, free: &[u32], expected: f64) {
        let found = fragmentation(&typical_pods([pod]));
        let found = found.of(0, MilliCpu(1000 * cores_free), &devices(free));
        assert!((found - expected).abs() < 1e-9, "found {found}, expected {expected}");
    }

    #[test]
    fn devices_that_are_too_full_are_fragments() {
        check(&share(1, 500), 8, &[1000, 400, 500], 400.0);
        check(&share(1, 500), 8, &[499, 400], 899.0);
        check(&share(1, 500), 8, &[], 0.0);
    }

    #[test]
    fn without_cpu_or_enough_devices_all_idle_gpu_is_a_fragment() {
        check(&share(8, 500), 8, &[1000, 400], 400.0);
        check(&share(9, 500), 8, &[1000, 400], 1400.0);
        check(&pod(1, 2), 8, &[1000, 1000, 7], 7.0);
        check(&pod(1, 2), 8, &[1000, 999], 1999.0);
    }

    #[test]
    fn pods_without_gpus_and_for_other_models_can_use_none() {
        check(&pod(1, 0), 8, &[1000, 400], 1400.0);
        check(&with_models(pod(1, 1), &["G2", "G3"]), 8, &[1000, 400], 1400.0);
        check(&with_models(pod(1, 1), &["G2", MODEL]), 8, &[1000, 400], 400.0);
    }

    /// As the paper defines it, pod by pod and device by device.
    fn plainly(typical: &[TypicalPod], cpu_free: MilliCpu, free: &[u32]) -> f64 {
        let idle: u32 = free.iter().sum();
        let of = |TypicalPod { pod, frequency }: &TypicalPod| {
            let unusable = match &pod.gpu {
                None => idle,
                Some(gpu) => {
                    let has_room = |free: &&u32| **free >= gpu.each().0;
                    let is_allowed = gpu.allows(Some(&GpuModel(MODEL.into())));
                    let with_room = free.iter().filter(has_room).count();
                    let hosts =
                        is_allowed && with_room >= gpu.count() as usize && pod.cpu <= cpu_free;
                    if hosts { free.iter().filter(|free| !has_room(free)).sum() } else { idle }
                }
            };
            frequency * f64::from(unusable)
        };
        typical.iter().map(of).sum()
    }

    proptest! {
        #[test]
        fn the_short_way_equals_the_plain_one(
            pods in prop::collection::vec((0_u64..20, 0_u32..3, 1_u32..1100, any::<bool>()), 1..20),
            cores_free in 0_u64..20,
            free in prop::collection::vec(prop_oneof![Just(0_u32), Just(1000), 0_u32..1001], 0..9),
        ) {
            let pods: Vec<_> = pods.into_iter().map(|(cores, count, each, here)| {
                let models = vec![GpuModel(if here { MODEL } else { "G2" }.into())];
                let gpu = super::super::GpuRequest::new(count, MilliGpu(each), models);
                Pod { gpu, ..pod(cores, 0) }
            }).collect();
            let typical = typical_pods(&pods);
            let cpu_free = MilliCpu(1000 * cores_free);
            let found = fragmentation(&typical).of(0, cpu_free, &devices(&free));
            let expected = plainly(&typical, cpu_free, &free);
            prop_assert!((found - expected).abs() < 1e-6, "found {found}, expected {expected}");
        }
    }
}
