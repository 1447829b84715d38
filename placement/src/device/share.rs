//! What a holder gets: throughput and memory.

use contract::{Bytes, GpuMilli, GpuShare, Held, Sharing};

/// What a holder gets of its GPU's throughput.
///
/// # Panics
/// When what is held is not of this way of sharing.
pub fn share(sharing: &Sharing, held: Held) -> GpuShare {
    match (held, sharing) {
        (Held::Whole, _) => GpuShare::WHOLE,
        // Nothing holds a fraction down to its size while others are idle.
        (Held::Milli(part), _) => GpuShare::at_least(part),
        (Held::Burst { request, limit }, _) => GpuShare { guaranteed: request, limit },
        // Two replicas are not twice the turns.
        (Held::Shares(_), Sharing::TimeSliced { replicas }) => {
            GpuShare::at_least(GpuMilli::one_of(replicas.get()))
        }
        (Held::Shares(_), Sharing::Mps { replicas }) => {
            GpuShare::fixed(GpuMilli::one_of(replicas.get()))
        }
        (Held::Hami { cores: 0, .. }, _) => GpuShare::at_least(GpuMilli::ZERO),
        (Held::Hami { cores, .. }, _) => GpuShare::fixed(percent(cores)),
        (Held::Mig(instance), Sharing::Mig { board, .. }) => {
            GpuShare::fixed(board.profiles[usize::from(instance.profile)].throughput)
        }
        (Held::Device(place), Sharing::Counters(set)) => {
            GpuShare::fixed(set.devices[usize::from(place)].throughput)
        }
        _ => unreachable!("`{held:?}` is not of this way of sharing"),
    }
}

/// The part of a GPU that counts as its holder's, in thousandths: what the holders of a GPU have adds up to no more than
/// the GPU. Who lives on what others leave idle has nothing of its own.
///
/// # Panics
/// When what is held is not of this way of sharing.
pub fn own(sharing: &Sharing, held: Held) -> GpuMilli {
    match (held, sharing) {
        (Held::Shares(count), Sharing::TimeSliced { replicas } | Sharing::Mps { replicas }) => {
            GpuMilli::try_from(u16::try_from(1000 * count / replicas.get()).unwrap_or(1000))
                .unwrap_or(GpuMilli::WHOLE)
        }
        _ => share(sharing, held).guaranteed,
    }
}

/// Whether the hardware keeps the holders of a GPU apart, so that none slows another down.
pub fn isolates(sharing: &Sharing) -> bool {
    matches!(sharing, Sharing::Whole | Sharing::Mig { .. } | Sharing::Counters(_))
}

fn percent(cores: u8) -> GpuMilli {
    GpuMilli::try_from(u16::from(cores) * 10).expect("per cent of a GPU")
}

/// Memory that a holder can use on a GPU with so much. Fractions, time-slicing and requests with limits divide the
/// memory by nothing but good manners: a holder is taken to use its own part of it.
///
/// # Panics
/// When what is held is not of this way of sharing.
pub fn memory(sharing: &Sharing, held: Held, all: Bytes) -> Bytes {
    let part = |milli: GpuMilli| Bytes(all.0 / 1000 * u64::from(milli.get()));
    match (held, sharing) {
        (Held::Whole, _) => all,
        (Held::Milli(milli) | Held::Burst { request: milli, .. }, _) => part(milli),
        (Held::Shares(count), Sharing::TimeSliced { replicas } | Sharing::Mps { replicas }) => {
            Bytes(all.0 / u64::from(replicas.get()) * u64::from(count))
        }
        (Held::Hami { memory, .. }, _) => memory,
        (Held::Mig(instance), Sharing::Mig { board, .. }) => {
            board.profiles[usize::from(instance.profile)].memory
        }
        (Held::Device(place), Sharing::Counters(set)) => set.devices[usize::from(place)].memory,
        _ => unreachable!("`{held:?}` is not of this way of sharing"),
    }
}
