//! Nodes that are there or on their way.

use super::asking::Shape;
use crate::karpenter::instance_type::CapacityType;
use crate::karpenter::requirements::{CAPACITY_TYPE_KEY, NODE_POOL_KEY};
use contract::{HOSTNAME_KEY, NodeId, PlacedPod, PoolId, Resources, ZONE_KEY};
use placement::{Candidate, fits};
use std::sync::Arc;

/// A node that takes pods in thought.
#[derive(Clone, Debug)]
pub struct ExistingNode<'a> {
    /// Its number.
    pub id: NodeId,
    /// Its name: the value of its host label.
    pub name: Arc<str>,
    /// The scenario's pool that it comes from.
    pub origin: PoolId,
    /// Ready, with its GPUs: pods on it are as good as placed.
    pub initialized: bool,
    /// Its room.
    pub candidate: Candidate<'a>,
    /// Where it stands.
    pub zone: &'a str,
    /// How it is sold.
    pub capacity_type: CapacityType,
    /// Its `NodePool`, if one manages it.
    pub pool: Option<Arc<str>>,
    /// What is on it.
    pub pods: &'a [PlacedPod],
}

impl ExistingNode<'_> {
    /// One of its labels.
    pub fn label(&self, key: &str) -> Option<&str> {
        match key {
            ZONE_KEY => Some(self.zone),
            HOSTNAME_KEY => Some(&self.name),
            CAPACITY_TYPE_KEY => Some(self.capacity_type.label()),
            NODE_POOL_KEY => self.pool.as_deref(),
            _ => self.candidate.shape.labels.get(key).map(String::as_str),
        }
    }

    /// Whether it takes a pod beside what it holds by now.
    pub(super) fn takes(&self, shape: &Shape, used: Resources, pods: u32) -> bool {
        let candidate = Candidate { used, pods, ..self.candidate };
        fits(&shape.bare, &candidate).is_ok()
            && !shape.is_put_off(candidate.shape)
            && shape.requirements.hold_for(|key| self.label(key))
    }
}
