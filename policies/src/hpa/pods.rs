//! Which pods count: upstream's `groupPods`.

use contract::{Instant, Micros, PodSeen, PodStage};

/// A pod's phase, as the API server shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No container runs yet: not bound, or the image is pulled.
    Pending,
    /// A container runs.
    Running,
    /// All containers ended well.
    Succeeded,
    /// A container ended badly.
    Failed,
}

/// What is known of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodState {
    /// Its phase.
    pub phase: Phase,
    /// It is terminating.
    pub deleted: bool,
    /// Condition `Ready`, and since when; `None` without the condition.
    pub ready: Option<(bool, Instant)>,
    /// When a kubelet took it.
    pub started: Option<Instant>,
}

impl PodState {
    /// The same of a pod that a policy sees. A pod that never became ready has been unready since it started;
    /// when the kubelet took it is not seen, its creation is.
    pub fn of(pod: &PodSeen) -> Self {
        Self::at(pod.stage, pod.since, pod.created)
    }

    /// The same from a pod's stage, when that began, and when the pod was created.
    pub(super) fn at(stage: PodStage, since: Instant, created: Instant) -> Self {
        let ready = stage == PodStage::Ready;
        let phase = match stage {
            PodStage::Pending | PodStage::Pulling => Phase::Pending,
            _ => Phase::Running,
        };
        Self {
            phase,
            deleted: stage == PodStage::Draining,
            ready: Some((ready, if ready { since } else { created })),
            started: Some(created),
        }
    }
}

/// When a sample was taken, and how far back it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleTime {
    /// When.
    pub at: Instant,
    /// How far back.
    pub window: Micros,
}

/// How a pod counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// With its sample.
    Ready,
    /// Not up yet: its sample is dropped.
    Unready,
    /// It has no sample.
    Missing,
    /// Not at all: terminating or failed.
    Ignored,
}

/// Extra rules for CPU, which a starting pod uses in ways that say nothing about load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuRules {
    /// The time.
    pub now: Instant,
    /// How long a pod counts as young.
    pub initialization_period: Micros,
    /// How soon after its start an unready pod must have changed to count as having been ready once.
    pub readiness_delay: Micros,
}

/// How a pod counts; the first rule that applies wins.
pub fn classify(pod: &PodState, sample: Option<SampleTime>, cpu: Option<CpuRules>) -> Class {
    if pod.deleted || pod.phase == Phase::Failed {
        return Class::Ignored;
    }
    if pod.phase == Phase::Pending {
        return Class::Unready;
    }
    let Some(sample) = sample else { return Class::Missing };
    let unready = cpu.is_some_and(|rules| rules.call_unready(pod, sample));
    if unready { Class::Unready } else { Class::Ready }
}

impl CpuRules {
    fn call_unready(self, pod: &PodState, sample: SampleTime) -> bool {
        let (Some((ready, changed)), Some(started)) = (pod.ready, pod.started) else { return true };
        if started + self.initialization_period > self.now {
            // Young: a sample counts once it covers nothing from before the pod was ready.
            return !ready || sample.at < changed + sample.window;
        }
        // Old: only a pod that never became ready.
        !ready && started + self.readiness_delay > changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::at;

    const RULES: CpuRules = CpuRules {
        now: Instant(1_000_000_000),
        initialization_period: Micros::from_mins(5),
        readiness_delay: Micros::from_secs(30),
    };

    /// A running pod that started and last changed its readiness so many seconds ago, with a sample of 15 s
    /// that is so old.
    #[track_caller]
    fn check(started: u64, (ready, changed): (bool, u64), sampled: u64, expected: Class) {
        let pod = PodState {
            phase: Phase::Running,
            deleted: false,
            ready: Some((ready, at(1000 - changed))),
            started: Some(at(1000 - started)),
        };
        let sample = SampleTime { at: at(1000 - sampled), window: Micros::from_secs(15) };
        assert_eq!(classify(&pod, Some(sample), Some(RULES)), expected);
    }

    #[test]
    fn a_young_pod_counts_once_a_whole_sample_lies_after_it_became_ready() {
        check(299, (true, 60), 45, Class::Ready);
        check(299, (true, 60), 46, Class::Unready);
        check(299, (false, 60), 0, Class::Unready);
    }

    #[test]
    fn an_old_pod_counts_unless_it_never_became_ready() {
        check(300, (true, 10), 20, Class::Ready);
        check(300, (false, 270), 0, Class::Ready);
        check(300, (false, 271), 0, Class::Unready);
    }

    #[test]
    fn for_other_metrics_a_running_pod_with_a_sample_counts() {
        let pod = PodState {
            phase: Phase::Running,
            deleted: false,
            ready: Some((false, at(0))),
            started: None,
        };
        let sample = SampleTime { at: at(1000), window: Micros::ZERO };
        assert_eq!(classify(&pod, Some(sample), None), Class::Ready);
        assert_eq!(classify(&pod, Some(sample), Some(RULES)), Class::Unready);
        assert_eq!(classify(&pod, None, None), Class::Missing);
        let failed = PodState { phase: Phase::Failed, ..pod };
        assert_eq!(classify(&failed, Some(sample), None), Class::Ignored);
    }
}
