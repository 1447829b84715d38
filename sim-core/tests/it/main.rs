//! Whole runs of small worlds, each built by hand.

mod blame;
mod drains;
mod errors;
mod fleet;
mod gateway;
mod jobs;
mod kueue;
mod ledger;
mod lives;
mod luck;
mod metrics;
mod paces;
mod preemption;
mod provisioning;
mod racks;
mod scheduler;
mod shapes;
mod sharing;
mod standby;
mod swarm;
mod theory;
mod world;
