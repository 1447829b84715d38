//! Replicas of a GPU: time-slicing and MPS. The device plugin counts each GPU several times.

use super::{DeviceOrder, Grant};
use contract::{GpuSeen, Held};

/// Clients of one MPS server on Volta and newer GPUs (k8s-device-plugin: replicas at most 48).
pub const MPS_CLIENTS: u32 = 48;

/// The same on older GPUs.
pub const MPS_CLIENTS_BEFORE_VOLTA: u32 = 16;

/// `count` replicas, of whichever GPUs: asking for two does not promise two GPUs.
pub(super) fn fit(
    count: u32,
    replicas: u32,
    gpus: &[GpuSeen],
    order: DeviceOrder,
) -> Option<Vec<Grant>> {
    let mut used: Vec<_> = gpus.iter().map(taken).collect();
    let mut taken_here = vec![0; gpus.len()];
    for _ in 0..count {
        let places = used.iter().enumerate().filter(|&(_, &used)| used < replicas);
        let gpu = order.choose(places.map(|(gpu, &used)| (gpu, used.into())))?;
        used[gpu] += 1;
        taken_here[gpu] += 1;
    }
    let some = taken_here.into_iter().enumerate().filter(|&(_, count)| count > 0);
    Some(some.map(|(gpu, count)| Grant { gpu, held: Held::Shares(count) }).collect())
}

/// Replicas of a GPU that somebody holds.
pub(super) fn taken(gpu: &GpuSeen) -> u32 {
    let count = |held| if let Held::Shares(count) = held { count } else { 0 };
    gpu.holds.iter().map(|hold| count(hold.held)).sum()
}
