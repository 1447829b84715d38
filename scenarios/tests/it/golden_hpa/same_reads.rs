//! The policy alone, fed what the real controller read, when it read it.

use super::recording::{Change, Run, Sync, instant, samples};
use contract::{Action, Counts, Observation, Plan, PodSpec, Pods, Policy, ServiceId, ServiceSeen};
use std::sync::Arc;

/// Every count in turn, as the policy makes them, and when: at the last read of a look.
pub(super) fn replay(run: &Run) -> Vec<Change> {
    let mut policy = run.policy();
    let mut writes = run.external_writes.iter().peekable();
    let mut restart = run.controller_restart_t;
    let (mut current, mut changes) = (run.initial_replicas, vec![(0.0, run.initial_replicas)]);
    for sync in run.syncs() {
        if let Some(&(at, count)) = writes.next_if(|(at, _)| *at <= sync.first) {
            current = count;
            changes.push((at, count));
        }
        if restart.take_if(|at| *at <= sync.first).is_some() {
            policy = run.restarted(&*policy);
        }
        if let Some(replicas) = decide(&mut *policy, run, &sync, current) {
            current = replicas;
            changes.push((sync.last, replicas));
        }
    }
    // What somebody else wrote after the last look stands as well.
    changes.extend(writes);
    changes
}

/// One look: the new count, if there is to be one. The controller's clock is that of its last read.
fn decide(policy: &mut dyn Policy, run: &Run, sync: &Sync, current: u32) -> Option<u32> {
    let (now, ready) = (instant(sync.last), run.ready(sync.first).min(current));
    let services = &[ServiceSeen {
        id: ServiceId(0),
        name: run.id.as_str().into(),
        spec: Arc::new(PodSpec::default()),
        replicas_wanted: current,
        replicas: Counts { ready, starting: current - ready, ..Counts::default() },
        disruption_budget: None,
        samples: samples(sync.values, now),
        pods: Pods::default(),
    }];
    let mut plan = Plan::default();
    policy.decide(
        &Observation { now, services, pending: &[], nodes: &[], pools: &[], provisioning: &[] },
        &mut plan,
    );
    plan.decisions().iter().find_map(|decision| match decision.action {
        Some(Action::SetReplicas { replicas, .. }) => Some(replicas),
        _ => None,
    })
}
