//! What a run says when a source of arrivals fails.

use crate::world::{World, arrival, at};
use contract::Policy;
use sim_core::{Arrival, ArrivalSource, SourceError};

/// Gives these seconds, then an error.
struct Broken(Vec<u64>);

impl ArrivalSource for Broken {
    fn next_arrival(&mut self) -> Result<Option<Arrival>, SourceError> {
        if self.0.is_empty() {
            return Err("row 7 is torn".into());
        }
        Ok(Some(arrival(at(self.0.remove(0)))))
    }
}

#[track_caller]
fn check(seconds: &[u64], expected: &str) {
    let spec = World::running(1, 1).spec;
    let source: Box<dyn ArrivalSource> = Box::new(Broken(seconds.to_vec()));
    let policies: Vec<Box<dyn Policy>> = Vec::new();
    let error = sim_core::run(spec, vec![source], policies, &mut ()).expect_err("it is broken");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_source_that_fails_ends_the_run_and_is_named() {
    check(&[], "service `service`: row 7 is torn");
    check(&[1, 2, 3], "service `service`: row 7 is torn");
}

#[test]
fn arrivals_do_not_go_back_in_time() {
    let message = "service `service`: request arrives at 4s, before the one ahead of it (5s)";
    check(&[1, 5, 4], message);
    check(&[5, 5, 4], message);
}

#[test]
fn nothing_is_asked_of_a_source_past_the_horizon() {
    let mut world = World::running(1, 1);
    world.arrive(&[599, 600, 1]);
    assert_eq!(world.fly().requests().arrived, 1);
}
