//! MIG geometry: which instances a GPU can be cut into.
//!
//! Instances are runs of memory slices that begin at an allowed one and do not overlap; together they take at most the
//! compute slices that there are; at most one takes the media engines (`+me`).

use super::{DeviceOrder, Grant};
use contract::{GpuSeen, Held, MigBoard, MigInstance, MigProfile};

/// The profile of an instance.
///
/// # Panics
/// When the board has no such profile.
pub fn profile_of(board: &MigBoard, instance: MigInstance) -> &MigProfile {
    &board.profiles[usize::from(instance.profile)]
}

/// The memory slices of an instance, one bit each.
pub fn slices(board: &MigBoard, instance: MigInstance) -> u16 {
    ((1_u16 << profile_of(board, instance).memory_slices) - 1) << instance.start
}

/// Whether an instance can be cut beside those that there are.
pub fn admits(board: &MigBoard, partition: &[MigInstance], new: MigInstance) -> bool {
    let profile = profile_of(board, new);
    let ends_within = new.start + profile.memory_slices <= board.memory_slices;
    let taken = partition.iter().fold(0, |taken, &there| taken | slices(board, there));
    let compute = |sum, &there: &MigInstance| sum + profile_of(board, there).compute_slices;
    let compute = partition.iter().fold(profile.compute_slices, compute);
    let media_taken = partition.iter().any(|&there| profile_of(board, there).media);
    profile.starts.contains(&new.start)
        && ends_within
        && taken & slices(board, new) == 0
        && compute <= board.compute_slices
        && !(profile.media && media_taken)
}

/// Where an instance of a profile can still begin.
pub fn free_starts(board: &MigBoard, partition: &[MigInstance], profile: u8) -> Vec<u8> {
    let starts = board.profiles[usize::from(profile)].starts.iter().copied();
    starts.filter(|&start| admits(board, partition, MigInstance { profile, start })).collect()
}

/// Cuts an empty GPU into these instances, if it can be done: the largest first, each at the last start that leaves the
/// rest possible. In the order of their starts.
pub fn layout(board: &MigBoard, profiles: &[u8]) -> Option<Vec<MigInstance>> {
    let mut order = profiles.to_vec();
    let size = |profile: &u8| board.profiles[usize::from(*profile)].memory_slices;
    order.sort_unstable_by_key(|profile| (std::cmp::Reverse(size(profile)), *profile));
    let mut partition = Vec::new();
    if !extend(board, &mut partition, &order) {
        return None;
    }
    partition.sort_unstable_by_key(|instance| instance.start);
    Some(partition)
}

fn extend(board: &MigBoard, partition: &mut Vec<MigInstance>, rest: &[u8]) -> bool {
    let Some((&profile, rest)) = rest.split_first() else { return true };
    for start in free_starts(board, partition, profile).into_iter().rev() {
        partition.push(MigInstance { profile, start });
        if extend(board, partition, rest) {
            return true;
        }
        partition.pop();
    }
    false
}

/// How many instances of one profile an empty GPU can be cut into.
pub fn most(board: &MigBoard, profile: u8) -> usize {
    let fits = |count: &usize| layout(board, &vec![profile; *count]).is_some();
    (0..=usize::from(board.memory_slices)).rev().find(fits).unwrap_or(0)
}

/// Instances of a GPU's partition that nobody holds.
pub fn free(gpu: &GpuSeen) -> impl Iterator<Item = MigInstance> {
    let held =
        |instance: MigInstance| gpu.holds.iter().any(|hold| hold.held == Held::Mig(instance));
    let usable = if gpu.takes_pods() { &gpu.partition[..] } else { &[][..] };
    usable.iter().copied().filter(move |&instance| !held(instance))
}

