//! A node as the scheduler sees it.

use contract::{NodeShape, PodSpec, Resources};

/// A node, real or imagined, with what is on it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What the node offers.
    pub shape: &'a NodeShape,
    /// Sum of the requests of its pods.
    pub used: Resources,
    /// How many pods are on it.
    pub pods: u32,
    /// New pods are kept off.
    pub cordoned: bool,
}

impl<'a> Candidate<'a> {
    /// A node of this shape that has just become ready.
    pub fn fresh(shape: &'a NodeShape) -> Self {
        Self { shape, used: Resources::default(), pods: 0, cordoned: false }
    }

    /// Puts a pod on it.
    pub fn add(&mut self, spec: &PodSpec) {
        self.used += spec.requests;
        self.pods += 1;
    }

    /// What its pods leave free.
    pub fn free(&self) -> Resources {
        self.shape.allocatable - self.used
    }
}
