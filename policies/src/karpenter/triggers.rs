//! When a round of scheduling begins: what opens and extends the batching window.

use super::Settings;
use super::batch::Window;
use super::memory::Memory;
use contract::{Instant, Micros, NodeStage, Observation, PodId};

/// A pod that still has no place asks again this often (`podRequeue` of the provisioning trigger).
const ASK_AGAIN: Micros = Micros::from_secs(10);

/// Takes in what asked for a round since the last look; true if a round is due.
///
/// A pod asks when the scheduler finds that it fits nowhere, every 10 s from then on, and whenever the scheduler
/// looks at it again in vain: that is when a node has joined. (Upstream there is no filter: any event on a pod
/// without a node asks, which keeps windows open for longer than it seems.)
pub(super) fn is_due(seen: &Observation<'_>, settings: &Settings, memory: &mut Memory) -> bool {
    let rules = settings.batch();
    let mut due = false;
    for (at, pod) in events(seen, memory) {
        match &mut memory.window {
            Some(window) if at < window.closes(rules) => window.trigger(at, pod),
            window => {
                due |= window.is_some();
                *window = Some(Window::open(at, pod));
            }
        }
    }
    if memory.window.as_ref().is_some_and(|window| window.closes(rules) <= seen.now) {
        memory.window = None;
        due = true;
    }
    due
}

/// Pods that ask, and when, in order.
fn events(seen: &Observation<'_>, memory: &mut Memory) -> Vec<(Instant, PodId)> {
    let joined: Vec<_> = seen
        .nodes
        .iter()
        .filter(|node| {
            let is_new = memory.last_look < node.since && node.since <= seen.now;
            is_new && matches!(node.stage, NodeStage::AcceleratorStarting | NodeStage::Ready)
        })
        .map(|node| node.since)
        .collect();
    let asked = std::mem::take(&mut memory.asked);
    let mut events = Vec::new();
    for pod in seen.pending {
        let Some(first) = pod.unschedulable_since else { continue };
        let mut last = asked.get(&pod.id).copied().unwrap_or_else(|| {
            events.push((first, pod.id));
            first
        });
        for &at in &joined {
            if last < at {
                events.push((at, pod.id));
                last = at;
            }
        }
        while last + ASK_AGAIN <= seen.now {
            last = last + ASK_AGAIN;
            events.push((last, pod.id));
        }
        memory.asked.insert(pod.id, last);
    }
    events.sort_unstable();
    events
}

/// When a round might next be due, as far as can be known now.
pub(super) fn next(settings: &Settings, memory: &Memory) -> Option<Instant> {
    let closes = memory.window.as_ref().map(|window| window.closes(settings.batch()));
    let again = memory.asked.values().min().map(|&last| last + ASK_AGAIN);
    closes.into_iter().chain(again).min()
}
