//! Disruption: which nodes may go, in which order, and what takes their place.

pub mod balanced;
pub mod budgets;
pub mod candidate;
pub mod consolidation;
pub mod cost;
mod cron;
pub mod methods;
