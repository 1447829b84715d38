//! Labels that a cloud's nodes have by what they are: by these, pods and `NodePool`s choose among them.

use crate::catalog::Instance;
use policies::karpenter::catalog::{INSTANCE_CPU_KEY, INSTANCE_MEMORY_KEY};
use policies::karpenter::requirements::CAPACITY_TYPE_KEY;
use std::collections::BTreeMap;

/// Who sets the labels `karpenter.k8s.aws/…`.
const AWS: &str = "aws";

/// The capacity type of a node, and on AWS the labels of its instance type (Karpenter's AWS provider, "Well-known
/// labels").
pub(super) fn instance_labels(
    name: &str,
    instance: &Instance,
    is_spot: bool,
) -> BTreeMap<String, String> {
    let capacity_type = if is_spot { "spot" } else { "on-demand" };
    let mut labels = BTreeMap::from([
        (CAPACITY_TYPE_KEY.to_owned(), capacity_type.to_owned()),
        ("kubernetes.io/os".to_owned(), "linux".to_owned()),
    ]);
    if instance.provider != AWS {
        return labels;
    }
    let mut add = |key: &str, value: String| labels.insert(key.to_owned(), value);
    add(INSTANCE_CPU_KEY, instance.vcpu.to_string());
    add(INSTANCE_MEMORY_KEY, (instance.memory.0 >> 20).to_string());
    if let Some((family, size)) = name.split_once('.') {
        add("karpenter.k8s.aws/instance-family", family.to_owned());
        add("karpenter.k8s.aws/instance-size", size.to_owned());
        let category: String = family.chars().take_while(char::is_ascii_alphabetic).collect();
        let generation: String = family
            .chars()
            .skip_while(char::is_ascii_alphabetic)
            .take_while(char::is_ascii_digit)
            .collect();
        add("karpenter.k8s.aws/instance-category", category);
        add("karpenter.k8s.aws/instance-generation", generation);
    }
    if let Some(gpu) = &instance.gpu {
        // AWS writes the model alone, in lower case: `l40s`, `h100`.
        let model = gpu.split('-').next().unwrap_or(gpu).to_lowercase();
        add("karpenter.k8s.aws/instance-gpu-name", model);
        add("karpenter.k8s.aws/instance-gpu-count", instance.gpus.to_string());
        // The catalogue has no others on AWS.
        add("karpenter.k8s.aws/instance-gpu-manufacturer", "nvidia".to_owned());
    }
    labels
}
