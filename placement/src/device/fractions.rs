//! Fractions of one GPU in thousandths: `gpu_milli`, and requests with limits. The fractions that pods are promised add
//! up to one GPU at most; limits do not count.

use super::{DeviceOrder, Grant};
use contract::{GpuMilli, GpuSeen, Held};

pub(super) fn fit(
    part: GpuMilli,
    held: Held,
    gpus: &[GpuSeen],
    order: DeviceOrder,
) -> Option<Vec<Grant>> {
    let all = u32::from(GpuMilli::WHOLE.get());
    // A request of nothing, which lives on what others leave idle, is no way onto a GPU that somebody holds whole.
    let divided = gpus.iter().enumerate().filter(|(_, seen)| !is_whole(seen));
    let places = divided.map(|(gpu, seen)| (gpu, promised(seen)));
    let with_room = places.filter(|&(_, used)| used + u32::from(part.get()) <= all);
    let gpu = order.choose(with_room.map(|(gpu, used)| (gpu, used.into())))?;
    Some(vec![Grant { gpu, held }])
}

fn is_whole(gpu: &GpuSeen) -> bool {
    gpu.holds.iter().any(|hold| hold.held == Held::Whole)
}

/// Thousandths that are promised to somebody.
pub(super) fn promised(gpu: &GpuSeen) -> u32 {
    gpu.holds.iter().map(|hold| promised_to(hold.held)).sum()
}

fn promised_to(held: Held) -> u32 {
    match held {
        Held::Milli(part) => part.get().into(),
        Held::Burst { request, .. } => request.get().into(),
        _ => GpuMilli::WHOLE.get().into(),
    }
}
