//! How far a run is, told while it flies.

use contract::{Micros, Observation, Plan};
use sim_core::{JobDecision, Recorder};

/// How far one run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress<'a> {
    /// Its stack.
    pub stack: &'a str,
    /// Its replication.
    pub run: u32,
    /// Its number among all runs of the experiment, from 0.
    pub job: usize,
    /// How many runs the experiment has.
    pub jobs: usize,
    /// Simulated time that has passed, as a share of the whole: rises to 1.
    pub fraction: f64,
}

/// Tells of progress at the policies' turns, a hundred times a run at most, and passes the turns on.
pub(crate) struct Watched<'a> {
    pub(crate) recorder: &'a mut dyn Recorder,
    pub(crate) told: &'a dyn Fn(f64),
    pub(crate) horizon: Micros,
    /// Hundredths of the run that were told of.
    pub(crate) hundredths: u64,
}

impl Recorder for Watched<'_> {
    fn turn(&mut self, policy: &str, seen: &Observation<'_>, plan: &Plan) {
        let hundredths = (seen.now.0.saturating_mul(100) / self.horizon.0).min(99);
        if hundredths > self.hundredths {
            self.hundredths = hundredths;
            (self.told)(seen.now.as_secs_f64() / self.horizon.as_secs_f64());
        }
        self.recorder.turn(policy, seen, plan);
    }

    fn job(&mut self, decision: &JobDecision<'_>) {
        self.recorder.job(decision);
    }
}

/// Tells two recorders.
pub(crate) struct Both<'a>(pub(crate) &'a mut dyn Recorder, pub(crate) &'a mut dyn Recorder);

impl Recorder for Both<'_> {
    fn turn(&mut self, policy: &str, seen: &Observation<'_>, plan: &Plan) {
        self.0.turn(policy, seen, plan);
        self.1.turn(policy, seen, plan);
    }

    fn job(&mut self, decision: &JobDecision<'_>) {
        self.0.job(decision);
        self.1.job(decision);
    }
}
