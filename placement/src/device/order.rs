//! Which of a node's GPUs a part is taken from.

use contract::{GpuSeen, Held, Sharing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which of the GPUs of a node that have room a part is taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceOrder {
    /// The least used: `HAMi`'s GPU policy by default, and how NVIDIA's device plugin hands out replicas.
    #[default]
    Spread,
    /// The most used.
    Binpack,
}

impl DeviceOrder {
    /// The best of places with room, by how much of each is used; the first of equals.
    pub(super) fn choose(self, places: impl Iterator<Item = (usize, u64)>) -> Option<usize> {
        let place = match self {
            Self::Spread => places.min_by_key(|&(place, used)| (used, place)),
            Self::Binpack => places.min_by_key(|&(place, used)| (std::cmp::Reverse(used), place)),
        };
        place.map(|(place, _)| place)
    }
}

/// How much of a GPU is used, on a scale of its own for each way of dividing it.
pub(super) fn used(sharing: &Sharing, gpu: &GpuSeen) -> u64 {
    gpu.holds.iter().map(|hold| weight(sharing, hold.held)).sum()
}

fn weight(sharing: &Sharing, held: Held) -> u64 {
    match (held, sharing) {
        (Held::Milli(part), _) => part.get().into(),
        (Held::Burst { request, .. }, _) => request.get().into(),
        (Held::Shares(count), _) => count.into(),
        (Held::Hami { memory, cores }, Sharing::Hami { split, memory: all }) => {
            super::hami::weight(memory, cores, *split, *all)
        }
        (Held::Mig(instance), Sharing::Mig { board, .. }) => {
            board.profiles[usize::from(instance.profile)].memory_slices.into()
        }
        (Held::Whole | Held::Device(_) | Held::Hami { .. } | Held::Mig(_), _) => 1,
    }
}
