//! What the recorded autoscaler knew of its cluster, where a simulated cluster would show it otherwise.

use contract::{
    Cadence, DisruptionBudget, Instant, IntOrPercent, NodeStage, Observation, Plan, Policy,
    ServiceId, StateError,
};
use policies::NodePolicy;
use std::ops::Range;

/// The autoscaler under test, behind its provider. Nodes register before they are ready (README of the recordings:
/// 0.7 s before), and disruption budgets come and go.
pub(super) struct Provider {
    settings: NodePolicy,
    restarts: bool,
    budgets: Vec<(ServiceId, u32, Range<Instant>)>,
    policy: Box<dyn Policy>,
}

impl Provider {
    pub(super) fn new(
        settings: NodePolicy,
        restarts: bool,
        budgets: Vec<(ServiceId, u32, Range<Instant>)>,
    ) -> Self {
        let policy = settings.build();
        Self { settings, restarts, budgets, policy }
    }

    /// A fresh autoscaler takes over, with nothing but the text of the old one's state.
    fn restart(&mut self) {
        let state = self.policy.save().to_string();
        let state = serde_json::from_str(&state).expect("its own text");
        self.policy = self.settings.build();
        self.policy.restore(state).expect("its own state");
    }
}

impl Policy for Provider {
    fn name(&self) -> &str {
        self.policy.name()
    }

    fn cadence(&self) -> Cadence {
        self.policy.cadence()
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        if self.restarts {
            self.restart();
        }
        let mut nodes = seen.nodes.to_vec();
        for node in nodes.iter_mut().filter(|node| node.stage == NodeStage::Registering) {
            node.stage = NodeStage::AcceleratorStarting;
        }
        let mut services = seen.services.to_vec();
        for (service, min, time) in &self.budgets {
            if time.contains(&seen.now) {
                let budget = DisruptionBudget::MinAvailable(IntOrPercent::Count(*min));
                services[service.index()].disruption_budget = Some(budget);
            }
        }
        self.policy.decide(&Observation { nodes: &nodes, services: &services, ..*seen }, plan);
    }

    fn save(&self) -> serde_json::Value {
        self.policy.save()
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), StateError> {
        self.policy.restore(state)
    }
}
