//! Rounds of scheduling: pods that need nodes get them.

use super::Settings;
use super::instance_type::{InstanceType, Offering};
use super::memory::{Launch, Memory};
use super::price;
use super::requirements::Requirements;
use super::simulation::{AskKind, Outcome, Place, simulate};
use super::world::Model;
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
    let asks = std::mem::take(&mut model.waiting);
    if asks.is_empty() {
        return;
    }
    let nodes: Vec<_> = model.nodes.iter().collect();
    let outcome = simulate(&model.world(&nodes), &asks);
    nominate(&model, &asks, &outcome, seen, settings, memory);
    let mut launcher = Launcher::new(seen, settings, memory);
    for claim in &outcome.claims {
        let types: Vec<_> = claim.types.iter().map(|&place| &model.types[place]).collect();
        let wanted = Wanted {
            node_pool: &model.pools[claim.pool].name,
            pods: claim.pods.len(),
            command: None,
            why: "pods fit nowhere",
        };
        if let Some(choice) = launcher.choose(&types, &claim.requirements, plan) {
            launcher.launch(choice, &wanted, plan);
        }
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
    pub(super) pods: usize,
    /// The command that waits for it.
    pub(super) command: Option<u32>,
    /// Why, in a few words.
    pub(super) why: &'static str,
}

/// What a launch is to be of.
#[derive(Clone, Copy)]
pub(super) struct Choice<'t> {
    instance: &'t InstanceType,
    offering: &'t Offering,
    /// Out of so many types.
    types: usize,
}

/// Launches nodes, within what pools have left.
pub(super) struct Launcher<'a, 'b> {
    seen: &'a Observation<'b>,
    settings: &'a Settings,
    memory: &'a mut Memory,
    left: Vec<u32>,
    /// How many choices there were: zones at one price take turns.
    turn: u32,
}

impl<'a, 'b> Launcher<'a, 'b> {
    pub(super) fn new(
        seen: &'a Observation<'b>,
        settings: &'a Settings,
        memory: &'a mut Memory,
    ) -> Self {
        let left = seen.pools.iter().map(|pool| pool.max.saturating_sub(pool.target)).collect();
        Self { turn: memory.launches_made, seen, settings, memory, left }
    }

    /// Sets the cheapest of these types aside that there is, if there is one.
    pub(super) fn choose<'t>(
        &mut self,
        types: &[&'t InstanceType],
        requirements: &Requirements,
        plan: &mut Plan,
    ) -> Option<Choice<'t>> {
        let turn = self.turn as usize;
        let has_room = |offering: &Offering| self.left[offering.pool.index()] > 0;
        let found = price::launch(types.iter().copied(), requirements, turn, has_room);
        let Some((instance, offering)) = found else {
            let words = "no offering that suits has anything left";
            plan.hold(Subject::Cluster, Reason::new(words).with("types", count(types.len())));
            return None;
        };
        self.left[offering.pool.index()] -= 1;
        self.turn += 1;
        Some(Choice { instance, offering, types: types.len() })
    }

    /// Launches what was chosen.
    pub(super) fn launch(&mut self, choice: Choice<'_>, wanted: &Wanted<'_>, plan: &mut Plan) {
        let Choice { instance, offering, types } = choice;
        self.memory.launches_made += 1;
        self.memory.launches.push(Launch {
            pool: offering.pool,
            zone: offering.zone.clone(),
            node_pool: wanted.node_pool.clone(),
            template: self.settings.template(wanted.node_pool),
            asked: self.seen.now,
            command: wanted.command,
        });
        let reason = Reason::new(wanted.why)
            .with("pods", count(wanted.pods))
            .with("types", count(types))
            .with("cores", count(instance.capacity.cpu.0 / 1000))
            .with("usd-per-hour", offering.price.0);
        let (pool, zone) = (offering.pool, offering.zone.clone());
        plan.act(Action::AddNodesIn { pool, zone, count: 1 }, reason);
    }
}

/// A count as a number of a reason.
#[expect(clippy::cast_precision_loss, reason = "counts of pods and types")]
pub(super) fn count(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}
