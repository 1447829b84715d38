//! The GPUs of a node that divides them: what a pod would get, taking it, giving it back.
//!
//! The state is what a controller sees ([`GpuSeen`]); everything here is a pure function over it. Each way of dividing
//! GPUs is a file: [`mig`] (geometry), [`counters`] (dynamic resource allocation), `fractions` (thousandths, requests
//! and limits), `replicas` (time-slicing, MPS), `hami` (virtual GPUs). [`check`] says whether a state can be at all.

pub mod counters;
mod fractions;
mod hami;
mod legal;
pub mod mig;
mod order;
mod replicas;
mod share;
mod shortage;

pub use legal::check;
pub use order::DeviceOrder;
pub use replicas::{MPS_CLIENTS, MPS_CLIENTS_BEFORE_VOLTA};
pub use share::{isolates, memory, own, share};
pub use shortage::DeviceShortage;

use contract::{Bytes, GpuRequest, GpuSeen, Held, Hold, NodeShape, PodId, PodSpec, Sharing};

/// A part of one of a node's GPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which GPU of the node.
    pub gpu: usize,
    /// What of it.
    pub held: Held,
}

/// The GPUs of a node of this shape when it comes up; none where they are not divided.
pub fn fresh(shape: &NodeShape) -> Vec<GpuSeen> {
    let gpu = match &shape.sharing {
        Sharing::Whole => return Vec::new(),
        Sharing::Mig { layout, .. } => {
            let mut partition = layout.clone();
            partition.sort_unstable_by_key(|instance| instance.start);
            GpuSeen { partition, ..GpuSeen::default() }
        }
        _ => GpuSeen::default(),
    };
    vec![gpu; shape.allocatable.gpus as usize]
}

/// What a pod would get of a node's GPUs; nothing if it asks for nothing, or for whole ones where they are not
/// divided (counting them is [`fits`](crate::fits)'s business).
///
/// # Errors
/// What is short.
pub fn fit(
    spec: &PodSpec,
    sharing: &Sharing,
    gpus: &[GpuSeen],
    order: DeviceOrder,
) -> Result<Vec<Grant>, DeviceShortage> {
    let Some(request) = &spec.gpu_parts else {
        return whole(spec.requests.gpus, sharing, gpus);
    };
    let short = || DeviceShortage::of(request);
    match (request, sharing) {
        (GpuRequest::Milli(part), Sharing::Milli) => {
            fractions::fit(*part, Held::Milli(*part), gpus, order).ok_or_else(short)
        }
        (&GpuRequest::Burst { request, limit }, Sharing::Burst) => {
            fractions::fit(request, Held::Burst { request, limit }, gpus, order).ok_or_else(short)
        }
        (GpuRequest::Shares(count), Sharing::TimeSliced { replicas }) => {
            replicas::fit(count.get(), replicas.get(), gpus, order).ok_or_else(short)
        }
        // The device plugin admits one replica a container under MPS, no more.
        (GpuRequest::Shares(count), Sharing::Mps { replicas }) if count.get() == 1 => {
            replicas::fit(1, replicas.get(), gpus, order).ok_or_else(short)
        }
        (&GpuRequest::Hami { gpus: count, memory, cores }, Sharing::Hami { .. }) => {
            hami::fit(count.get(), memory, cores, sharing, gpus, order)
        }
        (GpuRequest::Mig { profile, count }, Sharing::Mig { board, .. }) => {
            mig::fit(board, profile, count.get(), gpus, order).ok_or_else(short)
        }
        (GpuRequest::Claim { class, count }, Sharing::Counters(set)) => {
            counters::fit(set, class, count.get(), gpus).ok_or_else(short)
        }
        _ => Err(short()),
    }
}

