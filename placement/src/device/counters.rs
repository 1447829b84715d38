//! Dynamic resource allocation with partitionable devices (KEP-4815): a set of devices can be allocated if what they
//! draw on each counter adds up to no more than there is. Every fixed way of dividing a GPU can be written so.

use super::Grant;
use contract::{
    Bytes, CountedDevice, Counter, CounterSet, GpuMilli, GpuSeen, Held, MigBoard, MigInstance,
    MigProfile,
};
use std::num::NonZeroU32;
use std::sync::Arc;

/// `count` devices of a class, of whichever GPUs of the node. Devices are tried in the order in which they are
/// published, and a choice that leads nowhere is taken back, as kube-scheduler's allocator does.
pub(super) fn fit(
    set: &CounterSet,
    class: &str,
    count: u32,
    gpus: &[GpuSeen],
) -> Option<Vec<Grant>> {
    let devices = (0_u16..).zip(&set.devices).filter(|(_, device)| &*device.class == class);
    let wanted: Vec<_> = devices.map(|(place, _)| place).collect();
    let mut search = Search {
        set,
        wanted: &wanted,
        left: gpus.iter().map(|gpu| left(set, gpu)).collect(),
        taken: gpus.iter().map(taken).collect(),
        grants: Vec::new(),
    };
    search.extend(count, 0, 0).then_some(search.grants)
}

/// Devices of a GPU that somebody holds, by place.
pub(super) fn taken(gpu: &GpuSeen) -> Vec<u16> {
    let place = |held| if let Held::Device(place) = held { Some(place) } else { None };
    gpu.holds.iter().filter_map(|hold| place(hold.held)).collect()
}

/// What is left of each counter of a GPU.
fn left(set: &CounterSet, gpu: &GpuSeen) -> Vec<u64> {
    let mut left: Vec<_> = set.counters.iter().map(|counter| counter.value).collect();
    for place in taken(gpu) {
        for &(counter, amount) in &set.devices[usize::from(place)].draws {
            left[usize::from(counter)] -= amount;
        }
    }
    left
}

struct Search<'a> {
    set: &'a CounterSet,
    /// Devices of the class.
    wanted: &'a [u16],
    /// By GPU, what is left of each counter.
    left: Vec<Vec<u64>>,
    /// By GPU, devices that are allocated.
    taken: Vec<Vec<u16>>,
    grants: Vec<Grant>,
}

impl Search<'_> {
    /// Finds `count` more devices, from the `from`th of the class on GPU `gpu` on: sets, not sequences.
    fn extend(&mut self, count: u32, gpu: usize, from: usize) -> bool {
        if count == 0 {
            return true;
        }
        for gpu_place in gpu..self.left.len() {
            let first = if gpu_place == gpu { from } else { 0 };
            for choice in first..self.wanted.len() {
                let device = self.wanted[choice];
                if !self.draw(gpu_place, device) {
                    continue;
                }
                self.grants.push(Grant { gpu: gpu_place, held: Held::Device(device) });
                if self.extend(count - 1, gpu_place, choice + 1) {
                    return true;
                }
                self.grants.pop();
                self.put_back(gpu_place, device);
            }
        }
        false
    }

    /// Takes what a device draws, if there is as much and nobody has it.
    fn draw(&mut self, gpu: usize, device: u16) -> bool {
        let draws = &self.set.devices[usize::from(device)].draws;
        let left = &mut self.left[gpu];
        let enough = draws.iter().all(|&(counter, amount)| left[usize::from(counter)] >= amount);
        if !enough || self.taken[gpu].contains(&device) {
            return false;
        }
        for &(counter, amount) in draws {
            left[usize::from(counter)] -= amount;
        }
        self.taken[gpu].push(device);
        true
    }

    fn put_back(&mut self, gpu: usize, device: u16) {
        for &(counter, amount) in &self.set.devices[usize::from(device)].draws {
            self.left[gpu][usize::from(counter)] += amount;
        }
        self.taken[gpu].retain(|&other| other != device);
    }
}

/// A MIG board as counters, as NVIDIA's driver publishes it: compute slices, media engines, and one counter for each
/// memory slice. The whole GPU (class `gpu`) draws everything, an instance (class `mig-<profile>`) its own.
pub fn of_board(board: &MigBoard, memory: Bytes) -> CounterSet {
    let counter = |name: &str, value: u8| Counter { name: name.into(), value: value.into() };
    let slice = |place: u8| counter(&format!("memory-slice-{place}"), 1);
    let mut counters = vec![counter("compute-slices", board.compute_slices), counter("media", 1)];
    counters.extend((0..board.memory_slices).map(slice));
    let everything = (0_u16..).zip(&counters).map(|(place, counter)| (place, counter.value));
    let whole = CountedDevice {
        name: "gpu".into(),
        class: "gpu".into(),
        draws: everything.collect(),
        memory,
        throughput: GpuMilli::WHOLE,
    };
    let instances = board
        .profiles
        .iter()
        .flat_map(|profile| profile.starts.iter().map(|&start| instance_device(profile, start)));
    let devices = std::iter::once(whole).chain(instances).collect();
    CounterSet { counters, devices }
}

