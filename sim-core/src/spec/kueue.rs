//! Kueue: queues with quotas of GPUs, by flavor, in the engine's own terms.

use contract::{Micros, ProvisioningClass};
use placement::quota::{Preemption, Quota, Strategy, WhenCanBorrow};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who may use how many GPUs of which nodes.
#[derive(Clone, Debug, Default)]
pub struct KueueSpec {
    /// Kinds of nodes, in the order in which admission tries them.
    pub flavors: Vec<FlavorSpec>,
    /// Queues.
    pub queues: Vec<QueueSpec>,
    /// How long an admitted job may take to get all of its pods up; as long as it likes unless given.
    pub pods_ready: Option<PodsReadySpec>,
}

/// A kind of nodes that quotas are given of: Kueue's `ResourceFlavor`.
#[derive(Clone, Debug)]
pub struct FlavorSpec {
    /// Name in the scenario.
    pub name: Arc<str>,
    /// Labels of its nodes; pods of jobs that are admitted with it ask for them.
    pub node_labels: BTreeMap<String, String>,
}

/// Kueue's `ClusterQueue`: what its jobs may use, and what it does when that is not enough.
#[derive(Clone, Debug)]
pub struct QueueSpec {
    /// Name in the scenario.
    pub name: Arc<str>,
    /// Queues of one cohort lend each other what they do not use; without one a queue stands alone.
    pub cohort: Option<Arc<str>>,
    /// GPUs by flavor; none of a flavor that its jobs must not use.
    pub quotas: Vec<Option<Quota>>,
    /// What it does when the first in it does not fit.
    pub strategy: Strategy,
    /// Whether it looks for a flavor of its own before it borrows.
    pub when_can_borrow: WhenCanBorrow,
    /// Whose jobs go for its own.
    pub preemption: Preemption,
    /// What a job with quota asks the node autoscaler for before it has pods; nothing unless given.
    pub provisioning: Option<ProvisioningSpec>,
}

/// Kueue's admission check by `ProvisioningRequest`, with its `retryStrategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProvisioningSpec {
    /// What is asked for.
    pub class: ProvisioningClass,
    /// A look that finds no room fails the request.
    pub no_retry: bool,
    /// After so many failed requests in a row, the next that fails is the job's last.
    pub retries: u32,
    /// How long a job waits at least after its request failed, the first time; doubles each time.
    pub backoff_base: Micros,
    /// Never longer than this.
    pub backoff_max: Micros,
}

impl ProvisioningSpec {
    /// How long a job waits after so many of its requests failed in a row; `None` if it gives up.
    pub fn backoff(&self, failures: u32) -> Option<Micros> {
        let tries_again = failures <= self.retries;
        tries_again.then(|| doubled(self.backoff_base, failures).min(self.backoff_max))
    }
}

/// Kueue's `waitForPodsReady`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodsReadySpec {
    /// From admission to all pods up; a job that takes longer is evicted and gives its quota back.
    pub timeout: Micros,
    /// How long it then waits at least before it is tried again, the first time; doubles each time.
    pub backoff_base: Micros,
    /// Never longer than this.
    pub backoff_max: Micros,
}

impl PodsReadySpec {
    /// How long a job waits after it ran out of time so many times in a row.
    pub fn backoff(&self, timeouts: u32) -> Micros {
        doubled(self.backoff_base, timeouts).min(self.backoff_max)
    }
}

/// The length of the nth of times that double.
fn doubled(base: Micros, nth: u32) -> Micros {
    let doublings = nth.saturating_sub(1).min(63);
    Micros(base.0.saturating_mul(1 << doublings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_back_off_doubles_up_to_its_maximum() {
        let secs = Micros::from_secs;
        let spec =
            PodsReadySpec { timeout: secs(300), backoff_base: secs(60), backoff_max: secs(3600) };
        let found = [1, 2, 3, 6, 7, 8, 200].map(|timeouts| spec.backoff(timeouts).0 / 1_000_000);
        assert_eq!(found, [60, 120, 240, 1920, 3600, 3600, 3600]);
    }

    #[test]
    fn a_check_is_given_up_after_its_retries() {
        let spec = ProvisioningSpec {
            class: ProvisioningClass::CheckCapacity,
            no_retry: true,
            retries: 3,
            backoff_base: Micros::from_secs(60),
            backoff_max: Micros::from_secs(200),
        };
        let found = [1, 2, 3, 4].map(|failures| spec.backoff(failures).map(|it| it.0 / 1_000_000));
        assert_eq!(found, [Some(60), Some(120), Some(200), None]);
    }
}
