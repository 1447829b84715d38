//! stub
use super::{EngineSettings, StepModel};
use contract::{Instant, Micros};
use std::sync::Arc;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event { Started { key: u32, at: Instant }, FirstToken { key: u32, at: Instant }, Finished { key: u32, at: Instant } }
#[derive(Debug)]
pub struct Replica {}
impl Replica {
  pub fn new(_m: Arc<StepModel>, _s: EngineSettings, _n: Instant) -> Self { Self{} }
  pub fn submit(&mut self, _n: Instant, _k: u32, _p: u32, _o: u32) -> bool { false }
  pub fn abort(&mut self, _n: Instant, _k: u32) -> bool { false }
  pub fn next_wake(&self) -> Option<Instant> { None }
  pub fn advance(&mut self, _n: Instant, _e: &mut Vec<Event>) {}
  pub fn running(&self) -> u32 { 0 }
  pub fn waiting(&self) -> u32 { 0 }
  pub fn kv_used(&self) -> u64 { 0 }
  pub fn kv_capacity(&self) -> u64 { 1 }
  pub fn preemptions(&self) -> u64 { 0 }
  pub fn busy(&self, _n: Instant) -> Micros { Micros::ZERO }
  pub fn drain_keys(&mut self) -> Vec<u32> { vec![] }
}
