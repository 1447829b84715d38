//! Rounds of scheduling: pods that need nodes get them.

use super::Settings;
use super::instance_type::{InstanceType, Offering};
use super::memory::{Launch, Memory};
use super::price;
use super::requirements::Requirements;
use super::simulation::{AskKind, Outcome, Place, simulate};
use super::world::{Model, commanded};
use contract::{Action, Observation, Plan, Reason, Subject};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One round.
pub(super) fn round(
    seen: &Observation<'_>,
    settings: &Settings,
    memory: &mut Memory,
    plan: &mut Plan,
) {
    let mut model = Model::of(seen, settings, memory);
    let mut asks = std::mem::take(&mut model.waiting);
    asks.extend(commanded(seen, memory));
    if asks.is_empty() {
        return;
    }
    let outcome = simulate(&model.world(&model.nodes), &asks);
    nominate(&model, &asks, &outcome, seen, settings, memory);
    let mut launcher = Launcher::new(seen, memory);
    for claim in &outcome.claims {
        let options = claim.types.iter().map(|&place| &model.types[place]);
        let wanted = Wanted {
            node_pool: &model.pools[claim.pool].name,
            requirements: &claim.requirements,
            pods: claim.pods.len(),
            command: None,
        };
        launcher.launch(options, &wanted, plan);
    }
    report(&asks, &outcome, plan);
}

/// Pods are expected on the nodes that they were placed on: those are not disrupted for a while.
fn nominate(
    model: &Model<'_>,
    asks: &[super::simulation::Ask],
    outcome: &Outcome,
    seen: &Observation<'_>,
    settings: &Settings,
    memory: &mut Memory,
) {
    for node in memory.nodes.values_mut() {
        node.buffer_pods = 0;
    }
    for (ask, place) in asks.iter().zip(&outcome.places) {
        let Place::Node(place) = place else { continue };
        let Some(node) = memory.nodes.get_mut(&model.nodes[*place].id) else { continue };
        if ask.kind == AskKind::Buffer {
            node.buffer_pods += 1;
        } else {
            node.nominated_until = seen.now + settings.nomination();
        }
    }
}

/// Why pods found no place, and how many did that have one already.
fn report(asks: &[super::simulation::Ask], outcome: &Outcome, plan: &mut Plan) {
    let mut nowhere: BTreeMap<&'static str, u32> = BTreeMap::new();
    let mut on_nodes = 0_u32;
    for (ask, place) in asks.iter().zip(&outcome.places) {
        match place {
            Place::Nowhere(refusal) => *nowhere.entry(refusal.words()).or_default() += 1,
            Place::Node(_) if ask.kind == AskKind::Pending => on_nodes += 1,
            Place::Node(_) | Place::Claim(_) => {}
        }
    }
    for (words, pods) in nowhere {
        plan.hold(Subject::Cluster, Reason::new(words).with("pods", f64::from(pods)));
    }
    if on_nodes > 0 && outcome.claims.is_empty() {
        let reason = Reason::new("pending pods fit on nodes that are there or on their way");
        plan.hold(Subject::Cluster, reason.with("pods", f64::from(on_nodes)));
    }
}

/// A node that is to be launched.
pub(super) struct Wanted<'a> {
    pub(super) node_pool: &'a Arc<str>,
    pub(super) requirements: &'a Requirements,
    pub(super) pods: usize,
    /// The command that waits for it.
    pub(super) command: Option<u32>,
}

/// Launches nodes, within what pools have left.
pub(super) struct Launcher<'a, 'b> {
    seen: &'a Observation<'b>,
    memory: &'a mut Memory,
    left: Vec<u32>,
}

impl<'a, 'b> Launcher<'a, 'b> {
    pub(super) fn new(seen: &'a Observation<'b>, memory: &'a mut Memory) -> Self {
        let left = seen.pools.iter().map(|pool| pool.max.saturating_sub(pool.target)).collect();
        Self { seen, memory, left }
    }

    /// Launches the cheapest of these types that there is; true if there was one.
    pub(super) fn launch<'t>(
        &mut self,
        types: impl Iterator<Item = &'t InstanceType>,
        wanted: &Wanted<'_>,
        plan: &mut Plan,
    ) -> bool {
        let options: Vec<_> = types.collect();
        let turn = self.memory.launches_made as usize;
        let has_room = |offering: &Offering| self.left[offering.pool.index()] > 0;
        let found = price::launch(options.iter().copied(), wanted.requirements, turn, has_room);
        let Some((instance, offering)) = found else {
            let words = "no offering that suits has anything left";
            plan.hold(Subject::Cluster, Reason::new(words).with("types", count(options.len())));
            return false;
        };
        self.left[offering.pool.index()] -= 1;
        self.memory.launches_made += 1;
        self.memory.launches.push(Launch {
            pool: offering.pool,
            zone: offering.zone.clone(),
            node_pool: wanted.node_pool.clone(),
            asked: self.seen.now,
            command: wanted.command,
        });
        let words = match wanted.command {
            Some(_) => "a cheaper node takes the place of others",
            None if wanted.pods == 0 => "a static pool has too few nodes",
            None => "pods fit nowhere",
        };
        let reason = Reason::new(words)
            .with("pods", count(wanted.pods))
            .with("types", count(options.len()))
            .with("cores", count(instance.capacity.cpu.0 / 1000))
            .with("usd-per-hour", offering.price.0);
        let (pool, zone) = (offering.pool, offering.zone.clone());
        plan.act(Action::AddNodesIn { pool, zone, count: 1 }, reason);
        true
    }
}

/// A count as a number of a reason.
#[expect(clippy::cast_precision_loss, reason = "counts of pods and types")]
pub(super) fn count(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}
