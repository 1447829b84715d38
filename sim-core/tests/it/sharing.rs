//! GPUs that are divided among pods: who gets what, how fast each works, what is stranded, cutting anew.

use crate::world::{Flight, World, assert_close, at, fixed, replicas, secs};
use contract::{
    Action, Bytes, GpuMilli, GpuRequest, GpuSeen, MigBoard, MigProfile, NodeId, NodeShape, PodSpec,
    Sharing,
};
use placement::device::{counters, mig};
use std::num::NonZeroU32;
use std::sync::Arc;

fn milli(part: u16) -> GpuMilli {
    GpuMilli::try_from(part).expect("thousandths")
}

fn some(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("some")
}

fn shares(count: u32) -> GpuRequest {
    GpuRequest::Shares(some(count))
}

fn instance(profile: &str) -> GpuRequest {
    GpuRequest::Mig { profile: profile.into(), count: some(1) }
}

/// A board of four slices: halves and quarters.
fn board() -> MigBoard {
    let profile = |name: &str, slices: u8, starts: &[u8]| MigProfile {
        name: name.into(),
        compute_slices: slices,
        memory_slices: slices,
        memory: Bytes::from_gib(6 * u64::from(slices)),
        media: false,
        starts: starts.to_vec(),
        throughput: milli(250 * u16::from(slices)),
    };
    MigBoard {
        name: "board".into(),
        compute_slices: 4,
        memory_slices: 4,
        profiles: vec![profile("1g", 1, &[0, 1, 2, 3]), profile("2g", 2, &[0, 2])],
    }
}

fn cut(profiles: &[u8], dynamic: bool) -> Sharing {
    let layout = mig::layout(&board(), profiles).expect("a layout that fits");
    Sharing::Mig { board: Arc::new(board()), layout, dynamic }
}

/// One node with one GPU that is divided so, and replicas on parts of it that were there before the run began.
fn world(sharing: Sharing, request: GpuRequest, count: u32) -> World {
    let mut world = World::running(1, count);
    let mut shape = NodeShape::clone(&world.pool().shape);
    shape.sharing = sharing;
    shape.allocatable.gpus = 1;
    world.pool().shape = Arc::new(shape);
    world.pool().max = 1;
    ask(&mut world, request);
    world
}

fn ask(world: &mut World, request: GpuRequest) {
    let mut pod = PodSpec::clone(&world.service().pod);
    pod.requests.gpus = 0;
    pod.gpu_parts = Some(request);
    world.service().pod = Arc::new(pod);
}

/// Seconds that requests took, on average.
fn seconds(flight: &Flight) -> f64 {
    flight.service().e2e.mean_ms / 1000.0
}

/// One request of a second for each of so many replicas, all at once: how long do they take?
#[track_caller]
fn check(sharing: Sharing, request: GpuRequest, count: u32, busy: usize, expected: f64) {
    let mut world = world(sharing, request, count);
    world.arrive(&vec![10; busy]);
    let flight = world.fly();
    assert_eq!(flight.requests().completed, busy as u64);
    assert_close(seconds(&flight), expected);
}

#[test]
fn time_slices_are_shared_among_those_that_work() {
    let sliced = || Sharing::TimeSliced { replicas: some(4) };
    check(sliced(), shares(1), 4, 1, 1.0);
    check(sliced(), shares(1), 4, 2, 2.0);
    check(sliced(), shares(1), 4, 4, 4.0);
}

#[test]
fn under_mps_a_part_stays_what_it_is_however_idle_the_rest() {
    let mps = || Sharing::Mps { replicas: some(4) };
    check(mps(), shares(1), 4, 1, 4.0);
    check(mps(), shares(1), 4, 4, 4.0);
}

#[test]
fn a_mig_instance_is_as_fast_as_its_profile() {
    check(cut(&[1, 0, 0], false), instance("2g"), 1, 1, 2.0);
    check(cut(&[1, 0, 0], false), instance("1g"), 2, 2, 4.0);
}

#[test]
fn a_claimed_device_is_as_fast_as_its_profile() {
    let set = counters::of_board(&board(), Bytes::from_gib(24));
    let claim = GpuRequest::Claim { class: "mig-2g".into(), count: some(1) };
    check(Sharing::Counters(Arc::new(set)), claim, 2, 2, 2.0);
}

#[test]
fn fractions_weigh_and_limits_hold() {
    check(Sharing::Milli, GpuRequest::Milli(milli(250)), 2, 1, 1.0);
    check(Sharing::Milli, GpuRequest::Milli(milli(250)), 2, 2, 2.0);
    let burst = |limit| GpuRequest::Burst { request: milli(250), limit: milli(limit) };
    check(Sharing::Burst, burst(500), 2, 1, 2.0);
    check(Sharing::Burst, burst(1000), 2, 1, 1.0);
    check(Sharing::Burst, burst(1000), 4, 4, 4.0);
}

#[test]
fn a_neighbour_that_starts_to_work_slows_down_what_is_under_way() {
    let mut world = world(Sharing::TimeSliced { replicas: some(2) }, shares(1), 2);
    world.serve(fixed(4), 1);
    // The second request comes when the first is half done; both go on at half speed for four seconds, then the second
    // has the GPU to itself for its other half.
    world.arrive(&[10, 12]);
    let flight = world.fly();
    assert_close(seconds(&flight), f64::midpoint(6.0, 6.0));
}

#[test]
fn neighbours_interfere_where_nothing_keeps_them_apart() {
    let with_interference = |sharing, request| {
        let mut world = world(sharing, request, 2);
        world.pool().division.interference = 0.2;
        world.arrive(&[10, 10]);
        seconds(&world.fly())
    };
    assert_close(with_interference(Sharing::Mps { replicas: some(2) }, shares(1)), 2.5);
    assert_close(with_interference(cut(&[1, 1], false), instance("2g")), 2.0);
}

