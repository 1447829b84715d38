//! Work whose pace follows the GPU model: jobs, gangs over pools of different models, plain servers.

use crate::jobs::gang;
use crate::world::{Flight, World, assert_close, fixed, pool, secs};
use contract::{Action, GpuModel, Micros, NodeId, NodeShape};
use proptest::prelude::*;
use sim_core::JobArrival;
use sim_core::outcome::JobClassSummary;
use sim_core::spec::{Checkpoint, JobClassSpec, Pace, Paces, ServiceKind};
use std::num::NonZeroU32;
use std::sync::Arc;

/// Paces in thousandths by GPU model.
fn paces(thousandths: &[(&str, u32)]) -> Paces {
    let pace = |thousandths| Pace::of_thousandths(NonZeroU32::new(thousandths).expect("a pace"));
    thousandths.iter().map(|&(gpu, thousand)| (GpuModel(gpu.into()), pace(thousand))).collect()
}

/// A node with two L4s and a node with two L40S, and jobs whose containers start in 10 s.
fn world(paces: Paces, jobs: Vec<JobArrival>) -> World {
    let mut world = World::running(1, 0);
    let mut other = pool();
    let shape = NodeShape { gpu: Some(GpuModel("L40S".into())), ..(*other.shape).clone() };
    (other.name, other.shape, other.initial) = ("other".into(), Arc::new(shape), 1);
    world.spec.pools.push(other);
    let (startup, name) = (fixed(10), "train".into());
    let class = JobClassSpec { name, startup, checkpoint: None, paces, queue: None, reach: None };
    world.spec.batch.classes = vec![class];
    world.jobs = vec![jobs];
    world
}

fn on(model: &str, mut job: JobArrival) -> JobArrival {
    let mut pod = (*job.pod).clone();
    pod.gpu_models = vec![GpuModel(model.into())];
    job.pod = Arc::new(pod);
    job
}

fn jobs(flight: &Flight) -> &JobClassSummary {
    &flight.outcome.summary.jobs[0]
}

#[test]
fn a_gang_over_two_gpu_models_goes_at_the_pace_of_the_slower() {
    let both = paces(&[("L4", 500), ("L40S", 2000)]);
    let completion = |job| jobs(&world(both.clone(), vec![job]).fly()).completion_s.mean;
    assert_close(completion(on("L4", gang(0, 2, 100))), 10.0 + 200.0);
    assert_close(completion(on("L40S", gang(0, 2, 100))), 10.0 + 50.0);
    let flight = world(both, vec![gang(0, 4, 100)]).fly();
    assert_close(jobs(&flight).completion_s.mean, 10.0 + 200.0);
    // GPU time is what the GPUs were held for, not what the work would have taken elsewhere.
    assert_close(jobs(&flight).gpu.useful * 3600.0, 4.0 * 200.0);
}

#[test]
fn a_model_without_a_pace_goes_at_that_of_the_reference() {
    let flight = world(paces(&[("L4", 500)]), vec![on("L40S", gang(0, 2, 100))]).fly();
    assert_close(jobs(&flight).completion_s.mean, 110.0);
}

#[test]
fn the_loss_of_the_slower_gpus_speeds_up_a_job_that_can_do_without_them() {
    let job = JobArrival { min_count: 2, ..gang(0, 4, 100) };
    let mut world = world(paces(&[("L4", 500), ("L40S", 2000)]), vec![job]);
    world.act(60, Action::Delete { node: NodeId(0) });
    let flight = world.fly();
    // In 50 s four members do 50 × 4 × 0.5 of 400; two at twice the pace do the rest in 75 s.
    assert_close(jobs(&flight).completion_s.mean, 60.0 + 75.0);
    assert_eq!(jobs(&flight).interruptions, 0);
}

#[test]
fn lost_work_is_the_time_that_it_took() {
    let mut world = world(paces(&[("L4", 500)]), vec![on("L4", gang(0, 2, 100))]);
    let checkpoint = Checkpoint { interval: secs(20), cost: secs(0), restart: secs(0) };
    world.spec.batch.classes[0].checkpoint = Some(checkpoint);
    world.act(65, Action::Delete { node: NodeId(0) });
    let flight = world.fly();
    // 55 s at work, 40 s of them in checkpoints.
    assert_close(jobs(&flight).gpu.lost * 3600.0, 2.0 * 15.0);
}

#[test]
fn a_plain_server_serves_at_the_pace_of_its_gpu() {
    let mut world = World::running(1, 1);
    let paces = paces(&[("L4", 250)]);
    world.service().kind = ServiceKind::Plain { service_time: fixed(5), concurrency: 1, paces };
    world.arrive(&[1]);
    let flight = world.fly();
    assert_close(flight.service().e2e.mean_ms, 20_000.0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn a_job_on_gpus_of_a_factor_takes_its_work_over_the_factor(
        thousandths in 250_u32..4_000,
        width in 1_u32..3,
        seconds in 1_u64..100,
    ) {
        let job = on("L4", gang(0, width, seconds));
        let flight = world(paces(&[("L4", thousandths)]), vec![job]).fly();
        let expected = (seconds * 1_000_000_000).div_ceil(u64::from(thousandths)) + 10_000_000;
        let off = jobs(&flight).completion_s.mean - Micros(expected).as_secs_f64();
        prop_assert!(off.abs() < 5e-7, "off by {off} s");
    }
}
