//! The pods of a service, and sums over them that are kept while pods change, so that nobody who only wants
//! the sums has to look at every pod.

use crate::{Metric, PodSeen, PodStage, Sample, thousandths};
use serde::{Deserialize, Serialize, Serializer};
use std::ops::Deref;

/// Pods, oldest first. Reads as a slice; changes go through its own methods, which keep the sums right.
///
/// Journals hold the pods alone: the sums are made again when a line is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "Vec<PodSeen>")]
pub struct Pods {
    list: Vec<PodSeen>,
    at: [u32; PodStage::ALL.len()],
    sampled: [[Sampled; PodStage::ALL.len()]; Metric::ALL.len()],
    settled: [u32; Metric::ALL.len()],
}

/// Pods that have a sample of a metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampled {
    /// How many.
    pub pods: u32,
    /// Whole numbers, so that what is added and taken away again leaves no trace; wide enough for any number
    /// of pods.
    sum: i128,
}

impl Sampled {
    /// Sum of their samples in whole thousandths, each cut off before it is added (see [`thousandths`]).
    /// Saturates.
    pub fn milli(self) -> i64 {
        let end = if self.sum < 0 { i64::MIN } else { i64::MAX };
        i64::try_from(self.sum).unwrap_or(end)
    }
}

impl Pods {
    /// How many pods are at a stage.
    pub fn at(&self, stage: PodStage) -> u32 {
        self.at[stage as usize]
    }

    /// The pods at a stage that have a sample of a metric.
    pub fn sampled(&self, metric: Metric, stage: PodStage) -> Sampled {
        self.sampled[metric as usize][stage as usize]
    }

    /// How many of the ready pods have a sample that covers nothing from before they were ready.
    pub fn settled(&self, metric: Metric) -> u32 {
        self.settled[metric as usize]
    }

    /// Adds a pod, the newest.
    pub fn push(&mut self, pod: PodSeen) {
        self.count::<true>(&pod);
        self.list.push(pod);
    }

    /// Takes the pod at a place out.
    ///
    /// # Panics
    /// When there is none.
    pub fn remove(&mut self, place: usize) -> PodSeen {
        let pod = self.list.remove(place);
        self.count::<false>(&pod);
        pod
    }

    /// Changes the pod at a place.
    ///
    /// # Panics
    /// When there is none.
    pub fn edit(&mut self, place: usize, change: impl FnOnce(&mut PodSeen)) {
        // Out of the list while it changes: the sums forget it as it was and learn it as it is.
        let mut list = std::mem::take(&mut self.list);
        self.count::<false>(&list[place]);
        change(&mut list[place]);
        self.count::<true>(&list[place]);
        self.list = list;
    }

    /// Adds a pod to the sums, or takes it out of them.
    fn count<const IN: bool>(&mut self, pod: &PodSeen) {
        let step = |count: &mut u32| if IN { *count += 1 } else { *count -= 1 };
        step(&mut self.at[pod.stage as usize]);
        for sample in &pod.samples {
            let metric = sample.metric as usize;
            let sums = &mut self.sampled[metric][pod.stage as usize];
            step(&mut sums.pods);
            let milli = i128::from(thousandths(sample.value));
            sums.sum += if IN { milli } else { -milli };
            if pod.is_settled(sample) {
                step(&mut self.settled[metric]);
            }
        }
    }
}

impl PodSeen {
    /// Whether the pod is ready, and was so for all the time that a sample of it covers.
    pub fn is_settled(&self, sample: &Sample) -> bool {
        self.stage == PodStage::Ready && sample.at >= self.since + sample.window
    }
}

impl Deref for Pods {
    type Target = [PodSeen];

    fn deref(&self) -> &[PodSeen] {
        &self.list
    }
}

impl<'a> IntoIterator for &'a Pods {
    type Item = &'a PodSeen;
    type IntoIter = std::slice::Iter<'a, PodSeen>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl From<Vec<PodSeen>> for Pods {
    fn from(list: Vec<PodSeen>) -> Self {
        let mut pods = Self::default();
        for pod in &list {
            pods.count::<true>(pod);
        }
        pods.list = list;
        pods
    }
}

impl FromIterator<PodSeen> for Pods {
    fn from_iter<I: IntoIterator<Item = PodSeen>>(pods: I) -> Self {
        Self::from(Vec::from_iter(pods))
    }
}

