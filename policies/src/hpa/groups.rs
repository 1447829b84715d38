//! The pods of a service as groups that count alike: a look at a thousand pods costs no more than one at ten.
//!
//! The groups come from the sums that the owner of the pods keeps. Rules that depend on single pods' ages read
//! pod by pod, as long as there are pods that they concern.

use super::pods::{Class, CpuRules, PodState, SampleTime, classify};
use contract::{Instant, Metric, Micros, PodSeen, PodStage, Pods, thousandths};

/// Pods that count alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// How they count.
    pub class: Class,
    /// How many they are.
    pub pods: u32,
    /// What their samples say, in thousandths, in all.
    pub usage_milli: i64,
}

/// Hands over the pods of a service, in groups as large as the rules allow.
pub fn for_each_group(
    pods: &Pods,
    metric: Metric,
    cpu: Option<CpuRules>,
    mut add: impl FnMut(Group),
) {
    if cpu.is_some() && ages_matter(pods, metric) {
        for pod in pods {
            add(single(pod, metric, cpu));
        }
        return;
    }
    for stage in PodStage::ALL {
        let sampled = pods.sampled(metric, stage);
        let bare = pods.at(stage) - sampled.pods;
        let class = class_at(stage, true);
        add(Group { class, pods: sampled.pods, usage_milli: sampled.milli() });
        add(Group { class: class_at(stage, false), pods: bare, usage_milli: 0 });
    }
}

/// A pod alone.
fn single(pod: &PodSeen, metric: Metric, cpu: Option<CpuRules>) -> Group {
    let sample = pod.sample(metric);
    let time = sample.map(|sample| SampleTime { at: sample.at, window: sample.window });
    let class = classify(&PodState::of(pod), time, cpu);
    let usage_milli = sample.map_or(0, |sample| thousandths(sample.value));
    Group { class, pods: 1, usage_milli }
}

/// How pods count whose ages do not matter.
fn class_at(stage: PodStage, has_sample: bool) -> Class {
    let pod = PodState::at(stage, Instant::ZERO, Instant::ZERO);
    let sample = SampleTime { at: Instant::ZERO, window: Micros::ZERO };
    classify(&pod, has_sample.then_some(sample), None)
}

/// Whether the rules for CPU may tell pods of one stage apart. A ready pod whose sample covers nothing from
/// before it was ready counts however old it is; other running pods with a sample count by their age.
fn ages_matter(pods: &Pods, metric: Metric) -> bool {
    use PodStage::{Initialising, Loading, Probing, Ready, Starting};
    let sampled = |stage| pods.sampled(metric, stage).pods;
    pods.settled(metric) < sampled(Ready)
        || [Starting, Loading, Initialising, Probing].into_iter().any(|stage| sampled(stage) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hpa::replica_calculator::PodUsage;
    use crate::hpa::utilization::ResourceUsage;
    use crate::samples::at;
    use contract::{PodId, Sample};
    use proptest::prelude::*;

    const METRIC: Metric = Metric::Busy;

    /// Pods of all stages and ages around 1,000 s, some without a sample, some with one from before they were
    /// ready.
    fn pods() -> impl Strategy<Value = Pods> {
        let stage = prop::sample::select(&PodStage::ALL[..]);
        let sample =
            prop::option::of((0.0..3.0, 900_u64..=1000, prop::sample::select(vec![0, 60])));
        let pod = (stage, 600_u64..=1000, 900_u64..=1000, sample);
        let pod = pod.prop_map(|(stage, created, since, sample)| {
            let sample = sample.map(|(value, seconds, window)| Sample {
                metric: METRIC,
                value,
                at: at(seconds),
                window: Micros::from_secs(window),
            });
            PodSeen {
                id: PodId(0),
                stage,
                since: at(since),
                created: at(created),
                node: None,
                samples: sample.into_iter().collect(),
            }
        });
        prop::collection::vec(pod, 0..12).prop_map(Pods::from)
    }

    fn cpu_rules(readiness_delay: u64) -> CpuRules {
        CpuRules {
            now: at(1000),
            initialization_period: Micros::from_mins(5),
            readiness_delay: Micros::from_secs(readiness_delay),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn groups_say_what_the_pods_one_by_one_say(
            pods in pods(),
            readiness_delay in prop::sample::select(vec![0, 30]),
        ) {
            let (mut grouped, mut summed) = (PodUsage::default(), PodUsage::default());
            for_each_group(&pods, METRIC, None, |group| grouped.add_group(group));
            for pod in &pods {
                summed.add_group(single(pod, METRIC, None));
            }
            prop_assert_eq!(grouped, summed);

            let cpu = Some(cpu_rules(readiness_delay));
            let (mut grouped, mut summed) = (ResourceUsage::new(50), ResourceUsage::new(50));
            for_each_group(&pods, METRIC, cpu, |group| grouped.add_group(group, 1000));
            for pod in &pods {
                summed.add_group(single(pod, METRIC, cpu), 1000);
            }
            prop_assert_eq!(grouped, summed);
        }
    }

    #[test]
    fn a_large_service_that_runs_is_a_handful_of_groups() {
        let ready = |id| PodSeen {
            id: PodId(id),
            stage: PodStage::Ready,
            since: at(900),
            created: at(890),
            node: None,
            samples: vec![Sample {
                metric: METRIC,
                value: 0.5,
                at: at(990),
                window: Micros::from_secs(60),
            }],
        };
        let pods: Pods = (0..1000).map(ready).collect();
        let mut groups = Vec::new();
        for_each_group(&pods, METRIC, Some(cpu_rules(30)), |group| groups.push(group));
        groups.retain(|group| group.pods > 0);
        let all = Group { class: Class::Ready, pods: 1000, usage_milli: 500_000 };
        assert_eq!(groups, [all]);
    }
}
