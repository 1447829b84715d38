//! `TaintToleration`: a taint keeps off pods that do not tolerate it.

use super::Misfit;
use contract::{Taint, TaintEffect, Toleration};

pub(super) fn check(tolerations: &[Toleration], taints: &[Taint]) -> Result<(), Misfit> {
    let keeps_off = |taint: &&Taint| taint.effect != TaintEffect::PreferNoSchedule;
    let tolerated = |taint: &Taint| tolerates(tolerations, taint);
    if taints.iter().filter(keeps_off).all(tolerated) { Ok(()) } else { Err(Misfit::Taint) }
}

/// Whether any of the tolerations covers the taint.
pub(crate) fn tolerates(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations.iter().any(|toleration| {
        toleration.effect.is_none_or(|effect| effect == taint.effect)
            && toleration.key.as_ref().is_none_or(|key| *key == taint.key)
            && toleration.value.as_ref().is_none_or(|value| *value == taint.value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use TaintEffect::{NoExecute, NoSchedule, PreferNoSchedule};

    fn taint(effect: TaintEffect) -> Taint {
        Taint { key: "nvidia.com/gpu".into(), value: "present".into(), effect }
    }

    fn toleration(
        key: Option<&str>,
        value: Option<&str>,
        effect: Option<TaintEffect>,
    ) -> Toleration {
        Toleration { key: key.map(Into::into), value: value.map(Into::into), effect }
    }

    #[track_caller]
    fn check(tolerations: &[Toleration], taints: &[Taint], expected: bool) {
        assert_eq!(super::check(tolerations, taints).is_ok(), expected);
    }

    #[test]
    fn hard_taints_keep_off_pods_without_a_toleration() {
        check(&[], &[taint(NoSchedule)], false);
        check(&[], &[taint(NoExecute)], false);
        check(&[], &[taint(PreferNoSchedule)], true);
    }

    #[test]
    fn a_toleration_covers_what_it_leaves_open() {
        let gpu = Some("nvidia.com/gpu");
        check(&[toleration(None, None, None)], &[taint(NoSchedule)], true);
        check(&[toleration(gpu, None, None)], &[taint(NoExecute)], true);
        check(&[toleration(gpu, Some("present"), Some(NoSchedule))], &[taint(NoSchedule)], true);
    }

    #[test]
    fn a_toleration_of_something_else_does_not_help() {
        let gpu = Some("nvidia.com/gpu");
        check(&[toleration(Some("spot"), None, None)], &[taint(NoSchedule)], false);
        check(&[toleration(gpu, Some("absent"), None)], &[taint(NoSchedule)], false);
        check(&[toleration(gpu, None, Some(NoExecute))], &[taint(NoSchedule)], false);
    }

    #[test]
    fn every_taint_needs_a_toleration() {
        let one = toleration(Some("nvidia.com/gpu"), None, None);
        let spot = Taint { key: "spot".into(), value: String::new(), effect: NoSchedule };
        check(&[one], &[taint(NoSchedule), spot], false);
    }
}
