//! What pods get of divided GPUs, one after the other.

use super::*;
use crate::samples::{a100, pod, sharing_by_counters};
use contract::{Bytes, CountedDevice, Counter, CounterSet, GpuMemory, GpuMilli, MigInstance};
use proptest::prelude::*;
use std::num::NonZeroU32;
use std::sync::Arc;

fn some(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("some")
}

fn milli(part: u16) -> GpuMilli {
    GpuMilli::try_from(part).expect("thousandths")
}

fn parts(request: GpuRequest) -> PodSpec {
    PodSpec { gpu_parts: Some(request), ..pod("1", "1GiB", 0) }
}

fn mig_devices(profile: &str, count: u32) -> PodSpec {
    parts(GpuRequest::Mig { profile: profile.into(), count: some(count) })
}

fn claim(class: &str, count: u32) -> PodSpec {
    parts(GpuRequest::Claim { class: class.into(), count: some(count) })
}

fn virtual_gpus(gpus: u32, memory: &str, cores: u8) -> PodSpec {
    let memory = GpuMemory::Size(memory.parse().expect("a size"));
    parts(GpuRequest::Hami { gpus: some(gpus), memory, cores })
}

/// A board cut alike on every GPU.
fn cut(profiles: &[&str]) -> Sharing {
    let board = a100();
    let places: Vec<_> = profiles.iter().map(|name| board.profile(name).expect("known")).collect();
    let layout = mig::layout(&board, &places).expect("a layout that fits");
    Sharing::Mig { board: Arc::new(board), layout, dynamic: false }
}

fn node(sharing: &Sharing, gpus: u32) -> Vec<GpuSeen> {
    fresh(&NodeShape { sharing: sharing.clone(), ..crate::samples::gpu_node("A100", gpus) })
}

/// What a pod got, in short.
fn show(sharing: &Sharing, grant: &Grant) -> String {
    let what = match (grant.held, sharing) {
        (Held::Mig(instance), Sharing::Mig { board, .. }) => {
            format!("{}@{}", mig::profile_of(board, instance).name, instance.start)
        }
        (Held::Device(place), Sharing::Counters(set)) => {
            set.devices[usize::from(place)].name.to_string()
        }
        (Held::Shares(count), _) => format!("{count} of its replicas"),
        (Held::Milli(part), _) => format!("{part} m"),
        (Held::Burst { request, limit }, _) => format!("{request} to {limit} m"),
        (Held::Hami { memory, cores }, _) => format!("{memory}, {cores} %"),
        (Held::Whole, _) => "all".to_owned(),
        (held, _) => unreachable!("{held:?}"),
    };
    format!("gpu {}: {what}", grant.gpu)
}

/// Pods ask one after the other; what do they get?
#[track_caller]
fn check(sharing: &Sharing, gpus: u32, order: DeviceOrder, pods: &[PodSpec], expected: &[&str]) {
    let mut state = node(sharing, gpus);
    let mut found = Vec::new();
    for (id, spec) in (0..).map(PodId).zip(pods) {
        match fit(spec, sharing, &state, order) {
            Ok(grants) => {
                take(&mut state, id, &grants);
                let shown: Vec<_> = grants.iter().map(|grant| show(sharing, grant)).collect();
                found.push(shown.join(", "));
            }
            Err(shortage) => found.push(shortage.to_string()),
        }
        for gpu in &state {
            assert_eq!(super::check(sharing, gpu), Ok(()));
        }
    }
    assert_eq!(found, expected);
}

#[test]
fn replicas_are_spread_over_gpus_unless_they_are_to_be_packed() {
    let sliced = Sharing::TimeSliced { replicas: some(2) };
    let one = parts(GpuRequest::Shares(some(1)));
    let pods = vec![one; 5];
    let (first, second) = ("gpu 0: 1 of its replicas", "gpu 1: 1 of its replicas");
    let full = "Insufficient nvidia.com/gpu.shared";
    check(&sliced, 2, DeviceOrder::Spread, &pods, &[first, second, first, second, full]);
    check(&sliced, 2, DeviceOrder::Binpack, &pods, &[first, first, second, second, full]);
}

#[test]
fn two_replicas_may_come_from_one_gpu_and_mps_admits_one_alone() {
    let pods = [parts(GpuRequest::Shares(some(2)))];
    let sliced = Sharing::TimeSliced { replicas: some(4) };
    check(&sliced, 1, DeviceOrder::Spread, &pods, &["gpu 0: 2 of its replicas"]);
    let mps = Sharing::Mps { replicas: some(4) };
    check(&mps, 1, DeviceOrder::Spread, &pods, &["Insufficient nvidia.com/gpu.shared"]);
}

