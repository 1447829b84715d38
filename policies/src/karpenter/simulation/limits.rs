//! Limits of a `NodePool`: what its nodes may have together.

use contract::Resources;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a pool's nodes may have together; what is left out is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<contract::MilliCpu>,
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<contract::Bytes>,
    /// GPUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpus: Option<u32>,
    /// Nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u32>,
}

impl Limits {
    /// Whether one more node with this capacity stays within.
    pub fn hold(&self, capacity: &Resources) -> bool {
        self.cpu.is_none_or(|cpu| capacity.cpu <= cpu)
            && self.memory.is_none_or(|memory| capacity.memory <= memory)
            && self.gpus.is_none_or(|gpus| capacity.gpus <= gpus)
            && self.nodes.is_none_or(|nodes| nodes > 0)
    }

    /// Takes a node with this capacity off what is left.
    pub fn charge(&mut self, capacity: Resources) {
        if let Some(cpu) = &mut self.cpu {
            cpu.0 = cpu.0.saturating_sub(capacity.cpu.0);
        }
        if let Some(memory) = &mut self.memory {
            memory.0 = memory.0.saturating_sub(capacity.memory.0);
        }
        if let Some(gpus) = &mut self.gpus {
            *gpus = gpus.saturating_sub(capacity.gpus);
        }
        if let Some(nodes) = &mut self.nodes {
            *nodes = nodes.saturating_sub(1);
        }
    }
}