/// Instances that exist and that nobody holds: cutting is not the scheduler's business.
pub(super) fn fit(
    board: &MigBoard,
    profile: &str,
    count: u32,
    gpus: &[GpuSeen],
    order: DeviceOrder,
) -> Option<Vec<Grant>> {
    let profile = board.profile(profile)?;
    let mine = |gpu| free(gpu).filter(|instance| instance.profile == profile).collect::<Vec<_>>();
    let mut left: Vec<Vec<_>> = gpus.iter().map(mine).collect();
    let in_use = |gpu: &GpuSeen| gpu.holds.len() as u64;
    let mut used: Vec<_> = gpus.iter().map(in_use).collect();
    let mut grants = Vec::new();
    for _ in 0..count {
        let places = used.iter().copied().enumerate().filter(|&(gpu, _)| !left[gpu].is_empty());
        let gpu = order.choose(places)?;
        grants.push(Grant { gpu, held: Held::Mig(left[gpu].remove(0)) });
        used[gpu] += 1;
    }
    Some(grants)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::a100;
    use proptest::prelude::*;

    fn place(board: &MigBoard, name: &str) -> u8 {
        board.profile(name).expect("a profile of the board")
    }

    /// Cuts a GPU by name and start, then says where instances of a profile could still begin.
    #[track_caller]
    fn check(cut: &[(&str, u8)], next: &str, expected: &[u8]) {
        let board = a100();
        let mut partition = Vec::new();
        for &(name, start) in cut {
            let new = MigInstance { profile: place(&board, name), start };
            assert!(admits(&board, &partition, new), "{name} at {start}");
            partition.push(new);
        }
        assert_eq!(free_starts(&board, &partition, place(&board, next)), expected);
    }

    #[test]
    fn two_3g_leave_no_room_for_a_4g_and_waste_a_compute_slice() {
        check(&[("3g.40gb", 0), ("3g.40gb", 4)], "4g.40gb", &[]);
        check(&[("3g.40gb", 0), ("3g.40gb", 4)], "1g.10gb", &[]);
        check(&[("3g.40gb", 4)], "4g.40gb", &[0]);
    }

    #[test]
    fn a_3g_blocks_four_starts_of_1g_at_0_and_three_at_4() {
        check(&[], "1g.10gb", &[0, 1, 2, 3, 4, 5, 6]);
        check(&[("3g.40gb", 0)], "1g.10gb", &[4, 5, 6]);
        check(&[("3g.40gb", 4)], "1g.10gb", &[0, 1, 2, 3]);
    }

    #[test]
    fn a_gpu_lends_its_media_engines_once() {
        check(&[("1g.10gb+me", 0)], "1g.10gb+me", &[]);
        check(&[("1g.10gb+me", 0)], "1g.10gb", &[1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_layout_takes_back_a_choice_that_leads_nowhere() {
        let board = a100();
        let names = ["1g.10gb", "1g.10gb", "1g.10gb", "4g.40gb"];
        let places = names.map(|name| place(&board, name));
        let found = layout(&board, &places).expect("a full board");
        let starts: Vec<_> = found.iter().map(|instance| instance.start).collect();
        assert_eq!(starts, [0, 4, 5, 6]);
        assert_eq!(layout(&board, &[place(&board, "3g.40gb"); 3]), None);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Create(u8, prop::sample::Index),
        Destroy(prop::sample::Index),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let index = any::<prop::sample::Index>;
        let step = prop_oneof![
            3 => (0_u8..7, index()).prop_map(|(profile, start)| Step::Create(profile, start)),
            2 => index().prop_map(Step::Destroy),
        ];
        prop::collection::vec(step, 0..40)
    }

    proptest! {
        #[test]
        fn instances_come_and_go_without_overlap_and_without_losing_a_slice(steps in steps()) {
            let board = a100();
            let mut partition: Vec<MigInstance> = Vec::new();
            for step in steps {
                match step {
                    Step::Create(profile, start) => {
                        let starts = free_starts(&board, &partition, profile);
                        if !starts.is_empty() {
                            partition.push(MigInstance { profile, start: *start.get(&starts) });
                        }
                    }
                    Step::Destroy(which) if !partition.is_empty() => {
                        partition.remove(which.index(partition.len()));
                    }
                    Step::Destroy(_) => {}
                }
                let taken = partition.iter().fold(0, |taken, &one| taken | slices(&board, one));
                let size = |&one: &MigInstance| u32::from(profile_of(&board, one).memory_slices);
                let compute = |&one: &MigInstance| profile_of(&board, one).compute_slices;
                prop_assert_eq!(taken.count_ones(), partition.iter().map(size).sum::<u32>());
                prop_assert!(taken < 1 << board.memory_slices);
                prop_assert!(partition.iter().map(compute).sum::<u8>() <= board.compute_slices);
            }
            partition.clear();
            for (profile, shape) in (0..).zip(&board.profiles) {
                prop_assert_eq!(&free_starts(&board, &partition, profile), &shape.starts);
            }
        }

        #[test]
        fn a_layout_is_found_exactly_when_some_order_of_starts_holds_it(
            profiles in prop::collection::vec(0_u8..7, 0..6),
        ) {
            let board = a100();
            let found = layout(&board, &profiles);
            prop_assert_eq!(found.is_some(), by_force(&board, &mut Vec::new(), &profiles));
            let mut made: Vec<_> = found.iter().flatten().map(|one| one.profile).collect();
            made.sort_unstable();
            let mut wanted = profiles.clone();
            wanted.sort_unstable();
            prop_assert!(found.is_none() || made == wanted);
        }
    }

    /// Every start for every instance, in the order given.
    fn by_force(board: &MigBoard, partition: &mut Vec<MigInstance>, rest: &[u8]) -> bool {
        let Some((&profile, rest)) = rest.split_first() else { return true };
        (0..board.memory_slices).any(|start| {
            let new = MigInstance { profile, start };
            if !admits(board, partition, new) {
                return false;
            }
            partition.push(new);
            let found = by_force(board, partition, rest);
            partition.pop();
            found
        })
    }
}
