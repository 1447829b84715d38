//! Racks and blocks: gangs that must or should stand close together.

use crate::jobs::gang;
use crate::world::{Flight, World, fixed};
use contract::NodeId;
use sim_core::JobArrival;
use sim_core::spec::{GangScheduling, JobClassSpec, JobReach, Level, Paces, RackSpec};

/// Nodes of two GPUs, two to a rack and two racks to a block; gangs of one GPU a pod.
fn world(nodes: u32, gangs: GangScheduling, reach: JobReach, jobs: Vec<JobArrival>) -> World {
    let mut world = World::running(nodes, 0);
    world.pool().racks = Some(RackSpec { nodes_per_rack: 2, racks_per_block: 2 });
    world.spec.batch.gangs = gangs;
    world.spec.batch.classes = vec![JobClassSpec {
        name: "train".into(),
        startup: fixed(10),
        checkpoint: None,
        paces: Paces::default(),
        queue: None,
        reach: Some(reach),
    }];
    world.jobs = vec![jobs];
    world
}

/// How many pods each node has 50 s after the start.
#[track_caller]
fn check(flight: &Flight, expected: &[usize]) {
    let pods: Vec<_> = flight.seen_at(50).nodes.iter().map(|node| node.pods.len()).collect();
    assert_eq!(pods, expected);
}

const IN_A_RACK: JobReach = JobReach::Required(Level::Rack);

#[test]
fn a_gang_that_fits_in_all_but_in_no_rack_holds_no_gpu_and_the_log_says_why() {
    let flight = world(4, GangScheduling::Core, IN_A_RACK, vec![gang(0, 5, 100)]).fly();
    check(&flight, &[0, 0, 0, 0]);
    let why = "0 s: job 0: no rack has room for its 5 pods: 4 fit in the roomiest, 8 in all";
    assert_eq!(flight.job_decisions, [why]);
    let jobs = &flight.outcome.summary.jobs[0];
    assert_eq!((jobs.started, jobs.waiting.room), (0, 1));
    assert!(flight.seen_at(50).pending.iter().all(|pod| pod.unschedulable_since.is_some()));
}

#[test]
fn what_no_rack_holds_goes_to_a_block_if_a_rack_is_only_preferred() {
    let preferred = JobReach::Preferred(Level::Rack);
    let flight = world(6, GangScheduling::Core, preferred, vec![gang(0, 5, 100)]).fly();
    check(&flight, &[2, 2, 1, 0, 0, 0]);
}

#[test]
fn a_gang_stays_within_its_block() {
    // Three racks, the third alone in its block; a gang that takes a node of the first leaves six GPUs there.
    let all = vec![gang(0, 2, 300), gang(1, 6, 100), gang(2, 6, 100)];
    let flight = world(6, GangScheduling::Volcano, JobReach::Required(Level::Block), all).fly();
    // The small one takes the small block, the second the large one; the third waits.
    check(&flight, &[2, 2, 2, 0, 2, 0]);
    assert_eq!(flight.outcome.summary.jobs[0].completed, 3);
}

#[test]
fn one_by_one_nobody_looks_at_racks() {
    let flight = world(4, GangScheduling::Off, IN_A_RACK, vec![gang(0, 5, 100)]).fly();
    assert_eq!(flight.outcome.summary.jobs[0].completed, 1);
}

#[test]
fn a_new_node_takes_the_place_of_one_that_is_gone() {
    let mut world = world(4, GangScheduling::Core, IN_A_RACK, vec![gang(100, 4, 100)]);
    // A pod of its own on the second rack, so that only the first could hold the gang, if its lost node is replaced.
    world.jobs[0].insert(0, gang(0, 1, 500));
    world.act(20, contract::Action::Delete { node: NodeId(1) });
    world.act(40, contract::Action::AddNodes { pool: contract::PoolId(0), count: 1 });
    let flight = world.fly();
    let held: Vec<_> =
        flight.seen_at(120).nodes.iter().map(|node| (node.id.0, node.pods.len())).collect();
    assert_eq!(held.iter().map(|(_, pods)| pods).sum::<usize>(), 5, "{held:?}");
}
