//! Jobs, in the engine's own terms.

use super::{KueueSpec, Paces};
use crate::delay::Delay;
use contract::Micros;
use std::sync::Arc;

/// Jobs, and who decides when they start.
#[derive(Clone, Debug, Default)]
pub struct BatchSpec {
    /// Classes of jobs.
    pub classes: Vec<JobClassSpec>,
    /// How the members of a job are scheduled.
    pub gangs: GangScheduling,
    /// Queues and their quotas, for jobs that Kueue admits.
    pub kueue: KueueSpec,
}

/// What the jobs of a class have in common.
#[derive(Clone, Debug)]
pub struct JobClassSpec {
    /// Name in the scenario.
    pub name: Arc<str>,
    /// From a member's node to its container up: image, container, framework.
    pub startup: Delay,
    /// How its work is saved; without, an interruption loses all of it.
    pub checkpoint: Option<Checkpoint>,
    /// How fast its work goes on which GPU; all members go at the pace of the slowest.
    pub paces: Paces,
    /// The place of its queue; Kueue leaves jobs without one alone.
    pub queue: Option<usize>,
    /// How close together its pods stand where they are placed together (`Off` places them one by one); such a job
    /// needs all of its pods.
    pub reach: Option<JobReach>,
}

/// How close together the pods of a job stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobReach {
    /// In one domain of this level, or nowhere.
    Required(Level),
    /// In one domain of this level if there is one, else in as few as possible of the next.
    Preferred(Level),
}

/// A level of the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Racks that stand together.
    Block,
    /// Nodes that stand together.
    Rack,
}

/// How the work of a job is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Time at work between two checkpoints, at whatever pace; longer than zero.
    pub interval: Micros,
    /// How long the job pauses to write one.
    pub cost: Micros,
    /// How long it reads the newest one after an interruption.
    pub restart: Micros,
}

/// How the members of a job are scheduled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GangScheduling {
    /// One by one, like any pods: a job can hold GPUs with too few members to run, and two can wait for each
    /// other for ever.
    #[default]
    Off,
    /// All or nothing, by kube-scheduler's `PodGroup`: members are kept back until enough exist, placed in thought,
    /// then bound together or not at all.
    Core,
    /// The same by Volcano, whose enqueue action keeps a job without pods until the cluster looks roomy enough for
    /// its minimum; so node autoscalers never hear of a job that the cluster has no room for.
    Volcano,
    /// By Kueue: a job has no pods until its queue has quota for all of them. Then they are scheduled one by one.
    Kueue,
}