impl Extend<PodSeen> for Pods {
    fn extend<I: IntoIterator<Item = PodSeen>>(&mut self, pods: I) {
        for pod in pods {
            self.push(pod);
        }
    }
}

impl Serialize for Pods {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Instant, Micros, PodId};
    use proptest::prelude::*;

    /// Something that happens to the pods.
    #[derive(Clone, Debug)]
    enum Step {
        Push(PodSeen),
        Remove(usize),
        Stage(usize, PodStage, u64),
        Samples(usize, Vec<Sample>),
    }

    fn stage() -> impl Strategy<Value = PodStage> {
        prop::sample::select(&PodStage::ALL[..])
    }

    /// At most one sample of each metric.
    fn samples() -> impl Strategy<Value = Vec<Sample>> {
        let metrics = prop::sample::subsequence(&Metric::ALL[..], 0..=3);
        let value = prop_oneof![-5.0..5000.0, Just(f64::INFINITY), Just(f64::NAN)];
        (metrics, value, 0_u64..100, 0_u64..30).prop_map(|(metrics, value, at, window)| {
            let sample = |metric| Sample { metric, value, at: Instant(at), window: Micros(window) };
            metrics.into_iter().map(sample).collect()
        })
    }

    fn pod() -> impl Strategy<Value = PodSeen> {
        (stage(), 0_u64..100, samples()).prop_map(|(stage, since, samples)| PodSeen {
            id: PodId(0),
            stage,
            since: Instant(since),
            created: Instant::ZERO,
            node: None,
            samples,
        })
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            2 => pod().prop_map(Step::Push),
            1 => any::<usize>().prop_map(Step::Remove),
            2 => (any::<usize>(), stage(), 0_u64..100)
                .prop_map(|(place, stage, since)| Step::Stage(place, stage, since)),
            2 => (any::<usize>(), samples()).prop_map(|(place, samples)| Step::Samples(place, samples)),
        ];
        prop::collection::vec(step, 0..60)
    }

    fn take(pods: &mut Pods, step: Step) {
        let within = |place: usize| place.checked_rem(pods.len());
        match step {
            Step::Push(pod) => pods.push(pod),
            Step::Remove(place) => {
                if let Some(place) = within(place) {
                    pods.remove(place);
                }
            }
            Step::Stage(place, stage, since) => {
                if let Some(place) = within(place) {
                    pods.edit(place, |pod| (pod.stage, pod.since) = (stage, Instant(since)));
                }
            }
            Step::Samples(place, samples) => {
                if let Some(place) = within(place) {
                    pods.edit(place, |pod| pod.samples = samples);
                }
            }
        }
    }

    /// The sums, counted pod by pod.
    fn counted(pods: &[PodSeen], metric: Metric, stage: PodStage) -> (u32, Sampled, u32) {
        let (mut at, mut sampled, mut settled) = (0, Sampled::default(), 0);
        for pod in pods {
            let sample = pod.sample(metric);
            at += u32::from(pod.stage == stage);
            settled += u32::from(sample.is_some_and(|sample| pod.is_settled(sample)));
            if let Some(sample) = sample.filter(|_| pod.stage == stage) {
                sampled.pods += 1;
                sampled.sum += i128::from(thousandths(sample.value));
            }
        }
        (at, sampled, settled)
    }

    proptest! {
        #[test]
        fn sums_are_those_of_the_pods_whatever_happened_to_them(steps in steps()) {
            let mut pods = Pods::default();
            for step in steps {
                take(&mut pods, step);
            }
            for metric in Metric::ALL {
                for stage in PodStage::ALL {
                    let sums = (pods.at(stage), pods.sampled(metric, stage), pods.settled(metric));
                    prop_assert_eq!(sums, counted(&pods, metric, stage));
                }
            }
        }
    }

    #[test]
    fn a_journal_holds_the_pods_alone() {
        let sample =
            Sample { metric: Metric::Busy, value: 0.5, at: Instant(9), window: Micros::ZERO };
        let pod = PodSeen {
            id: PodId(3),
            stage: PodStage::Ready,
            since: Instant(1),
            created: Instant::ZERO,
            node: None,
            samples: vec![sample],
        };
        let pods = Pods::from(vec![pod.clone()]);
        let text = serde_json::to_string(&pods).expect("text");
        assert_eq!(text, serde_json::to_string(&[pod]).expect("text"));
        assert_eq!(serde_json::from_str::<Pods>(&text).expect("pods"), pods);
    }
}