#[test]
fn fractions_never_straddle_gpus_and_whole_gpus_take_untouched_ones() {
    let part = |part| parts(GpuRequest::Milli(milli(part)));
    check(
        &Sharing::Milli,
        2,
        DeviceOrder::Binpack,
        &[part(600), pod("1", "1GiB", 1), part(401), part(400), pod("1", "1GiB", 1)],
        &[
            "gpu 0: 600 m",
            "gpu 1: all",
            "Insufficient alibabacloud.com/gpu-milli",
            "gpu 0: 400 m",
            "Insufficient nvidia.com/gpu",
        ],
    );
}

#[test]
fn requests_add_up_to_a_gpu_whatever_the_limits() {
    let burst =
        |request, limit| parts(GpuRequest::Burst { request: milli(request), limit: milli(limit) });
    check(
        &Sharing::Burst,
        1,
        DeviceOrder::Spread,
        &[burst(500, 1000), burst(500, 1000), burst(0, 1000), burst(1, 1000)],
        &[
            "gpu 0: 500 to 1000 m",
            "gpu 0: 500 to 1000 m",
            "gpu 0: 0 to 1000 m",
            "Insufficient windtunnel/gpu-milli",
        ],
    );
}

#[test]
fn hami_gives_its_reasons_in_the_order_in_which_it_looks() {
    let split = |split| Sharing::Hami { split: some(split), memory: Bytes::from_gib(80) };
    let spread = DeviceOrder::Spread;
    check(
        &split(2),
        1,
        spread,
        &[virtual_gpus(1, "30GiB", 60), virtual_gpus(1, "51GiB", 50), virtual_gpus(1, "50GiB", 50)],
        &["gpu 0: 30GiB, 60 %", "1/1 CardInsufficientMemory", "1/1 CardInsufficientCore"],
    );
    check(
        &split(10),
        1,
        spread,
        &[virtual_gpus(1, "1GiB", 0), virtual_gpus(1, "1GiB", 100)],
        &["gpu 0: 1GiB, 0 %", "1/1 ExclusiveDeviceAllocateConflict"],
    );
    check(
        &split(10),
        1,
        spread,
        &[virtual_gpus(1, "1GiB", 100), virtual_gpus(1, "1GiB", 0)],
        &["gpu 0: 1GiB, 100 %", "1/1 CardComputeUnitsExhausted"],
    );
    check(
        &split(1),
        2,
        spread,
        &[virtual_gpus(1, "1GiB", 10), virtual_gpus(2, "1GiB", 10)],
        &[
            "gpu 0: 1GiB, 10 %",
            "1/2 AllocatedCardsInsufficientRequest, 1/2 CardTimeSlicingExhausted",
        ],
    );
}

#[test]
fn a_static_partition_serves_what_it_has_and_nothing_else() {
    check(
        &cut(&["3g.40gb", "2g.20gb", "1g.10gb", "1g.10gb"]),
        1,
        DeviceOrder::Spread,
        &[
            mig_devices("1g.10gb", 2),
            mig_devices("1g.10gb", 1),
            mig_devices("3g.40gb", 1),
            mig_devices("4g.40gb", 1),
            pod("1", "1GiB", 1),
        ],
        &[
            "gpu 0: 1g.10gb@0, gpu 0: 1g.10gb@1",
            "Insufficient nvidia.com/mig-1g.10gb",
            "gpu 0: 3g.40gb@4",
            "Insufficient nvidia.com/mig-4g.40gb",
            "Insufficient nvidia.com/gpu",
        ],
    );
}

#[test]
fn the_media_engines_read_as_a_resource_of_their_own() {
    let missing = "Insufficient nvidia.com/mig-1g.10gb.me";
    check(&cut(&["7g.80gb"]), 1, DeviceOrder::Spread, &[mig_devices("1g.10gb+me", 1)], &[missing]);
}

#[test]
fn parts_are_not_to_be_had_where_gpus_are_whole() {
    let pods = [mig_devices("1g.10gb", 1), claim("gpu", 1), pod("1", "1GiB", 1)];
    let expected = ["Insufficient nvidia.com/mig-1g.10gb", "cannot allocate all claims", ""];
    check(&Sharing::Whole, 1, DeviceOrder::Spread, &pods, &expected);
}

/// As a 1.36 scheduler does with one GPU of 7 slices and 80 GiB.
#[test]
fn of_three_claims_of_3g_40gb_on_one_gpu_two_are_placed_and_the_third_says_why_not() {
    check(
        &sharing_by_counters(),
        1,
        DeviceOrder::Spread,
        &[claim("mig-3g.40gb", 1), claim("mig-3g.40gb", 1), claim("mig-3g.40gb", 1)],
        &["gpu 0: 3g.40gb-at-0", "gpu 0: 3g.40gb-at-4", "cannot allocate all claims"],
    );
}

