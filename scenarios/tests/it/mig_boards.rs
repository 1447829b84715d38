//! Every MIG board of the catalogue: geometry against the maker's counts, slices, sources.

use contract::{Bytes, Held, MigBoard, MigInstance, Sharing};
use placement::device::{self, DeviceOrder, Grant, counters, mig};
use scenarios::catalog::{Catalogue, MigProfileRow, MigRow};
use std::sync::Arc;

fn boards() -> impl Iterator<Item = (&'static str, &'static MigRow, MigBoard)> {
    let rows = Catalogue::embedded().mig_boards();
    rows.iter().map(|(name, row)| (name.as_str(), row, row.board(name)))
}

#[test]
fn every_profile_of_every_board_can_be_placed_as_often_as_the_maker_says_and_not_once_more() {
    for (name, row, board) in boards() {
        for (place, profile) in (0_u8..).zip(&row.profile) {
            let found = mig::most(&board, place);
            assert_eq!(found, usize::from(profile.most), "{name}: {}", profile.name);
            assert_eq!(claims_of(&board, profile), u32::from(profile.most), "{name}: by counters");
        }
    }
}

/// How many claims of a profile one GPU serves.
fn claims_of(board: &MigBoard, profile: &MigProfileRow) -> u32 {
    let set = counters::of_board(board, Bytes::from_gib(80));
    let sharing = Sharing::Counters(Arc::new(set));
    let class = format!("mig-{}", profile.name).into();
    let claim = contract::GpuRequest::Claim { class, count: std::num::NonZeroU32::MIN };
    let spec = contract::PodSpec { gpu_parts: Some(claim), ..contract::PodSpec::default() };
    let mut gpus = vec![contract::GpuSeen::default()];
    let mut pods = 0;
    while let Ok(grants) = device::fit(&spec, &sharing, &gpus, DeviceOrder::Spread) {
        device::take(&mut gpus, contract::PodId(pods), &grants);
        pods += 1;
    }
    pods
}

#[test]
fn on_every_board_of_seven_two_3g_leave_no_room_for_a_4g_and_a_3g_at_4_blocks_three_1g() {
    for (name, _, board) in boards().filter(|(_, row, _)| row.compute_slices == 7) {
        let of_size = |compute: u8, memory: u8| {
            let is_it = |profile: &&contract::MigProfile| {
                (profile.compute_slices, profile.memory_slices) == (compute, memory)
            };
            let found = board.profiles.iter().find(is_it).expect("a profile of this size");
            board.profile(&found.name).expect("its place")
        };
        let (one, three, four) = (of_size(1, 1), of_size(3, 4), of_size(4, 4));
        let at = |start| MigInstance { profile: three, start };
        assert!(mig::free_starts(&board, &[at(0), at(4)], four).is_empty(), "{name}");
        assert_eq!(mig::free_starts(&board, &[at(4)], four), [0], "{name}");
        assert_eq!(mig::free_starts(&board, &[], one), [0, 1, 2, 3, 4, 5, 6], "{name}");
        assert_eq!(mig::free_starts(&board, &[at(4)], one), [0, 1, 2, 3], "{name}");
    }
}

#[test]
fn every_start_lies_on_the_board_and_every_instance_can_be_alone() {
    for (name, _, board) in boards() {
        for (profile, shape) in (0_u8..).zip(&board.profiles) {
            let sharing =
                Sharing::Mig { board: Arc::new(board.clone()), layout: Vec::new(), dynamic: true };
            assert_eq!(mig::free_starts(&board, &[], profile), shape.starts, "{name}");
            for &start in &shape.starts {
                let instance = MigInstance { profile, start };
                let partition = vec![instance];
                let mut gpus =
                    vec![contract::GpuSeen { partition, ..contract::GpuSeen::default() }];
                let grant = Grant { gpu: 0, held: Held::Mig(instance) };
                device::take(&mut gpus, contract::PodId(0), &[grant]);
                assert_eq!(device::check(&sharing, &gpus[0]), Ok(()), "{name}: {}", shape.name);
            }
        }
    }
}

#[test]
fn instances_of_a_full_board_have_no_more_than_the_gpu_has() {
    for (name, row, board) in boards() {
        for (place, profile) in (0_u8..).zip(&board.profiles) {
            let count = mig::most(&board, place) as u64;
            let all = count * u64::from(profile.throughput.get());
            assert!((1..=1000).contains(&all), "{name}: {} × {count}", profile.name);
            for gpu in &row.gpus {
                let (_, gpu) = Catalogue::embedded().gpu(gpu).expect("a GPU of the catalogue");
                let memory = Bytes(profile.memory.0 * count);
                // Slices are nominal, boards are sold in round figures: a twentieth more is not a mistake.
                let within = memory.as_gib_f64() <= 1.05 * gpu.memory.as_gb_f64();
                assert!(within, "{name}: {count} × {} in {}", profile.name, gpu.memory);
            }
        }
    }
}

#[test]
fn every_board_names_its_sources_and_no_gpu_is_two_boards() {
    let catalogue = Catalogue::embedded();
    let mut models = Vec::new();
    for (name, row, _) in boards() {
        assert!(!row.sources.is_empty() && !row.note.is_empty(), "{name} has no source");
        assert!(
            catalogue.mig_sources(row).all(|source| source.is_some()),
            "{name}: unknown source"
        );
        models.extend(&row.gpus);
    }
    for gpu in &models {
        assert!(catalogue.gpus().contains_key(*gpu), "unknown GPU `{gpu}`");
        assert_eq!(models.iter().filter(|other| other == &gpu).count(), 1, "`{gpu}` is two boards");
    }
    assert_eq!(catalogue.mig_board("A100-80GB-SXM").expect("cut by MIG").profiles.len(), 7);
    assert_eq!(catalogue.mig_board("L40S"), None);
}
