//! Karpenter's pools: they ask for labels that some node has.

use super::Check;
use crate::document::key;
use crate::error::ScenarioError;
use crate::settings::Settings;
use contract::{HOSTNAME_KEY, ZONE_KEY};
use policies::NodePolicy;
use policies::karpenter::NodePool;
use policies::karpenter::requirements::{CAPACITY_TYPE_KEY, NODE_POOL_KEY};
use sim_core::spec::PoolSpec;
use std::collections::BTreeSet;

/// Labels that a node has by where it stands and by who launched it.
const EVERYWHERE: [&str; 4] = [CAPACITY_TYPE_KEY, HOSTNAME_KEY, NODE_POOL_KEY, ZONE_KEY];

/// Whether a label belongs to Kubernetes, to Karpenter or to a cloud: nobody else gives it to a node.
fn is_reserved(label: &str) -> bool {
    let domain = label.split_once('/').map_or("", |(domain, _)| domain);
    let belongs_to = |owner: &str| {
        domain == owner || domain.strip_suffix(owner).is_some_and(|start| start.ends_with('.'))
    };
    ["kubernetes.io", "karpenter.sh", "karpenter.k8s.aws"].into_iter().any(belongs_to)
}

impl Check<'_> {
    /// A requirement that no node can ever meet is refused: nothing would be launched, and nothing would say why.
    pub(super) fn node_pools(
        &self,
        settings: &Settings,
        pools: &[PoolSpec],
    ) -> Result<(), ScenarioError> {
        let labels: BTreeSet<_> = pools.iter().flat_map(|pool| pool.shape.labels.keys()).collect();
        let is_had = |label: &str| {
            EVERYWHERE.contains(&label) || labels.iter().any(|known| **known == label)
        };
        for (place, stack) in settings.stack.iter().enumerate() {
            let NodePolicy::Karpenter(karpenter) = &stack.nodes else { continue };
            let later = karpenter.changes.iter().flat_map(|change| &change.node_pools);
            for (name, pool) in karpenter.node_pools.iter().chain(later) {
                if let Some(label) = missing(pool, is_had) {
                    let place = place.to_string();
                    let path = ["stack", &place, "nodes", "karpenter", "node-pools", name];
                    let known = labels.iter().map(|label| label.as_str());
                    return Err(self.unknown(&key(path), "label of nodes", label, known));
                }
            }
        }
        Ok(())
    }
}

/// A label that a pool needs and no node has.
fn missing(pool: &NodePool, is_had: impl Fn(&str) -> bool) -> Option<&str> {
    let needed = pool.requirements.iter().filter(|requirement| requirement.needs_label());
    needed.map(|requirement| requirement.key.as_str()).find(|key| is_reserved(key) && !is_had(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_kubernetes_and_of_clouds_are_reserved_and_those_of_users_are_not() {
        for label in [
            "kubernetes.io/arch",
            "node.kubernetes.io/instance-type",
            "karpenter.k8s.aws/instance-size",
        ] {
            assert!(is_reserved(label), "{label}");
        }
        for label in ["pool", "example.com/team", "mykubernetes.io/x"] {
            assert!(!is_reserved(label), "{label}");
        }
    }
}
