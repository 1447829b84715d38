//! GPU model: a pod that names models runs on nodes that have one of them.

use super::Misfit;
use contract::{NodeShape, PodSpec};

pub(super) fn check(spec: &PodSpec, shape: &NodeShape) -> Result<(), Misfit> {
    if spec.gpu_models.is_empty() {
        return Ok(());
    }
    let has = shape.gpu.as_ref().is_some_and(|model| spec.gpu_models.contains(model));
    if has { Ok(()) } else { Err(Misfit::GpuModel) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{cpu_node, gpu_node, pod};
    use contract::GpuModel;

    #[track_caller]
    fn check(models: &[&str], shape: &NodeShape, expected: bool) {
        let mut spec = pod("1", "1GiB", 0);
        spec.gpu_models = models.iter().map(|&name| GpuModel(name.into())).collect();
        assert_eq!(super::check(&spec, shape).is_ok(), expected);
    }

    #[test]
    fn a_pod_that_names_no_model_runs_anywhere() {
        check(&[], &cpu_node(), true);
        check(&[], &gpu_node("L40S", 1), true);
    }

    #[test]
    fn a_pod_runs_on_any_model_that_it_names_and_on_no_other() {
        check(&["H100", "L40S"], &gpu_node("L40S", 1), true);
        check(&["H100"], &gpu_node("L40S", 1), false);
        check(&["H100"], &cpu_node(), false);
    }
}
