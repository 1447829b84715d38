//! What the pods of a cluster ask for, each request once, with how many pods make it.

use contract::PodSpec;
use std::sync::Arc;

/// Requests with their counts, in the order in which they were first made.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests(Vec<(Arc<PodSpec>, u32)>);

impl Requests {
    /// A pod came.
    pub(super) fn add(&mut self, spec: &Arc<PodSpec>) {
        match self.find(spec) {
            Some(count) => *count += 1,
            None => self.0.push((spec.clone(), 1)),
        }
    }

    /// A pod left.
    pub(super) fn remove(&mut self, spec: &Arc<PodSpec>) {
        *self.find(spec).expect("whoever leaves was counted") -= 1;
        self.0.retain(|&(_, count)| count > 0);
    }

    /// What is asked for, and by how many.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&PodSpec, u32)> {
        self.0.iter().map(|(spec, count)| (&**spec, *count))
    }

    fn find(&mut self, spec: &Arc<PodSpec>) -> Option<&mut u32> {
        let is_it = |known: &Arc<PodSpec>| Arc::ptr_eq(known, spec) || known == spec;
        self.0.iter_mut().find(|(known, _)| is_it(known)).map(|(_, count)| count)
    }
}