/// The same of one GPU of the node, whatever the others have.
///
/// # Errors
/// What is short.
pub fn fit_on(
    gpu: usize,
    spec: &PodSpec,
    sharing: &Sharing,
    gpus: &[GpuSeen],
) -> Result<Vec<Grant>, DeviceShortage> {
    let grants = fit(spec, sharing, &gpus[gpu..=gpu], DeviceOrder::default())?;
    Ok(grants.into_iter().map(|grant| Grant { gpu, ..grant }).collect())
}

/// Whole GPUs of a node that divides its GPUs: those that nobody holds any of, and that are not cut.
fn whole(count: u32, sharing: &Sharing, gpus: &[GpuSeen]) -> Result<Vec<Grant>, DeviceShortage> {
    if count == 0 || sharing.is_whole() {
        return Ok(Vec::new());
    }
    let offers = matches!(
        sharing,
        Sharing::Mig { .. } | Sharing::Hami { .. } | Sharing::Milli | Sharing::Burst
    );
    let is_free = |gpu: &GpuSeen| gpu.is_idle() && gpu.partition.is_empty() && gpu.takes_pods();
    let free = gpus.iter().enumerate().filter(|(_, gpu)| offers && is_free(gpu));
    let grant = |(gpu, _)| Grant { gpu, held: Held::Whole };
    let grants: Vec<_> = free.take(count as usize).map(grant).collect();
    if grants.len() == count as usize { Ok(grants) } else { Err(DeviceShortage::gpus()) }
}

/// Whether a pod would get its GPUs, or parts of them, from an empty node, cut anew if it can be.
///
/// # Errors
/// What is short.
pub fn fit_fresh(spec: &PodSpec, shape: &NodeShape) -> Result<(), DeviceShortage> {
    grants_fresh(spec, shape).map(|_| ())
}

/// Memory that a pod would have on each of its GPUs on a node of this shape, whose GPUs have so much; `None` if it gets
/// none there.
pub fn memory_fresh(spec: &PodSpec, shape: &NodeShape, all: Bytes) -> Option<Bytes> {
    let grants = grants_fresh(spec, shape).ok()?;
    // Whole GPUs that are only counted are granted without a word.
    grants.first().map_or(Some(all), |grant| Some(memory(&shape.sharing, grant.held, all)))
}

/// Thousandths of a node's GPUs that would be a pod's on an empty node of a shape; `None` if it gets none there.
pub fn milli_fresh(spec: &PodSpec, shape: &NodeShape) -> Option<u32> {
    if spec.gpu_parts.is_none() {
        return Some(1000 * spec.requests.gpus);
    }
    let grants = grants_fresh(spec, shape).ok()?;
    Some(grants.iter().map(|grant| u32::from(own(&shape.sharing, grant.held).get())).sum())
}

/// What a pod would get of an empty node of a shape, cut anew if it can be.
pub(crate) fn grants_fresh(
    spec: &PodSpec,
    shape: &NodeShape,
) -> Result<Vec<Grant>, DeviceShortage> {
    let mut gpus = fresh(shape);
    if let (Sharing::Mig { board, dynamic: true, .. }, Some(GpuRequest::Mig { profile, .. })) =
        (&shape.sharing, &spec.gpu_parts)
        && let Some(profile) = board.profile(profile)
    {
        let alike = mig::layout(board, &vec![profile; mig::most(board, profile)]);
        let partition = alike.unwrap_or_default();
        for gpu in &mut gpus {
            gpu.partition.clone_from(&partition);
        }
    }
    fit(spec, &shape.sharing, &gpus, DeviceOrder::default())
}

/// A pod takes what [`fit`] gave.
pub fn take(gpus: &mut [GpuSeen], pod: PodId, grants: &[Grant]) {
    for grant in grants {
        gpus[grant.gpu].holds.push(Hold { pod, held: grant.held });
    }
}

/// A pod gives back all that it holds.
pub fn give_back(gpus: &mut [GpuSeen], pod: PodId) {
    for gpu in gpus {
        gpu.holds.retain(|hold| hold.pod != pod);
    }
}

#[cfg(test)]
mod tests;
