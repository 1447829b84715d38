//! stub
use contract::*;
pub struct Candidate<'a> { pub shape: &'a NodeShape, pub used: Resources, pub pods: u32, pub cordoned: bool }
#[derive(Default)] pub struct Profile;
pub fn best<'a, I: Copy>(pod: &PodSpec, c: impl Iterator<Item=(I, Candidate<'a>)>, _p: &Profile) -> Option<I> {
  let mut c = c; c.find(|(_, c)| !c.cordoned && (c.shape.allocatable - c.used).holds(&pod.requests)).map(|(i,_)| i)
}
