//! What Karpenter remembers of nodes, launches and the cloud between two looks.

use super::Settings;
use super::batch::Window;
use super::settings::Template;
use contract::{
    Instant, LaunchFailureKind, Micros, NodeId, NodeSeen, NodeStage, Observation, PodId, PoolId,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node that was asked for and that has not been seen yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Launch {
    pub(super) pool: PoolId,
    pub(super) zone: Arc<str>,
    pub(super) node_pool: Arc<str>,
    pub(super) template: Template,
    pub(super) asked: Instant,
    /// The number of the command that it is for, if a node that goes is to be replaced.
    pub(super) command: Option<u32>,
}

/// A node of a `NodePool`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tracked {
    pub(super) node_pool: Arc<str>,
    /// What it was made from.
    pub(super) template: Template,
    /// Since when its pool would make it otherwise.
    pub(super) drifted: Option<Instant>,
    /// When it was first seen to be initialised.
    pub(super) initialized: Option<Instant>,
    /// When a pod last came or went.
    pub(super) pod_event: Instant,
    pub(super) pods: Vec<PodId>,
    /// Pods are expected on it until then.
    pub(super) nominated_until: Instant,
    /// Room for that many pods that are not there yet is held on it.
    pub(super) buffer_pods: u32,
    pub(super) stage: NodeStage,
    pub(super) pool: PoolId,
    pub(super) zone: Arc<str>,
    /// When it was to go.
    pub(super) going_since: Option<Instant>,
    /// It is to go and waits, for something protects one of its pods.
    pub(super) waits: bool,
    pub(super) command: Option<u32>,
}

impl Tracked {
    /// Whether it is on its way out.
    pub(super) fn is_going(&self) -> bool {
        self.going_since.is_some() || self.stage >= NodeStage::Draining
    }
}

/// Nodes that are to go, and what they wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Command {
    pub(super) number: u32,
    pub(super) nodes: Vec<NodeId>,
    /// Replacements that are not initialised yet.
    pub(super) awaited: u32,
    /// One of them failed: the nodes stay.
    pub(super) failed: bool,
}

/// An offering of which the cloud had none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unavailable {
    pub(super) pool: PoolId,
    pub(super) zone: Arc<str>,
    pub(super) until: Instant,
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    pub(super) window: Option<Window>,
    /// When each pending pod last asked for a round.
    pub(super) asked: BTreeMap<PodId, Instant>,
    pub(super) launches: Vec<Launch>,
    pub(super) nodes: BTreeMap<NodeId, Tracked>,
    pub(super) unavailable: Vec<Unavailable>,
    pub(super) commands: Vec<Command>,
    pub(super) commands_made: u32,
    /// How many launches there were: zones at one price take turns.
    pub(super) launches_made: u32,
    pub(super) validating: Option<super::disruptor::Proposal>,
    pub(super) next_poll: Instant,
    pub(super) last_look: Instant,
    /// What the last pass that found nothing looked like, and when that was.
    pub(super) quiet: Option<(u64, Instant)>,
    pub(super) next_buffer_look: Instant,
}

impl Memory {
    /// Whether the cloud is believed to have none in a pool's zone.
    pub(super) fn is_out(&self, pool: PoolId, zone: &str) -> bool {
        self.unavailable.iter().any(|out| out.pool == pool && &*out.zone == zone)
    }

    /// Takes note of what happened since the last look. `adopt` names the `NodePool` of a node that nobody asked
    /// for, if one would have it.
    pub(super) fn note(
        &mut self,
        seen: &Observation<'_>,
        settings: &Settings,
        adopt: impl Fn(&NodeSeen) -> Option<Arc<str>>,
    ) {
        self.unavailable.retain(|out| seen.now < out.until);
        for node in seen.nodes {
            if !self.nodes.contains_key(&node.id) {
                self.meet(node, settings, &adopt);
            }
            self.look_at(node, seen.now);
        }
        self.note_losses(seen, settings);
    }

    fn meet(
        &mut self,
        node: &NodeSeen,
        settings: &Settings,
        adopt: &impl Fn(&NodeSeen) -> Option<Arc<str>>,
    ) {
        let is_it = |launch: &Launch| {
            launch.pool == node.pool && launch.zone == node.zone && launch.asked == node.created
        };
        let place = self.launches.iter().position(is_it);
        let launch = place.map(|place| self.launches.remove(place));
        let node_pool = match &launch {
            Some(launch) => Some(launch.node_pool.clone()),
            None => adopt(node),
        };
        let Some(node_pool) = node_pool else { return };
        let template = match &launch {
            Some(launch) => launch.template.clone(),
            None => settings.template(&node_pool),
        };
        let nominated_until = match &launch {
            Some(_) => node.created + settings.nomination(),
            None => Instant::ZERO,
        };
        let met = Tracked {
            node_pool,
            template,
            drifted: None,
            initialized: None,
            pod_event: node.created,
            pods: Vec::new(),
            nominated_until,
            buffer_pods: 0,
            stage: node.stage,
            pool: node.pool,
            zone: node.zone.clone(),
            going_since: None,
            waits: false,
            command: launch.and_then(|launch| launch.command),
        };
        self.nodes.insert(node.id, met);
    }

