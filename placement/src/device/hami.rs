//! Virtual GPUs of `HAMi` (4707fb02): so many pods a GPU, memory and per cent of cores each, one GPU a virtual GPU.

use super::order::used;
use super::{DeviceOrder, DeviceShortage, Grant};
use contract::{Bytes, GpuMemory, GpuSeen, Held, Sharing};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// Per cent of the cores of a whole GPU.
pub(super) const ALL_CORES: u32 = 100;

pub(super) fn fit(
    count: u32,
    memory: GpuMemory,
    cores: u8,
    sharing: &Sharing,
    gpus: &[GpuSeen],
    order: DeviceOrder,
) -> Result<Vec<Grant>, DeviceShortage> {
    let &Sharing::Hami { split, memory: all } = sharing else {
        unreachable!("only nodes under HAMi have virtual GPUs")
    };
    let held = Held::Hami { memory: amount(memory, all), cores };
    let mut refused = BTreeMap::new();
    let mut free: Vec<_> = Vec::new();
    for (gpu, seen) in gpus.iter().enumerate() {
        match refusal(seen, amount(memory, all), cores, split, all) {
            Some(reason) => *refused.entry(reason).or_insert(0_u32) += 1,
            None => free.push((gpu, used(sharing, seen))),
        }
    }
    let mut grants = Vec::new();
    while grants.len() < count as usize {
        let Some(gpu) = order.choose(free.iter().copied()) else {
            return Err(cards(refused, grants.len(), gpus.len()));
        };
        free.retain(|&(other, _)| other != gpu);
        grants.push(Grant { gpu, held });
    }
    Ok(grants)
}

/// Memory of a virtual GPU on a GPU with so much.
pub(super) fn amount(memory: GpuMemory, all: Bytes) -> Bytes {
    match memory {
        GpuMemory::Size(size) => size,
        GpuMemory::Percent(percent) => Bytes(all.0 * u64::from(percent) / 100),
    }
}

/// The first of `HAMi`'s reasons against a GPU, in the order in which it looks.
fn refusal(
    gpu: &GpuSeen,
    memory: Bytes,
    cores: u8,
    split: NonZeroU32,
    all: Bytes,
) -> Option<&'static str> {
    let cores = u32::from(cores);
    let (used_memory, used_cores) = in_use(gpu, all);
    let shares = u32::try_from(gpu.holds.len()).unwrap_or(u32::MAX);
    if shares >= split.get() {
        Some("CardTimeSlicingExhausted")
    } else if used_memory.0 + memory.0 > all.0 {
        Some("CardInsufficientMemory")
    } else if used_cores + cores > ALL_CORES {
        Some("CardInsufficientCore")
    } else if cores == ALL_CORES && shares > 0 {
        Some("ExclusiveDeviceAllocateConflict")
    } else if used_cores == ALL_CORES && cores == 0 {
        Some("CardComputeUnitsExhausted")
    } else {
        None
    }
}

/// Memory and per cent of cores that somebody holds.
pub(super) fn in_use(gpu: &GpuSeen, all: Bytes) -> (Bytes, u32) {
    let of = |held| match held {
        Held::Hami { memory, cores } => (memory, u32::from(cores)),
        _ => (all, ALL_CORES),
    };
    gpu.holds.iter().fold((Bytes(0), 0), |(memory, cores), hold| {
        let (more_memory, more_cores) = of(hold.held);
        (Bytes(memory.0 + more_memory.0), cores + more_cores)
    })
}

/// What a virtual GPU adds to the score of its GPU, in thousandths (`HAMi`: shares, cores and memory in use, each by
/// what there is, added up).
pub(super) fn weight(memory: Bytes, cores: u8, split: NonZeroU32, all: Bytes) -> u64 {
    let of = |part: u64, whole: u64| (part * 1000).checked_div(whole).unwrap_or(0);
    // Memory in MiB, as HAMi counts it, so that the product stays small.
    of(1, split.get().into()) + of(cores.into(), ALL_CORES.into()) + of(memory.0 >> 20, all.0 >> 20)
}

/// `HAMi`'s summary: how many of the node's GPUs were turned down for each reason.
fn cards(refused: BTreeMap<&'static str, u32>, granted: usize, gpus: usize) -> DeviceShortage {
    let partly = (granted > 0).then(|| ("AllocatedCardsInsufficientRequest", count(granted)));
    let reasons = partly.into_iter().chain(refused);
    let phrases: Vec<_> =
        reasons.map(|(reason, count)| format!("{count}/{gpus} {reason}")).collect();
    DeviceShortage::Cards(phrases.join(", "))
}

fn count(some: usize) -> u32 {
    u32::try_from(some).unwrap_or(u32::MAX)
}