#[test]
fn gpu_time_is_counted_by_part_and_what_is_left_of_a_gpu_in_use_is_stranded() {
    let mut flown = world(cut(&[1, 0], false), instance("2g"), 1);
    flown.arrive(&[10]);
    let gpu = flown.fly().outcome.summary.gpu;
    let hours = |gpu_seconds: f64| gpu_seconds / 3600.0;
    assert_close(gpu.total, hours(600.0));
    assert_close(gpu.useful, hours(1.0));
    assert_close(gpu.idle_ready, hours(300.0 - 1.0));
    assert_close(gpu.stranded, hours(300.0));
    assert_close(gpu.unallocated, 0.0);
    let idle = world(cut(&[1, 0], false), instance("2g"), 0).fly().outcome.summary.gpu;
    assert_close(idle.unallocated, hours(600.0));
}

#[test]
fn work_in_what_others_leave_idle_is_counted_apart() {
    let mut world = world(Sharing::TimeSliced { replicas: some(4) }, shares(1), 1);
    world.serve(fixed(8), 1);
    world.arrive(&[10]);
    let gpu = world.fly().outcome.summary.gpu;
    assert_close(gpu.useful * 3600.0, 2.0);
    assert_close(gpu.burst * 3600.0, 6.0);
}

#[test]
fn a_pod_without_a_part_waits_until_one_is_given_back() {
    let mut world = world(Sharing::Mps { replicas: some(2) }, shares(1), 2);
    world.act(100, replicas(3));
    world.act(200, replicas(2));
    world.act(300, replicas(3));
    let flight = world.fly();
    assert_eq!(flight.seen_at(150).pending.len(), 1);
    let holds = |seconds| flight.seen_at(seconds).nodes[0].gpus[0].holds.len();
    assert_eq!((holds(150), holds(250), holds(350)), (2, 2, 2));
}

#[test]
fn a_gpu_that_is_cut_anew_takes_pods_when_it_is_done() {
    let mut world = world(cut(&[1, 1], true), instance("1g"), 0);
    world.pool().division.repartition = fixed(30);
    world.act(100, replicas(1));
    world.act(200, repartition(&["1g", "1g", "2g"]));
    let flight = world.fly();
    let gpu = |seconds| &flight.seen_at(seconds).nodes[0].gpus[0];
    assert_eq!(flight.seen_at(199).pending.len(), 1, "no instance of the profile");
    assert!(gpu(229).repartitioning && !gpu(231).repartitioning);
    assert_eq!(gpu(231).partition.len(), 3);
    assert_eq!((gpu(229).holds.len(), gpu(231).holds.len()), (0, 1));
}

#[test]
fn a_fixed_partition_and_what_does_not_fit_stay_as_they_are() {
    let untouched = |dynamic, count, profiles: &[&str]| {
        let mut world = world(cut(&[1, 1], dynamic), instance("2g"), count);
        world.act(100, repartition(profiles));
        let flight = world.fly();
        let before: GpuSeen = flight.seen_at(50).nodes[0].gpus[0].clone();
        flight.seen_at(150).nodes[0].gpus[0] == before
    };
    assert!(untouched(false, 0, &["1g"]), "fixed");
    assert!(untouched(true, 0, &["2g", "2g", "1g"]), "does not fit");
    assert!(untouched(true, 0, &["3g"]), "unknown");
    assert!(!untouched(true, 0, &["1g"]));
}

#[test]
fn a_gpu_in_use_is_emptied_before_it_is_cut() {
    let mut world = world(cut(&[1, 1], true), instance("2g"), 1);
    world.pool().division.repartition = fixed(30);
    // The replica works on its half until 240 s.
    world.serve(fixed(60), 1);
    world.service().grace = secs(300);
    world.arrive(&[120]);
    world.act(200, repartition(&["2g", "1g", "1g"]));
    let flight = world.fly();
    let gpu = |seconds| &flight.seen_at(seconds).nodes[0].gpus[0];
    assert_eq!((gpu(201).holds.len(), gpu(201).ordered.len(), gpu(201).partition.len()), (1, 3, 2));
    assert_eq!(flight.seen_at(201).pending.len(), 1, "its replacement finds no place meanwhile");
    assert!(gpu(239).holds.len() == 1 && gpu(241).repartitioning && gpu(241).is_idle());
    assert_eq!((gpu(271).holds.len(), gpu(271).ordered.len(), gpu(271).partition.len()), (1, 0, 3));
    assert_eq!(flight.requests().completed, 1);
}

fn repartition(profiles: &[&str]) -> Action {
    let profiles = profiles.iter().map(|&name| name.into()).collect();
    Action::Repartition { node: NodeId(0), gpu: 0, profiles }
}

#[test]
fn a_pod_that_leaves_frees_its_part_for_those_that_stay() {
    let mut world = world(Sharing::TimeSliced { replicas: some(2) }, shares(1), 2);
    world.serve(fixed(60), 1);
    world.service().grace = secs(10);
    world.arrive(&[10, 10]);
    // Half done at 70 s between the two of them; at 80 s one of the two is cut short and its request begins anew.
    world.act(70, replicas(1));
    let flight = world.fly();
    let holders = &flight.seen_at(100).nodes[0].gpus[0].holds;
    assert_eq!(holders.len(), 1);
    // The one that stays has 25 s to go of its own at full speed, and then serves the other's 60 s.
    let ends = [at(105), at(165)].map(|end| end.since(at(10)).as_secs_f64());
    assert_close(seconds(&flight), f64::midpoint(ends[0], ends[1]));
}