    fn look_at(&mut self, node: &NodeSeen, now: Instant) {
        let Some(known) = self.nodes.get_mut(&node.id) else { return };
        known.stage = node.stage;
        if node.stage == NodeStage::Ready && known.initialized.is_none() {
            known.initialized = Some(node.since);
            let of = |command: &&mut Command| Some(command.number) == known.command;
            if let Some(command) = self.commands.iter_mut().find(of) {
                command.awaited = command.awaited.saturating_sub(1);
            }
        }
        let same = known.pods.len() == node.pods.len()
            && known.pods.iter().zip(&node.pods).all(|(known, pod)| *known == pod.id);
        if !same {
            known.pods = node.pods.iter().map(|pod| pod.id).collect();
            known.pod_event = now;
        }
    }

    /// Launches and nodes that are no more. What the cloud had none of is left alone for a while.
    fn note_losses(&mut self, seen: &Observation<'_>, settings: &Settings) {
        let mut lost: Vec<(PoolId, Arc<str>, Option<u32>)> = Vec::new();
        self.launches.retain(|launch| {
            let waits = launch.asked == seen.now;
            if !waits {
                lost.push((launch.pool, launch.zone.clone(), launch.command));
            }
            waits
        });
        let is_there = |id: &NodeId| seen.nodes.binary_search_by_key(id, |node| node.id).is_ok();
        let gone: Vec<_> = self.nodes.keys().filter(|id| !is_there(id)).copied().collect();
        for id in gone {
            let node = self.nodes.remove(&id).expect("it was just listed");
            let never_came = node.stage == NodeStage::Requested && node.going_since.is_none();
            if never_came {
                lost.push((node.pool, node.zone, node.command));
            } else if node.initialized.is_none() {
                self.fail(node.command);
            }
        }
        for (pool, zone, command) in lost {
            self.fail(command);
            let failure = seen.pools[pool.index()].failure;
            if failure.is_some_and(|failure| failure.kind == LaunchFailureKind::StockOut) {
                let until = seen.now + settings.unavailable_offering_ttl;
                self.unavailable.push(Unavailable { pool, zone, until });
            }
        }
    }

    fn fail(&mut self, number: Option<u32>) {
        let of = |command: &&mut Command| Some(command.number) == number;
        if let Some(command) = self.commands.iter_mut().find(of) {
            command.failed = true;
        }
    }

    /// Whether a command is about a node.
    pub(super) fn is_commanded(&self, id: NodeId) -> bool {
        self.commands.iter().any(|command| command.nodes.contains(&id))
    }

    /// How many nodes of a pool stay, and how many are on their way out; those that commands are about are neither.
    pub(super) fn counted(&self, node_pool: &str) -> (u32, u32) {
        let (mut staying, mut going) = (0, 0);
        for (id, node) in self.nodes.iter().filter(|(_, node)| &*node.node_pool == node_pool) {
            if node.is_going() {
                going += 1;
            } else if !self.is_commanded(*id) {
                staying += 1;
            }
        }
        (staying, going)
    }

    /// How many nodes of a pool commands are about.
    pub(super) fn commanded_of(&self, node_pool: &str) -> u32 {
        let its = |id: &&NodeId| self.nodes.get(id).is_some_and(|one| &*one.node_pool == node_pool);
        let nodes = self.commands.iter().flat_map(|command| &command.nodes);
        u32::try_from(nodes.filter(its).count()).unwrap_or(u32::MAX)
    }

    /// Since when nothing has happened on a node that would put its consolidation off, if it is initialised.
    pub(super) fn calm_since(&self, id: NodeId) -> Option<Instant> {
        let node = self.nodes.get(&id)?;
        node.initialized.map(|initialized| initialized.max(node.pod_event))
    }

    /// Whether nothing has happened on a node for long enough (`None` is never long enough).
    pub(super) fn is_calm(&self, id: NodeId, after: Option<Micros>, now: Instant) -> bool {
        let calm = self.calm_since(id);
        calm.zip(after).is_some_and(|(since, after)| now.since(since) >= after)
    }
}
