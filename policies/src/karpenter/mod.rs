//! Karpenter: launches nodes that fit pods that fit nowhere, and replaces nodes by fewer or cheaper ones.
//!
//! ## What it does
//! Pods that the scheduler finds no place for are collected until none has come for a second, or for ten seconds.
//! Then all of them are placed in thought: on nodes that are there or on their way, on claims opened in this round,
//! or on a new claim of the `NodePool` with the greatest weight that can have one. A claim is a set of instance types
//! that shrinks with each pod; in the end the cheapest offering of what is left is launched. Every ten seconds it
//! looks for nodes to remove: all empty ones, else the most nodes at once that one cheaper node or the room on other
//! nodes can replace, else one. It waits 15 s, checks again, launches what takes their place, waits until that is
//! ready, and drains them.
//!
//! ## What it looks at
//! Unschedulable pods with requests, selectors, affinities and spreading; nodes with the requests of their pods,
//! never with their real use; prices, zones and capacity types of the pools, and which of them had no capacity.
//!
//! ## Settings
//! Options, feature gates and objects of the real one by name: `node-pools`, `overlays`, `buffers`; `changes` are
//! pools that somebody applies while it runs, and makes nodes drift. The scenario's pools are offerings: pools of
//! equal machines make one instance type, each zone of each pool one of its offerings. A `NodePool` draws from those
//! that its requirements let in; the label `pool` names them. `version` chooses between the orders of candidates of
//! 1.13 and 1.14.
//!
//! ## Where it falls short
//! It packs for size, not for price: claims grow to the largest type that fits, and consolidation only undoes that
//! where a single cheaper node exists. Pods are placed by the scheduler, not by its plan, so what was bought for one
//! pod may be taken by another. A node whose GPUs never appear is waited for without end unless `node-repair` is
//! on. A gang of pods is launched for pod by pod. Not modelled: volumes, the drift of an instance type that a cloud
//! gives up, the one and three minutes after which a search for consolidations is cut short.
//!
//! ## Source
//! kubernetes-sigs/karpenter at `22664681` (1.14) and 1.13, `pkg/controllers/{provisioning,disruption,nodeclaim}`;
//! aws/karpenter-provider-aws 1.14.1; delays and orders as recorded from a real 1.13 on a real control plane.

pub mod batch;
pub mod buffer;
pub mod catalog;
pub mod disruption;
pub mod instance_type;
pub mod min_values;
pub mod overlay;
pub mod price;
pub mod repair;
pub mod requirements;
pub mod settings;
pub mod simulation;
pub mod static_pool;

mod disruptor;
mod drift;
mod lifecycle;
mod memory;
mod provisioner;
mod triggers;
mod world;

pub use settings::{Change, ConsolidationPolicy, NodePool, OrNever, Settings};

use contract::{Cadence, Instant, Micros, Observation, Plan, Policy, StateError};
use disruptor::Disruptor;
use memory::Memory;

/// Events that a watch would deliver at once are seen this much later at most: nodes that come up, pods that come
/// and go.
const WATCH: Micros = Micros::from_secs(1);

/// After a success the next look follows at once, but not before its launches can be seen.
const AT_ONCE: Micros = Micros::from_secs(1);

/// Room for pods that are not there yet is looked after this often (the buffer controller).
const BUFFER_LOOK: Micros = Micros::from_secs(30);

/// The policy.
#[derive(Debug)]
pub(crate) struct Karpenter {
    /// With those changes that have been applied by now.
    settings: Settings,
    /// How many of them those are.
    applied: usize,
    memory: Memory,
}

impl Karpenter {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, applied: 0, memory: Memory::default() }
    }

    /// Puts `NodePool`s in place that somebody has applied.
    fn apply_changes(&mut self, now: Instant) {
        let due = |change: &&Change| change.at <= now.since(Instant::ZERO);
        let changes = self.settings.changes[self.applied..].iter().take_while(due).cloned();
        for change in changes.collect::<Vec<_>>() {
            self.settings.node_pools.extend(change.node_pools);
            self.applied += 1;
        }
    }

    fn provision(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        let mut due = triggers::is_due(seen, &self.settings, &mut self.memory);
        if !self.settings.buffers.is_empty() && self.memory.next_buffer_look <= seen.now {
            self.memory.next_buffer_look = seen.now + BUFFER_LOOK;
            due = true;
        }
        if due {
            provisioner::round(seen, &self.settings, &mut self.memory, plan);
        }
    }

    /// Looks for nodes to disrupt, or checks once more those that were found.
    fn disrupt(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        let poll = self.settings.disruption_poll;
        if let Some(proposal) = self.memory.validating.clone() {
            if seen.now < proposal.due() {
                return;
            }
            self.memory.validating = None;
            self.memory.next_poll = seen.now + poll;
            let mut disruptor = Disruptor::new(seen, &self.settings, &mut self.memory);
            if !disruptor.carry_out(&proposal, plan) {
                return;
            }
            // After a success the next look follows at once.
        } else if seen.now < self.memory.next_poll {
            return;
        }
        self.memory.next_poll = seen.now + poll;
        let mut disruptor = Disruptor::new(seen, &self.settings, &mut self.memory);
        let proposal = disruptor.propose_empty();
        if proposal.is_none() && disruptor.replace_drifted(plan) {
            self.memory.next_poll = seen.now + AT_ONCE;
            return;
        }
        self.memory.validating = proposal.or_else(|| disruptor.propose_saving());
    }

    /// When something might have to be done, as far as can be known now.
    fn next(&self) -> Instant {
        let round = triggers::next(&self.settings, &self.memory);
        let disruption = match &self.memory.validating {
            Some(proposal) => proposal.due(),
            None => self.memory.next_poll,
        };
        let times = round.into_iter().chain([disruption]);
        let soon = self.memory.last_look + WATCH;
        times.min().map_or(soon, |time| time.min(soon))
    }
}

impl Policy for Karpenter {
    fn name(&self) -> &'static str {
        "karpenter"
    }

    fn cadence(&self) -> Cadence {
        let wait = self.next().since(self.memory.last_look).max(Micros(1));
        Cadence { on_unschedulable: true, ..Cadence::regular(wait, Micros::ZERO) }
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        self.apply_changes(seen.now);
        let settings = &self.settings;
        self.memory.note(seen, settings, |node| world::adopter(seen, settings, node));
        drift::note(seen, settings, &mut self.memory);
        lifecycle::age(seen, settings, &mut self.memory, plan);
        lifecycle::proceed(seen, &mut self.memory, plan);
        lifecycle::keep_static_pools(seen, settings, &mut self.memory, plan);
        self.provision(seen, plan);
        self.disrupt(seen, plan);
        self.memory.last_look = seen.now;
    }

    fn save(&self) -> serde_json::Value {
        crate::state::save(&self.memory)
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), StateError> {
        self.memory = crate::state::restore(self.name(), state)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