#[test]
fn a_claim_of_the_whole_gpu_and_claims_of_its_parts_exclude_each_other() {
    let refused = "cannot allocate all claims";
    let sharing = sharing_by_counters();
    let whole = [claim("gpu", 1), claim("mig-1g.10gb", 1)];
    check(&sharing, 1, DeviceOrder::Spread, &whole, &["gpu 0: gpu", refused]);
    let parts = [claim("mig-1g.10gb", 1), claim("gpu", 1)];
    check(&sharing, 1, DeviceOrder::Spread, &parts, &["gpu 0: 1g.10gb-at-0", refused]);
}

#[test]
fn a_claim_of_several_devices_takes_back_a_choice_that_leads_nowhere() {
    let device = |name: &str, draws: &[u16]| CountedDevice {
        name: name.into(),
        class: "half".into(),
        draws: draws.iter().map(|&counter| (counter, 1)).collect(),
        memory: Bytes::from_gib(10),
        throughput: milli(500),
    };
    let counter = |name: &str| Counter { name: name.into(), value: 1 };
    let set = CounterSet {
        counters: vec![counter("left"), counter("right")],
        // The first draws on both counters: whoever takes it has no second.
        devices: vec![device("both", &[0, 1]), device("left", &[0]), device("right", &[1])],
    };
    let sharing = Sharing::Counters(Arc::new(set));
    check(&sharing, 1, DeviceOrder::Spread, &[claim("half", 1)], &["gpu 0: both"]);
    check(&sharing, 1, DeviceOrder::Spread, &[claim("half", 2)], &["gpu 0: left, gpu 0: right"]);
    let refused = "cannot allocate all claims";
    check(&sharing, 1, DeviceOrder::Spread, &[claim("half", 3)], &[refused]);
    check(
        &sharing_by_counters(),
        2,
        DeviceOrder::Spread,
        &[claim("mig-3g.40gb", 3)],
        &["gpu 0: 3g.40gb-at-0, gpu 0: 3g.40gb-at-4, gpu 1: 3g.40gb-at-0"],
    );
}

#[test]
fn what_a_pod_gives_back_the_next_one_gets() {
    let sharing = cut(&["7g.80gb"]);
    let mut gpus = node(&sharing, 1);
    let spec = mig_devices("7g.80gb", 1);
    let grants = fit(&spec, &sharing, &gpus, DeviceOrder::Spread).expect("room");
    take(&mut gpus, PodId(1), &grants);
    assert!(fit(&spec, &sharing, &gpus, DeviceOrder::Spread).is_err());
    give_back(&mut gpus, PodId(1));
    assert_eq!(fit(&spec, &sharing, &gpus, DeviceOrder::Spread), Ok(grants));
}

#[test]
fn a_gpu_that_is_cut_anew_takes_nobody() {
    let sharing = cut(&["1g.10gb", "1g.10gb"]);
    let mut gpus = node(&sharing, 1);
    gpus[0].repartitioning = true;
    assert!(fit(&mig_devices("1g.10gb", 1), &sharing, &gpus, DeviceOrder::Spread).is_err());
}

/// Ways of dividing GPUs, each with the requests that it serves.
fn ways() -> Vec<(Sharing, Vec<PodSpec>)> {
    let shares = |count| parts(GpuRequest::Shares(some(count)));
    let whole = pod("1", "1GiB", 1);
    let fractions = [1, 250, 500, 750, 1000].map(|part| parts(GpuRequest::Milli(milli(part))));
    let limits = [0, 300, 700, 1000]
        .map(|part| parts(GpuRequest::Burst { request: milli(part), limit: milli(1000) }));
    let layouts = [&["3g.40gb", "3g.40gb"][..], &["2g.20gb", "2g.20gb", "1g.10gb", "1g.20gb"]];
    let devices = ["1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb"];
    let of_mig: Vec<_> = devices
        .iter()
        .flat_map(|&profile| [1, 2, 3].map(|count| mig_devices(profile, count)))
        .collect();
    let of_claims: Vec<_> = devices
        .iter()
        .flat_map(|profile| [1, 2, 3].map(|count| claim(&format!("mig-{profile}"), count)))
        .chain([claim("gpu", 1), claim("gpu", 2)])
        .collect();
    let of_hami = [(1, "20GiB", 30), (2, "30GiB", 0), (1, "10GiB", 100), (3, "1GiB", 50)]
        .map(|(gpus, memory, cores)| virtual_gpus(gpus, memory, cores));
    let mut ways = vec![
        (Sharing::TimeSliced { replicas: some(3) }, vec![shares(1), shares(2), shares(4)]),
        (Sharing::Mps { replicas: some(2) }, vec![shares(1)]),
        (Sharing::Milli, [&fractions[..], std::slice::from_ref(&whole)].concat()),
        (Sharing::Burst, [&limits[..], std::slice::from_ref(&whole)].concat()),
        (Sharing::Hami { split: some(3), memory: Bytes::from_gib(80) }, of_hami.to_vec()),
        (sharing_by_counters(), of_claims),
    ];
    ways.extend(layouts.map(|layout| (cut(layout), of_mig.clone())));
    ways
}