fn instance_device(profile: &MigProfile, start: u8) -> CountedDevice {
    let first = FIRST_SLICE + u16::from(start);
    let slices = (first..first + u16::from(profile.memory_slices)).map(|slice| (slice, 1));
    let media = profile.media.then_some((MEDIA, 1));
    let compute = std::iter::once((COMPUTE, u64::from(profile.compute_slices)));
    CountedDevice {
        name: format!("{}-at-{start}", profile.name).into(),
        class: format!("mig-{}", profile.name).into(),
        draws: compute.chain(media).chain(slices).collect(),
        memory: profile.memory,
        throughput: profile.throughput,
    }
}

/// Places of the counters of a board.
const COMPUTE: u16 = 0;
const MEDIA: u16 = 1;
const FIRST_SLICE: u16 = 2;

/// The instance that a device of [`of_board`] stands for; `None` is the whole GPU.
///
/// # Panics
/// When the board has no such device.
pub fn instance_of(board: &MigBoard, device: u16) -> Option<MigInstance> {
    let instances = (0_u8..).zip(&board.profiles).flat_map(|(profile, shape)| {
        shape.starts.iter().map(move |&start| MigInstance { profile, start })
    });
    let place = usize::from(device).checked_sub(1)?;
    Some(instances.into_iter().nth(place).expect("a device of this board"))
}

/// Replicas of a GPU as a counter: so many devices of class `gpu.shared`, each drawing one.
pub fn of_replicas(replicas: NonZeroU32, memory: Bytes) -> CounterSet {
    let name: Arc<str> = "replicas".into();
    let device = |place: u32| CountedDevice {
        name: format!("replica-{place}").into(),
        class: "gpu.shared".into(),
        draws: vec![(0, 1)],
        memory,
        throughput: GpuMilli::one_of(replicas.get()),
    };
    CounterSet {
        counters: vec![Counter { name, value: replicas.get().into() }],
        devices: (0..replicas.get()).map(device).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{DeviceOrder, mig, take};
    use crate::samples::a100;
    use contract::{GpuRequest, PodId, PodSpec, Sharing};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counters_admit_what_the_geometry_admits(
            wanted in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let board = a100();
            let set = of_board(&board, Bytes::from_gib(80));
            let (mut gpu, mut partition) = (GpuSeen::default(), Vec::new());
            for (pod, index) in (0..).zip(wanted) {
                // Device 0 is the whole GPU, which has no geometry.
                let device = u16::try_from(1 + index.index(set.devices.len() - 1)).unwrap();
                let instance = instance_of(&board, device).expect("an instance");
                let draws = &set.devices[usize::from(device)].draws;
                let free = left(&set, &gpu);
                let enough = draws.iter().all(|&(of, amount)| free[usize::from(of)] >= amount);
                prop_assert_eq!(enough, mig::admits(&board, &partition, instance));
                if enough {
                    partition.push(instance);
                    take(std::slice::from_mut(&mut gpu), PodId(pod), &[
                        Grant { gpu: 0, held: Held::Device(device) },
                    ]);
                }
            }
        }

        #[test]
        fn replicas_as_counters_run_out_with_the_replicas(
            replicas in 1_u32..6,
            gpus in 1_usize..3,
            counts in prop::collection::vec(1_u32..4, 0..8),
        ) {
            let replicas = NonZeroU32::new(replicas).expect("some");
            let set = Arc::new(of_replicas(replicas, Bytes::from_gib(80)));
            let ways = [
                Sharing::TimeSliced { replicas },
                Sharing::Counters(set),
            ];
            let mut nodes = [vec![GpuSeen::default(); gpus], vec![GpuSeen::default(); gpus]];
            for (pod, count) in (0..).zip(counts) {
                let count = NonZeroU32::new(count).expect("some");
                let requests =
                    [GpuRequest::Shares(count), GpuRequest::Claim { class: "gpu.shared".into(), count }];
                let mut found = Vec::new();
                for ((way, node), request) in ways.iter().zip(&mut nodes).zip(requests) {
                    let spec = PodSpec { gpu_parts: Some(request), ..PodSpec::default() };
                    let grants = crate::device::fit(&spec, way, node, DeviceOrder::Binpack);
                    found.push(grants.is_ok());
                    take(node, PodId(pod), &grants.unwrap_or_default());
                }
                prop_assert_eq!(found[0], found[1]);
            }
        }
    }
}
