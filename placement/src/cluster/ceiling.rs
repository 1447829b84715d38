//! A score that a node cannot exceed, in three multiplications: most nodes that fit are no match for the best so far,
//! and need not be scored to know.
//!
//! In real numbers the score of a node is linear in its free shares, its evenness and how far the pod tips it; the pod
//! itself adds the same on every node of a kind. What is cut off to whole numbers on the way only lowers the score,
//! but for the half that a negative change of balance may gain.

use super::kind::Kind;
use super::row::{Row, float};
use crate::{Allocation, Balance, Profile};
use contract::PodSpec;

/// What rounding may add, with much to spare for that of floats.
const ROUNDING: f64 = 1.0;

/// Of one pod under one profile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ceiling {
    free_shares: f64,
    evenness: f64,
    tilt: f64,
}

/// What the pod adds on nodes of a kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    constant: f64,
    tilt: f64,
}

impl Ceiling {
    pub(super) fn new(profile: &Profile) -> Self {
        let free_shares = match profile.allocation {
            // 100 for each of two resources that is all free, halved.
            Allocation::LeastAllocated => 50.0,
            Allocation::MostAllocated => -50.0,
            Allocation::RequestedToCapacityRatio(_) => 0.0,
        };
        let (evenness, tilt) = match profile.balance {
            Balance::Classic => (0.0, 50.0),
            Balance::Change => (-0.5, 25.0),
        };
        Self { free_shares, evenness, tilt }
    }

    /// The pod's own part. Without bound where a request counts as a default, which may exceed what is there.
    pub(super) fn share(&self, spec: &PodSpec, profile: &Profile, kind: &Kind) -> Share {
        let all = &kind.shape.allocatable;
        let cpu = float(spec.requests.cpu.0) / float(all.cpu.0);
        let memory = float(spec.requests.memory.0) / float(all.memory.0);
        if spec.requests.cpu.0 == 0 || spec.requests.memory.0 == 0 {
            return Share { constant: f64::INFINITY, tilt: 0.0 };
        }
        let allocation = match profile.allocation {
            Allocation::LeastAllocated => 0.0,
            Allocation::MostAllocated | Allocation::RequestedToCapacityRatio(_) => 100.0,
        };
        let balance = match profile.balance {
            Balance::Classic => 100.0,
            // Half of 50, and half of 50 and all of 100.
            Balance::Change => 125.0,
        };
        let pod = self.free_shares * (cpu + memory);
        Share { constant: allocation + balance - pod + ROUNDING, tilt: cpu - memory }
    }

    /// Whether a node that fits surely scores less than `best`. Never true of a node that lacks CPU or memory, whose
    /// shares are not numbers.
    #[inline]
    pub(super) fn is_below(&self, best: f64, row: &Row, share: Share) -> bool {
        let evenness = self.evenness * f64::from(row.evenness);
        let tilt = self.tilt * (row.tilt + share.tilt).abs();
        self.free_shares * row.free_shares + share.constant + evenness - tilt < best
    }
}