/// Everything that one unit of a request could be on one GPU, sensible or not.
fn choices(spec: &PodSpec, sharing: &Sharing) -> Vec<Held> {
    match (spec.gpu_parts.as_ref(), sharing) {
        (None, _) => vec![Held::Whole],
        (Some(GpuRequest::Milli(part)), _) => vec![Held::Milli(*part)],
        (Some(&GpuRequest::Burst { request, limit }), _) => vec![Held::Burst { request, limit }],
        (Some(GpuRequest::Shares(_)), _) => vec![Held::Shares(1)],
        (Some(&GpuRequest::Hami { memory, cores, .. }), Sharing::Hami { memory: all, .. }) => {
            vec![Held::Hami { memory: hami::amount(memory, *all), cores }]
        }
        (Some(GpuRequest::Mig { profile, .. }), Sharing::Mig { board, .. }) => {
            let profile = board.profile(profile).expect("known");
            (0..8).map(|start| Held::Mig(MigInstance { profile, start })).collect()
        }
        (Some(GpuRequest::Claim { class, .. }), Sharing::Counters(set)) => {
            let devices = (0..).zip(&set.devices).filter(|(_, device)| device.class == *class);
            devices.map(|(place, _)| Held::Device(place)).collect()
        }
        _ => Vec::new(),
    }
}

/// Units of a request, and whether each must be on a GPU of its own.
fn units(spec: &PodSpec) -> (u32, bool) {
    match &spec.gpu_parts {
        None => (spec.requests.gpus, true),
        Some(
            GpuRequest::Shares(count)
            | GpuRequest::Mig { count, .. }
            | GpuRequest::Claim { count, .. },
        ) => (count.get(), false),
        Some(GpuRequest::Hami { gpus, .. }) => (gpus.get(), true),
        Some(GpuRequest::Milli(_) | GpuRequest::Burst { .. }) => (1, true),
    }
}

/// Whether there is any way at all: every choice on every GPU, judged by [`super::check`] alone.
fn exists(spec: &PodSpec, sharing: &Sharing, gpus: &mut [GpuSeen], left: u32) -> bool {
    let (_, apart) = units(spec);
    if left == 0 {
        return true;
    }
    for gpu in 0..gpus.len() {
        let mine = |hold: &Hold| hold.pod == PodId(999);
        if apart && gpus[gpu].holds.iter().any(mine) {
            continue;
        }
        for held in choices(spec, sharing) {
            gpus[gpu].holds.push(Hold { pod: PodId(999), held });
            let found = super::check(sharing, &gpus[gpu]).is_ok()
                && !starves(sharing, &gpus[gpu])
                && exists(spec, sharing, gpus, left - 1);
            gpus[gpu].holds.pop();
            if found {
                return true;
            }
        }
    }
    false
}

/// `HAMi`'s own rule beyond sums: who asks for no cores is kept off a GPU whose cores are all promised.
fn starves(sharing: &Sharing, gpu: &GpuSeen) -> bool {
    let last = gpu.holds.last().map(|hold| hold.held);
    matches!((sharing, last), (Sharing::Hami { .. }, Some(Held::Hami { cores: 0, .. })))
        && hami::in_use(gpu, Bytes(0)).1 == hami::ALL_CORES
}

proptest! {
    #[test]
    fn a_search_finds_a_place_exactly_when_there_is_one(
        way in 0_usize..8,
        gpus in 1_u32..4,
        order in prop::sample::select(vec![DeviceOrder::Spread, DeviceOrder::Binpack]),
        steps in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..14),
    ) {
        let (sharing, specs) = ways().swap_remove(way);
        let mut state = node(&sharing, gpus);
        for (id, (choice, leaves)) in (0..).zip(steps) {
            let spec = choice.get(&specs);
            let found = fit(spec, &sharing, &state, order);
            let there = exists(spec, &sharing, &mut state.clone(), units(spec).0);
            prop_assert_eq!(found.is_ok(), there, "{:?} on {:?}", spec.gpu_parts, state);
            if let Ok(grants) = found {
                take(&mut state, PodId(id), &grants);
            }
            if leaves {
                give_back(&mut state, PodId(id / 2));
            }
            for gpu in &state {
                prop_assert_eq!(super::check(&sharing, gpu), Ok(()));
            }
        }
    }
}
