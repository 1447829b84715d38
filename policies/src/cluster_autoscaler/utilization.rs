//! How much of a node is requested.

use contract::{NodeShape, Resources};

/// Share of the node that its pods request: of a node with GPUs the GPUs alone, else CPU or memory, whichever
/// is more.
#[expect(clippy::cast_precision_loss, reason = "amounts stay below 2^53")]
pub fn utilization(used: &Resources, shape: &NodeShape) -> f64 {
    let share = |used: u64, of: u64| if of == 0 { 0.0 } else { used as f64 / of as f64 };
    let all = &shape.allocatable;
    if shape.gpu.is_some() {
        return share(used.gpus.into(), all.gpus.into());
    }
    share(used.cpu.0, all.cpu.0).max(share(used.memory.0, all.memory.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{pool, resources};

    #[track_caller]
    fn check(gpus: u32, used: Resources, expected: f64) {
        let shape = pool(0, "pool", gpus, (0, 0, 1)).shape;
        assert!((utilization(&used, &shape) - expected).abs() < 1e-9);
    }

    #[test]
    fn without_gpus_the_scarcer_of_cpu_and_memory_counts() {
        check(0, resources(4_000, 8, 0), 0.5);
        check(0, resources(2_000, 24, 0), 0.75);
    }

    #[test]
    fn with_gpus_nothing_else_counts() {
        check(4, resources(8_000, 32, 1), 0.25);
        check(4, resources(0, 0, 0), 0.0);
    }
}
