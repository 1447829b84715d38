//! Jobs beside a service: two gangs at once, with and without gang scheduling.

use crate::flights::fly;
use sim_core::outcome::{JobClassSummary, StackOutcome};

fn jobs(stack: &StackOutcome) -> &JobClassSummary {
    &stack.runs[0].jobs[0]
}

#[test]
fn two_gangs_that_each_fit_alone_do_not_deadlock_when_gangs_are_scheduled_whole() {
    let experiment = fly("gangs-two-at-once");
    let [one_by_one, whole] = &experiment.stacks[..] else { panic!("two stacks") };
    let (stuck, done) = (jobs(one_by_one), jobs(whole));
    assert_eq!((stuck.arrived, stuck.started, stuck.completed), (2, 0, 0));
    // All eight GPUs, from the first minute to the end of four hours.
    assert!((31.7..31.9).contains(&stuck.gpu.partial_gangs), "{}", stuck.gpu.partial_gangs);
    assert_eq!((done.arrived, done.completed), (2, 2));
    assert!(done.gpu.partial_gangs.abs() < 1e-9, "a partial gang holds no GPU");
    let fleet = whole.runs[0].gpu;
    assert!((fleet.useful - 12.0).abs() < 1e-3, "two jobs of six GPUs and an hour: {fleet:?}");
    assert!((1.9..2.2).contains(&done.slowdown.max), "the second waits for the first");
}
